"""The load of one meter: by time of day on the clock, and by days.

Times of day are those that the clock on the wall shows, so that a morning stays a morning when the clocks change: the
hour that spring leaves out has one day less behind its mean, the hour that autumn has twice one more.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator
from itertools import groupby, repeat

import attrs

from aiomar._types import PathLike
from aiomar.errors import FormatError, UsageError
from aiomar.formats import CsvLayout, MdefChannel, read_csv_intervals, read_mdef, zone
from aiomar.protocol import FileFormat, TimeType
from aiomar.report._data import DataDirectory
from aiomar.report._days import day_minutes

_MISSING = 1 << 6
"""Interval status 7, data missing: numbers of a status count bits from 1."""
_SATURDAY = 5
_SOME = 5
"""Meters that a message names."""
_MINUTE = dt.timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class ProfileSlot:
    """One time of day, over all days that have a value there."""

    time: dt.time
    """When the interval begins, on the clock."""
    mean: float
    least: float
    most: float
    count: int
    """Values behind them."""


@attrs.frozen(kw_only=True)
class ProfileDay:
    """One day that has a value."""

    day: dt.date
    total: float
    """Sum of the values that are there."""
    whole: bool
    """Whether every interval of the day has a value."""


@attrs.frozen(kw_only=True)
class LoadProfile:
    """What one channel of a meter measured, in short.

    Values are per interval, in the unit of the channel.
    """

    recorder_id: str
    channel: int
    unit_code: str | None
    """``01`` is kWh, ``03`` kvarh; `None` where the file does not say."""
    clock: TimeType
    minutes: int
    """Length of an interval."""
    weekdays: tuple[ProfileSlot, ...] = attrs.field(repr=lambda slots: f"<{len(slots)}>")
    """Monday to Friday, by time of day."""
    weekends: tuple[ProfileSlot, ...] = attrs.field(repr=lambda slots: f"<{len(slots)}>")
    """Saturday and Sunday."""
    days: tuple[ProfileDay, ...] = attrs.field(repr=lambda days: f"<{len(days)}>")
    """In order; a day without a value is not among them."""
    used: int
    """Intervals behind all of it."""
    left_out: int
    """Intervals that were read and are not: marked as missing, without a number, of another length than most."""
    unread: int
    """Files that cannot be read; what they hold of this meter is not known."""


def read_profile(
    data: DataDirectory, recorder_id: str, *, channel: int | None = None, layout: CsvLayout | None = None
) -> LoadProfile:
    """Read the load of one meter.  Blocks; memory grows with what the meter has, not with the files.

    An interval that is there more than once counts once, as it stands in the first file.

    Args:
        data: the files, and the clock that they are read by.
        recorder_id: of the meter, as the files have it.
        channel: its number; `None` for the lowest one that has a value.
        layout: of CSV files.

    Raises:
        UsageError: no file has this meter, or the meter no such channel, or no value at all; or CSV without a layout.
        DiskError: the operating system refuses to read.
    """
    is_csv = data.file_format is FileFormat.CSV
    if is_csv and layout is None:
        raise UsageError("the columns of CSV files are not public: give a layout that names them")
    found = _Found(recorder_id, channel)
    for path in data.files:
        try:
            found.add(_csv_blocks(path, layout, data.clock) if layout and is_csv else _mdef_blocks(path, data.clock))
        except FormatError:
            found.unread += 1
    return _profile(found.channel(), found, data.clock)


@attrs.frozen
class _Block:
    """Intervals of one channel in one file; `None` where there is no value to be used.

    Args:
        recorder_id: of the meter.
        channel: its number.
        unit_code: of the values.
        minutes: length of an interval.
        values: instant at which an interval begins, and its value.
    """

    recorder_id: str
    channel: int
    unit_code: str | None
    minutes: int
    values: Iterable[tuple[dt.datetime, float | None]]


def _mdef_blocks(path: PathLike, clock: TimeType) -> Iterator[_Block]:
    for meter in read_mdef(path, clock=clock):
        for channel in meter.channels:
            minutes = channel.interval // _MINUTE
            yield _Block(meter.recorder_id, channel.number, channel.unit_code, minutes, _mdef_values(channel, clock))


def _mdef_values(channel: MdefChannel, clock: TimeType) -> Iterator[tuple[dt.datetime, float | None]]:
    begins, length = channel.begins(clock), channel.interval
    statuses = channel.interval_statuses() or repeat(0)
    for place, (value, status) in enumerate(zip(channel.values(), statuses, strict=False)):
        usable = math.isfinite(value) and not status & _MISSING
        yield begins + place * length, value if usable else None


def _csv_blocks(path: PathLike, layout: CsvLayout, clock: TimeType) -> Iterator[_Block]:
    for row in read_csv_intervals(path, layout, clock=clock):
        usable = row.value is not None and math.isfinite(row.value) and not (row.interval_status or 0) & _MISSING
        value = row.value if usable else None
        minutes = (row.end - row.start) // _MINUTE
        yield _Block(row.recorder_id, row.channel, row.unit_code, minutes, [(row.start, value)])


@attrs.define
class _Channel:
    """What all files have of one channel: by the length of an interval, values by the instant at which it begins."""

    number: int
    unit_code: str | None = None
    lengths: dict[int, dict[dt.datetime, float | None]] = attrs.field(factory=dict)

    @property
    def has_value(self) -> bool:
        return any(value is not None for values in self.lengths.values() for value in values.values())


@attrs.define
class _Found:
    """What was met on the way through the files."""

    recorder_id: str
    number: int | None
    others: set[str] = attrs.field(factory=set)
    """Meters, the first few by name."""
    channels: dict[int, _Channel] = attrs.field(factory=dict)
    unread: int = 0

    def add(self, blocks: Iterable[_Block]) -> None:
        """Take over what one file has; nothing of it, when reading it fails on the way."""
        mine = []
        for block in blocks:
            if block.recorder_id != self.recorder_id:
                self.others.add(block.recorder_id)
                if len(self.others) > _SOME:
                    self.others.remove(max(self.others))
            else:
                mine.append(attrs.evolve(block, values=tuple(block.values)))
        for block in mine:
            channel = self.channels.setdefault(block.channel, _Channel(block.channel))
            channel.unit_code = channel.unit_code or block.unit_code
            values = channel.lengths.setdefault(block.minutes, {})
            for begin, value in block.values:
                if values.get(begin) is None:
                    values[begin] = value

    def channel(self) -> _Channel:
        """Give the channel that was asked for."""
        if not self.channels:
            some = f": there are {', '.join(sorted(self.others))}" if self.others else ", nor any other meter"
            more = " and others" if len(self.others) == _SOME else ""
            raise UsageError(f"no file that can be read has the meter {self.recorder_id!a:.80}{some}{more}")
        with_values = sorted(number for number, channel in self.channels.items() if channel.has_value)
        if not with_values:
            raise UsageError(f"the meter {self.recorder_id!a:.80} has no value at all: choose another one")
        number = with_values[0] if self.number is None else self.number
        if number not in with_values:
            known = ", ".join(map(str, with_values))
            raise UsageError(f"the meter {self.recorder_id!a:.80} has no channel {number} with values: it has {known}")
        return self.channels[number]


def _profile(channel: _Channel, found: _Found, clock: TimeType) -> LoadProfile:
    # Values of another length are other amounts: those of the length that most intervals have are compared.
    minutes, intervals = max(channel.lengths.items(), key=lambda item: (len(item[1]), -item[0]))
    wall = zone(clock)
    values = [(begin.astimezone(wall), value) for begin, value in sorted(intervals.items()) if value is not None]
    return LoadProfile(
        recorder_id=found.recorder_id,
        channel=channel.number,
        unit_code=channel.unit_code,
        clock=clock,
        minutes=minutes,
        weekdays=_slots((begin, value) for begin, value in values if begin.weekday() < _SATURDAY),
        weekends=_slots((begin, value) for begin, value in values if begin.weekday() >= _SATURDAY),
        days=_days(values, minutes, clock),
        used=len(values),
        left_out=sum(map(len, channel.lengths.values())) - len(values),
        unread=found.unread,
    )


def _slots(values: Iterable[tuple[dt.datetime, float]]) -> tuple[ProfileSlot, ...]:
    by_time: dict[dt.time, list[float]] = {}
    for begin, value in values:
        by_time.setdefault(begin.time().replace(fold=0), []).append(value)
    return tuple(
        ProfileSlot(time=time, mean=math.fsum(some) / len(some), least=min(some), most=max(some), count=len(some))
        for time, some in sorted(by_time.items())
    )


def _days(values: Iterable[tuple[dt.datetime, float]], minutes: int, clock: TimeType) -> tuple[ProfileDay, ...]:
    by_day = groupby(values, lambda item: item[0].date())
    sums = ((day, [value for _, value in group]) for day, group in by_day)
    return tuple(
        ProfileDay(day=day, total=math.fsum(some), whole=len(some) * minutes == day_minutes(day, clock))
        for day, some in sums
    )
