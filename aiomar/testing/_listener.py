"""One listening port, with mutual TLS or without.

Accepting is done here, not by ``loop.create_server``, for two reasons: every TCP connection is counted, also one whose
handshake fails, and a connection in the middle of its handshake can be ended when the server stops.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable

_HANDSHAKE = 10.0
_GOODBYE = 0.5
"""Seconds to wait for the peer's part of the TLS handshake, and of its close."""
_BACKLOG = 512
_LINGER_NONE = struct.pack("ii", 1, 0)


class Listener:
    """A port of ``localhost``.

    Args:
        factory: makes the protocol of one connection.
        context: the server's side of TLS; `None` for plain TCP.
        port: a port number; 0 for any free one.
    """

    def __init__(self, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None, port: int) -> None:
        self._factory = factory
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self._socket.setblocking(False)  # noqa: FBT003 - the name of the method says it
        self.port: int = self._socket.getsockname()[1]
        self.accepted = 0
        """TCP connections."""
        self.refused = 0
        """Those whose TLS handshake failed: no client certificate, a foreign one, or a client that left."""
        self._task = asyncio.create_task(self._accept(), name=f"aiomar-testing-{self.port}")

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as handshakes:
            while True:
                connection, _ = await loop.sock_accept(self._socket)
                self.accepted += 1
                handshakes.create_task(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._factory,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE if self._context else None,
                ssl_shutdown_timeout=_GOODBYE if self._context else None,
            )
        except OSError:
            self.refused += 1

    async def close(self) -> None:
        """Stop accepting, and end every handshake that is under way."""
        self._task.cancel()
        await asyncio.wait((self._task,))
        self._socket.close()


def reset(transport: asyncio.Transport | None) -> None:
    """End a connection with a TCP reset: no lingering, no goodbye."""
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()
