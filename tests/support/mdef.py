"""MDEF files made from the layout's own words, byte by byte: a second opinion about what the package reads.

Nothing of `aiomar` is used here.  A file is a list of records, so that a test can take one out, change it or add one
before they are joined.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

RECORD = 216
SLOTS = 192
FILL = 0x7FFF


@attrs.frozen
class Slot:
    """One interval: the bits of its value as a float32, and both status words, used or not."""

    bits: int
    channel: int = 0
    interval: int = 0


def slot(value: float, channel: int = 0, interval: int = 0) -> Slot:
    """Make a slot from a number."""
    return Slot(int.from_bytes(struct.pack("<f", value), "little"), channel, interval)


@attrs.frozen(kw_only=True)
class Channel:
    """What is written of a channel."""

    number: int = 1
    unit: bytes = b"01"
    flags: bytes = b"YY"
    """Channel status and interval status, each Y or N."""
    per_hour: bytes = b"04"
    start: bytes = b"202601310001"
    stop: bytes = b"202601312400"
    slots: Sequence[Slot]


def record(code: int, *fields: tuple[int, bytes], blank: bytes = b" ") -> bytes:
    """Make a record: blanks, with each field at its offset."""
    made = bytearray(blank * RECORD)
    for offset, content in ((0, struct.pack("<HH", RECORD, code)), *fields):
        made[offset : offset + len(content)] = content
    return bytes(made)


def meter_header(key: bytes, channels: int = 1) -> bytes:
    """Make a meter header."""
    stamps = b"202601310001202601312400"
    texts = ((24, b"A CUSTOMER"), (44, b"1 MAIN STREET"), (64, b"FOLSOM"), (84, b"ACCOUNT-7"))
    return record(1, (4, key.ljust(20)), *texts, (111, b"%04d" % channels), (119, stamps), (143, b"N"))


def channel_header(key: bytes, channel: Channel) -> bytes:
    """Make a channel header."""
    return record(
        10,
        (4, key.ljust(20)),
        (24, key[:14].ljust(14)),
        (38, b"\0" * 6),
        (44, b"KWH D".ljust(12)),
        (56, channel.start),
        (68, channel.stop),
        (80, b"0" * 12 + b"N"),
        (93, b"%02d" % (channel.number % 100)),
        (95, struct.pack("<H", channel.number)),
        (97, channel.unit),
        (99, channel.flags),
        (101, b"000001234.50"),
        (113, b"000005678.25"),
        (125, b"3"),
        (126, b"042000.000"),
        (136, b"\0" * 30),
        (166, b"W"),
        (177, channel.per_hour),
        (191, b"NA"),
        (193, b"AC"),
        (210, b"D"),
        (211, struct.pack("<H", 0)),
        (213, b"R"),
    )


def packed(channel: Channel) -> bytes:
    """Pack the slots of a channel, without fill."""
    words = []
    for each in channel.slots:
        words.append(struct.pack("<I", each.bits))
        words += [
            struct.pack("<H", status)
            for flag, status in zip(channel.flags, (each.channel, each.interval), strict=True)
            if flag == ord("Y")
        ]
    return b"".join(words)


def interval_records(key: bytes, channel: Channel) -> list[bytes]:
    """Make the records of a channel's intervals, the last one filled up."""
    content = packed(channel)
    content += struct.pack("<H", FILL) * (-len(content) % SLOTS // 2)
    pieces = [content[at : at + SLOTS] for at in range(0, len(content), SLOTS)]
    return [record(1001 + index, (4, key.ljust(20)), (24, piece)) for index, piece in enumerate(pieces)]


def meter(key: bytes, *channels: Channel) -> list[bytes]:
    """Make the records of a meter."""
    records = [meter_header(key, len(channels))]
    for channel in channels:
        records += [channel_header(key, channel), *interval_records(key, channel)]
    return records


def trailer(count: int) -> bytes:
    """Make a trailer that says how many records there are, itself among them."""
    return record(9999, (34, b"%010d" % count), (204, b"202602010600"))


def whole(records: Iterable[bytes]) -> bytes:
    """Join records to a file, with a trailer behind them that counts them."""
    found = list(records)
    return b"".join((*found, trailer(len(found) + 1)))


def saved(path: Path, *meters: Iterable[bytes]) -> Path:
    """Save meters as a file."""
    path.write_bytes(whole(record for each in meters for record in each))
    return path


def day(count: int = 96, first: float = 0.5) -> list[Slot]:
    """Make as many slots as asked for, each another value."""
    return [slot(first + index) for index in range(count)]
