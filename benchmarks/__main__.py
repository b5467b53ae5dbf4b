"""``python -m benchmarks``: run contenders in shuffled rounds and print what came out.

A missed goal is printed and never an exit code: time depends on the machine.  A contender that fails, or that leaves
the wrong files, is one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

from benchmarks.contenders import Found, discover
from benchmarks.measure import ContenderError, Measurement, measure
from benchmarks.server import Server, nginx
from benchmarks.table import render
from benchmarks.workloads import WORKLOADS, Workload

_TMPFS = Path("/dev/shm")  # noqa: S108 - the point: memory instead of a disk; a folder of our own is made in it


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure aiomar beside curl and peers.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each workload but M (default 5)")
    parser.add_argument("--only", type=lambda text: set(text.upper().split(",")), help="workloads, like A,B")
    parser.add_argument("--contenders", type=lambda text: set(text.split(",")), help="names, like curl,aiomar")
    parser.add_argument("--scratch", type=Path, help="where bodies and output go (default: memory)")
    parser.add_argument("--json", type=Path, help="write every measurement to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    return parser.parse_args(arguments)


def _machine(program: str) -> dict[str, str]:
    """Say what the numbers depend on."""
    curl = shutil.which("curl")
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": f"{os.cpu_count()} x {models[0].split(':', 1)[1].strip() if models else platform.machine()}",
        "system": platform.platform(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "curl": _first_line([curl, "--version"]) if curl else "-",
        "nginx": _first_line([program, "-v"]),
    }


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (done.stdout or done.stderr).splitlines()[0]


def _run_workload(workload: Workload, server: Server, found: Found, rounds: int) -> tuple[list[Measurement], list[str]]:
    """Run all rounds of a workload, each in an order of its own; the second result says what failed."""
    able = [contender for contender in found.contenders.values() if workload.key in contender.workloads]
    measurements, failures = [], []
    for number in range(1, 2 if workload.growth_goal else rounds + 1):
        for contender in random.sample(able, len(able)):
            try:
                result = measure(contender, found.modules[contender.name], workload, server, number=number)
            except ContenderError as error:
                failures.append(f"{workload.key} round {number}: FAILED: {error}")
                _say(failures[-1])
                continue
            _say(f"{workload.key} round {number}: {contender.name} {result.inner_s:.2f} s")
            measurements.append(result)
    return measurements, failures


def _run_all(
    program: str, scratch: Path, found: Found, options: argparse.Namespace
) -> tuple[list[Measurement], list[str]]:
    measurements: list[Measurement] = []
    failures: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="aiomar-benchmarks-", dir=scratch) as folder,
        nginx(program, Path(folder)) as server,
    ):
        for workload in WORKLOADS:
            if options.only and workload.key not in options.only:
                continue
            if shutil.disk_usage(scratch).free < workload.scratch_bytes:
                _say(f"skipped: {workload.key} needs {workload.scratch_bytes >> 20} MB in {scratch}; give a --scratch")
                continue
            with server.serving(workload):
                some, bad = _run_workload(workload, server, found, options.rounds)
            measurements += some
            failures += bad
    return measurements, failures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; 0 unless a contender failed."""
    options = _arguments(arguments)
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not sys.platform.startswith("linux"):
        _say("skipped: the benchmarks need Linux, for memory figures and CPU affinity")
        return 0
    if program is None:
        _say("skipped: nginx not found; install it, on Debian and Ubuntu with: apt install nginx-light")
        return 0
    found = discover()
    if options.contenders:
        found = attrs.evolve(
            found, contenders={name: each for name, each in found.contenders.items() if name in options.contenders}
        )
    for reason in found.skipped:
        _say(reason)
    scratch = options.scratch or (_TMPFS if _TMPFS.is_dir() else Path(tempfile.gettempdir()))
    measurements, failures = _run_all(program, scratch, found, options)
    machine = _machine(program)
    judged = frozenset(name for name, contender in found.contenders.items() if contender.judged)
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    report = "\n\n".join([facts, render(measurements, judged), "\n".join(failures)]).rstrip() + "\n"
    sys.stdout.write(report)
    if options.markdown:
        options.markdown.write_text(report)
    if options.json:
        everything = {"machine": machine, "measurements": [attrs.asdict(each) for each in measurements]}
        options.json.write_text(json.dumps(everything, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
