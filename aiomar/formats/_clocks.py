"""Wall-clock stamps of MDEF, and the instants that they mean on a clock.

The layout has no time zone: a stamp says what a clock on the wall showed, and the number of intervals tells how much
time went by.  The first stamp names the first *minute* of the first interval (``...0001``), the last one the *end* of
the last interval, midnight being ``2400`` of the day that ends.  So both are read by a minute that lies inside the
data: the first one's own, and the one before the last.  That decides by itself what the hours of change mean: a minute
that the clock skips in spring fits no file, and one that it shows twice in autumn has two readings, of which the number
of intervals chooses.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiomar.errors import ConfigError
from aiomar.protocol import TimeType

_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
_MIDNIGHT = "2400"
_MINUTE = dt.timedelta(minutes=1)
_HOUR = dt.timedelta(hours=1)
_STANDARD = dt.timezone(dt.timedelta(hours=-8), "PST")


def zone(clock: TimeType) -> dt.tzinfo:
    """Give the clock as a time zone, to show instants by.

    Args:
        clock: PST is eight hours behind UTC all year, DST follows America/Los_Angeles.

    Raises:
        ConfigError: this machine has no time zone database.
    """
    return _STANDARD if clock is TimeType.PST else _pacific()


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


def readings(
    start: dt.datetime, stop: dt.datetime, per_hour: int, clock: TimeType
) -> tuple[tuple[dt.datetime, int], ...]:
    """Read a pair of stamps on a clock.

    Args:
        start: the first minute of the first interval, on the wall.
        stop: the end of the last interval, on the wall.
        per_hour: intervals in an hour.
        clock: which clock the wall has.

    Returns:
        Every way to read them: the instant (UTC) at which the first interval begins, and the number of intervals.
        None where the clock never showed such a minute, or where the number would not be whole and above zero; more
        than one only in the hour that the clock shows twice.
    """
    try:
        begins = [minute - _MINUTE for minute in _instants(start, clock)]
        ends = [minute + _MINUTE for minute in _instants(stop - _MINUTE, clock)]
    except OverflowError:  # the first or last day that there is
        return ()
    spans = ((begin, (end - begin) * per_hour) for begin, end in itertools.product(begins, ends))
    return tuple((begin, time // _HOUR) for begin, time in spans if time > dt.timedelta() and not time % _HOUR)


def _instants(minute: dt.datetime, clock: TimeType) -> list[dt.datetime]:
    """Give every instant at which a clock shows a minute: mostly one, none in spring's gap, two in autumn."""
    local = zone(clock)
    both = {minute.replace(tzinfo=local, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
    return sorted(instant for instant in both if instant.astimezone(local).replace(tzinfo=None) == minute)
