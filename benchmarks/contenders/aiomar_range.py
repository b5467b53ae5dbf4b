"""aiomar through its public face, with every file hashed and checked; with and without syncing it to disk."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools

from aiomar import (
    ClientIdentity,
    Environment,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    TimeType,
    Trust,
)
from benchmarks.contenders import Contender, Job

DAY = dt.date(2026, 1, 1)


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


async def _fetch(job: Job, *, durable: bool) -> None:
    meters = (Meter(meter) for meter in job.workload.meters())
    async with OmarClient(configuration(job, durable=durable)) as client:
        await client.download_range(
            meters, DAY, DAY, file_format=FileFormat.MDEF, time_type=TimeType.PST, into=job.output
        )


def run(job: Job, *, durable: bool) -> None:
    """Download the range, login included."""
    asyncio.run(_fetch(job, durable=durable))


CONTENDERS = (
    Contender(name="aiomar", workloads="ABCD", run=functools.partial(run, durable=True), judged=True),
    Contender(name="aiomar durable=False", workloads="ABCD", run=functools.partial(run, durable=False)),
)
