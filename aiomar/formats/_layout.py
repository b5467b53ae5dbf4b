"""The MV-90 form of MDEF: 216-byte records, little-endian numbers, blank-padded text, no file magic.

Every place is counted from the beginning of a record.
"""

from __future__ import annotations

import functools
import struct
from typing import Final

RECORD: Final = 216
"""Bytes of every record, and the value of its first word."""
HEAD: Final = struct.Struct("<HH20s")
"""Length, code and recorder key; behind them stand the fields of a header or the slots of intervals."""
KEY: Final = slice(4, 24)
"""The recorder id: all records but the trailer have it there."""

METER_HEADER: Final = 1
CHANNEL_HEADER: Final = 10
FIRST_INTERVALS: Final = 1001
LAST_INTERVALS: Final = 9998
TRAILER: Final = 9999

SLOTS: Final = 192
"""Bytes of an interval record that hold slots."""
FILL_WORD: Final = 0x7FFF
FILL: Final = FILL_WORD.to_bytes(2, "little")
"""What unused slots are filled with, word by word."""
_FILLED: Final = tuple(bytes(byte == fill for byte in range(256)) for fill in FILL)
"""Which byte is that of fill, at even and at odd places."""
VALUE: Final = 4
STATUS: Final = 2
"""Bytes of a value and of a status in a slot."""

ESTIMATED: Final = 1 << 3
"""Bit 4 of a channel status."""
MISSING: Final = 1 << 6
"""Bit 7 of an interval status.  What either means is inferred, and whether CAISO uses them is unknown."""
UNITS: Final = {"01": "kWh", "03": "kvarh"}
"""Unit codes whose meaning is known."""

TRAILER_COUNT: Final = slice(34, 44)
TRAILER_CREATED: Final = slice(204, 216)


class MeterPlaces:
    """Fields of a meter header."""

    RECORDER: Final = KEY
    NAME: Final = slice(24, 44)
    ADDRESS: Final = slice(44, 84)
    """Two lines of the same width."""
    ACCOUNT: Final = slice(84, 104)
    CHANNELS: Final = slice(111, 115)
    START: Final = slice(119, 131)
    STOP: Final = slice(131, 143)
    DST: Final = slice(143, 144)


class ChannelPlaces:
    """Fields of a channel header."""

    DEVICE: Final = slice(24, 38)
    LABEL: Final = slice(44, 56)
    START: Final = slice(56, 68)
    STOP: Final = slice(68, 80)
    PHYSICAL: Final = slice(93, 95)
    NUMBER: Final = slice(95, 97)
    UNIT: Final = slice(97, 99)
    CHANNEL_STATUS: Final = slice(99, 100)
    INTERVAL_STATUS: Final = slice(100, 101)
    START_READING: Final = slice(101, 113)
    STOP_READING: Final = slice(113, 125)
    MULTIPLIER: Final = slice(126, 136)
    SERVICE: Final = slice(166, 167)
    PER_HOUR: Final = slice(177, 179)
    VALIDATION: Final = slice(193, 195)
    FLOW: Final = slice(210, 211)
    KVA_SET: Final = slice(211, 213)
    ORIGIN: Final = slice(213, 214)


def filled(slots: bytes, width: int) -> bytes:
    """Mark the intervals that are nothing but fill, statuses and all: a byte for each, 1 where it is so.

    Args:
        slots: of a channel, one after the other.
        width: bytes of one slot.
    """
    if FILL * (width // len(FILL)) not in slots:  # hardly ever it is
        return bytes(len(slots) // width)
    return functools.reduce(both, (slots[at::width].translate(_FILLED[at % 2]) for at in range(width)))


def both(one: bytes, other: bytes) -> bytes:
    """Join two rows of zeros and ones by ``and``, all at once."""
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(len(one), "little")
