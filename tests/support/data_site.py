"""A site over TLS that answers thousands of requests a second, and never twice the same.

It knows logins, sessions, downloads and uploads.  Every answer holds its request's address and number, so that a file
that was put together from two answers, or that belongs to another request, is found out.  Bodies are sent in pieces,
each a TLS record of its own: a cut leaves a part of them.
"""

from __future__ import annotations

import asyncio
import random
import re
import ssl
import zlib
from collections import defaultdict
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self

from aiomar.testing import _html

FramingKind = Literal["length", "chunked", "close", "http/1.0"]
"""How the end of a body is shown; the last two: by the end of the connection."""
FRAMINGS: tuple[FramingKind, ...] = ("length", "chunked", "close", "http/1.0")

_LENGTH = re.compile(r"(?im)^content-length: (\d+)")
_RECORD = 216
_LARGEST_PIECE = 16_000
"""A piece fits into one TLS record."""
_LOGIN_PAGE = b'<html><form action="fr_top.jsp"><input type="password"></form></html>'


class DataSite:
    """Both ports of a site in one, on 127.0.0.1.

    Args:
        context: the server's side of TLS.
        seed: where chance comes from.

    Attributes:
        framings: of the answers from now on; each draws one.
        size: about how many bytes a body has from now on.
        served: the bodies of every download since the last `forget`, by path and query.
        requests: since the last `forget`, logins too.
    """

    def __init__(self, context: ssl.SSLContext, seed: object) -> None:
        self._context = context
        self._rng = random.Random(str(seed))  # noqa: S311 - no secret
        self._tasks: set[asyncio.Task[None]] = set()
        self._problems: list[BaseException] = []
        self._session = 1
        self.framings: Sequence[FramingKind] = ("length",)
        self.size = 1_000
        self.served: defaultdict[str, list[bytes]] = defaultdict(list)
        self.requests = 0
        self.answers = 0

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, ssl=self._context, ssl_shutdown_timeout=1, backlog=128
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening and cut what is open; then raise what went wrong here."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()
        for problem in self._problems:
            raise problem

    def expire(self) -> None:
        """End the session: the next download gets the login page."""
        self._session += 1

    def forget(self) -> None:
        """Count anew."""
        self.served.clear()
        self.requests = 0

    # --- Connections --------------------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._run(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._problems.append(problem)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.requests += 1
                if length := _LENGTH.search(head):
                    self._take(head, await reader.readexactly(int(length[1])), writer)
                elif not await self._answer(head, writer):
                    break
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the peer may leave whenever it likes
        finally:
            writer.transport.abort()

    def _take(self, head: str, form: bytes, writer: asyncio.StreamWriter) -> None:
        """Take an upload, whatever it is."""
        name, _, content = form.partition(b'filename="')[2].partition(b'"')
        size = len(content.partition(b"\r\n\r\n")[2].rpartition(b"\r\n--")[0])
        taken = f"Cookie: S={self._session}\r\n" in head
        writer.write(_whole(_html.receipt(name.decode(), size, 77) if taken else _LOGIN_PAGE))

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; true if the connection lives on."""
        target = head.split(" ", 2)[1]
        if "fr_top" in target:
            writer.write(_whole(b"<html>welcome</html>", f"Set-Cookie: S={self._session}; Path=/"))
            return True
        if f"Cookie: S={self._session}\r\n" not in head:
            writer.write(_whole(_LOGIN_PAGE))
            return True
        self.answers += 1
        body = self._body(target)
        self.served[target].append(body)
        framing = self._rng.choice(self.framings)
        pieces = _split(body, self._rng)
        writer.write(_head(framing, len(body)) + _framed(pieces[0], framing))
        for piece in pieces[1:]:
            writer.write(_framed(piece, framing))
            await writer.drain()
        if framing == "chunked":
            writer.write(b"0\r\n\r\n")
        return framing in {"length", "chunked"}

    # --- Bodies -------------------------------------------------------------------------------------------------------

    def _body(self, target: str) -> bytes:
        tag = f"{zlib.crc32(target.encode()):08x}.{self.answers}"
        return mdef(tag, self.size) if "getMDEF" in target else csv(tag, self.size)


def csv(tag: str, size: int) -> bytes:
    """Give rows that hold a tag, of about so many bytes together."""
    front = f"{tag},"
    rows = [f"{front}{number},{number * 7919 % 1000}.5" for number in range(1 + size // (len(front) + 12))]
    return "\r\n".join(("METER,INTERVAL,VALUE", *rows, "")).encode()


def mdef(tag: str, size: int) -> bytes:
    """Give records that hold a tag, of about so many bytes together: a header, some data, a trailer that counts."""
    count = max(2, size // _RECORD)
    records = [_record(1 if number == 0 else 1000 + number % 8000, f"{tag} {number}") for number in range(count - 1)]
    return b"".join((*records, _record(9999, f"{'':30}{count:010}{tag}")))


def _record(code: int, text: str) -> bytes:
    return _RECORD.to_bytes(2, "little") + code.to_bytes(2, "little") + text.encode().ljust(_RECORD - 4)


def _split(body: bytes, rng: random.Random) -> list[bytes]:
    """Cut a body into pieces, never behind a row: what is lost behind one cannot be seen, and is another gate's."""
    pieces = []
    at = 0
    while at < len(body):
        end = at + rng.randint(1, min(_LARGEST_PIECE, max(2, len(body) // 2)))
        if body[end - 1 : end] == b"\n":
            end += 1
        pieces.append(body[at:end])
        at = end
    return pieces


def _head(framing: FramingKind, size: int) -> bytes:
    match framing:
        case "length":
            return f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
        case "chunked":
            return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        case "close":
            return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        case "http/1.0":
            return b"HTTP/1.0 200 OK\r\n\r\n"


def _framed(piece: bytes, framing: FramingKind) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece


def _whole(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}", "", "")).encode() + body
