"""What a reader lets pass although the layout has it otherwise, or known files never have it.

No code is among it that nobody explained: unit, flow, validation and the like are the sender's.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator
from typing import Final

from aiomar.formats._channel_gates import channel_number, stamp
from aiomar.formats._fields import key_text, number
from aiomar.formats._findings import Finding, Gate
from aiomar.formats._layout import FILL, RECORD, SLOTS, TRAILER_CREATED, ChannelPlaces, MeterPlaces
from aiomar.formats._walk import ChannelPart, MeterPart, Part

_MINUTES: Final = 60
_TOP: Final = bytes(byte & 0x7F == 0x7F for byte in range(256))  # noqa: PLR2004 - seven of the bits of an exponent
_LOW: Final = bytes(byte >= 0x80 for byte in range(256))  # noqa: PLR2004 - the eighth
"""Which of the two upper bytes of a float32 have their bits of the exponent set: all eight are in no number."""
_FILLED: Final = tuple(bytes(byte == fill for byte in range(256)) for fill in FILL)
"""Which byte is that of fill, at even and at odd places."""


def warnings(parts: Iterable[Part]) -> Iterator[Finding]:
    """Look at a file as the walk gives it, part by part.

    Yields:
        What is strange; of a kind that many intervals of a channel may have, the first place and their number.
    """
    meter: _Meter | None = None
    for part in parts:
        if isinstance(part, ChannelPart):
            if meter is not None:
                yield from meter.channel(part)
            if part.slots:
                yield from _alignment(part)
                yield from _intervals(part)
            continue
        if meter is not None:
            yield from meter.ends()
        meter = _Meter(part) if isinstance(part, MeterPart) else None
        if meter is not None:
            yield from meter.begins()
        elif stamp(part.record[TRAILER_CREATED]) is None:
            yield _warning("created_stamp", part.place, "the time at which the trailer says the file was made is none")
    if meter is not None:
        yield from meter.ends()


class _Meter:
    """What a meter header says, against its channels."""

    def __init__(self, header: MeterPart) -> None:
        self._place = header.place
        self._record = header.record
        self._stamps: tuple[bytes, bytes] | None = (header.record[MeterPlaces.START], header.record[MeterPlaces.STOP])
        self._count = 0
        self._numbers: set[int] = set()

    def begins(self) -> Iterator[Finding]:
        if not key_text(self._record[MeterPlaces.RECORDER]):
            yield self._warning("no_recorder", "a meter has no recorder id")
        if self._stamps and None in map(stamp, self._stamps):
            self._stamps = None
            yield self._warning("meter_stamps", "the start or the stop of a meter is not a time")

    def channel(self, part: ChannelPart) -> Iterator[Finding]:
        self._count += 1
        number_ = channel_number(part.record)
        if number_ in self._numbers:
            yield _warning("channel_number", part.place, f"channel {number_} stands twice in its meter")
        self._numbers.add(number_)
        if self._stamps and self._stamps != (part.record[ChannelPlaces.START], part.record[ChannelPlaces.STOP]):
            self._stamps = None  # told once
            yield self._warning("meter_stamps", f"channel {number_} has another start or stop than its meter header")

    def ends(self) -> Iterator[Finding]:
        if number(self._record[MeterPlaces.CHANNELS]) != self._count:
            words = f"a meter header does not count as many channels as there are, {self._count}"
            yield self._warning("declared_channels", words)

    def _warning(self, gate: Gate, words: str) -> Finding:
        return _warning(gate, self._place, words)


def _alignment(part: ChannelPart) -> Iterator[Finding]:
    start, per_hour = stamp(part.record[ChannelPlaces.START]), number(part.record[ChannelPlaces.PER_HOUR])
    if start and per_hour and (start.minute - 1) % (_MINUTES // per_hour):
        what = f"channel {channel_number(part.record)} does not start with the first minute of an interval"
        yield _warning("alignment", part.place, what)


def _intervals(part: ChannelPart) -> Iterator[Finding]:
    """Find values that are no numbers: byte by byte of all intervals at once, and closer only where there are some."""
    width, slots = part.width, part.slots
    top = slots[3::width].translate(_TOP)
    if 1 not in top:
        return
    odd = _both(top, slots[2::width].translate(_LOW))
    filled = functools.reduce(_both, (slots[at::width].translate(_FILLED[at % 2]) for at in range(width)))
    gates: tuple[tuple[Gate, bytes, str], ...] = (
        ("fill", filled, "{} filled as unused ones are, before its end"),
        ("value", bytes(map(operator.gt, odd, filled)), "{} with a value that is no number"),
    )
    for gate, found, words in gates:
        if count := found.count(1):
            record = _record_of(part, found.find(1) * width // SLOTS)
            what = words.format(f"{count} interval{'s' if count > 1 else ''}")
            yield _warning(gate, record, f"channel {channel_number(part.record)} has {what}")


def _both(one: bytes, other: bytes) -> bytes:
    """Join two rows of zeros and ones by ``and``, all at once."""
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(len(one), "little")


def _record_of(part: ChannelPart, index: int) -> int:
    """Give the number of the record that holds the slots of the interval record with this index."""
    for records in part.records:
        if index < len(records):
            break
        index -= len(records)
    return records[index]


def _warning(gate: Gate, place: int, words: str) -> Finding:
    return Finding(gate=gate, severity="warning", record=place, byte=(place - 1) * RECORD, words=words)
