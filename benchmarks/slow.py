"""The far-away server behind nginx: waits, then answers; ``python -m benchmarks.slow SOCKET SECONDS BODY``.

nginx keeps the TLS and the client certificate, so that only the latency differs from the other workloads.  A process of
its own, because nginx from most sources has no module that sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path


async def serve(socket: str, seconds: float, body: bytes) -> None:
    """Answer every request on a Unix socket with *body*, *seconds* after its head has come."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # how nginx says goodbye
            while request := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(seconds)
                writer.write(head if request.startswith(b"HEAD ") else head + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(converse, socket)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]).read_bytes()))
