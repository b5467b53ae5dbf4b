"""Wall-clock stamps of MDEF, and the instants that they mean on a clock.

The layout has no time zone: a stamp says what a clock on the wall showed, and the number of intervals tells how much
time went by.  The first stamp names the first *minute* of the first interval (``...0001``), the last one the *end* of
the last interval, midnight being ``2400`` of the day that ends.  So the first is read by its own minute, and the last
by the minute before it or as it stands: the hour that ends when the clock skips one in spring may end at 02:00 or at
03:00, and the first of two equal hours in autumn at 02:00, or at the 01:00 that the wall shows then.  Of all readings
the number of intervals chooses; where it cannot tell, as in a span that lies wholly in the hour shown twice, nothing is
guessed, and the clock does not fit.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiomar.errors import ConfigError, FormatError, UsageError
from aiomar.protocol import TimeType

_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
_MIDNIGHT = "2400"
_MINUTE = dt.timedelta(minutes=1)
_HOUR = dt.timedelta(hours=1)
MINUTES = 60
"""Of an hour."""
_STANDARD = dt.timezone(dt.timedelta(hours=-8), "PST")


def checked_clock(clock: object) -> TimeType:
    """Give back a clock that is one.

    Raises:
        UsageError: it is none; text that looks like one neither.
    """
    if not isinstance(clock, TimeType):
        raise UsageError(
            f"the clock must be a TimeType, not {type(clock).__name__}: say TimeType.PST or TimeType.DST, as nothing "
            "in a file tells which"
        )
    return clock


def zone(clock: TimeType) -> dt.tzinfo:
    """Give the clock as a time zone, to show instants by.

    Args:
        clock: PST is eight hours behind UTC all year, DST follows America/Los_Angeles.

    Raises:
        ConfigError: this machine has no time zone database.
        UsageError: it is no `TimeType`.
    """
    return _STANDARD if checked_clock(clock) is TimeType.PST else _pacific()


@functools.cache
def _pacific() -> ZoneInfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError as error:
        raise ConfigError(
            "this machine has no time zone database, so days of daylight saving cannot be counted: install tzdata"
        ) from error


@functools.lru_cache(maxsize=1_024)
def wall_time(stamp: str) -> dt.datetime | None:
    """Read ``YYYYMMDDHHMM``, with 2400 for midnight at the end of a day; `None` when it is no such stamp."""
    found = _STAMP.fullmatch(stamp)
    if found is None:
        return None
    year, month, day, hour, minute = map(int, found.groups())
    try:
        if stamp.endswith(_MIDNIGHT):
            return dt.datetime(year, month, day) + dt.timedelta(days=1)  # noqa: DTZ001 - a wall has no zone
        return dt.datetime(year, month, day, hour, minute)  # noqa: DTZ001 - the same
    except (ValueError, OverflowError):
        return None


# The channels of a file mostly share their stamps, and so do many files.
@functools.lru_cache(maxsize=1_024)
def readings(start: str, stop: str, per_hour: int, clock: TimeType) -> tuple[tuple[dt.datetime, int], ...]:
    """Read a pair of stamps on a clock.

    Args:
        start: the first minute of the first interval, on the wall.
        stop: the end of the last interval, on the wall.
        per_hour: intervals in an hour.
        clock: which clock the wall has.

    Returns:
        Every way to read them: the instant (UTC) at which the first interval begins, and the number of intervals.
        None where a stamp is no time, where the clock never showed such a minute, or where the number would not be
        whole and above zero; more than one only around the hours of change.
    """
    first, last = wall_time(start), wall_time(stop)
    if first is None or last is None:
        return ()
    local = zone(clock)
    try:
        begins = [minute - _MINUTE for minute in instants(first, local)]
        ends = sorted({minute + _MINUTE for minute in instants(last - _MINUTE, local)}.union(instants(last, local)))
    except OverflowError:  # the first or last day that there is
        return ()
    spans = ((begin, (end - begin) * per_hour) for begin, end in itertools.product(begins, ends))
    return tuple((begin, time // _HOUR) for begin, time in spans if time > dt.timedelta() and not time % _HOUR)


@functools.lru_cache(maxsize=1_024)
def beginnings(start: str, stop: str, per_hour: int, clock: TimeType, count: int) -> tuple[dt.datetime, ...]:
    """Say when the first of so many intervals may begin: once where they fit, twice where that cannot be told."""
    return tuple(begin for begin, number in readings(start, stop, per_hour, clock) if number == count)


def instants(wall: dt.datetime, local: dt.tzinfo) -> list[dt.datetime]:
    """Give every instant at which a clock shows a time: mostly one, none in spring's gap, two in autumn."""
    both = {wall.replace(tzinfo=local, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
    return sorted(instant for instant in both if instant.astimezone(local).replace(tzinfo=None) == wall)


def stamps(begins: dt.datetime, count: int, per_hour: int, clock: TimeType, owner: str) -> tuple[str, str]:
    """Write a span as the pair of stamps that a reader takes for just this span.

    Args:
        begins: when the first interval begins, an aware time.
        count: number of intervals.
        per_hour: intervals in an hour.
        clock: the clock on the wall.
        owner: whose span it is, for messages.

    Raises:
        FormatError: there are no such stamps.
        UsageError: the time is naive, or the clock is no `TimeType`.
    """
    checked_clock(clock)
    if begins.utcoffset() is None:
        raise UsageError(f"begins has no time zone ({owner}): give an aware time")
    if per_hour < 1 or MINUTES % per_hour:
        raise FormatError(
            f"{per_hour} intervals per hour do not divide it into whole minutes ({owner}): give a divisor of 60",
            where=owner,
        )
    try:
        instant = begins.astimezone(dt.UTC)
        pair = _told(instant, count, per_hour, clock)
    except OverflowError:
        raise FormatError(f"the intervals leave the calendar ({owner}): give the right begins", where=owner) from None
    if instant.second or instant.microsecond or instant.minute % (MINUTES // per_hour):
        raise FormatError(f"begins lies within an interval ({owner}): give the time of a boundary", where=owner)
    if pair is None:
        raise FormatError(
            f"the {clock.value} clock has no stamps that tell just these intervals ({owner}): begin or end outside the "
            "hour that it shows twice",
            where=owner,
        )
    return pair


@functools.lru_cache(maxsize=1_024)
def _told(begins: dt.datetime, count: int, per_hour: int, clock: TimeType) -> tuple[str, str] | None:
    local = zone(clock)
    first = (begins + _MINUTE).astimezone(local)
    last = (begins + count * _HOUR / per_hour - _MINUTE).astimezone(local)
    start, stop = stamp(first), _stop_stamp(last)
    # Two spans that lie in the two equal hours have the same stamps.
    return (start, stop) if beginnings(start, stop, per_hour, clock, count) == (begins,) else None


def _stop_stamp(last: dt.datetime) -> str:
    """Give the end of the last interval by its last minute; midnight belongs to the day that ends."""
    if (last.hour, last.minute) == (23, 59):
        return stamp(last)[:8] + "2400"
    return stamp(last.replace(tzinfo=None) + _MINUTE)


def stamp(time: dt.datetime) -> str:
    """Write a time on the wall as ``YYYYMMDDHHMM``."""
    return f"{time.year:04}{time:%m%d%H%M}"
