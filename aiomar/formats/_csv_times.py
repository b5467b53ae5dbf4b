"""From the cells of a date and of an interval or a time to an instant, on a clock.

Numbers of intervals count quarter hours (or whatever a layout has) from midnight on, so that they mean one instant on
any day.  Times of day do so too, but on the two days a year on which the clock changes.  There a time may mean no
instant, or two of them.  Both ends of the change have two names as well: the interval before it ends when the clock is
about to show 02:00 in spring, and shows 03:00 at once; some write this, some that.  So a time there has a list of the
instants that it may mean, and which of them it does mean is told by the rows around it (`aiomar.formats._csv_order`).
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable
from typing import TypeVar

import attrs

from aiomar.formats._clocks import instants, zone
from aiomar.formats._csv_layout import CsvLayout
from aiomar.protocol import TimeType

LONGEST_CELL = 100
"""Characters, so that what is remembered stays small."""
_MOST_PLACES = 50_000
"""How many are remembered, about: quarter hours of 520 days, in some 15 MB."""
_MOST_OFFSETS = 4_096
_DAY, _MINUTE = dt.timedelta(days=1), dt.timedelta(minutes=1)
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
_ADJACENT = re.compile(r"%[A-Za-z]%[A-Za-z]")

_T = TypeVar("_T")


class RefusedError(Exception):
    """A row cannot be read; its text says why, without a cell.

    Args:
        what: is wrong.
        line: where the row begins; `None` for the row in hand.
        to_do: what may help.
    """

    def __init__(
        self, what: str, line: int | None = None, to_do: str = "mend the layout, or ask who made the file"
    ) -> None:
        super().__init__(what)
        self.line = line
        self.to_do = to_do


@attrs.frozen
class Doubt:
    """A time of day around a change of the clock."""

    wall: dt.datetime
    """What the clock showed."""
    starts: tuple[dt.datetime, ...]
    """When the interval may start; one or two."""


Place = tuple[dt.datetime, dt.datetime, Doubt | None]
"""Start and end of an interval; they count where there is no doubt."""


class Memo(dict[str, _T]):
    """What a function gives, remembered by its text; it starts anew when that becomes too much."""

    def __init__(self, find: Callable[[str], _T], most: int) -> None:
        super().__init__()
        self._find = find
        self._most = most

    def __missing__(self, text: str) -> _T:
        found = self._find(text)
        if len(self) >= self._most:
            self.clear()
        self[text] = found
        return found


def places(layout: CsvLayout, clock: TimeType) -> Memo[Memo[Place]]:
    """Give the places of intervals, by the text of their date and then by that of their number or time.

    A text that has no place raises `RefusedError`.
    """
    length = layout.minutes * _MINUTE
    before = length if layout.time_is == "end" else dt.timedelta()
    (other,) = set(TimeType) - {clock}
    clocked = _Clock(zone(clock), zone(other), length, before)
    if layout.time is None:
        find, offset = clocked.numbered, functools.partial(_numbered, length)
    else:
        find, offset = clocked.timed, functools.partial(_timed, length, layout.time_format)
    offsets = Memo(offset, _MOST_OFFSETS)

    def of_day(date: str) -> Memo[Place]:
        day = clocked.day(_parsed(date, layout.date_format, "date"))
        # "1" and "01" are two texts.
        return Memo(lambda text: find(day, offsets[text]), 2 * (day.length // length))

    return Memo(of_day, max(_MOST_PLACES * length // _DAY, 1))


# --- Cells ------------------------------------------------------------------------------------------------------------


def _numbered(length: dt.timedelta, cell: str) -> dt.timedelta:
    """Give how long after midnight the interval with a number begins."""
    text = cell.strip()
    if len(cell) > LONGEST_CELL or not _NUMBER.fullmatch(text) or not int(text):
        raise RefusedError("the interval is no number from 1 on")
    return (int(text) - 1) * length


def _timed(length: dt.timedelta, time_format: str, cell: str) -> dt.timedelta:
    """Give how long after midnight a clock shows a time."""
    # The other name of midnight, where the format counts hours that far.
    if (
        "%H" in time_format
        and len(cell) <= LONGEST_CELL
        and cell.strip() == dt.time().strftime(time_format.replace("%H", "24"))
    ):
        return _DAY
    time = _parsed(cell, time_format, "time")
    offset = dt.timedelta(hours=time.hour, minutes=time.minute, seconds=time.second)
    if offset % length:
        raise RefusedError(f"the time is not where an interval of {length // _MINUTE} minutes begins or ends")
    return offset


def _parsed(cell: str, cell_format: str, what: str) -> dt.datetime:
    """Read a cell; where nothing stands between two numbers, each must have all of its digits."""
    text = cell.strip()
    try:
        if len(cell) <= LONGEST_CELL:
            found = dt.datetime.strptime(text, cell_format)  # noqa: DTZ007 - a wall has no zone
            if not _ADJACENT.search(cell_format) or found.strftime(cell_format).casefold() == text.casefold():
                return found
    except ValueError:
        pass
    raise RefusedError(f"the {what} is not written as {cell_format}")


# --- Days and times on a clock ----------------------------------------------------------------------------------------


@attrs.frozen
class _Day:
    """A day on a clock."""

    date: dt.datetime
    """Midnight on the wall."""
    begins: dt.datetime
    length: dt.timedelta
    """23, 24 or 25 hours."""


def _ends(date: dt.datetime, local: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
    """Give the instants of both midnights of a day."""
    first, last = (midnight.replace(tzinfo=local).astimezone(dt.UTC) for midnight in (date, date + _DAY))
    return first, last


@attrs.frozen(eq=False)
class _Clock:
    """A clock on the wall, and intervals that are told by its times."""

    _zone: dt.tzinfo
    _other: dt.tzinfo
    """The one that may be meant where this one does not fit."""
    _length: dt.timedelta
    _before: dt.timedelta
    """How long before its time an interval starts: nothing, or its length."""

    def day(self, date: dt.datetime) -> _Day:
        """Give the day that begins with a midnight on the wall."""
        try:
            begins, ends = _ends(date, self._zone)
        except OverflowError as error:  # the last day that there is
            raise RefusedError("the date is none that a meter can have") from error
        if (ends - begins) % self._length:  # before there were time zones
            raise RefusedError("the date is none that a meter can have")
        return _Day(date, begins, ends - begins)

    def numbered(self, day: _Day, offset: dt.timedelta) -> Place:
        """Give the interval that begins some time after midnight."""
        if offset >= day.length:
            what = f"the interval is none of this day, which has {day.length // self._length}"
            begins, ends = _ends(day.date, self._other)
            if offset < ends - begins:
                raise RefusedError(what, to_do="mend the layout, or read it by the other clock")
            raise RefusedError(what)
        start = day.begins + offset
        return start, start + self._length, None

    def timed(self, day: _Day, offset: dt.timedelta) -> Place:
        """Give the interval that starts or ends when the clock shows a time."""
        if day.length == _DAY:
            start = day.begins + offset - self._before
            return start, start + self._length, None
        wall = day.date + offset
        starts = tuple(instant - self._before for instant in self._instants(wall))
        if not starts:
            raise RefusedError("the time is one that the clock skipped on this day")
        around = (wall - self._length, wall, wall + self._length)
        doubt = None if all(self._plain(near) for near in around) else Doubt(wall, starts)
        return starts[0], starts[0] + self._length, doubt

    def _instants(self, wall: dt.datetime) -> list[dt.datetime]:
        """Give every instant that a time may mean: what the clock shows, or what the minute before the end leads to."""
        found = self._shown(wall)
        return sorted(found | self._led_to(wall)) if self._before else sorted(found)

    def _plain(self, wall: dt.datetime) -> bool:
        """Say whether there are no two ways to see a time."""
        shown = self._shown(wall)
        return len(shown) == 1 and (not self._before or shown == self._led_to(wall))

    def _led_to(self, wall: dt.datetime) -> set[dt.datetime]:
        return {instant + _MINUTE for instant in self._shown(wall - _MINUTE)}

    def _shown(self, wall: dt.datetime) -> set[dt.datetime]:
        return set(instants(wall, self._zone))
