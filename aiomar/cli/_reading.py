"""Commands that read files: which, and how: in a thread, with progress, and interrupted at the next piece."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from aiomar._threads import Threads
from aiomar.cli._options import Reading
from aiomar.cli._output import Output
from aiomar.cli._progress import displayed
from aiomar.cli._tally import Tally
from aiomar.formats import CsvLayout
from aiomar.formats._source import size_of
from aiomar.report import DataDirectory, find_data

_T = TypeVar("_T")
_PATIENCE = 5.0  # seconds for the disk to give the piece that is being read


def find_files(out: Output, directory: Path, reading: Reading) -> tuple[DataDirectory, CsvLayout | None]:
    """Find the data files of a directory, and say which are left out.

    Args:
        out: where that is said.
        directory: where they are, or one data file.
        reading: what the options say of them.

    Returns:
        The files, and the layout of those that are CSV.

    Raises:
        UsageError: there are none, or something would have to be guessed.
        DiskError: the catalogue cannot be read.
    """
    layout = None if reading.layout is None else CsvLayout.from_toml(reading.layout)
    data = find_data(directory, clock=reading.time, file_format=reading.format, has_layout=layout is not None)
    if data.left_out_words is not None:
        out.say(f"left out: {data.left_out_words}")
    return data, layout


def counting_files(tally: Tally, files: Iterable[Path], progress: Callable[[int], None]) -> Callable[[int], None]:
    """Count files too: one has been read when as many bytes have as it and those before it hold.

    Args:
        tally: what is counted.
        files: in the order in which they are read.
        progress: counts the bytes.
    """
    ends = deque(accumulate(map(size_of, files)))

    def counted(size: int) -> None:
        progress(size)
        while ends and tally.bytes >= ends[0]:
            ends.popleft()
            tally.fetched += 1

    return counted


async def in_thread(out: Output, tally: Tally | None, read: Callable[[Callable[[int], None]], _T]) -> _T:
    """Read files in a thread; an interruption ends it at its next piece.

    Args:
        out: where progress is shown.
        tally: what is counted; its bytes are counted here.  `None`: no progress is shown.
        read: does the work; it is given what it has to tell the bytes of every piece to.
    """
    leave = threading.Event()
    threads = Threads(1)
    showing = contextlib.nullcontext() if tally is None else displayed(out, tally, out.command)
    with showing as lines:

        def progress(size: int) -> None:
            if leave.is_set():
                raise _LeftError
            if tally is not None:
                tally.bytes += size
            if lines is not None:
                lines.tick()

        future = threads.start(read, progress)
        try:
            return await asyncio.shield(future)
        finally:
            leave.set()
            await asyncio.wait([future], timeout=_PATIENCE)
            if future.done():
                future.exception()  # looked at, so that asyncio does not complain about it
            threads.close()


class _LeftError(Exception):
    """Nobody waits for the result any more."""
