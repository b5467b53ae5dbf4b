"""parfive, the downloader on aiohttp: it asks twice for each file, HEAD before GET; no hash, no part file, no sync."""

from __future__ import annotations

import asyncio

import aiohttp
import parfive

from benchmarks.contenders import COOKIE, Contender, Job
from benchmarks.contenders._shared import ssl_context


async def _fetch(job: Job) -> None:
    count = job.workload.concurrency
    context = ssl_context(job)

    def session(config: parfive.SessionConfig) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(ssl=context, limit=count)
        return aiohttp.ClientSession(connector=connector, headers=config.headers, requote_redirect_url=False)

    config = parfive.SessionConfig(headers={"Cookie": COOKIE}, file_progress=False, aiohttp_session_generator=session)
    downloader = parfive.Downloader(max_conn=count, max_splits=1, progress=False, config=config)
    for meter in job.workload.meters():
        downloader.enqueue_file(job.url(meter), path=job.output, filename=job.target(meter).name)
    results = await downloader.run_download()
    if results.errors:
        raise RuntimeError(f"{len(results.errors)} downloads failed, first: {results.errors[0]}")


def run(job: Job) -> None:
    """Fetch everything in one event loop."""
    asyncio.run(_fetch(job))


CONTENDERS = (Contender(name="parfive", kind="python", workloads="ABCD", run=run, distributions=("parfive",)),)
