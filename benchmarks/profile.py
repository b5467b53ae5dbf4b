"""``python -m benchmarks.profile``: where the time of workload A goes, by layer and by library.

By layer: one run under cProfile.  It sees the loop's thread only and makes Python calls dearer than they are, so trust
the order and the calls per file (which do not change from run to run) more than the shares; the plain run beside it
says by how much.  By library: instructions of a plain run, of all threads and the kernel, where perf is there.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from benchmarks.__main__ import scratch_folder
from benchmarks.contenders import Job
from benchmarks.contenders.aiomar_range import run
from benchmarks.measure import job_for, run_process
from benchmarks.report import Section, table
from benchmarks.server import Server, find_nginx, nginx
from benchmarks.workloads import WORKLOADS

_WAITING = "waiting for the server"
# The first that fits.  Built-in functions that are not here count for who called them.
_BUILT_IN = {
    "select.epoll": _WAITING,
    "_ssl.": "TLS: OpenSSL",
    "_hashlib": "sha256",
    "HASH": "sha256",
    "posix.": "files: system calls",
    "io.open": "files: system calls",
    "sqlite3": "catalogue",
    "_socket.socket": "sockets: system calls",
}
_FILES = {
    "aiomar/transport/": "aiomar: transport",
    "aiomar/_session.py": "aiomar: session",
    "aiomar/transfer/_catalogue": "aiomar: catalogue",
    "aiomar/catalogue/": "aiomar: catalogue",
    "aiomar/transfer/_plan": "aiomar: plan and requests",
    "aiomar/protocol/_requests": "aiomar: plan and requests",
    "aiomar/transfer/_sink": "aiomar: sink",
    "aiomar/transfer/_publish": "aiomar: sink",
    "aiomar/transfer/_paths": "aiomar: sink",
    "aiomar/transfer/_body": "aiomar: body and verdict",
    "aiomar/protocol/": "aiomar: body and verdict",
    "aiomar/": "aiomar: client, engine, limiter, retries",
    "benchmarks/": "the benchmark itself",
    "/aiohttp/": "aiohttp",
    "/yarl/": "aiohttp",
    "/multidict/": "aiohttp",
    "/asyncio/": "asyncio",
    "/ssl.py": "TLS: OpenSSL",
}
_REST = "the rest of Python"
_Function = tuple[str, int, str]


def _by_layer(profile: cProfile.Profile) -> dict[str, tuple[float, int]]:
    """Add up own seconds and calls of each layer's functions."""
    seconds: defaultdict[str, float] = defaultdict(float)
    calls: defaultdict[str, int] = defaultdict(int)
    stats: Mapping[_Function, tuple[int, int, float, float, Mapping[_Function, tuple[int, int, float, float]]]]
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined] # there, as every reader of profiles knows
    for function, (_, count, own, _, callers) in stats.items():
        layer = _layer(function)
        if layer is not None:
            seconds[layer] += own
            calls[layer] += count
            continue
        for caller, (_, some, part, _) in callers.items():
            seconds[_layer(caller) or _REST] += part
            calls[_layer(caller) or _REST] += some
    return {layer: (seconds[layer], calls[layer]) for layer in seconds}


def _layer(function: _Function) -> str | None:
    """Give a function's layer; `None` for a built-in one that belongs to its callers."""
    path, _, name = function
    built_in = path == "~"
    rules = _BUILT_IN if built_in else _FILES
    found = next((layer for part, layer in rules.items() if part in (name if built_in else path)), None)
    return found if found or built_in else _REST


def _inner() -> None:
    """Run the workload under the profiler and print the layers: what ``python -m benchmarks.profile inner`` does."""
    job = Job(**json.load(sys.stdin))
    profile = cProfile.Profile()
    cpu, own = time.process_time(), time.thread_time()
    profile.runcall(run, job, durable=True)
    threads = (time.process_time() - cpu) - (time.thread_time() - own)
    sys.stdout.write(json.dumps({"layers": _by_layer(profile), "threads_s": threads}) + "\n")


def _layers_section(server: Server) -> Section:
    workload = WORKLOADS[0]
    with job_for(workload, server) as job:
        plain = json.loads(run_process(["benchmarks.contenders", "aiomar_range", "aiomar", "run"], job)[0])
    with job_for(workload, server) as job:
        found = json.loads(run_process(["benchmarks.profile", "inner"], job)[0])
    layers = sorted(found["layers"].items(), key=lambda item: -item[1][0])
    whole = sum(seconds for layer, (seconds, _) in layers if layer != _WAITING)
    waited = found["layers"].get(_WAITING, (0.0, 0))[0]
    rows = [
        (
            layer,
            f"{100 * seconds / whole:.1f}",
            f"{1e6 * seconds / workload.files:.0f}",
            f"{calls / workload.files:.1f}",
        )
        for layer, (seconds, calls) in layers
        if layer != _WAITING
    ]
    return Section(
        title=f"{workload.key}: {workload.title}, aiomar by layer",
        conditions=(
            f"The loop's thread under cProfile, {whole:.2f} s at work and {waited:.2f} s waiting; other threads took "
            f"{found['threads_s']:.2f} s of processor time. Without the profiler the whole takes "
            f"{plain['inner_s']:.2f} s and {plain['cpu_s']:.2f} s of processor time."
        ),
        headings=("layer", "per cent", "us per file", "calls per file"),
        rows=rows,
    )


def _by_library(server: Server) -> str:
    """Say which libraries the instructions of a plain run belong to, start-up included."""
    perf = shutil.which("perf")
    if perf is None:
        return "Skipped: instructions by library need perf (on Debian: apt install linux-perf)."
    data = str(server.folder / "perf.data")
    record = [perf, "record", "--quiet", "--output", data, "--event", "instructions", "--freq", "999", "--"]
    with job_for(WORKLOADS[0], server) as job:
        run_process(["benchmarks.contenders", "aiomar_range", "aiomar", "run"], job, under=record)
    report = [
        perf,
        "report",
        "--input",
        data,
        "--stdio",
        "--sort",
        "dso",
        "--percent-limit",
        "0.5",
        "--field-separator",
        ";",
    ]
    done = subprocess.run(report, capture_output=True, text=True, check=True)
    rows = [line.strip().split(";") for line in done.stdout.splitlines() if ";" in line and not line.startswith("#")]
    lines = table(("library", "per cent of instructions"), [(name.strip(), share.strip(" %")) for share, name in rows])
    return f"## A: aiomar by library\n\nAll threads, the kernel, and interpreter start.\n\n{lines}"


def main() -> int:
    """Print both tables."""
    if sys.argv[1:] == ["inner"]:
        _inner()
        return 0
    program = find_nginx()
    if program is None:
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="aiomar-profile-", dir=scratch_folder()) as folder,
        nginx(program, Path(folder)) as server,
        server.serving(WORKLOADS[0]),
    ):
        sys.stdout.write(f"{_layers_section(server).render()}\n\n{_by_library(server)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
