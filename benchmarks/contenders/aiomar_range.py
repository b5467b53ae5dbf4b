"""aiomar through its public face, with every file hashed, checked, renamed and entered in the catalogue."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from aiomar import (
    ClientIdentity,
    Environment,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    RangeReport,
    TimeType,
    Trust,
)
from benchmarks.contenders import Contender, Job

DAY = dt.date(2026, 1, 1)
USED = ("aiomar", "aiohttp")
"""Distributions whose versions matter for every contender that is aiomar."""


def configuration(job: Job, *, durable: bool = True) -> OmarConfig:
    """Configure aiomar for a job, all else as a user finds it."""
    return OmarConfig(
        ClientIdentity.from_pem(job.credentials / "client.pem", job.credentials / "client.key"),
        Environment("benchmark", job.upload_origin, job.download_origin),
        trust=Trust(ca_file=job.credentials / "ca.pem"),
        concurrency=job.workload.concurrency,
        state_dir=job.state,
        durable=durable,
    )


async def download(client: OmarClient, meters: Iterable[str], into: Path) -> RangeReport:
    """Download the files of meters.

    Args:
        client: who downloads.
        meters: their ids; taken as they are needed.
        into: a folder, made when missing.
    """
    selections = (Meter(meter) for meter in meters)
    return await client.download_range(
        selections, DAY, DAY, file_format=FileFormat.MDEF, time_type=TimeType.PST, into=into
    )


async def _fetch(job: Job, *, durable: bool) -> None:
    async with OmarClient(configuration(job, durable=durable)) as client:
        await download(client, job.workload.meters(), job.output)


def run(job: Job, *, durable: bool, new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    """Download the range, login included.

    Args:
        job: what.
        durable: whether to sync to disk.
        new_loop: makes the event loop; `None` for asyncio's own.
    """
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_fetch(job, durable=durable))


CONTENDERS = (
    Contender(
        name="aiomar",
        kind="aiomar",
        workloads="ABCD",
        run=functools.partial(run, durable=True),
        distributions=USED,
        judged=True,
    ),
    Contender(
        name="aiomar durable=False",
        kind="aiomar",
        workloads="ABCD",
        run=functools.partial(run, durable=False),
        distributions=USED,
    ),
)
