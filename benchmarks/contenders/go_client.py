"""Go's net/http: ``go_client.go`` beside this file, compiled before it is measured; no hash, no part file, no sync."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.contenders import COOKIE, Contender, Job, Program

_SOURCE = Path(__file__).with_suffix(".go")


def prepare(job: Job) -> None:
    """Compile the program once for each workload."""
    if not _program(job).exists():
        go = shutil.which("go") or "go"
        subprocess.run([go, "build", "-o", str(_program(job)), str(_SOURCE)], check=True)


def run(job: Job) -> None:
    """Let one process of it fetch everything."""
    pairs = (f"{job.url(meter)}\t{job.target(meter)}\n" for meter in job.workload.meters())
    command = [str(_program(job)), str(job.credentials), str(job.workload.concurrency), COOKIE]
    subprocess.run(command, input="".join(pairs), text=True, check=True)


def _program(job: Job) -> Path:
    return job.kept / "go_client"


CONTENDERS = (
    Contender(
        name="Go net/http",
        kind="program",
        workloads="ABCD",
        run=run,
        prepare=prepare,
        program=Program("go", "golang-go", ("version",)),
    ),
)
