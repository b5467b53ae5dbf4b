"""A CONNECT proxy in forty lines."""

from __future__ import annotations

import asyncio

from tests.support.raw import Port

_PIECE = 65_536


class Proxy(Port):
    """Connects to where it is told to, or answers in another way.

    Args:
        answer: sent in place of a connection; `None` for a proxy that does its work.
    """

    def __init__(self, answer: bytes | None = None) -> None:
        super().__init__(self._serve)
        self._answer = answer
        self.requests: list[str] = []
        """The first line of every request."""

    @property
    def address(self) -> str:
        """For ``proxy=``."""
        return f"http://127.0.0.1:{self.number}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.requests.append(head.partition("\r\n")[0])
        if self._answer is not None:
            writer.write(self._answer)
            return
        host, _, port = head.split(" ")[1].rpartition(":")
        there, back = await asyncio.open_connection(host, int(port), family=2)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, back))
                both.create_task(_copy(there, writer))
        except* OSError:
            pass  # either side may leave whenever it likes
        finally:
            back.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        target.write(piece)
        await target.drain()
    target.close()
