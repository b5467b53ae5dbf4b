"""httpx: workers over one iterator, chunks as they come into a file; no hash, no part file, no sync, no judgement."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx

from benchmarks.contenders import COOKIE, Contender, Job
from benchmarks.contenders._shared import ssl_context


async def _work(client: httpx.AsyncClient, job: Job, meters: Iterator[str]) -> None:
    for meter in meters:
        async with client.stream("GET", job.url(meter)) as response:
            response.raise_for_status()
            with job.target(meter).open("wb") as file:
                async for chunk in response.aiter_bytes():
                    file.write(chunk)


async def _fetch(job: Job) -> None:
    meters = job.workload.meters()
    count = job.workload.concurrency
    client = httpx.AsyncClient(
        verify=ssl_context(job),
        trust_env=False,
        headers={"Cookie": COOKIE},
        limits=httpx.Limits(max_connections=count, max_keepalive_connections=count),
        timeout=60,
    )
    async with client, asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(_work(client, job, meters))


def run(job: Job) -> None:
    """Fetch everything in one event loop."""
    asyncio.run(_fetch(job))


CONTENDERS = (
    Contender(name="httpx", kind="python", workloads="ABCD", run=run, distributions=("httpx", "httpcore", "h11")),
)
