"""The listening port of the control page: plain HTTP, on this machine's own address and no other."""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Self

from aiomar.testing._control import Control, ControlRequest, Subject
from aiomar.testing._http import Answered, Exchange, Port
from aiomar.testing._wire import whole

_SECRET_BYTES = 18
_LONGEST_BODY = 1_048_576


class ControlPort:
    """Listens while it is entered.

    Args:
        subject: the server to control.
        port: a port number; 0 for any free one.
    """

    def __init__(self, subject: Subject, port: int) -> None:
        self._subject = subject
        self._wanted = port
        self._port: Port | None = None
        self._control: Control | None = None

    async def __aenter__(self) -> Self:
        """Open the port, under a new secret."""
        self._port = Port(self._handle, None, self._wanted)
        self._control = Control(self._subject, self._port.listener.port, secrets.token_urlsafe(_SECRET_BYTES))
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it, and cut every connection."""
        if self._port is not None:
            await self._port.close()

    @property
    def control(self) -> Control:
        """What answers."""
        if self._control is None:
            raise RuntimeError("the server is not running: enter it with 'async with' first")
        return self._control

    async def _handle(self, exchange: Exchange) -> Answered:
        asked = ControlRequest(method=exchange.method, target=exchange.target, headers=exchange.headers)
        reply = self.control.refusal(asked)
        if reply is None:
            reply = self.control.answer(asked, await exchange.short_body(_LONGEST_BODY))
        return await exchange.carry_out(whole(reply))
