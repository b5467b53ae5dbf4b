"""What the tests of the client share: short calls, and looks at the wire, the disk and the loop."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import attrs

from aiomar import (
    FailedDownload,
    FileFormat,
    Group,
    Meter,
    OmarClient,
    OmarConfig,
    RangeReport,
    SavedFile,
    TimeType,
)
from aiomar._retry import Waiting
from aiomar.testing import OmarServer, Raw
from aiomar.transfer import Selections
from aiomar.transfer._catalogue_file import FOLDER

DAY = dt.date(2026, 1, 1)
METER = Meter("1001")
UNKNOWN = Meter("9999")
"""Without data: the server answers with a page that is not a login page."""
CSV = b"id,time,value\r\n1001,01:00,5\r\n1001,02:00,6\r\n"


def fetch(
    client: OmarClient,
    into: Path,
    selection: Meter | Group = METER,
    *,
    file_format: FileFormat = FileFormat.CSV,
    name: str | None = None,
    overwrite: bool = False,
    allow_unverified: bool = False,
) -> Coroutine[object, object, SavedFile]:
    """Download one file of one day."""
    return client.download(
        selection,
        DAY,
        DAY,
        file_format=file_format,
        time_type=TimeType.PST,
        into=into,
        name=name,
        overwrite=overwrite,
        allow_unverified=allow_unverified,
    )


def fetch_range(
    client: OmarClient,
    selections: Selections,
    into: Path,
    *,
    end: dt.date = DAY,
    days_per_file: int | None = None,
    errors: Literal["raise", "collect"] = "raise",
) -> Coroutine[object, object, RangeReport]:
    """Download a range as CSV."""
    return client.download_range(
        selections,
        DAY,
        end,
        file_format=FileFormat.CSV,
        time_type=TimeType.PST,
        into=into,
        days_per_file=days_per_file,
        errors=errors,
    )


def iterate(client: OmarClient, selections: Selections, into: Path) -> AsyncGenerator[SavedFile | FailedDownload]:
    """Download a day of many as CSV, one outcome at a time."""
    return client.iter_range(selections, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=into)


def data(server: OmarServer, selection: Meter | Group = METER, file_format: FileFormat = FileFormat.CSV) -> bytes:
    """Give the bytes that `fetch` must save."""
    return server.data(selection, DAY, DAY, file_format=file_format, time_type=TimeType.PST)


def sent(server: OmarServer, kind: str) -> int:
    """Count the requests of a kind that came over the wire."""
    return sum(record.kind == kind for record in server.requests)


def cookies(server: OmarServer, *kinds: str) -> list[str | None]:
    """Give the ``Cookie`` header of each request of these kinds."""
    return [record.header("Cookie") for record in server.requests if record.kind in kinds]


def on_disk(directory: Path) -> dict[str, bytes]:
    """Give everything below a directory, hidden files included, but not the catalogue."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.parent.name != FOLDER
    }


def raw(
    body: bytes, *headers: str, status: str = "200 OK", on: Literal["login", "download", "upload"] = "download"
) -> Raw:
    """Answer with exactly these headers; without a length the body ends with the connection."""
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""])
    return Raw(head.encode("latin-1") + body, on=on)


def once(config: OmarConfig) -> OmarConfig:
    """Give the configuration with a single attempt."""
    return attrs.evolve(config, retry=attrs.evolve(config.retry, attempts=1))


@attrs.define
class Clock:
    """A clock that stands still until it is told; in a sleepless loop sleeps move it, and it notes how long."""

    now: float = 1_000.0
    step: float = 0.0
    slept: list[float] = attrs.field(factory=list)

    def __call__(self) -> float:  # noqa: D102 - it is the clock
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def waiting(self, random: Callable[[], float] = lambda: 1.0) -> Waiting:
        """Give chance and time, with the longest jitter unless told otherwise."""
        return Waiting(random=random, clock=self)


def give_waiting(client: OmarClient, waiting: Waiting) -> None:
    """Let downloads, logins, the limiter and the breaker of a client go by another clock."""
    parts = client._ready()
    retries = attrs.evolve(parts.downloader.retries, waiting=waiting)
    parts.downloader = attrs.evolve(parts.downloader, retries=retries)
    parts.confirmer = attrs.evolve(parts.confirmer, downloader=parts.downloader)
    parts.uploader = attrs.evolve(parts.uploader, courier=attrs.evolve(parts.uploader.courier, retries=retries))
    parts.downloader.limiter._clock = waiting.clock
    parts.session._opener = attrs.evolve(parts.session._opener, retries=retries)
    breaker = parts.session.breaker
    breaker.logins.clock = breaker.sessions.clock = waiting.clock


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop and the server, in its thread, go on until something is so; give up after some seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the server's log and the loop have no events for this
            await asyncio.sleep(0)


def _home(task: asyncio.Task[object]) -> str:
    code = getattr(task.get_coro(), "cr_code", None) or getattr(task.get_coro(), "ag_code", None)
    return "" if code is None else code.co_filename


def client_tasks() -> list[asyncio.Task[object]]:
    """Give the tasks that run code of the client: not those of the tests, nor of the embedded server."""
    others = ("/tests/", "/testing/", "web_protocol", "pytest")
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    return [
        task for task in tasks if not any(other in _home(task) for other in others) and "Task-" not in task.get_name()
    ]


def client_threads() -> list[str]:
    """Give the names of the client's threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("aiomar")]


def descriptors() -> list[str]:
    """Name what the open descriptors of this process lead to, in order.

    Left out is ``/dev/null``: uvloop opens it with its first server, as a reserve, and keeps it.
    """
    leads = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the directory
            leads.append(str(link.readlink()))
    return sorted(lead for lead in leads if lead != os.devnull)


@contextmanager
def untouched(directory: Path) -> Iterator[None]:
    """Hold a directory to being exactly what it was, hidden files included."""
    before = on_disk(directory)
    yield
    assert on_disk(directory) == before
