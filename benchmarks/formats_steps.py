"""The steps of the benchmark of formats, each of which runs in a process of its own: ``STEP FILE PASSES``."""

from __future__ import annotations

import json
import os
import resource
import shutil
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from aiomar import TimeType
from aiomar.formats import interval_batches, intervals, read_mdef, write_parquet
from aiomar.formats._layout import RECORD, SLOTS

_CLOCK = TimeType.PST
_PIECE = 1 << 20
_CHANNEL_HEADER, _TRAILER = 10, 9999
_SHARE = 30_000 * RECORD
"""Bytes of the file that the loop by hand is given; it would take minutes for all of it, and no other rate."""
_Pass = Callable[[], int | None]
"""Does it once; gives the number of intervals where that is not all of them."""


def count(file: Path) -> int:
    """Count the intervals of a file."""
    return sum(channel.count for meter in read_mdef(file, clock=_CLOCK) for channel in meter.channels)


def read(file: Path) -> _Pass:
    """Read the bytes into a buffer that stays."""
    buffer = bytearray(_PIECE)

    def once() -> None:
        with file.open("rb", buffering=0) as source:
            while source.readinto(buffer):
                pass

    return once


def copy(file: Path) -> _Pass:
    """Copy the bytes within memory."""
    source = np.frombuffer(file.read_bytes(), np.uint8)
    target = np.zeros_like(source)

    def once() -> None:
        np.copyto(target, source)

    return once


def naive(file: Path) -> _Pass:
    """Do what one would write by hand: records one by one, slots one by one, into lists."""

    def once() -> int:
        form = struct.Struct("<f")
        values: list[float] = []
        statuses: list[list[int]] = []
        with file.open("rb") as source:
            content = source.read(_SHARE)
        for at in range(0, len(content), RECORD):
            _, code = struct.unpack_from("<HH", content, at)
            if code == _CHANNEL_HEADER:
                form = struct.Struct("<f" + "H" * content[at + 99 : at + 101].count(b"Y"))
            elif code > _CHANNEL_HEADER and code != _TRAILER:
                for slot in range(at + RECORD - SLOTS, at + RECORD, form.size):
                    value, *words = form.unpack_from(content, slot)
                    values.append(value)
                    statuses.append(words)
        return len(values)

    return once


def reader(file: Path) -> _Pass:
    """Read to raw slots, with every gate."""

    def once() -> None:
        for _ in read_mdef(file, clock=_CLOCK):
            pass

    return once


def decode(file: Path) -> _Pass:
    """Turn raw slots into contiguous values and statuses, channel by channel, with nothing around them."""
    channels = [(channel.slots, channel.width) for meter in read_mdef(file, clock=_CLOCK) for channel in meter.channels]
    fields = [("value", "<f4"), ("channel", "<u2"), ("interval", "<u2")]
    form = np.dtype(fields[: 1 + (channels[0][1] - 4) // 2])

    def once() -> None:
        for slots, _ in channels:
            lanes = np.frombuffer(slots, form)
            lanes["value"].astype(np.float64)
            for name in form.names or ():
                np.ascontiguousarray(lanes[name])

    return once


def batches(file: Path) -> _Pass:
    """Make batches of all columns, and let go of each."""

    def once() -> None:
        for _ in interval_batches(file, clock=_CLOCK):
            pass

    return once


def whole(file: Path) -> _Pass:
    """Make a table, and let go of it."""
    return lambda: int(intervals(file, clock=_CLOCK).num_rows)


def parquet(file: Path) -> _Pass:
    """Write one Parquet file."""
    target = file.with_suffix(".parquet")
    return lambda: write_parquet(file, target, clock=_CLOCK, overwrite=True).rows


def data_set(file: Path) -> _Pass:
    """Write a data set by months."""
    target = file.with_suffix(".set")
    return lambda: write_parquet(file, target, clock=_CLOCK, overwrite=True).rows


STEPS: Final[dict[str, Callable[[Path], _Pass]]] = {
    "struct loop": naive,
    "read": read,
    "copy": copy,
    "reader": reader,
    "decode": decode,
    "batches": batches,
    "table": whole,
    "Parquet": parquet,
}
MEMORY: Final = {"reader": reader, "batches": batches, "Parquet": parquet, "data set": data_set}
"""The steps whose memory is to stay, however large the file."""


def main(step: str, file: Path, passes: int) -> None:
    """Run a step on one processor and print the quickest pass."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    once = (STEPS | MEMORY)[step](file)
    found = [_timed(once) for _ in range(passes)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    intervals_of_pass = found[0][0] or count(file)
    print(json.dumps({"intervals": intervals_of_pass, "seconds": min(seconds for _, seconds in found), "peak": peak}))
    for made in (file.with_suffix(".parquet"), file.with_suffix(".set")):
        shutil.rmtree(made) if made.is_dir() else made.unlink(missing_ok=True)


def _timed(once: _Pass) -> tuple[int | None, float]:
    begin = time.perf_counter()
    number = once()
    return number, time.perf_counter() - begin


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
