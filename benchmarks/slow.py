"""The far-away server behind nginx: waits, then answers; ``python -m benchmarks.slow SOCKET SECONDS BODY``.

nginx keeps the TLS and the client certificate, so that only the latency differs from the other workloads.  A process of
its own, because nginx from most sources has no module that sleeps; a thread for each connection, because those sleep
exactly as long as they should, while a loop rounds up and answers one after the other.
"""

from __future__ import annotations

import contextlib
import socketserver
import sys
import time
from pathlib import Path


def serve(socket: str, seconds: float, body: bytes) -> None:
    """Answer every request on a Unix socket with *body*, *seconds* after its head has come."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # how nginx says goodbye
                while request := self.rfile.readline():
                    while self.rfile.readline().strip():
                        pass
                    time.sleep(seconds)
                    self.wfile.write(head if request.startswith(b"HEAD ") else head + body)

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(socket, Conversation) as server:
        server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]).read_bytes())
