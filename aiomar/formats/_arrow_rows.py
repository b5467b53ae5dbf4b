"""Rows of CSV to record batches: the same columns, row by row, as the rows are text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from aiomar.formats._arrow_columns import Dictionaries, record_batch
from aiomar.formats._csv_intervals import read_csv_intervals
from aiomar.formats._csv_layout import CsvLayout
from aiomar.formats._data_files import DataFile
from aiomar.protocol import TimeType

_OFTEN = 4_096


class Rows:
    """Collects rows, and makes a batch of them.

    Args:
        words: of the reader.
        schema: of its batches.
        clock: the clock that files were written by.
    """

    def __init__(self, words: Dictionaries, schema: pa.Schema, clock: TimeType) -> None:
        self._words = words
        self._schema = schema
        self._clock = clock
        self._columns: dict[str, list[object]] = {name: [] for name in schema.names}

    @property
    def rows(self) -> int:
        """How many intervals are collected."""
        return len(self._columns["value"])

    def read(self, file: DataFile, layout: CsvLayout) -> Iterator[int]:
        """Collect a file, whose columns a layout explains.

        Yields:
            Zero, every few thousand rows: how many bytes they took nobody counts.

        Raises:
            FormatError: as `read_csv_intervals`.
            DiskError: likewise.
        """
        code, words = self._words.file.code(file.shown), self._words
        into = self._ends()
        for number, row in enumerate(read_csv_intervals(file.path, layout, clock=self._clock), start=1):
            cells = (
                words.recorder_id.code(row.recorder_id),
                row.channel,
                None if row.unit_code is None else words.unit_code.code(row.unit_code),
                row.start,
                row.end,
                row.value,
                row.channel_status,
                row.interval_status,
                code,
            )
            for append, cell in zip(into, cells, strict=True):
                append(cell)
            if not number % _OFTEN:
                yield 0
                into = self._ends()  # a batch may have been made meanwhile

    def _ends(self) -> list[Callable[[object], None]]:
        return [column.append for column in self._columns.values()]

    def take(self) -> pa.RecordBatch:
        """Make a batch of what is collected, and begin anew."""
        lists, self._columns = self._columns, {name: [] for name in self._schema.names}
        columns = {}
        for field in self._schema:
            words = getattr(self._words, field.name, None)
            if words is None:
                columns[field.name] = pa.array(lists[field.name], field.type)
            else:
                columns[field.name] = words.column(pa.array(lists[field.name], pa.int32()))
        return record_batch(self._schema, columns)
