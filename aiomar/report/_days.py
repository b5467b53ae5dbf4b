"""The days of a clock, and counting by them.

The unit of time is the minute since 1970 (UTC), a whole number, and a day is one of the minutes between two midnights
of the clock: 1,380, 1,440 or 1,500 of them.  Every length of an interval divides the hour, so a day has a whole number
of intervals whatever the minute at which they begin, and a run of intervals is counted by its two ends: the days in
between are full.
"""

from __future__ import annotations

import datetime as dt
from array import array
from bisect import bisect_right
from functools import cache
from typing import Literal

from aiomar.formats import zone
from aiomar.protocol import TimeType

FIRST_DAY = dt.date(1970, 1, 1)
LAST_DAY = dt.date(2099, 12, 31)
"""Days outside of these are not counted.  CAISO began in 1998, and one damaged year must not ask for a thousand."""
HOUR = 60
_MINUTE = dt.timedelta(minutes=1)
_DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def minute_of(instant: dt.datetime) -> int:
    """Give an instant as a minute."""
    return (instant - _EPOCH) // _MINUTE


def instant_of(minute: int) -> dt.datetime:
    """Give a minute as an instant: aware, UTC."""
    return _EPOCH + minute * _MINUTE


def day_minutes(day: dt.date, clock: TimeType) -> int:
    """Give the length of a day on a clock: 1,380, 1,440 or 1,500 minutes."""
    return _midnight(day + _DAY, clock) - _midnight(day, clock)


def _midnight(day: dt.date, clock: TimeType) -> int:
    return minute_of(dt.datetime(day.year, day.month, day.day, tzinfo=zone(clock)))


class DayCounts:
    """A number for each of some days, 0 for all others; days are counted from `FIRST_DAY`.

    Args:
        code: of the array: H has room for all intervals of a day, I also for what hundreds of copies of them sum up to.
    """

    def __init__(self, code: Literal["H", "I"] = "H") -> None:
        self._first = 0
        self._counts: array[int] = array(code)

    def add(self, first: int, counts: array[int]) -> None:
        """Add numbers to the days from one on."""
        self._reserve(first, first + len(counts))
        here = slice(first - self._first, first - self._first + len(counts))
        if self._counts[here].tobytes().strip(b"\0"):
            counts = array("H", map(int.__add__, self._counts[here], counts))
        self._counts[here] = counts

    def take(self, other: DayCounts, sign: int = 1) -> None:
        """Add all numbers of another, or take them away."""
        if other._counts:
            self._reserve(other._first, other._first + len(other._counts))
            for place, number in enumerate(other._counts, start=other._first - self._first):
                if number:
                    self._counts[place] += sign * number

    def set(self, day: int, number: int) -> None:
        """Say what the number of a day is."""
        self._reserve(day, day + 1)
        self._counts[day - self._first] = number

    def cut(self, first: int, behind: int) -> array[int]:
        """Give the numbers of the days from one on and before another; not to be changed, as zeros are shared."""
        if not self._counts:
            return _zeros(behind - first, "H")
        self._reserve(first, behind)
        numbers = self._counts[first - self._first : behind - self._first]
        return numbers if numbers.typecode == "H" else array("H", numbers)

    def _reserve(self, first: int, behind: int) -> None:
        if not self._counts:
            self._first = first
        before, after = self._first - first, behind - self._first - len(self._counts)
        if before > 0:
            self._counts = _zeros(before, self._counts.typecode) + self._counts  # a new one
            self._first = first
        if after > 0:
            self._counts.extend(_zeros(after, self._counts.typecode))


@cache
def _zeros(days: int, code: str) -> array[int]:
    return array(code, [0]) * days


class Days:
    """All days of a clock between `FIRST_DAY` and `LAST_DAY`, counted from 0.

    Args:
        clock: which one.
    """

    def __init__(self, clock: TimeType) -> None:
        number = (LAST_DAY - FIRST_DAY).days + 1
        self.midnights = [_midnight(FIRST_DAY + day * _DAY, clock) for day in range(number + 1)]
        """The minute with which each day begins; the last one is the end."""
        self._full: dict[int, array[int]] = {}

    def index(self, minute: int) -> int:
        """Give the day that a minute lies in."""
        return bisect_right(self.midnights, minute) - 1

    def clip(self, first: dt.date, last: dt.date) -> tuple[int, int]:
        """Give the days from one to another as a range: the first one, and the one behind the last."""
        return max((first - FIRST_DAY).days, 0), min((last - FIRST_DAY).days + 1, len(self.midnights) - 1)

    def holds(self, begin: int, end: int) -> bool:
        """Whether a run lies within the days that are counted."""
        return self.midnights[0] <= begin and end <= self.midnights[-1]

    def full(self, step: int) -> array[int]:
        """Give the number of intervals of so many minutes that each day has."""
        if step not in self._full:
            nights = self.midnights
            self._full[step] = array("H", [(nights[day + 1] - nights[day]) // step for day in range(len(nights) - 1)])
        return self._full[step]

    def count(self, counts: DayCounts, begin: int, end: int, step: int, phase: int = 0) -> int:
        """Count the intervals that begin in a run, each for the day in which it begins.

        Args:
            counts: where they are added.
            begin: first minute of the run.
            end: the minute behind it.
            step: minutes of an interval.
            phase: the minute of an hour at which one begins.

        Returns:
            How many there are.
        """
        first, last = self.index(begin), self.index(end - 1)
        if first == last:
            counts.add(first, array("H", [between(begin, end, step, phase)]))
        else:
            numbers = self.full(step)[first : last + 1]
            numbers[0] = between(begin, self.midnights[first + 1], step, phase)
            numbers[-1] = between(self.midnights[last], end, step, phase)
            counts.add(first, numbers)
        return between(begin, end, step, phase)

    def count_marks(self, counts: DayCounts, marks: bytes, begin: int, step: int) -> None:
        """Count marked intervals for the day in which each begins.

        Args:
            counts: where they are added.
            marks: a byte for each interval, 1 where it is marked.
            begin: the minute at which the first interval begins.
            step: minutes of an interval.
        """
        place = marks.find(1)
        while place >= 0:
            day = self.index(begin + place * step)
            behind = -((begin - self.midnights[day + 1]) // step)
            counts.add(day, array("H", [marks.count(1, place, behind)]))
            place = marks.find(1, behind)


def between(begin: int, end: int, step: int, phase: int) -> int:
    """Give how many intervals begin at a minute or later, and before another."""
    return (phase - begin) // step - (phase - end) // step


@cache
def days_of(clock: TimeType) -> Days:
    """Give the days of a clock, which take a tenth of a second to find out."""
    return Days(clock)
