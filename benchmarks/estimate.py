"""``python -m benchmarks.estimate``: how long 100,000 meters and ten years would take, from what files cost here.

Two ranges without latency, of month-sized and of year-sized files, give what a file and a MB cost one process.  A few
ranges with latency show how far the arithmetic below can be trusted.  Everything else is multiplication:

* a connection is taken for the server's wait and for the work on the file, so `connections / (wait + work)` files come
  a second, no more than `processes / work`, and no more than the line carries;
* the server answers every one of that many connections after the same wait.  Whether it can, nobody knows: its capacity
  is the true limit, and no figure here says anything about it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from aiomar import ClientIdentity, Environment, FileFormat, Meter, OmarClient, OmarConfig, TimeType, Trust
from aiomar.testing import OmarServer
from benchmarks.__main__ import say, scratch_folder
from benchmarks.machine import hardware
from benchmarks.report import Section
from benchmarks.server import Server, find_nginx, nginx
from benchmarks.workloads import MB, Workload

METERS, YEARS = 100_000, 10
CONNECTIONS, WAITS = (8, 32, 64), (0.05, 0.2, 1.0)
_PROCESSES = 4
_DAY = dt.date(2026, 1, 1)
_SPLITS = {"monthly": (12, 31), "yearly": (1, 365)}
"""Files a year, and days of the file whose size is taken."""
_CATALOGUE = 300
"""Bytes that a file takes in its catalogue."""
_LINES = (0.1, 1.0)
"""Gbit/s."""
_HOUR = 3600.0
_SECONDS = 3.0
"""What a range with latency is to take, about."""


@attrs.frozen(kw_only=True)
class Cost:
    """What a process spends on a file, whatever its size, and on each MB; seconds of wall-clock time."""

    file: float
    mb: float

    @classmethod
    def between(cls, small: tuple[float, float], large: tuple[float, float]) -> Cost:
        """Draw the line through two measurements, each of MB and seconds a file."""
        mb = max(0.0, (large[1] - small[1]) / (large[0] - small[0]))
        return cls(file=max(0.0, small[1] - small[0] * mb), mb=mb)

    def of(self, mb: float) -> float:
        """Give the seconds of a file."""
        return self.file + self.mb * mb


@attrs.frozen(kw_only=True)
class Estimate:
    """One way to ask for all of it.

    Args:
        files: how many.
        mb: of each.
        cost: what a process spends on them.
    """

    files: int
    mb: float
    cost: Cost

    def hours(self, *, wait: float, connections: int, processes: int, line: float) -> float:
        """Give the hours, for a server that bears so many connections.

        Args:
            wait: seconds from a request to the first byte of its answer.
            connections: over all processes.
            processes: workers of the cluster.
            line: Gbit/s that all of them have together.
        """
        work = self.cost.of(self.mb)
        rate = min(connections / (wait + work), processes / work)
        return max(self.files / rate / _HOUR, self.line_hours(line))

    @property
    def total_mb(self) -> float:
        """All of it."""
        return self.files * self.mb

    def line_hours(self, gigabits: float) -> float:
        """Give the hours that a line of so many Gbit/s needs for the bytes alone."""
        return self.total_mb * MB * 8 / (gigabits * 1e9) / _HOUR


async def _fetch(server: Server, workload: Workload, into: Path) -> float:
    """Download a workload and give the seconds; a few files first, so that login and handshakes are not counted."""
    config = OmarConfig(
        ClientIdentity.from_pem(server.folder / "client.pem", server.folder / "client.key"),
        Environment("benchmark", server.upload_origin, server.origin(workload)),
        trust=Trust(ca_file=server.folder / "ca.pem"),
        concurrency=workload.concurrency,
    )
    meters = list(workload.meters())
    async with OmarClient(config) as client:
        began = 0.0
        for part in (meters[: 2 * workload.concurrency], meters):
            began = time.perf_counter()
            await client.download_range(
                (Meter(meter) for meter in part),
                _DAY,
                _DAY,
                file_format=FileFormat.MDEF,
                time_type=TimeType.PST,
                into=into,
                resume=False,
            )
        return time.perf_counter() - began


def _seconds(server: Server, workload: Workload) -> float:
    with server.serving(workload), tempfile.TemporaryDirectory(dir=server.folder) as folder:
        return asyncio.run(_fetch(server, workload, Path(folder) / "data"))


def _sizes() -> dict[str, int]:
    """Give the bytes of an MDEF file of the embedded server: three channels, a value each quarter of an hour."""
    server = OmarServer(meters=["1001"])
    return {
        name: len(
            server.data(
                Meter("1001"),
                dt.date(2025, 1, 1),
                dt.date(2025, 1, 1) + dt.timedelta(days=days - 1),
                file_format=FileFormat.MDEF,
                time_type=TimeType.PST,
            )
        )
        for name, (_, days) in _SPLITS.items()
    }


def _measured(server: Server, sizes: dict[str, int]) -> Cost:
    """Measure what a file and a MB cost, without latency."""
    points = []
    for name, files in (("monthly", 3_000), ("yearly", 400)):
        size = sizes[name]
        workload = Workload(key="E", title=name, files=files, size=size, concurrency=32)
        took = min(_seconds(server, workload) for _ in range(3)) / files
        points.append((size / MB, took))
        say(f"{name}: {size / 1024:.0f} KB, {took * 1e3:.2f} ms a file")
    return Cost.between(points[0], points[1])


def _checks(server: Server, cost: Cost, size: int) -> Iterator[tuple[str, ...]]:
    """Hold the arithmetic against ranges with latency, of one process."""
    for wait in WAITS:
        for connections in CONNECTIONS:
            files = int(connections * _SECONDS / wait)
            workload = Workload(
                key="E",
                title="check",
                files=files,
                size=size,
                concurrency=connections,
                latency=wait,
                shared_body=True,
            )
            took = _seconds(server, workload)
            expected = _HOUR * Estimate(files=files, mb=size / MB, cost=cost).hours(
                wait=wait, connections=connections, processes=1, line=math.inf
            )
            say(f"{wait * 1e3:.0f} ms, {connections}: {took:.2f} s, expected {expected:.2f} s")
            yield f"{wait * 1e3:.0f} ms", str(connections), f"{files:,}", f"{took:.1f}", f"{expected:.1f}"


def _sections(server: Server) -> Iterator[Section]:
    sizes = _sizes()
    cost = _measured(server, sizes)
    yield Section(
        title="Check: month-sized files, one process",
        conditions=f"A file costs {cost.file * 1e3:.2f} ms and a MB {cost.mb * 1e3:.2f} ms, no latency, in memory.",
        headings=("wait", "connections", "files", "seconds", "by the arithmetic"),
        rows=list(_checks(server, cost, sizes["monthly"])),
    )
    estimates = {
        name: Estimate(files=METERS * YEARS * parts, mb=sizes[name] / MB, cost=cost)
        for name, (parts, _) in _SPLITS.items()
    }
    yield Section(
        title=f"{METERS:,} meters, {YEARS} years: what there is",
        conditions="MDEF as the embedded server makes it: three channels, a value each quarter of an hour.",
        headings=(
            "files",
            "number",
            "KB each",
            "all, GB",
            "catalogues, GB",
            *(f"{line:g} Gbit/s, h" for line in _LINES),
        ),
        rows=[
            (
                name,
                f"{each.files:,}",
                f"{each.mb * 1024:,.0f}",
                f"{each.total_mb * MB / 1e9:,.0f}",
                f"{each.files * _CATALOGUE / 1e9:.1f}",
                *(f"{each.line_hours(line):.1f}" for line in _LINES),
            )
            for name, each in estimates.items()
        ],
    )
    yield Section(
        title=f"{METERS:,} meters, {YEARS} years: hours",
        conditions=(
            f"{_PROCESSES} workers, {_LINES[-1]:g} Gbit/s for all of them; every connection is answered after the "
            "wait, however many there are."
        ),
        headings=("files", "wait", *(f"{connections} connections" for connections in CONNECTIONS)),
        rows=[
            (
                name,
                f"{wait * 1e3:.0f} ms",
                *(
                    f"{each.hours(wait=wait, connections=connections, processes=_PROCESSES, line=_LINES[-1]):,.1f}"
                    for connections in CONNECTIONS
                ),
            )
            for name, each in estimates.items()
            for wait in WAITS
        ],
    )


def main() -> int:
    """Measure, multiply and print."""
    program = find_nginx()
    if program is None:
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="aiomar-estimate-", dir=scratch_folder()) as folder,
        nginx(program, Path(folder)) as server,
    ):
        sections = [section.render() for section in _sections(server)]
    sys.stdout.write("\n\n".join([f"{hardware()}.", *sections]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
