"""Synthetic meter data: the same question always has the same bytes for an answer.

A value is a function of meter, channel and *instant* (quarter hours since 1970, UTC), so both clocks show the same
load at the same moment and only cut the days differently.  Every value is a multiple of 1/8 below 2**20: exact as a
32-bit float, and exact again as the decimal text of the CSV rows.

Two layouts:

- MDEF is the MV-90 form of 216-byte records: per meter a header and three channels (kWh delivered with both status
  words, kvarh with the interval status only, kWh received with none), then one trailer for the file.  A group is
  several meters in one file, which the form allows and no sample shows.
- CSV is **our own invention**, because CAISO's layout is not public: a header line, then one row per meter, channel
  and interval; seven columns; CRLF line ends.  ``DATE`` is the day on the asked clock and ``INTERVAL`` counts from 1
  within it, so that the repeated hour of autumn stays unambiguous.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import math
import struct
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import attrs

from aiomar.protocol import TimeType

PER_DAY = 96
QUARTER = 900
"""Seconds."""
FIRST_YEAR, LAST_YEAR = 1998, 2099
"""CAISO began in 1998; outside these years there is no data."""
MOST_DAYS = 2_000
"""Record codes of a channel end at 9998; 24 quarter hours a record give a little over 2,200 days."""

CSV_HEADER = "METER,CHANNEL,UNIT,DATE,INTERVAL,VALUE,STATUS"

_RECORD = 216
_SLOTS = 192
_FILL = b"\xff\x7f"
_PACIFIC = ZoneInfo("America/Los_Angeles")
_PST_MIDNIGHT = 8 * 3600
_EPOCH = dt.date(1970, 1, 1)
_OUTAGE = 1
_OUTAGE_EVERY = 2_003
"""A prime, so that outages wander through the day: about one in three weeks."""


@attrs.frozen
class _Channel:
    number: int
    unit: bytes
    unit_name: str
    label: str
    flow: str
    channel_status: bool
    interval_status: bool
    weight: int
    """Size of the load, in eighths of a unit."""

    @property
    def width(self) -> int:
        """Bytes of one slot."""
        return 4 + 2 * self.channel_status + 2 * self.interval_status


_CHANNELS = (
    _Channel(1, b"01", "KWH", "KWH D", "D", channel_status=True, interval_status=True, weight=4_000),
    _Channel(2, b"03", "KVARH", "KVARH D", "D", channel_status=False, interval_status=True, weight=1_100),
    _Channel(3, b"01", "KWH", "KWH R", "R", channel_status=False, interval_status=False, weight=160),
)


def _midnight(day: dt.date, time_type: TimeType) -> int:
    """Give the quarter hour, counted from 1970 in UTC, with which a day begins on a clock."""
    if time_type is TimeType.PST:
        return ((day - _EPOCH).days * 86_400 + _PST_MIDNIGHT) // QUARTER
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=_PACIFIC).timestamp()) // QUARTER


def day_counts(start: dt.date, end: dt.date, time_type: TimeType) -> Iterator[tuple[dt.date, int]]:
    """Give each day of a span, the last one included, with its number of quarter hours (92, 96 or 100)."""
    for offset in range((end - start).days + 1):
        day = start + dt.timedelta(days=offset)
        yield day, _midnight(day + dt.timedelta(days=1), time_type) - _midnight(day, time_type)


@functools.lru_cache(maxsize=1_024)
def _shape(meter: str, channel: _Channel) -> tuple[int, tuple[int, ...]]:
    """Give a channel's seed and its load curve over one day, in eighths."""
    digest = hashlib.sha256(f"{meter}\0{channel.number}".encode()).digest()
    noise = hashlib.shake_256(digest).digest(PER_DAY)
    seed = int.from_bytes(digest[:4], "little")
    scale = channel.weight * (64 + digest[4]) // 128
    peak = 40 + digest[5] % 40
    curve = (
        int(scale * (3 + math.cos(2 * math.pi * (slot - peak) / PER_DAY)) / 2) + grain
        for slot, grain in enumerate(noise)
    )
    return seed, tuple(curve)


def _values(meter: str, channel: _Channel, first: int, count: int) -> tuple[list[float], list[int]]:
    """Give the values of `count` quarter hours from `first` on, and the places of the outages among them."""
    seed, curve = _shape(meter, channel)
    eighths: list[int] = []
    slot = first
    while slot < first + count:
        day, at = divmod(slot, PER_DAY)
        piece = curve[at : at + first + count - slot]
        factor = 900 + (day * 2_654_435_761 + seed) % 251
        eighths += [value * factor >> 10 for value in piece]
        slot += len(piece)
    outages = list(range(-(first + seed) % _OUTAGE_EVERY, count, _OUTAGE_EVERY))
    for index in outages:
        eighths[index] = 0
    return [value / 8 for value in eighths], outages


def _record(code: int, fields: Sequence[tuple[int, bytes]]) -> bytes:
    """Make one record: blanks, with each field at its offset."""
    record = bytearray(b" " * _RECORD)
    struct.pack_into("<HH", record, 0, _RECORD, code)
    for offset, value in fields:
        record[offset : offset + len(value)] = value
    return bytes(record)


def recorder_key(meter: str) -> bytes:
    """Give the 20-byte key of a meter: its id, or a digest of it where the id does not fit."""
    fits = meter.isascii() and meter.isprintable() and len(meter) <= 20  # noqa: PLR2004 - the field's width
    text = meter if fits else "#" + hashlib.sha256(meter.encode()).hexdigest()[:19]
    return text.encode("ascii").ljust(20)


def _stamps(start: dt.date, end: dt.date) -> tuple[bytes, bytes]:
    """Give the wall-clock stamps: the first minute of the first interval, and midnight as hour 24 of the last day."""
    return f"{start:%Y%m%d}0001".encode(), f"{end:%Y%m%d}2400".encode()


def _slots(channel: _Channel, values: Sequence[float], outages: Sequence[int]) -> bytes:
    """Pack slots in bulk: byte k of every slot in one strided assignment, never a loop over slots."""
    width = channel.width
    packed = struct.pack(f"<{len(values)}f", *values)
    slots = bytearray(width * len(values))
    for byte in range(4):
        slots[byte::width] = packed[byte::4]
    if channel.interval_status:
        for index in outages:
            struct.pack_into("<H", slots, index * width + width - 2, _OUTAGE)
    return bytes(slots) + _FILL * (-len(slots) % _SLOTS // 2)


def _channel_header(key: bytes, channel: _Channel, stamps: tuple[bytes, bytes], total: float) -> bytes:
    flags = (b"Y" if channel.channel_status else b"N") + (b"Y" if channel.interval_status else b"N")
    fields = (
        (4, key),
        (24, key[:14]),
        (44, channel.label.encode().ljust(12)),
        (56, stamps[0]),
        (68, stamps[1]),
        (80, b"0" * 12 + b"N"),
        (93, f"{channel.number:02}".encode()),
        (95, struct.pack("<H", channel.number)),
        (97, channel.unit),
        (99, flags),
        (101, b"00000000.000"),
        (113, f"{total % 100_000_000:012.3f}".encode()),
        (126, b"000001.000"),
        (166, b"W"),
        (177, b"04"),
        (191, b"NAAC"),
        (210, channel.flow.encode()),
        (211, struct.pack("<H", 0)),
        (213, b"R"),
    )
    return _record(10, fields)


def _mdef_meter(meter: str, span: tuple[dt.date, dt.date], time_type: TimeType) -> Iterator[bytes]:
    first = _midnight(span[0], time_type)
    count = _midnight(span[1] + dt.timedelta(days=1), time_type) - first
    key, stamps = recorder_key(meter), _stamps(*span)
    channels = f"{len(_CHANNELS):04}".encode()
    name = b"SYNTHETIC METER".ljust(20)
    # The flag at 143 stays "N" on either clock, as in every known sample: what "Y" would mean is unknown.
    yield _record(
        1, ((4, key), (24, name), (84, key), (111, channels), (119, stamps[0]), (131, stamps[1]), (143, b"N"))
    )
    for channel in _CHANNELS:
        values, outages = _values(meter, channel, first, count)
        yield _channel_header(key, channel, stamps, sum(values))
        slots = _slots(channel, values, outages)
        for index, at in enumerate(range(0, len(slots), _SLOTS)):
            yield struct.pack("<HH", _RECORD, 1001 + index) + key + slots[at : at + _SLOTS]


def mdef(meters: Sequence[str], start: dt.date, end: dt.date, time_type: TimeType) -> bytes:
    """Make an MDEF file of one or more meters; the end day is included."""
    records = [record for meter in meters for record in _mdef_meter(meter, (start, end), time_type)]
    total = f"{len(records) + 1:010}".encode()
    # A fixed time of creation: six in the morning after the last day.
    created = f"{end + dt.timedelta(days=1):%Y%m%d}0600".encode()
    return b"".join((*records, _record(9999, ((34, total), (204, created)))))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text


@functools.lru_cache(maxsize=8)
def _places(start: dt.date, end: dt.date, time_type: TimeType) -> tuple[str, ...]:
    """Give the date and interval columns of a span, which are the same for every channel of every meter."""
    days = ((f"{day:%m/%d/%Y}", count) for day, count in day_counts(start, end, time_type))
    return tuple(f"{day},{interval}," for day, count in days for interval in range(1, count + 1))


def csv(meters: Sequence[str], start: dt.date, end: dt.date, time_type: TimeType) -> bytes:
    """Make a CSV file of one or more meters, in our own layout (see above); the end day is included."""
    first = _midnight(start, time_type)
    places = _places(start, end, time_type)
    lines = [CSV_HEADER]
    for meter in meters:
        for channel in _CHANNELS:
            values, outages = _values(meter, channel, first, len(places))
            front = f"{_quoted(meter)},{channel.number},{channel.unit_name},"
            rows = [f"{front}{place}{value},0" for place, value in zip(places, values, strict=True)]
            if channel.interval_status:
                for index in outages:
                    rows[index] = f"{rows[index][:-1]}{_OUTAGE}"
            lines += rows
    return "\r\n".join((*lines, "")).encode()
