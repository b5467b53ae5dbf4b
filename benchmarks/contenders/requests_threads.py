"""requests in threads, each with a session and thus a connection of its own; no hash, no part file, no sync."""

from __future__ import annotations

from collections import deque

import requests
import urllib3

from benchmarks.contenders import Contender, Job
from benchmarks.contenders._shared import fetch_with, in_threads

if hasattr(urllib3, "AsyncPoolManager"):  # the fork has one
    raise ImportError(
        "niquests put its fork in the place of urllib3, so this would not be requests: "
        "install urllib3-future with URLLIB3_NO_OVERRIDE=1 and --no-binary urllib3-future"
    )


def _work(job: Job, meters: deque[str]) -> None:
    with requests.Session() as session:
        fetch_with(session, job, meters)


def run(job: Job) -> None:
    """Fetch everything in threads."""
    in_threads(job, _work)


CONTENDERS = (
    Contender(
        name="requests, threads", kind="python", workloads="ABCD", run=run, distributions=("requests", "urllib3")
    ),
)
