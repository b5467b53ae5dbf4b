"""The grammar of MDEF, for the reader and the checker alike: one pass, one channel in memory, and every gate.

The grammar is ``{ meter header, { channel header, interval record+ }+ }+, trailer``.  A state says which kinds of
record may come next, and one loop goes from record to record.  What breaks a gate is handed to `Refuse`: the reader's
raises, so that nothing comes after it; the checker's notes it, and the walk goes on as sensibly as it can, which is
said where it does.  So the two cannot disagree.  The gates, in the order in which a file meets them:

- the file is not empty, no page, begins like a record, and its length is a multiple of 216;
- every record begins with its length, 216, and has a code that may stand where it stands;
- channel headers and interval records carry the key of their meter header;
- a channel says which status words it carries, how many intervals an hour has, and has two stamps that are times;
- interval records are numbered from 1001 without a gap;
- the intervals of a channel, counted to where the fill begins, are as many as its stamps make on a clock, and one and
  the same clock fits the whole file;
- the trailer stands at the very end and counts all records, or all intervals, as a known writer has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import attrs

from aiomar.formats._channel_gates import Clocks, Shape, channel_shown, shape, without_fill
from aiomar.formats._fields import key_text, number
from aiomar.formats._findings import Finding, Gate
from aiomar.formats._layout import (
    CHANNEL_HEADER,
    FILL,
    FIRST_INTERVALS,
    KEY,
    LAST_INTERVALS,
    METER_HEADER,
    RECORD,
    SLOTS,
    TRAILER,
    TRAILER_COUNT,
)
from aiomar.formats._records import Records
from aiomar.formats._sniff import Kind, sniff
from aiomar.formats._source import OpenSource
from aiomar.protocol import TimeType

TO_DO: Final = "fetch the file again, or ask who made it"

Refuse = Callable[[Finding, str], None]
"""Takes what breaks a gate, and what a person can do about it."""


class MeterPart(NamedTuple):
    """A meter begins."""

    record: bytes
    place: int
    """The number of its header."""


class ChannelPart(NamedTuple):
    """A channel, with all its intervals."""

    record: bytes
    place: int
    """The number of its header."""
    slots: bytes
    """Without what fills the last record; nothing where a gate is broken that they cannot be read without."""
    width: int
    """Bytes of one interval."""
    records: tuple[range, ...]
    """The numbers of the records that the slots stand in."""


class TrailerPart(NamedTuple):
    """The trailer."""

    record: bytes
    place: int
    intervals: int
    """How many there are in the file."""


Part = MeterPart | ChannelPart | TrailerPart


class _State(NamedTuple):
    """What may come next."""

    due: str
    kinds: frozenset[int]


_NOTHING: Final = FILL * (SLOTS // len(FILL))
"""The slots of a record that holds no interval."""
_INTERVALS: Final = FIRST_INTERVALS
"""Stands for the codes of all interval records."""
_KINDS: Final = frozenset({METER_HEADER, CHANNEL_HEADER, _INTERVALS, TRAILER})

_BEGINNING = _State("a meter header", frozenset({METER_HEADER}))
_IN_METER = _State("a channel header", frozenset({CHANNEL_HEADER}))
_IN_CHANNEL = _State("an interval record", frozenset({_INTERVALS}))
_IN_INTERVALS = _State("a further record of intervals, a header or the trailer", _KINDS)
_LOST = _State("a header or the trailer", _KINDS)
"""Among intervals that belong to no channel: told once, where they begin."""
_OVER = _State("nothing", frozenset())


@attrs.define
class _Channel:
    """The channel that is being read."""

    record: bytes
    place: int
    shape: Shape
    sound: bool
    """Whether its intervals can be read; if not, none is kept."""
    slots: list[bytes] = attrs.Factory(list)
    records: list[range] = attrs.Factory(list)


class Stranger(NamedTuple):
    """Why a file is no MDEF at all."""

    gate: Gate
    words: str
    to_do: str = TO_DO


def no_mdef(first: bytes) -> Stranger | None:
    """Say why a file is no MDEF at all, if it is not.

    Args:
        first: its first record, and the length of the second.
    """
    length = RECORD.to_bytes(2, "little")
    if not first:
        return Stranger("empty", "the file is empty")
    if sniff(first[:RECORD]) is Kind.PAGE:
        return Stranger("page", "the file is a page and not MDEF", "read in a browser what it says")
    if first[:2] != length[: len(first)] and first[RECORD:] != length:
        return Stranger("not_mdef", f"the file does not begin with the length of a record, {RECORD}: it is no MDEF")
    return None


def cut(over: int) -> str:
    """Say that a file ends with so many bytes of a record."""
    return f"the file is cut: its last {'byte is' if over == 1 else f'{over} bytes are'} not a whole record"


class Walk:
    """Goes through a file once."""

    def __init__(self, data: OpenSource, clock: TimeType | None, refuse: Refuse) -> None:
        self._data = data
        self._records = Records(data)
        self._clocks = Clocks(clock)
        self._pass_on = refuse
        self._state = _BEGINNING
        self._cut = False
        self._channel: _Channel | None = None
        self._ids: set[str] = set()  # recorder ids that records of this meter may carry
        self._key = b""  # as the last record carried it
        self._due = FIRST_INTERVALS  # number of the next interval record
        self._count = 0  # of intervals so far

    def parts(self) -> Iterator[Part]:
        """Give what is in the file, a meter before its channels; a channel comes when its last record is read."""
        if not self._begins():
            return
        while self._records.step():
            kind = self._kind()
            if kind == _INTERVALS:
                self._intervals()
            elif kind:
                if channel := self._channel_ends():
                    yield channel
                if part := self._header(kind):
                    yield part
        if not self._cut and self._records.over:
            self._refuse_cut(self._records.over, self._records.number)
        elif not self._cut and self._state is not _OVER:
            self._refuse("ends", f"the file ends where {self._state.due} was due")
        if channel := self._channel_ends():
            yield channel

    def _begins(self) -> bool:
        """Refuse at once what is no MDEF at all, and what is known to be cut before a meter of it is handed on."""
        first = self._records.beginning
        if stranger := no_mdef(first):
            self._refuse(stranger.gate, stranger.words, 1, to_do=stranger.to_do)
            return False
        size = self._data.size or 0
        if sniff(first[:RECORD]) is Kind.MDEF and size % RECORD:
            self._refuse_cut(size % RECORD, size // RECORD + 1)
        return True

    def _kind(self) -> int:
        """Say as what the record in hand is to be taken; 0 to leave it out.

        One with a wrong length word counts as what it is where that may come, one that stands in the wrong place as
        what it is.
        """
        length, code = self._records.head()
        kind = _INTERVALS if FIRST_INTERVALS <= code <= LAST_INTERVALS else code
        if self._state is _OVER:
            self._refuse("behind_trailer", "the file goes on behind its trailer")
            self._state = _BEGINNING
        fits = kind in self._state.kinds
        if length != RECORD:
            self._refuse("length", f"a record does not begin with its length, {RECORD}")
        elif not fits:
            self._refuse("sequence", f"a record has the code {code} where {self._state.due} was due")
            fits = kind in _KINDS
        return kind if fits else 0

    def _header(self, kind: int) -> MeterPart | TrailerPart | None:
        """Take the header or the trailer in hand; a channel is given when it ends."""
        record, place = self._records.record(), self._records.number
        if kind == METER_HEADER:
            self._key = record[KEY]
            self._ids = {key_text(self._key)}
            self._state = _IN_METER
            return MeterPart(record, place)
        if kind == TRAILER:
            counted = number(record[TRAILER_COUNT])
            if counted not in {place, self._count or place}:
                says = "says no number of records" if counted is None else f"counts {counted} records"
                self._refuse("trailer_count", f"the trailer {says}, and there are {place}")
            self._state = _OVER
            return TrailerPart(record, place, self._count)
        self._check_id(record)
        form = shape(record)
        for gate, words in form.faults:
            self._refuse(gate, words.format(channel_shown(record)))
        self._channel = _Channel(record, place, form, not form.faults)
        self._due = FIRST_INTERVALS
        self._state = _IN_CHANNEL
        return None

    def _intervals(self) -> None:
        """Take a run of interval records, or the one in hand."""
        channel = self._channel
        if channel is None:
            self._state = _LOST
            return
        self._state = _IN_INTERVALS
        first = self._records.number
        slots = self._records.run(self._due, self._key) or [self._odd_intervals(channel)]
        behind = self._records.number + 1
        self._due += behind - first
        if channel.sound:
            channel.slots += slots
            channel.records.append(range(first, behind))

    def _odd_intervals(self, channel: _Channel) -> bytes:
        """Take an interval record that is not just the next one.  Numbers go on from its own."""
        _, code = self._records.head()
        if code != self._due:
            what = f"an interval record of {channel_shown(channel.record)}"
            self._refuse("numbering", f"{what} has the number {code} where {self._due} was due")
            self._due = code
            channel.sound = False
            channel.slots.clear()
            channel.records.clear()
        record = self._records.record()
        self._check_id(record)
        return record[RECORD - SLOTS :]

    def _channel_ends(self) -> ChannelPart | None:
        channel, self._channel = self._channel, None
        if channel is None:
            return None
        slots = self._whole(channel) if channel.slots else b""
        return ChannelPart(channel.record, channel.place, slots, channel.shape.width, tuple(channel.records))

    def _whole(self, channel: _Channel) -> bytes:
        """Join the slots of a channel, and hold their number to its stamps."""
        *whole, last = channel.slots
        if last.endswith(_NOTHING):
            words = f"{channel_shown(channel.record)} has a record with nothing but fill"
            self._refuse("fill_record", words, channel.place)
        width = channel.shape.width
        slots = b"".join((*whole, without_fill(last, width)))
        self._count += len(slots) // width
        if misfit := self._clocks.misfit(channel.record, channel.shape, len(slots) // width):
            self._refuse(misfit.gate, misfit.words, channel.place, to_do=misfit.to_do or TO_DO)
        return slots

    def _check_id(self, record: bytes) -> None:
        """Hold the key of a record to its meter header; another one is told once."""
        key = record[KEY]
        if key != self._key and (name := key_text(key)) not in self._ids:
            if self._ids:  # else no meter header was there, which is told
                self._refuse("recorder", "a record carries another recorder id than its meter header")
            self._ids.add(name)
        self._key = key

    def _refuse_cut(self, over: int, place: int) -> None:
        self._refuse("truncated", cut(over), place)
        self._cut = True

    def _refuse(self, gate: Gate, words: str, place: int | None = None, *, to_do: str = TO_DO) -> None:
        """Hand on what is broken: in the record in hand, or in another by its number."""
        place = place or self._records.number
        byte = (place - 1) * RECORD
        finding = Finding(gate=gate, severity="error", record=place, byte=byte, words=words)
        self._pass_on(finding, to_do)
