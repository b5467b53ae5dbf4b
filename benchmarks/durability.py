"""What it costs to save a file for certain: without sync, with a sync for each, and in groups as aiomar does it.

The plain recipes are loops in one thread.  aiomar's rows go through its own sink with as many writers as a range has;
they contain its hash, and the row in the catalogue where none is left out.  There is no network in any of them.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import os
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from aiomar import FileFormat, Meter, TimeType
from aiomar._threads import Threads
from aiomar.transfer import Catalogue, Disk, Note, Notebook, SavedFile, Terms
from benchmarks.machine import file_system
from benchmarks.report import Section
from benchmarks.workloads import KB

LETTER = "U"
_FILES = 1_000
_BODY = secrets.token_bytes(8 * KB)
_WRITERS = 32  # as many files as a range with 16 connections has in hand
_THREADS = 8
_DAY = dt.date(2026, 1, 1)
_TERMS = Terms(origin="https://127.0.0.1", file_format=FileFormat.MDEF, time_type=TimeType.PST)
_Recipe = Callable[[Path], None]


def _plain(folder: Path, *, sync_file: bool, sync_directory: bool) -> None:
    """Write part files and rename them, one after the other."""
    directory = os.open(folder, os.O_RDONLY)
    try:
        for number in range(_FILES):
            final = f"{folder}/{number}.dat"
            fd = os.open(f"{final}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(fd, _BODY)
            if sync_file:
                os.fsync(fd)
            os.close(fd)
            os.replace(f"{final}.part", final)  # noqa: PTH105 - a loop of system calls is what is measured
            if sync_directory:
                os.fsync(directory)
    finally:
        os.close(directory)


def _aiomar(folder: Path, *, durable: bool, noted: bool) -> None:
    """Save through aiomar's sink."""
    with ExitStack() as stack:
        catalogue = stack.enter_context(Catalogue.open(folder)) if noted else None
        asyncio.run(_write_all(folder, catalogue, durable=durable))


async def _write_all(folder: Path, catalogue: Catalogue | None, *, durable: bool) -> None:
    threads = Threads(_THREADS)
    disk = Disk(threads, durable=durable)
    numbers = iter(range(_FILES))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_WRITERS):
                group.create_task(_write(disk, folder, catalogue, numbers))
    finally:
        await threads.aclose()


async def _write(disk: Disk, folder: Path, catalogue: Catalogue | None, numbers: Iterator[int]) -> None:
    for number in numbers:
        name = f"{number}.dat"
        part = disk.part(f"{folder}/{name}", overwrite=True, existed=False, in_range=catalogue is not None)
        await part.write(_BODY)
        sha256 = await part.finish()
        now = dt.datetime.now(dt.UTC)
        file = SavedFile(
            folder / name, len(_BODY), sha256, Meter(name), _DAY, _DAY, FileFormat.MDEF, TimeType.PST, now, "length"
        )
        await part.publish(Note(Notebook(catalogue, _TERMS), name, file, attempts=1) if catalogue else None)


_RECIPES: Mapping[str, _Recipe] = {
    "write, rename": functools.partial(_plain, sync_file=False, sync_directory=False),
    "write, sync, rename": functools.partial(_plain, sync_file=True, sync_directory=False),
    "write, sync, rename, sync the directory": functools.partial(_plain, sync_file=True, sync_directory=True),
    "aiomar durable=False, no catalogue": functools.partial(_aiomar, durable=False, noted=False),
    "aiomar durable=False": functools.partial(_aiomar, durable=False, noted=True),
    "aiomar, no catalogue": functools.partial(_aiomar, durable=True, noted=False),
    "aiomar": functools.partial(_aiomar, durable=True, noted=True),
}


def section(places: Sequence[Path], *, rounds: int) -> Section:
    """Save files in every way, on every file system, in rounds of shuffled order.

    Args:
        places: folders; of those on one kind of file system only the first counts.
        rounds: how often.
    """
    systems: dict[str, Path] = {}
    for place in places:
        systems.setdefault(file_system(place), place)
    took: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        pairs = [(name, system) for name in _RECIPES for system in systems]
        for name, system in random.sample(pairs, len(pairs)):
            took.setdefault((name, system), []).append(_seconds(_RECIPES[name], systems[system]) * 1e6 / _FILES)
    return Section(
        title=f"{LETTER}: saving {_FILES:,} files of 8 KB for certain, microseconds per file",
        conditions=f"No network; median (lowest-highest) of {rounds} rounds; aiomar with hash and {_WRITERS} writers.",
        headings=("how", *systems),
        rows=[(name, *(_spread(took[name, system]) for system in systems)) for name in _RECIPES],
    )


def _seconds(recipe: _Recipe, place: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="aiomar-durability-", dir=place) as folder:
        began = time.perf_counter()
        recipe(Path(folder))
        return time.perf_counter() - began


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.0f} ({min(values):.0f}-{max(values):.0f})"
