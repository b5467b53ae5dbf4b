"""aiomar's lazy range: outcomes are taken as they come and forgotten, and the loop is left long before the end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from aiomar import FailedDownload, FileFormat, Meter, OmarClient, TimeType
from benchmarks.contenders import Contender, Job
from benchmarks.contenders.aiomar_range import DAY, USED, configuration


async def _fetch(job: Job) -> None:
    meters = (Meter(meter) for meter in job.workload.offered_meters())
    wanted = job.workload.files
    async with OmarClient(configuration(job)) as client:
        outcomes = client.iter_range(
            meters, DAY, DAY, file_format=FileFormat.MDEF, time_type=TimeType.PST, into=job.output
        )
        async with aclosing(outcomes):
            async for outcome in outcomes:
                if isinstance(outcome, FailedDownload):
                    raise outcome.error
                wanted -= 1
                if wanted == 0:
                    return
    raise RuntimeError(f"the range ended with {wanted} files less than it was to give")


def run(job: Job) -> None:
    """Take the wanted number of files from the range, login included."""
    asyncio.run(_fetch(job))


CONTENDERS = (
    Contender(name="aiomar iter_range", kind="aiomar", workloads="M", run=run, distributions=USED, judged=True),
)
