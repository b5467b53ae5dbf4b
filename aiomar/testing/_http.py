"""aiohttp's server, one port at a time: a request comes out of it as a value, and a delivery goes into it.

This is the only file that knows aiohttp.  A whole answer goes out through it; everything else is written to the
transport as raw bytes, because aiohttp rightly refuses to send broken HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import CIMultiDict

from aiomar.testing._listener import Listener, reset
from aiomar.testing._wire import Delivery, Ending

Answered = web.StreamResponse
"""What a handler gives back: only `Exchange.carry_out` makes one."""

_PATIENCE = 1.0
"""Seconds that a handler gets to end after its connection was cut; it needs a few turns of the loop."""
_PIECE = 65_536
_log = logging.getLogger("aiomar.testing")


class Exchange:
    """One request whose head has come, and the way for its answer.

    Attributes:
        method: as on the wire.
        target: path and query, never decoded.
        headers: in wire order.
    """

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.method = request.method
        self.target = request.raw_path
        self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers)

    async def body(self) -> bytes:
        """Read the body, however long it is."""
        return await self._request.content.read()

    async def short_body(self, most: int) -> bytes | None:
        """Read a body that has `most` bytes at most; of a longer one `None`, and the rest stays unread."""
        body = bytearray()
        while len(body) <= most:
            piece = await self._request.content.readany()
            if not piece:
                return bytes(body)
            body += piece
        return None

    async def carry_out(self, delivery: Delivery) -> Answered:
        """Send an answer whole, or write its bytes and end the connection as it says."""
        if delivery.reply is not None:
            reply = delivery.reply
            return web.Response(status=reply.status, body=reply.body, headers=CIMultiDict(reply.headers))
        request = self._request
        for at in range(0, len(delivery.wire), _PIECE):
            await request.writer.write(delivery.wire[at : at + _PIECE])
        await request.writer.drain()
        if delivery.ending is Ending.STALL:
            # Cancelled when the connection ends, from either side.
            await asyncio.get_running_loop().create_future()
        if delivery.ending is Ending.RESET:
            reset(request.transport)
        request.protocol.force_close()
        # The connection is gone: aiohttp notices when it tries to send this, and ends the handler without a word.
        return web.Response()


class Port:
    """A listening port of this machine with a handler behind it.

    Args:
        handle: answers one request.
        context: the server's side of TLS; `None` for plain HTTP.
        port: a port number; 0 for any free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self, handle: Callable[[Exchange], Awaitable[Answered]], context: ssl.SSLContext | None, port: int
    ) -> None:
        self._handle = handle
        self._server = web.Server(
            self._answer,
            handler_cancellation=True,
            access_log=None,
            logger=_log,
            lingering_time=0,
            auto_decompress=False,
        )
        self.listener = Listener(self._server, context, port)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._handle(Exchange(request))

    @property
    def open_connections(self) -> int:
        """How many there are now."""
        return len(self._server.connections)

    def cut(self) -> None:
        """End every connection without a goodbye."""
        for handler in self._server.connections:
            if handler.transport is not None:
                handler.transport.abort()

    async def close(self) -> None:
        """Stop listening, and cut every connection."""
        await self.listener.close()
        self.cut()
        await self._server.shutdown(_PATIENCE)
