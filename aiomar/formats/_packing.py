"""Intervals to slots, slots to records, and a span of time to the stamps that tell it."""

from __future__ import annotations

import datetime as dt
import functools
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from aiomar.errors import FormatError, UsageError
from aiomar.formats._clocks import readings, wall_time, zone
from aiomar.formats._layout import (
    FILL,
    FIRST_INTERVALS,
    FRAME,
    LAST_INTERVALS,
    RECORD,
    SLOTS,
    STATUS,
    TRAILER,
    TRAILER_COUNT,
    TRAILER_CREATED,
    VALUE,
)
from aiomar.protocol import TimeType

_MINUTE: Final = dt.timedelta(minutes=1)
_HOUR: Final = dt.timedelta(hours=1)
_MINUTES: Final = 60
_MOST_RECORDS: Final = LAST_INTERVALS - FIRST_INTERVALS + 1
_HEAD: Final = struct.Struct("<HH20s")
"""What stands before the slots of a record."""


def packed_slots(
    values: Iterable[float],
    channel_statuses: Iterable[int] | None,
    interval_statuses: Iterable[int] | None,
    owner: str,
) -> tuple[bytes, int]:
    """Pack intervals: one byte of all slots at a time, never slot by slot.

    Args:
        values: rounded to float32; those of an ``array("f")`` keep every bit.
        channel_statuses: a word for every value; `None` to leave them out.
        interval_statuses: the same.
        owner: whose intervals they are, for messages.

    Returns:
        The slots, and how many they are.

    Raises:
        FormatError: a value is too large for a float32 or a status word for 16 bits, or see `slots_fault`.
        UsageError: there are not as many words as values, or something is no number.
    """
    words = [each for each in (channel_statuses, interval_statuses) if each is not None]
    try:
        lanes = [_packed_values(values), *(_little(_words(each)) for each in words)]
    except OverflowError as error:
        raise FormatError(
            f"a value does not fit a float32 or a status word 16 bits ({owner}): look at the intervals", where=owner
        ) from error
    except (TypeError, struct.error) as error:
        raise UsageError(f"a value or a status word is no number ({owner}): look at the intervals") from error
    count = len(lanes[0]) // VALUE
    if any(len(lane) != count * STATUS for lane in lanes[1:]):
        raise UsageError(f"there are {count} values and not as many status words ({owner}): give one for each value")
    width = VALUE + STATUS * len(words)
    slots = _interleaved(lanes, width, count) if words else lanes[0]
    if fault := slots_fault(slots, width):
        raise FormatError(f"{fault} ({owner}): look at the intervals", where=owner)
    return slots, count


def _interleaved(lanes: list[bytes], width: int, count: int) -> bytes:
    slots = bytearray(width * count)
    at = 0
    for lane in lanes:
        size = len(lane) // count if count else 0
        for byte in range(size):
            slots[at + byte :: width] = lane[byte::size]
        at += size
    return bytes(slots)


def _packed_values(values: Iterable[float]) -> bytes:
    if isinstance(values, array) and values.typecode == "f":
        return _little(values)
    numbers = tuple(values)
    return struct.pack(f"<{len(numbers)}f", *numbers)


def _words(words: Iterable[int]) -> array[int]:
    return words if isinstance(words, array) and words.typecode == "H" else array("H", tuple(words))


def _little(numbers: array[float] | array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def slots_fault(slots: bytes, width: int) -> str | None:
    """Say why no reader would find these intervals in a file again; `None` when it would."""
    if not slots:
        return "there are no intervals"
    if len(slots) % width:
        return f"the intervals are not whole slots of {width} bytes"
    if slots.endswith(FILL * (width // len(FILL))):
        return "the last interval is what unused slots are filled with"
    if len(slots) > _MOST_RECORDS * SLOTS:
        return f"the intervals need more than {_MOST_RECORDS} records"
    return None


def interval_records(key: bytes, slots: bytes) -> Iterator[bytes]:
    """Give the records of a channel's intervals, the last one filled up."""
    slots += FILL * (-len(slots) % SLOTS // len(FILL))
    for code, at in enumerate(range(0, len(slots), SLOTS), start=FIRST_INTERVALS):
        yield _HEAD.pack(RECORD, code, key) + slots[at : at + SLOTS]


def trailer(count: int, created: str) -> bytes:
    """Make the last record.

    Args:
        count: of all records, this one among them.
        created: the stamp of creation.
    """
    record = bytearray(FRAME.pack(RECORD, TRAILER, b" " * 20, b" " * SLOTS))
    record[TRAILER_COUNT] = b"%010d" % count
    record[TRAILER_CREATED] = created.encode("ascii")
    return bytes(record)


# The channels of a file mostly share their stamps, and so do many files.
@functools.lru_cache(maxsize=1_024)
def spans(start: str, stop: str, per_hour: int, clock: TimeType) -> tuple[tuple[dt.datetime, int], ...]:
    """Read a pair of stamps on a clock: every way to do so, see `readings`; none when one of them is no time."""
    first, last = wall_time(start), wall_time(stop)
    return () if first is None or last is None else tuple(readings(first, last, per_hour, clock))


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
        UsageError: the time is naive.
    """
    if begins.utcoffset() is None:
        raise UsageError(f"begins has no time zone ({owner}): give an aware time")
    if per_hour < 1 or _MINUTES % per_hour:
        raise FormatError(
            f"{per_hour} intervals per hour do not divide it into whole minutes ({owner}): give a divisor of 60",
            where=owner,
        )
    try:
        instant = begins.astimezone(dt.UTC)
        pair = _told(instant, count, per_hour, clock)
    except OverflowError:
        raise FormatError(f"the intervals leave the calendar ({owner}): give the right begins", where=owner) from None
    if instant.second or instant.microsecond or instant.minute % (_MINUTES // per_hour):
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
    # A span in the second of two equal hours would be taken for one in the first.
    found = (begin for begin, number in spans(start, stop, per_hour, clock) if number == count)
    return (start, stop) if next(found, None) == begins else None


def _stop_stamp(last: dt.datetime) -> str:
    """Give the end of the last interval by its last minute; midnight belongs to the day that ends."""
    if (last.hour, last.minute) == (23, 59):
        return stamp(last)[:8] + "2400"
    return stamp(last.replace(tzinfo=None) + _MINUTE)


def stamp(time: dt.datetime) -> str:
    """Write a time on the wall as ``YYYYMMDDHHMM``."""
    return f"{time.year:04}{time:%m%d%H%M}"
