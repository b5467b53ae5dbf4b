"""aiomar over a directory that an earlier range has filled: everything is known and nothing is asked for."""

from __future__ import annotations

import asyncio

from aiomar import OmarClient, RangeReport
from benchmarks.contenders import Contender, Job
from benchmarks.contenders.aiomar_range import USED, configuration, download


async def _fetch(job: Job) -> RangeReport:
    async with OmarClient(configuration(job)) as client:
        return await download(client, job.workload.meters(), job.kept / "range")


def prepare(job: Job) -> None:
    """Fill the directory, once."""
    filled = job.kept / "filled"
    if not filled.exists():
        asyncio.run(_fetch(job))
        filled.touch()


def run(job: Job) -> None:
    """Download the range once more."""
    report = asyncio.run(_fetch(job))
    if report.reused != job.workload.files:
        raise RuntimeError(f"{report.reused} files were reused, not {job.workload.files}")


CONTENDERS = (
    Contender(
        name="aiomar, resumed",
        kind="aiomar",
        workloads="R",
        run=run,
        prepare=prepare,
        writes=False,
        distributions=USED,
        judged=True,
    ),
)
