"""Intervals to slots, and slots to records."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from aiomar.errors import FormatError, UsageError
from aiomar.formats._layout import (
    FILL,
    FIRST_INTERVALS,
    HEAD,
    LAST_INTERVALS,
    RECORD,
    SLOTS,
    STATUS,
    TRAILER,
    TRAILER_COUNT,
    TRAILER_CREATED,
    VALUE,
)

_MOST_RECORDS: Final = LAST_INTERVALS - FIRST_INTERVALS + 1


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
        yield HEAD.pack(RECORD, code, key) + slots[at : at + SLOTS]


def trailer(count: int, created: str) -> bytes:
    """Make the last record.

    Args:
        count: of all records, this one among them.
        created: the stamp of creation.
    """
    record = bytearray(HEAD.pack(RECORD, TRAILER, b" " * 20).ljust(RECORD))
    record[TRAILER_COUNT] = b"%010d" % count
    record[TRAILER_CREATED] = created.encode("ascii")
    return bytes(record)
