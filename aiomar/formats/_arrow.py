"""Record batches of data files, and what is made of them: a table, a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from aiomar.formats._arrow_columns import Dictionaries, Words, schema
from aiomar.formats._arrow_rows import Rows
from aiomar.formats._arrow_slots import Slots
from aiomar.formats._data_files import DataFile
from aiomar.formats._source import size_of
from aiomar.protocol import TimeType

ENOUGH = 1 << 16
"""Rows that are worth a batch.  It ends with the channel that makes it full, which has at most 431,904 more."""


class Batches:
    """The batches of some files, one after the other; it is read once.

    Args:
        files: what is read, in this order.
        clock: the clock that they were written by.
    """

    def __init__(self, files: Sequence[DataFile], clock: TimeType) -> None:
        self.schema = schema(clock)
        self.words = Dictionaries(Words(), Words(), Words(file.shown for file in files))
        """The dictionaries, which grow while batches are read."""
        self._files = files
        self._slots = Slots(self.words, self.schema, clock)
        self._rows = Rows(self.words, self.schema, clock)

    def read(self, progress: Callable[[int], object] = lambda _: None) -> Iterator[pa.RecordBatch]:
        """Read the files.

        Args:
            progress: is told the number of bytes read, piece by piece.

        Raises:
            FormatError: a file breaks its layout, or was not written by the clock.
            DiskError: the operating system refuses to read.
        """
        for file in self._files:
            mine, other = (self._slots, self._rows) if file.layout is None else (self._rows, self._slots)
            if other.rows:
                yield other.take()
            sizes = self._slots.read(file) if file.layout is None else self._rows.read(file, file.layout)
            told = 0
            for size in sizes:
                told += size
                progress(size)
                if mine.rows >= ENOUGH:
                    yield mine.take()
            progress(max(size_of(file.path) - told, 0))
        for each in (self._slots, self._rows):
            if each.rows:
                yield each.take()


def table(files: Sequence[DataFile], clock: TimeType) -> pa.Table:
    """Read files into one table, whose chunks have the same dictionaries."""
    batches = Batches(files, clock)
    found = list(batches.read())
    return pa.Table.from_batches(map(batches.words.renewed, found), batches.schema)


def reader(files: Sequence[DataFile], clock: TimeType) -> pa.RecordBatchReader:
    """Give a reader of files."""
    batches = Batches(files, clock)
    return pa.RecordBatchReader.from_batches(batches.schema, batches.read())
