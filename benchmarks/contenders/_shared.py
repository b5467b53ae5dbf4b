"""What several peers have in common."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.contenders import COOKIE, Job

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


def fetch_with(session: Any, job: Job, meters: deque[str]) -> None:  # noqa: ANN401 - of requests, or of niquests
    """Fetch meters, one after the other, through a session as requests has it."""
    session.trust_env = False
    session.verify = str(job.credentials / "ca.pem")
    session.cert = (str(job.credentials / "client.pem"), str(job.credentials / "client.key"))
    session.headers["Cookie"] = COOKIE
    while meter := take(meters):
        with session.get(job.url(meter), stream=True, timeout=60) as response:
            response.raise_for_status()
            with job.target(meter).open("wb") as file:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)


def take(meters: deque[str]) -> str | None:
    """Give the next meter, or `None` when there is none; any thread may call this."""
    try:
        return meters.popleft()
    except IndexError:
        return None
