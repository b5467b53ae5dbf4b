"""niquests in threads, each with a session and thus a connection of its own; no hash, no part file, no sync."""

from __future__ import annotations

from collections import deque

import niquests

from benchmarks.contenders import Contender, Job
from benchmarks.contenders._shared import fetch_with, in_threads


def _work(job: Job, meters: deque[str]) -> None:
    with niquests.Session(disable_http2=True, disable_http3=True) as session:
        fetch_with(session, job, meters)


def run(job: Job) -> None:
    """Fetch everything in threads."""
    in_threads(job, _work)


CONTENDERS = (
    Contender(
        name="niquests, threads", kind="python", workloads="ABCD", run=run, distributions=("niquests", "urllib3-future")
    ),
)
