"""A process that downloads and uploads for a long time, or one large file, and tells what it holds on to meanwhile.

It is a process of its own so that its memory is the client's and nobody else's.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import multiprocessing
import os
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import attrs

from aiomar import (
    ClientIdentity,
    Environment,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    RetryPolicy,
    Timeouts,
    TimeType,
    Trust,
)
from aiomar.transport import LeanTransport

DAY = dt.date(2026, 1, 1)
_TOGETHER = 40
_WARM = 0.3
"""The part of a soak after which nothing may grow any more."""


@attrs.frozen(kw_only=True)
class Work:
    """What a child does; everything in it pickles."""

    origin: str
    ca_file: Path
    certificate: Path
    directory: Path
    """For files, sources and the client's own records."""
    lean: bool = True
    downloads: int = 0
    uploads: int = 0
    seed: int = 0

    def config(self) -> OmarConfig:
        """Give the client's configuration."""
        return OmarConfig(
            ClientIdentity.from_pkcs12(self.certificate),
            Environment("soaked", self.origin, self.origin),
            trust=Trust(ca_file=self.ca_file),
            timeouts=Timeouts(connect=5, first_byte=5, read=5),
            retry=RetryPolicy(first_wait=0.001, longest_wait=0.002),
            state_dir=self.directory / "state",
            durable=False,
            lean=self.lean,
        )


@attrs.frozen
class Held:
    """What a process holds on to."""

    kilobytes: int
    """Resident memory."""
    peak: int
    """The most that it ever was."""
    descriptors: int
    tasks: int
    threads: int

    @classmethod
    def now(cls) -> Held:
        """Look, when everything that nobody needs is gone."""
        gc.collect()
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
        return cls(
            int(status["VmRSS"].split()[0]),
            int(status["VmHWM"].split()[0]),
            len(list(Path("/proc/self/fd").iterdir())),
            len(asyncio.all_tasks()),
            threading.active_count(),
        )


@attrs.frozen
class Report:
    """What a child tells."""

    before: Held
    after: Held
    outcomes: Counter[str]
    """How calls ended, by name."""


async def soak(work: Work) -> Report:
    """Download and upload for a long time; look after a part of it and at the end, with idle connections only."""
    rng = random.Random(work.seed)  # noqa: S311 - no secret
    outcomes: Counter[str] = Counter()
    before: Held | None = None
    done = sent = 0
    async with OmarClient(work.config()) as client:
        await _all_threads(client)
        while done < work.downloads:
            await _downloads(client, work, rng, outcomes)
            done += _TOGETHER
            while sent < work.uploads * done / work.downloads:
                await _upload(client, work, sent, outcomes)
                sent += 1
            if before is None and done >= _WARM * work.downloads:
                before = await _look(client)
        after = await _look(client)
    return Report(before or after, after, outcomes)


async def _all_threads(client: OmarClient) -> None:
    """Let the client start every thread that it may have: how many it needs at once depends on the machine."""
    threads = client._ready().threads
    number = threads._pool._max_workers
    together = threading.Barrier(number)
    await asyncio.gather(*(threads.run(together.wait) for _ in range(number)))


async def _look(client: OmarClient) -> Held:
    """Look when no connection is left but those that lie idle: let them go first, they are not held on to."""
    transport = client._ready().transport
    assert isinstance(transport, LeanTransport)
    for route in transport._routes.values():
        while (line := route.shelf.take(0.0)) is not None:
            line.close()
    await asyncio.sleep(0.1)
    return Held.now()


async def _downloads(client: OmarClient, work: Work, rng: random.Random, outcomes: Counter[str]) -> None:
    """Download some files at once, singly or as a range."""
    first = rng.randrange(1_000)
    meters = [Meter(str(number)) for number in range(first, first + _TOGETHER)]
    file_format = rng.choice((FileFormat.CSV, FileFormat.MDEF))
    if rng.random() < 0.5:
        report = await client.download_range(
            meters,
            DAY,
            DAY,
            file_format=file_format,
            time_type=TimeType.PST,
            into=work.directory / "range",
            resume=False,
            errors="collect",
        )
        outcomes["saved"] += len(report.files)
        outcomes.update(type(failure.error).__name__ for failure in report.failures)
        return

    async def one(place: int, meter: Meter) -> None:
        await _counted(
            outcomes,
            client.download(
                meter,
                DAY,
                DAY,
                file_format=file_format,
                time_type=TimeType.PST,
                into=work.directory / "single",
                name=f"{place}",
                overwrite=True,
            ),
        )

    async with asyncio.TaskGroup() as group:
        for place, meter in enumerate(meters):
            group.create_task(one(place, meter))


async def _upload(client: OmarClient, work: Work, number: int, outcomes: Counter[str]) -> None:
    source = work.directory / "source.csv"
    source.write_bytes(b"%d,%d\r\n" % (work.seed, number) * 1_000)
    await _counted(outcomes, client.upload(source), "sent")


async def _counted(outcomes: Counter[str], call: Awaitable[object], good: str = "saved") -> None:
    try:
        await call
        outcomes[good] += 1
    except OmarError as error:
        outcomes[type(error).__name__] += 1


async def large(work: Work) -> Report:
    """Download a small file and then a large one."""
    outcomes: Counter[str] = Counter()
    async with OmarClient(work.config()) as client:

        async def one(meter: str) -> None:
            download = client.download(
                Meter(meter), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=work.directory
            )
            await _counted(outcomes, download)

        await one("small")
        before = Held.now()
        await one("large")
        return Report(before, Held.now(), outcomes)


def _run(way: Callable[[Work], Awaitable[Report]], work: Work, tell: Connection) -> None:
    os.environ |= {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}  # reading 150 authorities takes long

    async def main() -> Report:
        return await way(work)

    with tell:
        tell.send(asyncio.run(main()))


async def in_a_child(way: Callable[[Work], Awaitable[Report]], work: Work) -> Report:
    """Let a child do its work while this process serves it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    told, tell = context.Pipe(duplex=False)
    child: BaseProcess = context.Process(target=_run, args=(way, work, tell), daemon=True)
    with told:
        await asyncio.to_thread(child.start)
        tell.close()
        try:
            report: Report = await asyncio.to_thread(told.recv)
        finally:
            await asyncio.to_thread(child.join)
            code = child.exitcode
            child.close()
    assert code == 0
    return report
