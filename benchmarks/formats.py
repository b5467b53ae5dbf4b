"""``python -m benchmarks.formats``: how fast the intervals of MDEF files become columns, on one processor.

Every step is measured in the same run, in rounds of random order, from files that the page cache holds; each in a
process of its own, so that no step finds memory that another one has warmed or scattered.  Beside them stand what the
machine could do at best (reading the same bytes, copying them) and what one would write by hand (a loop with `struct`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

import attrs

from benchmarks.formats_files import SHAPES, Shape, make
from benchmarks.formats_steps import MEMORY, STEPS
from benchmarks.machine import hardware
from benchmarks.report import table

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS")
_NAIVE = "struct loop"
_MILLION = 1_000_000
_MB = 1 << 20
_SMALL, _LARGE = 16, 64
"""Megabytes of a file; where headers take most of the time less will do."""
_WORDS = (
    "Million intervals a second, and in brackets how many times the loop of the same file; medians of {rounds} rounds. "
    "The *struct loop* unpacks slot by slot into lists, without a single check. *read* and *copy* are the bytes of the "
    "file through `readinto` and from one buffer to another, counted in intervals. *reader* is `read_mdef` to the raw "
    "slots, *decode* those slots to contiguous values and statuses, *batches* is `interval_batches` with all nine "
    "columns, *table* `intervals`, *Parquet* `write_parquet`."
)


@attrs.frozen
class Result:
    """One step over one file, in one process."""

    intervals: int
    seconds: float
    """Of the quickest pass; the first one only warms caches."""
    peak: int
    """Bytes: highest resident memory."""


def run(step: str, file: Path, passes: int = 4) -> Result:
    """Measure a step in a process of its own, so often that memory and caches are warm in the end."""
    environment = os.environ | dict.fromkeys(_ONE_THREAD, "1")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.formats_steps", step, str(file), str(passes)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Result(**json.loads(done.stdout))


def speeds(shapes: Sequence[Shape], folder: Path, rounds: int) -> str:
    """Measure every step over files of several shapes.

    Args:
        shapes: of the files.
        folder: where they are made.
        rounds: how often each step runs.

    Returns:
        A Markdown table.
    """
    rows = []
    for shape in shapes:
        file = make(shape, folder, (_SMALL if shape.intervals < 1_000 else _LARGE) * _MB)
        found: dict[str, list[float]] = {step: [] for step in STEPS}
        for _ in range(rounds):
            for step in random.sample(list(STEPS), len(STEPS)):
                result = run(step, file)
                found[step].append(result.intervals / result.seconds / _MILLION)
        file.unlink()
        rates = {step: median(each) for step, each in found.items()}
        sys.stderr.write(f"{shape}: {', '.join(f'{step} {rate:.1f}' for step, rate in rates.items())}\n")
        cells = [f"{rate:,.1f} ({rate / rates[_NAIVE]:.0f})" for step, rate in rates.items() if step != _NAIVE]
        rows.append([str(shape.intervals), str(shape.width), f"{rates[_NAIVE]:.2f}", *cells])
    return table(["intervals a channel", "bytes a slot", *[_NAIVE, *(step for step in STEPS if step != _NAIVE)]], rows)


def memory(shape: Shape, folder: Path, sizes: Sequence[int]) -> str:
    """Measure the highest memory of what works in batches, for files of several sizes.

    Args:
        shape: of the files.
        folder: where they are made.
        sizes: in megabytes.

    Returns:
        A Markdown table.
    """
    rows = []
    for size in sizes:
        file = make(shape, folder, size * _MB)
        rows.append(
            [f"{file.stat().st_size / _MB:,.0f}", *(f"{run(step, file, 1).peak / _MB:,.0f}" for step in MEMORY)]
        )
        file.unlink()
    return table(["MB of file", *(f"{step}, peak MB" for step in MEMORY)], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all of it and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each step (default 5)")
    parser.add_argument("--scratch", type=Path, help="where files are made (default: memory); 2 GB")
    parser.add_argument("--megabytes", type=int, default=1_024, help="of the largest file (default 1024)")
    options = parser.parse_args(arguments)
    shared = Path("/dev/shm")  # noqa: S108 - the point: memory; a folder of our own is made in it
    scratch = options.scratch or (shared if shared.is_dir() else Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix="aiomar-formats-", dir=scratch))
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "pyarrow"))
    try:
        parts = [
            f"{hardware()}; Python {platform.python_version()}, {versions}.",
            _WORDS.format(rounds=options.rounds),
            speeds(SHAPES, folder, options.rounds),
            "Highest resident memory, Python and pyarrow themselves among it:",
            memory(SHAPES[-2], folder, [options.megabytes // 10, options.megabytes]),
        ]
    finally:
        shutil.rmtree(folder)
    sys.stdout.write("\n\n".join(parts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
