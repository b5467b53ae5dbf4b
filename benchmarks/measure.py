"""One measurement: a contender in a fresh process, its output checked, its handshakes counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import attrs

from benchmarks.contenders import Contender, Job
from benchmarks.server import Connections, Server
from benchmarks.workloads import MB, Workload

WARM_UP = 3.0
"""Seconds after the start of a process from which its memory is not to grow."""

_SAMPLE = 0.1
_GIVE_UP = 1800.0


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
    """A contender ended badly asked for something else, or left the wrong files."""


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
    output, state = server.folder / "output", server.folder / "state"
    output.mkdir()
    state.mkdir()
    server.forget_connections()
    job = Job(
        key=workload.key,
        upload_origin=server.upload_origin,
        download_origin=server.origin(workload),
        credentials=server.folder,
        bodies=server.bodies,
        output=output,
        state=state,
    )
    try:
        result, growth = _run(contender, module, job)
        connections = server.connections(workload.files if contender.writes else 0)
        if contender.writes:
            _check(output, connections, workload)
    finally:
        shutil.rmtree(output)
        shutil.rmtree(state)
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


def _run(contender: Contender, module: str, job: Job) -> tuple[dict[str, float], float | None]:
    """Run the process, and look at its memory from outside where growth is asked for."""
    command = [sys.executable, "-m", "benchmarks.contenders", module, contender.name]
    question: str | None = json.dumps(attrs.asdict(job), default=str)
    pipe = subprocess.PIPE
    samples: list[float] = []
    began = time.monotonic()
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        while True:
            try:
                answer, complaint = process.communicate(
                    question, timeout=_SAMPLE if job.workload.growth_goal else _GIVE_UP
                )
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
        raise ContenderError(f"{contender.name} on {job.key} ended with code {process.returncode}: {last}")
    result: dict[str, float] = json.loads(answer)
    return result, max(samples) - samples[0] if samples else None


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def _check(output: Path, connections: Connections, workload: Workload) -> None:
    """Hold that each file was asked for once, was given, and is there."""
    sizes = [entry.stat().st_size for entry in os.scandir(output) if entry.name.endswith(".dat")]
    if len(sizes) != workload.files or sum(sizes) != workload.files * workload.size:
        raise ContenderError(
            f"{len(sizes)} files with {sum(sizes)} bytes were left, not {workload.files} with "
            f"{workload.files * workload.size}"
        )
    if connections.answers != {"200": workload.files}:
        raise ContenderError(
            f"the server's answers by status were {connections.answers}, not {workload.files} times 200"
        )
