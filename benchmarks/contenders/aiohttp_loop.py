"""The loop that a Python user would write with aiohttp: workers over one iterator, chunks into a file, nothing else.

No hash, no part file, no sync, no judgement of what came.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import aiohttp
from yarl import URL

from benchmarks.contenders import COOKIE, Contender, Job

_CHUNK = 64 * 1024


async def _work(session: aiohttp.ClientSession, job: Job, meters: Iterator[str]) -> None:
    for meter in meters:
        async with session.get(URL(job.url(meter), encoded=True)) as response:
            response.raise_for_status()
            with job.target(meter).open("wb") as file:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    file.write(chunk)


async def _fetch(job: Job) -> None:
    context = ssl.create_default_context(cafile=str(job.credentials / "ca.pem"))
    context.load_cert_chain(job.credentials / "client.pem", job.credentials / "client.key")
    meters = job.workload.meters()
    connector = aiohttp.TCPConnector(ssl=context, limit=job.workload.concurrency)
    async with (
        aiohttp.ClientSession(connector=connector, headers={"Cookie": COOKIE}) as session,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(job.workload.concurrency):
            group.create_task(_work(session, job, meters))


def run(job: Job) -> None:
    """Fetch everything in one event loop."""
    asyncio.run(_fetch(job))


CONTENDERS = (Contender(name="aiohttp loop", workloads="ABCDM", run=run),)
