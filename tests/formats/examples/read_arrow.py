"""From a downloaded directory to Arrow and Parquet."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from aiomar import TimeType
from aiomar.formats import interval_batches, intervals, write_parquet


def one_meter(directory: Path, recorder_id: str) -> pa.Table:
    """Read everything, keep one meter."""
    table = intervals(directory, clock=TimeType.DST)
    return table.filter(pc.field("recorder_id") == recorder_id)


def missing(directory: Path) -> int:
    """Count what the files mark as missing, without holding them all in memory."""
    found = 0
    for batch in interval_batches(directory, clock=TimeType.DST):
        flagged = pc.not_equal(pc.bit_wise_and(batch["interval_status"], pa.scalar(64, pa.uint16())), 0)
        found += pc.sum(flagged).as_py() or 0
    return found


async def save(directory: Path, target: Path) -> int:
    """Write a data set, in a thread: reading files would keep the loop from everything else."""
    summary = await asyncio.to_thread(write_parquet, directory, target, clock=TimeType.DST)
    return summary.rows
