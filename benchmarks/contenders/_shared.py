"""What several peers have in common."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contenders import Job

CHUNK = 64 * 1024


def ssl_context(job: Job) -> ssl.SSLContext:
    """Trust the server's authority only, and show the client certificate."""
    context = ssl.create_default_context(cafile=str(job.credentials / "ca.pem"))
    context.load_cert_chain(job.credentials / "client.pem", job.credentials / "client.key")
    return context


def in_threads(job: Job, work: Callable[[Job, deque[str]], None]) -> None:
    """Let as many threads as the workload has connections take meters from one queue until it is empty."""
    meters = deque(job.workload.meters())
    with ThreadPoolExecutor(job.workload.concurrency) as pool:
        for done in [pool.submit(work, job, meters) for _ in range(job.workload.concurrency)]:
            done.result()


def take(meters: deque[str]) -> str | None:
    """Give the next meter, or `None` when there is none; any thread may call this."""
    try:
        return meters.popleft()
    except IndexError:
        return None
