"""One measurement: a contender in a fresh process, its output checked, its handshakes counted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from benchmarks.contenders import Contender, Job
from benchmarks.server import Connections, Server
from benchmarks.workloads import MB, Workload

WARM_UP = 3.0
"""Seconds after the start of a process from which its memory is not to grow."""

_SAMPLE = 0.1
_GIVE_UP = 1800.0
_LEFT = "499"  # nginx's status for a client that went away
_AHEAD = 10  # downloads for each connection that a range may have begun, or done, when its user leaves it


@attrs.frozen(kw_only=True)
class Measurement:
    """What one contender took in one round.

    Attributes:
        workload: letter.
        round: from 1.
        contender: name.
        inner_s: seconds, without interpreter start and imports.
        cpu_s: user and system seconds in that time, of its child processes too.
        peak_mb: highest resident memory of the process.
        growth_mb: highest resident memory after `WARM_UP` minus that at `WARM_UP`; `None` where it is not sampled.
        handshakes: TLS connections to the download port.
        resumed: handshakes among them that an earlier session shortened.
    """

    workload: str
    round: int
    contender: str
    inner_s: float
    cpu_s: float
    peak_mb: float
    growth_mb: float | None
    handshakes: int
    resumed: int


class ContenderError(Exception):
    """A contender ended badly, asked for something else, or left the wrong files."""


def measure(contender: Contender, module: str, workload: Workload, server: Server, *, number: int) -> Measurement:
    """Run a contender once.

    Args:
        contender: who.
        module: the file under ``contenders`` that it is in.
        workload: what.
        server: from where; it serves the workload already.
        number: of the round.

    Raises:
        ContenderError: when it fails or its files are not what the workload asks for.
    """
    with job_for(workload, server) as job:
        if contender.prepares:
            _run(contender, module, job, step="prepare")
        server.forget_connections()
        answer, growth = _run(contender, module, job, step="run")
        connections = server.connections(workload.files if contender.writes else 0)
        _check(job, connections, writes=contender.writes)
    result: dict[str, float] = json.loads(answer)
    return Measurement(
        workload=workload.key,
        round=number,
        contender=contender.name,
        inner_s=result["inner_s"],
        cpu_s=result["cpu_s"],
        peak_mb=result["peak_kb"] * 1024 / MB,
        growth_mb=growth,
        handshakes=connections.handshakes,
        resumed=connections.resumed,
    )


@contextlib.contextmanager
def job_for(workload: Workload, server: Server) -> Iterator[Job]:
    """Give a job with empty folders, which are removed afterwards.

    Args:
        workload: what.
        server: from where; it serves the workload already.
    """
    output, state = server.folder / "output", server.folder / "state"
    output.mkdir()
    state.mkdir()
    try:
        yield Job(
            key=workload.key,
            upload_origin=server.upload_origin,
            download_origin=server.origin(workload),
            credentials=server.folder,
            bodies=server.bodies,
            output=output,
            state=state,
            kept=server.kept,
        )
    finally:
        shutil.rmtree(output)
        shutil.rmtree(state)


def run_process(
    command: Sequence[str], job: Job, *, watch: bool = False, under: Sequence[str] = ()
) -> tuple[str, float | None]:
    """Run a measured process with a job on its standard input.

    Args:
        command: the module that Python is to run, and its arguments.
        job: what to do.
        watch: look at its memory from outside.
        under: a program, with its arguments, that starts Python and looks on.

    Returns:
        What it wrote, and by how many MB it grew after `WARM_UP` if that was watched.

    Raises:
        ContenderError: when it fails.
    """
    question: str | None = json.dumps(attrs.asdict(job), default=str)
    pipe = subprocess.PIPE
    samples: list[float] = []
    began = time.monotonic()
    whole = [*under, sys.executable, "-m", *command]
    with subprocess.Popen(whole, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        while True:
            try:
                answer, complaint = process.communicate(question, timeout=_SAMPLE if watch else _GIVE_UP)
                break
            except subprocess.TimeoutExpired:
                question = None  # it was sent at the first call
                elapsed = time.monotonic() - began
                if elapsed > _GIVE_UP:
                    process.kill()
                elif elapsed > WARM_UP:
                    samples.append(_resident_mb(process.pid))
    if process.returncode != 0:
        last = (complaint.strip().splitlines() or ["no message"])[-1]
        raise ContenderError(f"{' '.join(command)} on {job.key} ended with code {process.returncode}: {last}")
    return answer, max(samples) - samples[0] if samples else None


def _run(contender: Contender, module: str, job: Job, *, step: str) -> tuple[str, float | None]:
    command = ["benchmarks.contenders", module, contender.name, step]
    return run_process(command, job, watch=job.workload.growth_goal is not None)


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def _check(job: Job, connections: Connections, *, writes: bool) -> None:
    """Hold that each file was asked for once, was given, and is there; or that nothing was asked for.

    Where a loop is left early, some files more may have been under way.
    """
    least = most = 0
    sizes: list[int] = []
    if writes:
        least, size = job.workload.files, job.workload.size
        most = least + (_AHEAD * job.workload.concurrency if job.workload.offered else 0)
        sizes = [entry.stat().st_size for entry in os.scandir(job.output) if entry.name.endswith(".dat")]
        if not least <= len(sizes) <= most or set(sizes) != {size}:
            raise ContenderError(
                f"{len(sizes)} files with {sum(sizes)} bytes were left, not {least} with {least * size}"
            )
    expected = {"200"} if least == most else {"200", _LEFT}
    given = connections.answers.get("200", 0)
    if not least <= given <= most or given < len(sizes) or not connections.answers.keys() <= expected:
        raise ContenderError(f"the server's answers by status were {connections.answers}, not {least} times 200")
