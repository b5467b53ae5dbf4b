"""A transport without a network: aiohttp's own parser gets the bytes of an answer from memory, and then the end.

Everything behind the socket is the real thing, so that a connection can be cut ten thousand times in a few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp.client_proto import ResponseHandler

from aiomar.errors import TransportError
from aiomar.protocol import HttpRequest, ResponseHead
from aiomar.transport import Exchange, Trace
from aiomar.transport._body_reader import BodyReader
from aiomar.transport._failures import translate
from aiomar.transport._watch import Watch

_LOGIN = b"HTTP/1.1 200 OK\r\nSet-Cookie: S=1; Path=/\r\nContent-Length: 2\r\n\r\nok"


class MemoryTransport:
    """A `Transport` that lets logins succeed and gives every other request the same bytes.

    Attributes:
        wire: what comes before the connection ends.
        end: how it ends; `None` for an orderly end.
    """

    def __init__(self) -> None:
        self.wire = b""
        self.end: Callable[[], OSError] | None = None
        self._gap = Watch(60)

    async def send(self, request: HttpRequest, trace: Trace, *, own_connection: bool = False) -> Exchange:  # noqa: ARG002 - there are no connections
        """Give the answer as far as it comes."""
        trace.phase = "request"
        login = request.target.endswith("fr_top.jsp")
        handler = ResponseHandler(asyncio.get_running_loop())
        handler.connection_made(_Nowhere())
        handler.set_response_params(read_until_eof=True, auto_decompress=False)
        handler.data_received(_LOGIN if login else self.wire)
        if not login and self.end is None:
            handler.eof_received()
        handler.connection_lost(self.end() if self.end and not login else None)
        if handler.closed is not None and not handler.closed.cancelled():
            handler.closed.exception()  # looked at
        try:
            message, content = await handler.read()
        except Exception as error:
            raise self._failure(error, request) from error
        trace.phase = "response"
        head = ResponseHead(message.code, message.headers)
        return BodyReader(head, request.origin, content, self._gap, _Source(), None)

    @staticmethod
    def _failure(error: Exception, request: HttpRequest) -> TransportError:
        return translate(error, origin=request.origin, phase="request", answered=True)

    async def aclose(self) -> None:
        """Do nothing but stop the clock."""
        self._gap.close()


class _Nowhere(asyncio.Transport):
    """Takes everything."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class _Source:
    """Where there is no connection to give back."""

    def release(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
