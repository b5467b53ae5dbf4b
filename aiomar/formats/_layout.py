"""The MV-90 form of MDEF: 216-byte records, little-endian numbers, blank-padded text, no file magic.

Every place is counted from the beginning of a record.
"""

from __future__ import annotations

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
VALUE: Final = 4
STATUS: Final = 2
"""Bytes of a value and of a status in a slot."""

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
