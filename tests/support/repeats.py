"""Places where a request must fail, and how often it was tried, as the client's own events tell."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Literal

import attrs

from aiomar import (
    DownloadRetrying,
    Event,
    LoginRetrying,
    OmarClient,
    UploadRetrying,
)

Operation = Literal["login", "download", "upload"]
_RETRYING = {"login": LoginRetrying, "download": DownloadRetrying, "upload": UploadRetrying}


@attrs.define
class Repeats:
    """An observer that counts."""

    events: list[Event] = attrs.field(factory=list)

    def __call__(self, event: Event) -> None:  # noqa: D102 - it is the observer
        self.events.append(event)

    def attempts(self, operation: Operation) -> int:
        """Say how often an operation that failed was tried."""
        return 1 + sum(isinstance(event, _RETRYING[operation]) for event in self.events)


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Give a port of 127.0.0.1 that refuses connections; it is held, so that nobody else gets it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Give a port of 127.0.0.1 that answers no connection: its queue is full, so the system drops what comes."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the name of the method says it
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


def lead_uploads_to(client: OmarClient, origin: str) -> None:
    """Let an open client log in where it should, and send its uploads elsewhere."""
    parts = client._ready()
    courier = parts.uploader.courier
    courier = attrs.evolve(courier, environment=attrs.evolve(courier.environment, upload_origin=origin))
    parts.uploader = attrs.evolve(parts.uploader, courier=courier)
