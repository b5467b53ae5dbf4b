"""pyreqwest, Rust's reqwest for asyncio: workers over one iterator; no hash, no part file, no sync, no judgement."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator

from pyreqwest.client import Client, ClientBuilder

from benchmarks.contenders import COOKIE, Contender, Job


async def _work(client: Client, job: Job, meters: Iterator[str]) -> None:
    for meter in meters:
        async with client.get(job.url(meter)).build_streamed() as response:
            with job.target(meter).open("wb") as file:
                while (chunk := await response.body_reader.read_chunk()) is not None:
                    file.write(chunk)


def _client(job: Job) -> Client:
    identity = (job.credentials / "client.pem").read_bytes() + (job.credentials / "client.key").read_bytes()
    return (
        ClientBuilder()
        .add_root_certificate_pem((job.credentials / "ca.pem").read_bytes())
        .identity_pem(identity)
        .default_headers({"Cookie": COOKIE})
        .max_connections(job.workload.concurrency)
        .read_timeout(dt.timedelta(seconds=60))
        .no_proxy()
        .error_for_status()
        .build()
    )


async def _fetch(job: Job) -> None:
    meters = job.workload.meters()
    async with _client(job) as client, asyncio.TaskGroup() as group:
        for _ in range(job.workload.concurrency):
            group.create_task(_work(client, job, meters))


def run(job: Job) -> None:
    """Fetch everything in one event loop."""
    asyncio.run(_fetch(job))


CONTENDERS = (Contender(name="pyreqwest", kind="binding", workloads="ABCD", run=run, distributions=("pyreqwest",)),)
