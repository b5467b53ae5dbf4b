"""Header records to values."""

from __future__ import annotations

from aiomar.formats._fields import CHANNEL, METER
from aiomar.formats._meters import MdefChannel, MdefMeter


def read_channel(record: bytes, slots: bytes) -> MdefChannel:
    """Read a channel from its header, which has no fault, and its slots, without what fills the last record."""
    return MdefChannel(**CHANNEL.read(record), record=record, slots=slots)


def read_meter(record: bytes, channels: tuple[MdefChannel, ...]) -> MdefMeter:
    """Read a meter header; nothing in it but the key is structure."""
    return MdefMeter(**METER.read(record), record=record, channels=channels)
