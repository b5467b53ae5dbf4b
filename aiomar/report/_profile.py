"""The load of one meter: by time of day on the clock, and by days.

Times of day are those that the clock on the wall shows, so that a morning stays a morning when the clocks change: the
hour that spring leaves out has one day less behind its mean, the hour that autumn has twice one more.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable
from itertools import groupby

import attrs

from aiomar.errors import DiskError, FormatError, UsageError
from aiomar.formats import CsvLayout, zone
from aiomar.protocol import Meter, TimeType
from aiomar.report._data import DataDirectory
from aiomar.report._days import day_minutes, instant_of
from aiomar.report._pieces import Piece, PieceReader

_SATURDAY = 5
_SOME = 5
"""Meters that a message names."""


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
    channel: int | None
    """`None`: nothing of the meter could be read."""
    unit_code: str | None
    """``01`` is kWh, ``03`` kvarh; `None` where the file does not say."""
    clock: TimeType
    minutes: int
    """Length of an interval; 0 where nothing could be read."""
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
    outages: int = 0
    """Intervals of those used that the file marks as a power outage (interval status 1)."""


def read_profile(
    data: DataDirectory,
    recorder_id: str,
    *,
    channel: int | None = None,
    layout: CsvLayout | None = None,
    progress: Callable[[int], object] | None = None,
) -> LoadProfile:
    """Read the load of one meter.  Blocks; memory grows with what the meter has, not with the files.

    An interval that is there more than once counts once, as it stands in the first file that has a value for it.  Of a
    meter that was asked for, or that a file names, and has no value that can be used, the profile is empty.

    Args:
        data: the files, and the clock that they are read by.
        recorder_id: of the meter, as the files have it.
        channel: its number; `None` for the lowest one that has a value.
        layout: of CSV files.
        progress: told the bytes that were read; what it raises ends the reading.

    Raises:
        UsageError: no file has this meter and nobody asked for it, or it has no such channel; or CSV without a layout.
        ConfigError: this machine has no time zone database.
    """
    reader = PieceReader.of(data, layout, progress)
    found = _Met(recorder_id, channel)
    for path in data.files:
        try:
            found.add(reader.read(path))
        except (FormatError, DiskError):
            found.unread += 1
    asked = any(isinstance(one.selection, Meter) and one.selection.id == recorder_id for one in data.requests)
    return _profile(found.channel(asked=asked), found, data.clock)


_Values = dict[int, float | None]
"""Minute at which an interval begins → its value, if it has one to be used."""


@attrs.define
class _Channel:
    """What all files have of one channel."""

    number: int | None
    unit_code: str | None = None
    lengths: dict[int, _Values] = attrs.field(factory=dict)
    """By the minutes of an interval."""
    outages: set[tuple[int, int]] = attrs.field(factory=set)
    """Minutes of an interval, and when it begins, of those that have a value and are marked so."""

    def add(self, piece: Piece) -> None:
        """Take over the intervals that are new, or had no value so far."""
        self.unit_code = self.unit_code or piece.unit_code
        values = self.lengths.setdefault(piece.step, {})
        begins = range(piece.begin, piece.end, piece.step)
        flags = zip(piece.flagged or bytes(piece.count), piece.outages() or bytes(piece.count), strict=True)
        for begin, value, (flagged, outage) in zip(begins, piece.values(), flags, strict=True):
            if values.get(begin) is None:
                values[begin] = value if math.isfinite(value) and not flagged else None
                if outage and values[begin] is not None:
                    self.outages.add((piece.step, begin))

    @property
    def has_value(self) -> bool:
        return any(value is not None for values in self.lengths.values() for value in values.values())


@attrs.define
class _Met:
    """What was met on the way through the files."""

    recorder_id: str
    number: int | None
    others: set[str] = attrs.field(factory=set)
    """Meters, the first few by name."""
    channels: dict[int, _Channel] = attrs.field(factory=dict)
    named: bool = False
    """Whether any file has the meter, also one that breaks further on."""
    unread: int = 0

    def add(self, pieces: Iterable[Piece]) -> None:
        """Take over what one file has; nothing of it, when reading it fails on the way."""
        mine = []
        for piece in pieces:
            if piece.key.recorder_id == self.recorder_id:
                self.named = True
                mine.append(piece)
            else:
                self.others.add(piece.key.recorder_id)
                if len(self.others) > _SOME:
                    self.others.remove(max(self.others))
        for piece in mine:
            number = piece.key.channel
            self.channels.setdefault(number, _Channel(number)).add(piece)

    def channel(self, *, asked: bool) -> _Channel | None:
        """Give the channel that is wanted; `None` if nothing of the meter could be read, which was asked for or met."""
        if not self.channels:
            if asked or self.named:
                return None
            more = " and others" if len(self.others) == _SOME else ""
            known = ", ".join(f"{other!a:.80}" for other in sorted(self.others))
            there = f"name one of those that there are, {known}{more}" if known else "there is none at all"
            raise UsageError(f"no file that can be read has the meter {self.recorder_id!a:.80}: {there}")
        with_values = sorted(number for number, channel in self.channels.items() if channel.has_value)
        if not with_values:
            return self.channels.get(min(self.channels) if self.number is None else self.number)
        number = with_values[0] if self.number is None else self.number
        if number not in with_values:
            known = ", ".join(map(str, with_values))
            raise UsageError(f"the meter {self.recorder_id!a:.80} has no channel {number} with values: it has {known}")
        return self.channels[number]


def _profile(channel: _Channel | None, found: _Met, clock: TimeType) -> LoadProfile:
    channel = channel or _Channel(None)
    # Values of another length are other amounts: those of the length that most intervals have are compared.
    every = channel.lengths.items()
    minutes, intervals = max(every, key=lambda item: (len(item[1]), -item[0]), default=(0, _Values()))
    wall = zone(clock)
    used = sorted((begin, value) for begin, value in intervals.items() if value is not None)
    values = [(instant_of(begin).astimezone(wall), value) for begin, value in used]
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
        outages=sum((minutes, begin) in channel.outages for begin, _ in used),
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
