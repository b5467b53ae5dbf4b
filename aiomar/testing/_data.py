"""Synthetic meter data: the same question always has the same bytes for an answer.

A value is a function of meter, channel and *instant* (quarter hours since 1970, UTC), so both clocks show the same
load at the same moment and only cut the days differently.  Every value is a multiple of 1/8 below 2**20: exact as a
32-bit float, and exact again as the decimal text of the CSV rows.

Two layouts:

- MDEF is the MV-90 form of 216-byte records: per meter a header and three channels (kWh delivered with both status
  words, kvarh with the interval status only, kWh received with none), then one trailer for the file.  A group is
  several meters in one file, which the form allows and no sample shows.  The parts are those of `write_mdef`; they are
  put together here, because a value for every channel of every answer would cost more than the answer.
- CSV is **our own invention**, because CAISO's layout is not public: a header line, then one row per meter, channel
  and interval; seven columns; CRLF line ends.  ``DATE`` is the day on the asked clock and ``INTERVAL`` counts from 1
  within it, so that the repeated hour of autumn stays unambiguous.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import math
from array import array
from collections.abc import Iterator, Sequence

import attrs

from aiomar.formats import MdefChannel, MdefMeter, zone
from aiomar.formats._layout import STATUS, ChannelPlaces, MeterPlaces
from aiomar.formats._packing import interval_records, packed_slots, trailer
from aiomar.protocol import TimeType

PER_DAY = 96
QUARTER = 900
"""Seconds."""
FIRST_YEAR, LAST_YEAR = 1998, 2099
"""CAISO began in 1998; outside these years there is no data."""
MOST_DAYS = 2_000
"""Record codes of a channel end at 9998; 24 quarter hours a record give a little over 2,200 days."""

CSV_HEADER = "METER,CHANNEL,UNIT,DATE,INTERVAL,VALUE,STATUS"

_OUTAGE = 1
_OUTAGE_EVERY = 2_003
"""A prime, so that outages wander through the day: about one in three weeks."""


@attrs.frozen(eq=False)
class _Channel:
    number: int
    unit: str
    unit_name: str
    label: str
    flow: str
    channel_status: bool
    interval_status: bool
    weight: int
    """Size of the load, in eighths of a unit."""


_CHANNELS = (
    _Channel(1, "01", "KWH", "KWH D", "D", channel_status=True, interval_status=True, weight=4_000),
    _Channel(2, "03", "KVARH", "KVARH D", "D", channel_status=False, interval_status=True, weight=1_100),
    _Channel(3, "01", "KWH", "KWH R", "R", channel_status=False, interval_status=False, weight=160),
)


def _midnight(day: dt.date, time_type: TimeType) -> int:
    """Give the quarter hour, counted from 1970 in UTC, with which a day begins on a clock."""
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=zone(time_type)).timestamp()) // QUARTER


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


def recorder_key(meter: str) -> bytes:
    """Give the 20-byte key of a meter: its id, or a digest of it where the id does not fit."""
    width = MeterPlaces.RECORDER.stop - MeterPlaces.RECORDER.start
    fits = meter.isascii() and meter.isprintable() and meter == meter.strip() and len(meter) <= width
    text = meter if fits else "#" + hashlib.sha256(meter.encode()).hexdigest()[: width - 1]
    return text.encode("ascii").ljust(width)


def _stamps(start: dt.date, end: dt.date) -> tuple[bytes, bytes]:
    """Give the wall-clock stamps: the first minute of the first interval, and midnight as hour 24 of the last day."""
    return f"{start:%Y%m%d}0001".encode(), f"{end:%Y%m%d}2400".encode()


@functools.cache
def _headers() -> tuple[bytes, tuple[bytes, ...]]:
    """Build a meter of one interval for the headers that all meters share: this one's and its channels'."""
    channels = [
        MdefChannel.from_values(
            [0.0],
            number=channel.number,
            begins=dt.datetime(FIRST_YEAR, 1, 1, tzinfo=dt.UTC),
            clock=TimeType.PST,
            unit_code=channel.unit,
            channel_statuses=[0] if channel.channel_status else None,
            interval_statuses=[0] if channel.interval_status else None,
            label=channel.label,
            flow=channel.flow,
            start_reading="00000000.000",
        )
        for channel in _CHANNELS
    ]
    # The flag for daylight saving is "N" on either clock, as in every known sample: what "Y" would mean is unknown.
    meter = MdefMeter.from_channels("", channels, name="SYNTHETIC METER")
    return meter.record, tuple(channel.record for channel in channels)


def _laid(header: bytes, *fields: tuple[slice, bytes]) -> bytes:
    record = bytearray(header)
    for place, content in fields:
        record[place] = content
    return bytes(record)


def _mdef_meter(meter: str, span: tuple[dt.date, dt.date], time_type: TimeType) -> Iterator[bytes]:
    first = _midnight(span[0], time_type)
    count = _midnight(span[1] + dt.timedelta(days=1), time_type) - first
    key, (start, stop) = recorder_key(meter), _stamps(*span)
    header, headers = _headers()
    places = MeterPlaces
    yield _laid(header, (places.RECORDER, key), (places.ACCOUNT, key), (places.START, start), (places.STOP, stop))
    for channel, blank in zip(_CHANNELS, headers, strict=True):
        values, outages = _values(meter, channel, first, count)
        yield _laid(
            blank,
            (MeterPlaces.RECORDER, key),
            (ChannelPlaces.DEVICE, key[:14]),
            (ChannelPlaces.START, start),
            (ChannelPlaces.STOP, stop),
            (ChannelPlaces.STOP_READING, f"{sum(values) % 100_000_000:012.3f}".encode()),
        )
        yield from interval_records(key, _slots(channel, values, outages))


def _slots(channel: _Channel, values: list[float], outages: list[int]) -> bytes:
    words = array("H", bytes(STATUS * len(values)))
    channel_statuses = words if channel.channel_status else None
    if outages and channel.interval_status:
        words = words[:]
        for index in outages:
            words[index] = _OUTAGE
    return packed_slots(values, channel_statuses, words if channel.interval_status else None, channel.label)[0]


def mdef(meters: Sequence[str], start: dt.date, end: dt.date, time_type: TimeType) -> bytes:
    """Make an MDEF file of one or more meters; the end day is included."""
    records = [record for meter in meters for record in _mdef_meter(meter, (start, end), time_type)]
    # A fixed time of creation: six in the morning after the last day.
    created = f"{end + dt.timedelta(days=1):%Y%m%d}0600"
    return b"".join((*records, trailer(len(records) + 1, created)))


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
