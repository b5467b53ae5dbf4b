"""Header records to values, and what of a header is structure: without it no interval can be read."""

from __future__ import annotations

from typing import Final

import attrs

from aiomar.formats._clocks import wall_time
from aiomar.formats._layout import FILL, ChannelPlaces, MeterPlaces
from aiomar.formats._meters import MdefChannel, MdefMeter

_MINUTES = 60
_FLAGS: Final = {b"Y": True, b"N": False}


def key_text(key: bytes) -> str:
    """Read a recorder key, without what pads its 20 bytes."""
    return key.strip(b" \0").decode("latin-1")


def channel_fault(record: bytes) -> str | None:
    """Say what of a channel header keeps its intervals from being read; `None` when nothing does."""
    places = ChannelPlaces
    if record[places.CHANNEL_STATUS] not in _FLAGS or record[places.INTERVAL_STATUS] not in _FLAGS:
        return "a channel does not say by Y or N which status words it carries"
    per_hour = number(record[places.PER_HOUR])
    if not per_hour or _MINUTES % per_hour:
        return "the intervals per hour of a channel do not divide the hour into whole minutes"
    if wall_time(_raw(record[places.START])) is None or wall_time(_raw(record[places.STOP])) is None:
        return "the start or the stop of a channel is not a time"
    return None


def read_channel(record: bytes, slots: bytes) -> MdefChannel:
    """Read a channel from its header, which has no fault, and its slots, with what fills the last record."""
    places = ChannelPlaces
    channel = MdefChannel(
        number=int.from_bytes(record[places.NUMBER], "little"),
        physical_number=_text(record[places.PHYSICAL]),
        unit_code=_raw(record[places.UNIT]),
        label=_text(record[places.LABEL]),
        device_id=_text(record[places.DEVICE]),
        start_stamp=_raw(record[places.START]),
        stop_stamp=_raw(record[places.STOP]),
        per_hour=number(record[places.PER_HOUR]) or 1,
        has_channel_status=_FLAGS[record[places.CHANNEL_STATUS]],
        has_interval_status=_FLAGS[record[places.INTERVAL_STATUS]],
        start_reading=_text(record[places.START_READING]),
        stop_reading=_text(record[places.STOP_READING]),
        multiplier=_text(record[places.MULTIPLIER]),
        service_type=_text(record[places.SERVICE]),
        validation=_text(record[places.VALIDATION]),
        flow=_text(record[places.FLOW]),
        kva_set=int.from_bytes(record[places.KVA_SET], "little"),
        origin=_text(record[places.ORIGIN]),
        record=record,
        slots=slots,
    )
    return attrs.evolve(channel, slots=_without_fill(slots, channel.width))


def read_meter(record: bytes, channels: tuple[MdefChannel, ...]) -> MdefMeter:
    """Read a meter header; nothing in it but the key is structure."""
    places = MeterPlaces
    return MdefMeter(
        recorder_id=key_text(record[places.RECORDER]),
        name=_text(record[places.NAME]),
        address=(_text(record[places.ADDRESS[0]]), _text(record[places.ADDRESS[1]])),
        account=_text(record[places.ACCOUNT]),
        declared_channels=_text(record[places.CHANNELS]),
        start_stamp=_raw(record[places.START]),
        stop_stamp=_raw(record[places.STOP]),
        dst_flag=_raw(record[places.DST]),
        record=record,
        channels=channels,
    )


def number(field: bytes) -> int | None:
    """Read a number in text, with zeros or blanks around it; `None` when it is none."""
    digits = field.strip(b" ")
    return int(digits) if digits.isdigit() else None


def _without_fill(slots: bytes, width: int) -> bytes:
    """Take away the slots at the end that are nothing but fill."""
    fill = FILL * (width // len(FILL))
    end = len(slots)
    while slots.endswith(fill, 0, end):
        end -= width
    return slots[:end]


def _raw(field: bytes) -> str:
    return field.decode("latin-1")


def _text(field: bytes) -> str:
    return field.strip(b" \0").decode("latin-1")
