"""Channels of MDEF to record batches.

Channels are collected until a batch is worth its while: a daily file has 96 intervals a channel, and every call of
numpy takes about a microsecond.  A run of channels with the same slots and interval length is then joined and decoded
at once: through a strided view over the slots for values and statuses, and for the times from one row of equal steps,
to which each channel adds where it begins.  Changes of daylight saving need no care, as the steps are taken in UTC.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aiomar.formats._arrow_columns import Dictionaries, empty, microseconds, numbers, record_batch
from aiomar.formats._data_files import DataFile
from aiomar.formats._layout import RECORD, SLOTS
from aiomar.formats._mdef import read_mdef
from aiomar.protocol import TimeType

_HOUR = 3_600_000_000
_VALUE, _CHANNEL, _INTERVAL = ("value", "<f4"), ("channel_status", "<u2"), ("interval_status", "<u2")
_SLOTS = {
    (True, True): np.dtype([_VALUE, _CHANNEL, _INTERVAL]),
    (True, False): np.dtype([_VALUE, _CHANNEL]),
    (False, True): np.dtype([_VALUE, _INTERVAL]),
    (False, False): np.dtype([_VALUE]),
}
"""Whether there is a channel and an interval status → what one slot is."""


class _Piece(NamedTuple):
    """One channel, or as much of it as a batch needs to know."""

    form: tuple[bool, bool, int]
    """Channel status, interval status, intervals in an hour."""
    recorder_id: int
    channel: int
    unit_code: int
    file: int
    begins: int
    """Microseconds since 1970."""
    intervals: int
    slots: bytes


class Slots:
    """Collects channels, and makes a batch of them.

    Args:
        words: of the reader.
        schema: of its batches.
        clock: the clock that files were written by.
    """

    def __init__(self, words: Dictionaries, schema: pa.Schema, clock: TimeType) -> None:
        self.rows = 0
        """How many intervals are collected."""
        self._words = words
        self._schema = schema
        self._clock = clock
        self._pieces: list[_Piece] = []
        self._ramps: dict[int, npt.NDArray[np.int64]] = {}

    def read(self, file: DataFile) -> Iterator[int]:
        """Collect a file.

        Yields:
            After every channel the bytes read since the last one.

        Raises:
            FormatError: as `read_mdef`.
            DiskError: likewise.
        """
        code = self._words.file.code(file.shown)
        for meter in read_mdef(file.path, clock=self._clock):
            recorder_id = self._words.recorder_id.code(meter.recorder_id)
            headers = 2
            for channel in meter.channels:
                piece = _Piece(
                    (channel.has_channel_status, channel.has_interval_status, channel.per_hour),
                    recorder_id,
                    channel.number,
                    self._words.unit_code.code(channel.unit_code),
                    code,
                    microseconds(channel.begins(self._clock)),
                    channel.count,
                    channel.slots,
                )
                self._pieces.append(piece)
                self.rows += piece.intervals
                yield (headers - len(piece.slots) // -SLOTS) * RECORD
                headers = 1

    def take(self) -> pa.RecordBatch:
        """Make a batch of what is collected, and begin anew."""
        pieces, rows, self._pieces, self.rows = self._pieces, self.rows, [], 0
        counts = np.array([piece.intervals for piece in pieces])

        def repeated(values: Iterator[int]) -> pa.Array:
            return numbers(pa.int32(), np.repeat(np.fromiter(values, np.int32, len(pieces)), counts))

        with np.errstate(invalid="ignore"):  # a signalling NaN, which becomes a quiet one with the same payload
            decoded = self._decoded(pieces, rows)
        columns = decoded | {
            "recorder_id": self._words.recorder_id.column(repeated(piece.recorder_id for piece in pieces)),
            "channel": repeated(piece.channel for piece in pieces),
            "unit_code": self._words.unit_code.column(repeated(piece.unit_code for piece in pieces)),
            "file": self._words.file.column(repeated(piece.file for piece in pieces)),
        }
        return record_batch(self._schema, columns)

    def _decoded(self, pieces: list[_Piece], rows: int) -> dict[str, pa.Array]:
        start, starts = empty(np.dtype(np.int64), rows)
        end, ends = empty(np.dtype(np.int64), rows)
        value, values = empty(np.dtype(np.float64), rows)
        statuses = {name: _Statuses(rows) for name, _ in (_CHANNEL, _INTERVAL)}
        at = 0
        for (channel_status, interval_status, per_hour), group in itertools.groupby(pieces, key=lambda each: each.form):
            run = list(group)
            slots = np.frombuffer(b"".join(piece.slots for piece in run), _SLOTS[channel_status, interval_status])
            here = slice(at, at + len(slots))
            value[here] = slots["value"]
            for name, column in statuses.items():
                column.fill(here, slots[name] if name in slots.dtype.fields else None)  # type: ignore[operator] # it has
            step = _HOUR // per_hour
            self._fill_starts(start[here], run, step)
            np.add(start[here], step, out=end[here])
            at = here.stop
        of = self._schema.field
        return {
            "start": pa.Array.from_buffers(of("start").type, rows, [None, starts]),
            "end": pa.Array.from_buffers(of("end").type, rows, [None, ends]),
            "value": pa.Array.from_buffers(of("value").type, rows, [None, values]),
        } | {name: column.array() for name, column in statuses.items()}

    def _fill_starts(self, start: npt.NDArray[np.int64], run: Sequence[_Piece], step: int) -> None:
        ramp = self._ramps.get(step)
        if ramp is None or len(ramp) < len(start):
            ramp = self._ramps[step] = np.arange(len(start), dtype=np.int64) * step
        if len(run) == 1:
            np.add(ramp[: len(start)], run[0].begins, out=start)
            return
        # Where a channel would have begun if its steps had been counted from the beginning of the run.
        counts = [piece.intervals for piece in run]
        before = itertools.accumulate(counts, initial=0)
        origins = [piece.begins - step * number for piece, number in zip(run, before, strict=False)]
        np.add(ramp[: len(start)], np.repeat(np.array(origins, np.int64), counts), out=start)


class _Statuses:
    """A column of status words, null where a channel carries none."""

    def __init__(self, rows: int) -> None:
        self._words, self._buffer = empty(np.dtype(np.uint16), rows)
        self._present: list[slice] = []
        self._absent: list[slice] = []

    def fill(self, here: slice, words: npt.NDArray[np.uint16] | None) -> None:
        """Take the words of a run of channels, or that they have none."""
        (self._absent if words is None else self._present).append(here)
        self._words[here] = 0 if words is None else words

    def array(self) -> pa.Array:
        """Give the column."""
        rows = len(self._words)
        if not self._present:
            return pa.nulls(rows, pa.uint16())
        if not self._absent:
            return pa.Array.from_buffers(pa.uint16(), rows, [None, self._buffer])
        valid = np.zeros(rows, np.bool_)
        for here in self._present:
            valid[here] = True
        bits = np.packbits(valid, bitorder="little")
        return pa.Array.from_buffers(pa.uint16(), rows, [pa.py_buffer(bits), self._buffer])
