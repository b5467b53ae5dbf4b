"""A client that shares nothing with aiomar: one TLS socket, bytes in, bytes out."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

import attrs

from aiomar.testing import OmarServer

Done = TypeVar("Done")

DOWNLOAD = (
    "/getMDEF.jsp?requestedFormat=download&datasourceType=SQMD&groupOrMeter=meter&selectedMeters=1001"
    "&startDate=07%2F05%2F2000&endDate=07%2F08%2F2000&timeType=PST&fileFormat=MDEF&group="
)


async def until(condition: Callable[[], bool]) -> None:
    """Let the server, which runs in the same loop, go on until it has seen something."""
    while not condition():  # noqa: ASYNC110 - the server's log has no events, and needs none but here
        await asyncio.sleep(0)


@attrs.frozen
class Seen:
    """What came over the wire, and how it ended."""

    data: bytes
    end: str
    """"eof", "torn" (TCP ended in order, TLS did not), "reset", or "left" where the client closed."""

    @property
    def head(self) -> str:
        """Status line and headers."""
        return self.data.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> bytes:
        """Everything after them, framing included."""
        return self.data.partition(b"\r\n\r\n")[2]

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        pairs = [line.partition(": ") for line in self.head.splitlines()[1:]]
        return [value for key, _, value in pairs if key.lower() == name.lower()]


class Tunnel:
    """TLS over a socket that stays in our hands: `ssl` itself reports a TCP reset as a mere end of file."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        self._plain = plain
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        self._until_done(self._tls.do_handshake)

    def _until_done(self, step: Callable[[], Done]) -> Done:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
                if piece := self._plain.recv(65_536):
                    self._in.write(piece)
                else:
                    self._in.write_eof()
            finally:
                self._flush()

    def _flush(self) -> None:
        if self._out.pending:
            self._plain.sendall(self._out.read())

    def send(self, data: bytes) -> None:
        """Send all of the data."""
        self._until_done(lambda: self._tls.write(data))

    def receive(self) -> bytes:
        """Give what comes next; nothing after an orderly end."""
        try:
            return self._until_done(lambda: self._tls.read(65_536))
        except ssl.SSLZeroReturnError:
            return b""


@attrs.frozen
class Wire:
    """Sends requests to one server."""

    server: OmarServer
    context: ssl.SSLContext

    async def raw(self, origin: str, request: bytes, *, enough: int | None = None) -> Seen:
        """Send bytes and read to the end of the connection, or until there are `enough` bytes."""
        return await asyncio.to_thread(self._talk, int(origin.rpartition(":")[2]), request, enough)

    def _talk(self, port: int, request: bytes, enough: int | None) -> Seen:
        got = b""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            tunnel = Tunnel(plain, self.context)
            try:
                tunnel.send(request)
                while enough is None or len(got) < enough:
                    piece = tunnel.receive()
                    if not piece:
                        return Seen(got, "eof")
                    got += piece
            except ConnectionResetError:
                return Seen(got, "reset")
            except ssl.SSLEOFError:
                return Seen(got, "torn")
        return Seen(got, "left")

    async def login(self) -> Seen:
        """Ask for a session."""
        return await self.get(self.server.environment.upload_origin, "/fr_top.jsp")

    async def cookie(self) -> str:
        """Log in; give the first cookie as a client has to send it back."""
        return (await self.login()).all("Set-Cookie")[0].partition(";")[0]

    async def get(self, origin: str, target: str, *headers: str, enough: int | None = None) -> Seen:
        """Send a GET on a connection of its own."""
        lines = (f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", "")
        return await self.raw(origin, "\r\n".join(lines).encode("latin-1"), enough=enough)

    async def download(self, cookie: str, target: str = DOWNLOAD, *, enough: int | None = None) -> Seen:
        """Send a download."""
        origin = self.server.environment.download_origin
        return await self.get(origin, target, f"Cookie: {cookie}", enough=enough)

    async def upload(self, cookie: str, name: str = "test5.csv", content: bytes = b"1,2\r\n") -> Seen:
        """Send a file as a browser's form does."""
        body = (
            b'--line\r\nContent-Disposition: form-data; name="datafile"; filename="' + name.encode() + b'"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--line--\r\n"
        )
        head = (
            f"POST /uploadProcess.jsp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookie}\r\n"
            f"Content-Type: multipart/form-data; boundary=line\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return await self.raw(self.server.environment.upload_origin, head.encode("latin-1") + body)
