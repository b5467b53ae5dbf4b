"""requests in threads, each with a session and thus a connection of its own; no hash, no part file, no sync."""

from __future__ import annotations

from collections import deque

import requests
import urllib3

from benchmarks.contenders import COOKIE, Contender, Job
from benchmarks.contenders._shared import CHUNK, in_threads, take

if hasattr(urllib3, "AsyncPoolManager"):  # the fork has one
    raise ImportError(
        "niquests put its fork in the place of urllib3, so this would not be requests: "
        "install urllib3-future with URLLIB3_NO_OVERRIDE=1 and --no-binary urllib3-future"
    )


def _work(job: Job, meters: deque[str]) -> None:
    with requests.Session() as session:
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


def run(job: Job) -> None:
    """Fetch everything in threads."""
    in_threads(job, _work)


CONTENDERS = (
    Contender(
        name="requests, threads", kind="python", workloads="ABCD", run=run, distributions=("requests", "urllib3")
    ),
)
