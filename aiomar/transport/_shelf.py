"""Idle connections of the short way, so that a request need not go through aiohttp's pool.

Getting a connection from that pool and giving it back costs as much as writing the request.  So a connection stays
taken as far as the pool knows, and lies here until the next request or for as long as servers keep idle ones.
"""

from __future__ import annotations

import asyncio
import ssl
from time import monotonic
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection


@attrs.define(eq=False)
class Line:
    """One connection, with what is asked of it in every request."""

    _connection: Connection
    protocol: ResponseHandler
    transport: asyncio.Transport
    tls: ssl.SSLObject
    _shelf: Shelf | None
    """Where it lies while nobody uses it; `None` if it is for one request alone."""
    since: float = attrs.field(default=0.0, init=False)
    """When it became idle."""
    may_be_dead: bool = attrs.field(default=False, init=False)
    """It was idle, and nothing has come since: its server may have left it."""

    def release(self) -> None:
        """Let the next request have it, if it is fit for one."""
        if self._shelf is None or self.protocol.should_close:
            self.close()
        else:
            self._shelf.put(self)

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class Shelf:
    """The idle connections to one origin; the last to come is the first to go, so that the others can end.

    Args:
        seconds: a connection that was idle for longer is closed.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lines: list[Line] = []  # by the moment at which they became idle
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self, now: float) -> Line | None:
        """Give a connection that can be used, or `None`.

        One on which something came unasked cannot: it would pass for the next answer.
        """
        while self._lines:
            line = self._lines.pop()
            # Its transport is asked as well, as a connection that the server ends is closing before it is lost.
            if now - line.since < self._seconds and not line.protocol.should_close and not line.transport.is_closing():
                line.may_be_dead = True
                return line
            line.close()
        return None

    def put(self, line: Line) -> None:
        """Take a connection back."""
        if self._closed:
            line.close()
            return
        line.since = monotonic()
        self._lines.append(line)
        if self._timer is None:
            self._set_timer(self._seconds)

    def close(self) -> None:
        """Close all that lie here and all that come back later."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for line in self._lines:
            line.close()
        self._lines.clear()

    def _set_timer(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        """Close what was idle for too long; one timer serves all, as the first of the list is always the next."""
        self._timer = None
        now = monotonic()
        while self._lines:
            left = self._lines[0].since + self._seconds - now
            if left > 0:
                self._set_timer(left)
                return
            self._lines.pop(0).close()
