"""The loop that a Python user would write with aiohttp: workers over one iterator, chunks into a file, nothing else.

No hash, no part file, no sync, no judgement of what came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
from yarl import URL

from benchmarks.contenders import COOKIE, Contender, Job
from benchmarks.contenders._shared import CHUNK, ssl_context


async def _work(session: aiohttp.ClientSession, job: Job, meters: Iterator[str]) -> None:
    for meter in meters:
        async with session.get(URL(job.url(meter), encoded=True)) as response:
            response.raise_for_status()
            with job.target(meter).open("wb") as file:
                async for chunk in response.content.iter_chunked(CHUNK):
                    file.write(chunk)


async def _fetch(job: Job) -> None:
    meters = job.workload.meters()
    connector = aiohttp.TCPConnector(ssl=ssl_context(job), limit=job.workload.concurrency)
    async with (
        aiohttp.ClientSession(connector=connector, headers={"Cookie": COOKIE}) as session,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(job.workload.concurrency):
            group.create_task(_work(session, job, meters))


def run(job: Job) -> None:
    """Fetch everything in one event loop."""
    asyncio.run(_fetch(job))


CONTENDERS = (
    Contender(name="aiohttp loop", kind="python", workloads="ABCDM", run=run, distributions=("aiohttp", "yarl")),
)
