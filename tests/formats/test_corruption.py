"""Every single byte of a file, changed: found exactly where the layout has a gate.

Which changes break a gate is worked out here from the layout's own words, place by place; nothing of the package is
asked.  What is left is free: texts, codes that nobody explained, statuses, numbers that are as good as others.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections.abc import Iterator

import pytest

from aiomar import FormatError
from aiomar.formats import check_mdef, read_mdef
from tests.support.mdef import RECORD, Channel, Slot, day, meter, whole

COUNT = 8
"""Intervals of each channel: two hours, in one record."""
VALUES = bytes((0x00, 0x20, 0x30, 0x31, 0x39, 0x4E, 0x59, 0x7F, 0x80, 0xFF))
"""What bytes are changed to, besides every change of one bit: NUL, blank, digits, flags, and the ends of the range."""


def _file(*flags: bytes) -> bytes:
    slots = [*day(COUNT - 2), Slot(0x7F7F_FFFF, 16, 64), Slot(0xFF00_0000)]  # one bit away from no number
    channels = [
        Channel(number=number, flags=each, start=b"202603080001", stop=b"202603080200", slots=slots)
        for number, each in enumerate(flags, start=1)
    ]
    content = bytearray(whole(meter(b"1001", *channels)))
    content[119:143] = b"202603080001202603080200"
    return bytes(content)


FILES = {b"YY NN": _file(b"YY", b"NN"), b"YN NY": _file(b"YN", b"NY")}
KINDS = ("meter", "channel", "intervals", "channel", "intervals", "trailer")
"""What the records of both files are."""


def _is_number(field: bytes, number: int) -> bool:
    """Whether a field says a number, with blanks around it or not."""
    digits = field.strip(b" ")
    return digits.isdigit() and int(digits) == number


def _is_time(field: bytes) -> bool:
    """Whether a field is ``YYYYMMDDHHMM``, the hour 24 standing for midnight."""
    if not field.isdigit():
        return False
    year, month, day_, hour, minute = (
        int(field[at : at + size]) for at, size in ((0, 4), (4, 2), (6, 2), (8, 2), (10, 2))
    )
    try:
        dt.date(year, month, day_)
    except ValueError:
        return False
    return (hour, minute) == (24, 0) or (hour < 24 and minute < 60)


def _key_gate(before: bytes, after: bytes) -> bool:
    return before[4:24].strip(b" \0") != after[4:24].strip(b" \0")


def _meter_gate(at: int, before: bytes, after: bytes) -> bool:
    """The key, the number of channels, and stamps that are those of the channels; name, address and flag are free."""
    match at:
        case _ if at < 24:
            return _key_gate(before, after)
        case _ if 111 <= at < 115:
            return not _is_number(after[111:115], 2)
        case _:
            return 119 <= at < 143


def _channel_gate(at: int, before: bytes, after: bytes) -> bool:
    """The key, both stamps, both flags, the intervals per hour, and a number that no other channel has."""
    match at:
        case _ if at < 24:
            return _key_gate(before, after)
        case 95 | 96:
            return after[95:97] == struct.pack("<H", 3 - before[95])
        case 177 | 178:
            return not _is_number(after[177:179], 4)
        case _:
            return 56 <= at < 80 or 99 <= at < 101


def _intervals_gate(at: int, before: bytes, after: bytes, width: int) -> bool:
    """The key, values that are numbers, and fill behind the last interval; statuses are free."""
    if at < 24:
        return _key_gate(before, after)
    index, offset = divmod(at - 24, width)
    (value,) = struct.unpack_from("<f", after, 24 + index * width)
    return index >= COUNT or (offset < 4 and not math.isfinite(value))


def _trailer_gate(at: int, after: bytes) -> bool:
    """The number of records, and a time."""
    if 34 <= at < 44:
        return not _is_number(after[34:44], len(KINDS))
    return at >= 204 and not _is_time(after[204:216])


def _breaks(place: int, content: bytes, changed: bytes) -> bool:
    """Whether a change of the byte at a place is to be found."""
    index, at = divmod(place, RECORD)
    before, after = (each[index * RECORD : (index + 1) * RECORD] for each in (content, changed))
    if at < 4:
        return True
    match KINDS[index]:
        case "meter":
            return _meter_gate(at, before, after)
        case "channel":
            return _channel_gate(at, before, after)
        case "intervals":
            flags = content[(index - 1) * RECORD + 99 : (index - 1) * RECORD + 101]
            return _intervals_gate(at, before, after, 4 + 2 * flags.count(b"Y"))
        case _:
            return _trailer_gate(at, after)


def _changes(content: bytes, place: int) -> Iterator[bytes]:
    was = content[place]
    for value in {*(was ^ 1 << bit for bit in range(8)), *VALUES} - {was}:
        yield b"%b%c%b" % (content[:place], value, content[place + 1 :])


def _reads(content: bytes) -> bool:
    try:
        list(read_mdef(content))
    except FormatError:
        return False
    return True


@pytest.mark.parametrize("content", FILES.values(), ids=[name.decode() for name in FILES])
def test_every_changed_byte_is_found_or_outside_any_gate(content: bytes) -> None:
    """Nothing that breaks a gate passes the check, and nothing else is found; the reader refuses what is an error.

    The reader is asked where one bit is another: the first, one that makes other digits and letters, and the last.
    """
    assert check_mdef(content) == ()
    for place, was in enumerate(content):
        for changed in _changes(content, place):
            findings = check_mdef(changed)
            assert bool(findings) == _breaks(place, content, changed), (place, changed[place])
            if was ^ changed[place] in {0x01, 0x40, 0x80}:
                errors = any(finding.severity == "error" for finding in findings)
                assert _reads(changed) != errors, (place, changed[place])
