"""Intervals as Parquet: one file, or a directory partitioned by year and month of the clock's calendar.

Rows are held until they make a row group that is worth reading, as small ones make large files that are slow to read.
What is held in all has a bound, beyond which the month that holds most is written.  Rows of several months in one batch
are copied apart: a slice would keep its whole batch in memory.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aiomar._beside import beside, create, failing
from aiomar.formats._arrow import Batches
from aiomar.formats._arrow_columns import EPOCH, MICROSECOND, compacted, microseconds
from aiomar.formats._clocks import zone
from aiomar.formats._data_files import DataFile
from aiomar.protocol import TimeType

_GROUP = 1 << 18
"""Rows of a row group."""
_HELD = 1 << 20
"""Rows that are held in all, about 50 MB."""
_MOST_OPEN = 100
"""Files that are open at once.  Eight years have no more months, and then the oldest is closed."""
_REPEATED = ["recorder_id", "channel", "unit_code", "channel_status", "interval_status", "file"]
_ENCODINGS = {"start": "DELTA_BINARY_PACKED", "end": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"}
"""Times in equal steps, and values that were float32: a third of what the usual encodings take, in half the time."""
_OURS = re.compile(r"year=\d{4}(?:/month=\d\d(?:/part-\d+\.parquet)?)?", re.ASCII)
"""What a data set holds, and so what may be thrown away with an old one."""
_DECEMBER = 12


class ParquetOutput:
    """One export.

    Args:
        target: ends in ``.parquet``, in any case, for one file; otherwise it is a directory.
        clock: whose calendar counts.
        overwrite: whether an existing target is replaced.
    """

    def __init__(self, target: Path, clock: TimeType, *, overwrite: bool) -> None:
        self.rows = 0
        """Intervals that were written."""
        self.files = 0
        """Parquet files that were written."""
        self.size = 0
        """Their bytes."""
        self._target = target
        self._clock = clock
        self._overwrite = overwrite
        self._shelves: dict[str, _Shelf] = {}
        self._closed: dict[str, int] = {}

    def write(self, files: Sequence[DataFile], progress: Callable[[int], object]) -> None:
        """Read files and write their intervals; see `write_parquet`."""
        batches = Batches(files, self._clock)
        single = self._target.name.lower().endswith(".parquet")
        with beside(self._target, directory=not single, overwrite=self._overwrite, ours=_OURS.fullmatch) as part:
            try:
                if single:
                    self._shelf(part, "", batches)  # also without a single row it is a file
                for batch in batches.read(progress):
                    self.rows += len(batch)
                    for month, rows in [("", batch)] if single else months(batch, self._clock):
                        self._put(part, month, rows, batches)
                for month in [*self._shelves]:
                    self._close(month)
            finally:
                for shelf in self._shelves.values():
                    shelf.abandon()

    def _shelf(self, part: Path, month: str, batches: Batches) -> _Shelf:
        if month not in self._shelves:
            if len(self._shelves) == _MOST_OPEN:
                self._close(next(iter(self._shelves)))
            with failing(self._target):
                self._shelves[month] = _Shelf(self._place(part, month) if month else part, batches)
        return self._shelves[month]

    def _place(self, part: Path, month: str) -> Path:
        """Name the next file of a month, making its directories."""
        folder = part
        for name in month.split("/"):
            folder /= name
            folder.mkdir(0o700, exist_ok=True)
        return folder / f"part-{self._closed.get(month, 0)}.parquet"

    def _put(self, part: Path, month: str, rows: pa.RecordBatch, batches: Batches) -> None:
        shelf = self._shelf(part, month, batches)
        shelf.put(rows)
        if shelf.rows >= _GROUP:
            self._flush(shelf)
        while sum(each.rows for each in self._shelves.values()) > _HELD:
            self._flush(max(self._shelves.values(), key=lambda each: each.rows))

    def _flush(self, shelf: _Shelf) -> None:
        with failing(self._target):
            shelf.flush()

    def _close(self, month: str) -> None:
        with failing(self._target):
            self.size += self._shelves[month].close()
        del self._shelves[month]
        self._closed[month] = self._closed.get(month, 0) + 1
        self.files += 1


class _Shelf:
    """One Parquet file, and the rows that wait for it."""

    def __init__(self, path: Path, batches: Batches) -> None:
        self.rows = 0
        """How many wait."""
        self._waiting: list[pa.RecordBatch] = []
        self._batches = batches
        self._file: BinaryIO = create(path)
        self._writer = pq.ParquetWriter(
            self._file,
            batches.schema,
            compression="zstd",
            use_dictionary=_REPEATED,
            column_encoding=_ENCODINGS,
        )

    def put(self, rows: pa.RecordBatch) -> None:
        """Let rows wait."""
        self._waiting.append(rows)
        self.rows += len(rows)

    def flush(self) -> None:
        """Write what waits as a row group."""
        waiting, self._waiting, self.rows = self._waiting, [], 0
        group = pa.Table.from_batches(map(self._batches.words.renewed, waiting), self._batches.schema)
        self._writer.write_table(compacted(group), row_group_size=len(group))

    def close(self) -> int:
        """Write the rest, and sync; gives the size of the file."""
        if self.rows:
            self.flush()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        return size

    def abandon(self) -> None:
        """Leave a file that is not wanted any more as it is."""
        self._writer.is_open = False  # or it would try to end its file when it is thrown away, and complain
        with suppress(OSError):  # of what is still held back
            self._file.close()


def months(batch: pa.RecordBatch, clock: TimeType) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Part rows by the month in which they start on the clock, in the order of the calendar."""
    starts = batch.column("start").cast(pa.int64()).to_numpy()
    first, last = (_month(int(start), clock) for start in (starts.min(), starts.max()))
    if first == last:
        yield _name(first), batch
        return
    names = list(range(first, last + 1))
    which = np.searchsorted([_begin(month, clock) for month in names[1:]], starts, side="right")
    order = np.argsort(which, kind="stable")
    found, begins = np.unique(which[order], return_index=True)
    for number, rows in zip(found, np.split(order, begins[1:]), strict=True):
        yield _name(names[number]), batch.take(pa.array(rows))


def _month(instant: int, clock: TimeType) -> int:
    """Count months from the beginning of the calendar to an instant, given in microseconds since 1970."""
    local = (EPOCH + instant * MICROSECOND).astimezone(zone(clock))
    return local.year * _DECEMBER + local.month - 1


def _begin(month: int, clock: TimeType) -> int:
    year, number = divmod(month, _DECEMBER)
    return microseconds(dt.datetime(year, number + 1, 1, tzinfo=zone(clock)).astimezone(dt.UTC))


def _name(month: int) -> str:
    year, number = divmod(month, _DECEMBER)
    return f"year={year:04}/month={number + 1:02}"
