"""aiomar's lazy range: outcomes are taken as they come and forgotten, as for a catalogue of any size."""

from __future__ import annotations

import asyncio

from aiomar import FailedDownload, FileFormat, Meter, OmarClient, TimeType
from benchmarks.contenders import Contender, Job
from benchmarks.contenders.aiomar_range import DAY, configuration


async def _fetch(job: Job) -> None:
    meters = (Meter(meter) for meter in job.workload.meters())
    async with OmarClient(configuration(job)) as client:
        async for outcome in client.iter_range(
            meters, DAY, DAY, file_format=FileFormat.MDEF, time_type=TimeType.PST, into=job.output
        ):
            if isinstance(outcome, FailedDownload):
                raise outcome.error


def run(job: Job) -> None:
    """Go through the whole range, login included."""
    asyncio.run(_fetch(job))


CONTENDERS = (Contender(name="aiomar iter_range", workloads="M", run=run, judged=True),)
