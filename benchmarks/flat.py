"""Whether a file costs the same in a long range as in a short one.

``python -m benchmarks.flat FILES`` is one run, a process of its own.  It logs in and downloads a few files first, so
that start-up and the opening of connections are not counted; then it counts the processor time of one range and, where
perf is there, its instructions, which do not depend on how busy the machine is.  Short and long ranges take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

from aiomar import OmarClient
from benchmarks.contenders import Job
from benchmarks.contenders.aiomar_range import configuration, download
from benchmarks.measure import ContenderError, job_for, run_process
from benchmarks.report import Goal, Section
from benchmarks.server import Server
from benchmarks.workloads import FLAT_GOAL, Workload

_SHORT = 1_000
_WARM_UP = 500
_MOST_LONG_RUNS = 2
_MOST_SHORT_RUNS = 3  # before, between and after the long ones


def section(workload: Workload, server: Server, *, rounds: int) -> Section:
    """Run short and long ranges in turns.

    Args:
        workload: gives the long range; the server serves it already.
        server: from where.
        rounds: more than one or two bring more runs, up to a limit.

    Raises:
        ContenderError: a run failed.
    """
    short = [_SHORT] * min(rounds, _MOST_SHORT_RUNS)
    order = [*short, *[workload.files, *short] * min(rounds, _MOST_LONG_RUNS)]
    runs: dict[int, list[dict[str, float]]] = {_SHORT: [], workload.files: []}
    for files in order:
        runs[files].append(_measure(workload, server, files))
    units = {"cpu_us": "processor time", "instructions": "instructions"}
    numbers = {
        unit: {files: [run[unit] for run in some if unit in run] for files, some in runs.items()} for unit in units
    }
    goals = [
        Goal(
            what=f"aiomar, {units[unit]} per file beside that of a short range",
            value=median(found[workload.files]) / median(found[_SHORT]),
            limit=FLAT_GOAL,
        )
        for unit, found in numbers.items()
        if all(found.values())
    ]
    return Section(
        title=f"{workload.key}: {workload.title} and of {_SHORT:,}",
        conditions=f"At most {workload.concurrency} connections; median (lowest-highest), without start-up.",
        headings=("files", "runs", "user+sys us per file", "instructions per file"),
        rows=[
            (f"{files:,}", str(len(runs[files])), *(_spread(numbers[unit][files]) for unit in units)) for files in runs
        ],
        goals=goals,
    )


def _measure(workload: Workload, server: Server, files: int) -> dict[str, float]:
    server.forget_connections()
    with job_for(workload, server) as job:
        answer, _ = run_process(["benchmarks.flat", str(files)], job)
        answers = server.connections(files + _WARM_UP).answers
    if answers != {"200": files + _WARM_UP}:
        raise ContenderError(f"the server's answers by status were {answers}, not {files + _WARM_UP} times 200")
    result: dict[str, float] = json.loads(answer)
    return result


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})" if values else "-"


class _Counter:
    """Counts instructions of this process, kernel included where that is allowed, while it is switched on.

    Args:
        directory: for perf's result.
    """

    def __init__(self, directory: Path) -> None:
        self._result = directory / "perf.csv"
        self._commands = self._answers = -1

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Have perf look on, switched off at first; without perf nothing is counted."""
        perf = shutil.which("perf")
        if perf is None:
            yield
            return
        theirs, self._commands = os.pipe()
        self._answers, answered = os.pipe()
        command = [perf, "stat", "-x,", "-o", str(self._result), "-e", "instructions", "--delay=-1"]
        command += [f"--control=fd:{theirs},{answered}", f"--pid={os.getpid()}"]
        with subprocess.Popen(command, pass_fds=(theirs, answered), stderr=subprocess.DEVNULL) as process:
            os.close(theirs)
            os.close(answered)
            try:
                yield
            finally:
                process.send_signal(signal.SIGINT)
                process.wait()
                os.close(self._commands)
                os.close(self._answers)

    def switch(self, command: bytes) -> None:
        """Say ``enable`` or ``disable`` to perf and wait until it has; it may have given up, not being allowed."""
        if self._commands >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._commands, command + b"\n")
                os.read(self._answers, 16)

    def count(self) -> int | None:
        """Give the number when perf has ended; `None` if it could not count."""
        lines = self._result.read_text().splitlines() if self._result.exists() else []
        found = [line.split(",")[0] for line in lines if "instructions" in line]
        return int(found[0]) if found and found[0].isdigit() else None


async def _run(job: Job, files: int, counter: _Counter) -> float:
    """Download so many files after a warm-up; gives the processor seconds that they took."""
    async with OmarClient(configuration(job)) as client:
        await download(client, islice(job.workload.meters(), _WARM_UP), job.output / "warm-up")
        counter.switch(b"enable")
        began = time.process_time()
        await download(client, islice(job.workload.meters(), files), job.output / "range")
        took = time.process_time() - began
        counter.switch(b"disable")
    return took


def main() -> None:
    """Do one run and print what a file cost."""
    files = int(sys.argv[1])
    job = Job(**json.load(sys.stdin))
    counter = _Counter(job.state)
    with counter.ready():
        seconds = asyncio.run(_run(job, files, counter))
    result = {"cpu_us": seconds * 1e6 / files}
    if instructions := counter.count():
        result["instructions"] = instructions / files
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
