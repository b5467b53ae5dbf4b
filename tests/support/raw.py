"""Servers that answer with bytes, whatever they are worth, and count who comes."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import attrs

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Then(enum.Enum):
    """What follows the bytes of an answer."""

    CLOSE = "close"
    KEEP = "keep"
    STALL = "stall"
    RESET = "reset"


@attrs.frozen
class Answer:
    """Bytes, and what follows them."""

    wire: bytes
    then: Then = Then.CLOSE


def whole(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    """Give a healthy answer on a connection that stays open."""
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", "")
    return Answer("\r\n".join(lines).encode() + body, Then.KEEP)


LOGIN = whole(b"welcome", "Set-Cookie: S=1; Path=/")


class Port:
    """A port of 127.0.0.1 where every connection is counted and handled.

    Args:
        handler: deals with one connection; the connection is closed when it ends.
        context: the server's side of TLS, or `None` for plain TCP.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._context = context
        self._tasks: list[asyncio.Task[None]] = []
        self.connections = 0
        """Those that got as far as the handler: with TLS, after the handshake."""

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        self.number: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening and cut what is open; then raise what went wrong here."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        for result in results:
            if isinstance(result, Exception):
                raise result

    @property
    def origin(self) -> str:
        """Its address for an `Environment`."""
        return f"https://localhost:{self.number}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.append(asyncio.create_task(self._run(reader, writer)))

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # The peer may leave whenever it likes.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._handler(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()


class RawSite(Port):
    """A site whose login works and whose other answers are given.

    Args:
        context: the server's side of TLS.
        *answers: one for each request that is not a login; the last one for all that follow.
        login: what a login gets.
    """

    def __init__(self, context: ssl.SSLContext, *answers: Answer, login: Answer = LOGIN) -> None:
        super().__init__(self._talk, context)
        self._answers: Sequence[Answer] = answers or (login,)
        self._login = login
        self._writers: list[asyncio.StreamWriter] = []
        self.targets: list[str] = []
        """Path and query of every request."""

    @property
    def data_requests(self) -> int:
        """How many requests were not logins."""
        return sum("fr_top" not in target for target in self.targets)

    def say_to_all(self, wire: bytes) -> None:
        """Send bytes on every connection, asked or not."""
        for writer in self._writers:
            writer.write(wire)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if length := re.search(r"(?im)^content-length: (\d+)", head):
                await reader.readexactly(int(length[1]))
            self.targets.append(head.split(" ")[1])
            answer = self._login
            if "fr_top" not in self.targets[-1]:
                answer = self._answers[min(self.data_requests, len(self._answers)) - 1]
            writer.write(answer.wire)
            await writer.drain()
            if answer.then is Then.STALL:
                await reader.read()
            if answer.then is Then.RESET:
                reset(writer)
            if answer.then is not Then.KEEP:
                return


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a TCP reset."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
