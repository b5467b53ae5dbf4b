"""The intervals of a file as pieces: runs of one channel without a gap, as coverage looks at them."""

from __future__ import annotations

import datetime as dt
import math
import operator
import struct
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

import attrs

from aiomar.errors import DiskError, FormatError, UsageError
from aiomar.formats import CsvInterval, CsvLayout, MdefChannel, read_csv_intervals, read_mdef
from aiomar.formats._layout import RECORD, SLOTS, STATUS
from aiomar.formats._marks import ESTIMATED, MISSING, OUTAGE, marked, marks
from aiomar.formats._source import size_of
from aiomar.protocol import FileFormat, TimeType
from aiomar.report._data import DataDirectory
from aiomar.report._days import HOUR, minute_of

_WHOLE = 8  # bytes of a slot with both status words
_SLOT = struct.Struct("<dHH")
_NO_VALUE = b"\xff" * 8
_MOST_ROWS = 4_096
_OFTEN = 1_024
Progress = Callable[[int], object]


class Key(NamedTuple):
    """Which channel of which meter."""

    recorder_id: str
    channel: int


@attrs.frozen(kw_only=True)
class Piece:
    """A run of intervals without a gap."""

    key: Key
    unit_code: str | None
    label: str
    begin: int
    """The minute at which the first interval begins."""
    step: int
    """Minutes of an interval."""
    count: int
    estimated: bytes
    """A byte for each interval, 1 where it is marked so; empty where none is."""
    flagged: bytes
    """Likewise."""
    content: Callable[[], bytes]
    """Gives value and status words of every interval, equally many bytes for each; a missing word counts as 0."""
    values: Callable[[], array[float]]
    """Gives a number for every interval; where the file has none it is not finite."""
    where: str

    @property
    def end(self) -> int:
        """The minute behind the last interval."""
        return self.begin + self.count * self.step

    def outages(self) -> bytes:
        """Give a byte for each interval, 1 where its status says that the power was out; nothing where none is."""
        content = self.content()
        width = len(content) // self.count
        return marked(content[width - STATUS :: width], OUTAGE)


@attrs.frozen
class PieceReader:
    """Reads the files of a directory.

    Args:
        file_format: of the files.
        clock: that they were written by.
        layout: of CSV files.
        progress: told the bytes that were read.
    """

    _file_format: FileFormat
    _clock: TimeType
    _layout: CsvLayout | None
    _progress: Progress

    @classmethod
    def of(cls, data: DataDirectory, layout: CsvLayout | None, progress: Progress | None) -> Self:
        """Make what reads the files of a directory.

        Raises:
            UsageError: they are CSV and there is no layout.
        """
        if data.file_format is FileFormat.CSV and layout is None:
            raise UsageError("the layout of CSV files is not public: name their columns in a CsvLayout")
        return cls(data.file_format, data.clock, layout, progress or _nobody)

    def read(self, path: Path) -> Iterator[Piece]:
        """Give the pieces of a file; one that breaks is told as read to its end.

        Raises:
            FormatError: it is gone, cannot be opened, or breaks a rule of its format.
            DiskError: the operating system refuses to read.
        """
        told = 0

        def tell(size: int) -> None:
            nonlocal told
            told += size
            self._progress(size)

        try:
            if self._layout is None or self._file_format is FileFormat.MDEF:
                yield from self._read_mdef(path, tell)
            else:
                yield from self._read_csv(path, self._layout, tell)
        except (FormatError, DiskError):
            tell(max(size_of(path) - told, 0))
            raise
        tell(max(size_of(path) - told, 0))

    def go_on(self) -> None:
        """Ask whether to go on where nothing is read: progress may raise, and ends it."""
        self._progress(0)

    def _read_mdef(self, path: Path, tell: Progress) -> Iterator[Piece]:
        for meter in read_mdef(path, clock=self._clock):
            records = 1
            for channel in meter.channels:
                records += 1 + math.ceil(len(channel.slots) / SLOTS)
                yield _mdef_piece(meter.recorder_id, channel, self._clock, path)
            tell(records * RECORD)

    def _read_csv(self, path: Path, layout: CsvLayout, tell: Progress) -> Iterator[Piece]:
        runs: dict[Key, _Run] = {}
        for number, row in enumerate(read_csv_intervals(path, layout, clock=self._clock)):
            if not number % _OFTEN:
                tell(0)
            key = Key(row.recorder_id, row.channel)
            run = runs.get(key)
            if run is None or not run.goes_on(row):
                if run is not None:
                    yield run.piece(key, path)
                run = runs[key] = _Run(row)
            run.add(row)
        for key, run in runs.items():
            yield run.piece(key, path)


def _nobody(_size: int) -> None:
    """Take progress that nobody asked for."""


def _mdef_piece(recorder_id: str, channel: MdefChannel, clock: TimeType, path: Path) -> Piece:
    estimated, missing, fill = marks(channel)
    return Piece(
        key=Key(recorder_id, channel.number),
        unit_code=channel.unit_code,
        label=channel.label,
        begin=minute_of(channel.begins(clock)),
        step=HOUR // channel.per_hour,
        count=channel.count,
        estimated=estimated,
        flagged=bytes(map(operator.or_, missing or bytes(channel.count), fill)) if fill else missing,
        content=lambda: _slots(channel),
        values=channel.values,
        where=f"{path}, {recorder_id} channel {channel.number}",
    )


def _slots(channel: MdefChannel) -> bytes:
    """Give the slots with both status words, 0 where the channel has none."""
    width, slots = channel.width, channel.slots
    places = [0, 1, 2, 3]
    places += [4, 5] if channel.has_channel_status else []
    places += [6, 7] if channel.has_interval_status else []
    if len(places) == _WHOLE:
        return slots
    packed = bytearray(_WHOLE * channel.count)
    for source, place in enumerate(places):
        packed[place::_WHOLE] = slots[source::width]
    return bytes(packed)


class _Run:
    """Rows of a CSV file that follow each other without a gap."""

    def __init__(self, first: CsvInterval) -> None:
        self._first = first
        self._length = first.end - first.start
        self._end = first.start
        self._slots = bytearray()
        self._estimated = bytearray()
        self._flagged = bytearray()

    def goes_on(self, row: CsvInterval) -> bool:
        same = row.start == self._end and row.end - row.start == self._length
        return same and len(self._estimated) < _MOST_ROWS

    def add(self, row: CsvInterval) -> None:
        channel_status, interval_status = row.channel_status or 0, row.interval_status or 0
        slot = _SLOT.pack(0.0 if row.value is None else row.value, channel_status, interval_status)
        self._slots += slot if row.value is not None else _NO_VALUE + slot[len(_NO_VALUE) :]
        self._estimated.append(bool(channel_status & ESTIMATED))
        self._flagged.append(row.value is None or bool(interval_status & MISSING))
        self._end = row.end

    def piece(self, key: Key, path: Path) -> Piece:
        slots = bytes(self._slots)
        return Piece(
            key=key,
            unit_code=self._first.unit_code,
            label="",
            begin=minute_of(self._first.start),
            step=self._length // dt.timedelta(minutes=1),
            count=len(self._estimated),
            estimated=bytes(self._estimated) if any(self._estimated) else b"",
            flagged=bytes(self._flagged) if any(self._flagged) else b"",
            content=lambda: slots,
            values=lambda: array("d", (value for value, *_ in _SLOT.iter_unpack(slots))),
            where=f"{path}, line {self._first.line}",
        )
