"""SHA-256 of the same bytes in one thread: no downloader that proves what it saved can be faster on large files."""

from __future__ import annotations

import hashlib

from benchmarks.contenders import Contender, Job


def run(job: Job) -> None:
    """Hash the server's own files."""
    for meter in job.workload.meters():
        with (job.bodies / meter).open("rb") as file:
            hashlib.file_digest(file, "sha256")


CONTENDERS = (Contender(name="sha256", kind="limit", workloads="ABC", run=run, writes=False),)
