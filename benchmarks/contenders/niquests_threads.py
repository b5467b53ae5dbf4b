"""niquests in threads, each with a session and thus a connection of its own; no hash, no part file, no sync."""

from __future__ import annotations

from collections import deque

import niquests

from benchmarks.contenders import COOKIE, Contender, Job
from benchmarks.contenders._shared import CHUNK, in_threads, take


def _work(job: Job, meters: deque[str]) -> None:
    with niquests.Session(disable_http2=True, disable_http3=True) as session:
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
        name="niquests, threads", kind="python", workloads="ABCD", run=run, distributions=("niquests", "urllib3-future")
    ),
)
