"""Reading MDEF: one pass, one meter in memory, and every gate of the layout.

The grammar is ``{ meter header, { channel header, interval record+ }+ }+, trailer`` and the methods of `_Reader` follow
it, with one record of look-ahead.  The gates, in the order in which a file meets them:

- the file is not empty, and its length is a multiple of 216;
- every record begins with its length, 216, and has a code that may stand where it stands;
- channel headers and interval records carry the key of their meter header;
- a channel says which status words it carries, how many intervals an hour has, and has two stamps that are times;
- interval records are numbered from 1001 without a gap;
- the intervals of a channel, counted to where the fill begins, are as many as its stamps make on a clock, and one and
  the same clock fits the whole file;
- the trailer stands at the very end and counts all records.
"""

from __future__ import annotations

from collections.abc import Iterator

from aiomar.errors import FormatError
from aiomar.formats._clocks import readings, wall_time
from aiomar.formats._headers import channel_fault, key_text, number, read_channel, read_meter
from aiomar.formats._layout import (
    CHANNEL_HEADER,
    FIRST_INTERVALS,
    FRAME,
    LAST_INTERVALS,
    METER_HEADER,
    RECORD,
    SLOTS,
    TRAILER,
    TRAILER_COUNT,
    MeterPlaces,
)
from aiomar.formats._meters import MdefChannel, MdefMeter
from aiomar.formats._sniff import Kind, sniff
from aiomar.formats._source import OpenSource, Source, opened
from aiomar.protocol import TimeType

_BLOCK = 4_096 * RECORD
"""Bytes that are read at once, a little under a megabyte."""
_END = -1
"""Stands for the code behind the last record."""
_INTERVALS = range(FIRST_INTERVALS, LAST_INTERVALS + 1)
_TO_DO = "fetch the file again, or ask who made it"


def read_mdef(source: Source, *, clock: TimeType | None = None, name: str | None = None) -> Iterator[MdefMeter]:
    """Read the meters of an MDEF file one after the other; memory grows with the largest meter, not with the file.

    Args:
        source: a path, bytes, or a binary file.
        clock: the clock that the file was written by.  `None` takes every file whose counts fit either clock;
            `MdefMeter.clocks` says which.
        name: what to call the source in messages; `None` for its path.

    Yields:
        Each meter once its last channel is read.  What is broken further on shows when iteration gets there.

    Raises:
        FormatError: there is no such file, or it breaks a rule of the layout; the message and ``where`` name
            the record, counted from 1, and the byte, counted from 0.
        DiskError: the operating system refuses to read.
        ConfigError: this machine has no time zone database.
    """
    with opened(source, name) as data:
        yield from _Reader(data, clock).meters()


class _Reader:
    def __init__(self, data: OpenSource, clock: TimeType | None) -> None:
        self._data = data
        self._clock = clock
        self._clocks = frozenset(TimeType)  # that fit the file so far
        self._number = 0  # of the record in hand, from 1
        self._code = _END
        self._key = self._rest = b""
        self._records = self._frames()

    def meters(self) -> Iterator[MdefMeter]:
        """Read the whole file."""
        self._next()
        self._expect("a meter header", self._code == METER_HEADER)
        while self._code == METER_HEADER:
            yield self._meter()
        self._trailer()

    def _meter(self) -> MdefMeter:
        record = self._record()
        self._next()
        self._expect("a channel header", self._code == CHANNEL_HEADER)
        channels = []
        while self._code == CHANNEL_HEADER:
            channels.append(self._channel(record[MeterPlaces.RECORDER]))
        return read_meter(record, tuple(channels))

    def _channel(self, key: bytes) -> MdefChannel:
        record, place = self._record(), self._number
        self._check_key(key)
        if fault := channel_fault(record):
            raise self._broken(fault)
        self._next()
        self._expect("an interval record", self._code in _INTERVALS)
        slots = self._slots(key)
        channel = read_channel(record, slots)
        if len(slots) - len(channel.slots) >= SLOTS:
            raise self._broken(f"channel {channel.number} has a record with nothing but fill", place)
        self._check_clocks(channel, place)
        return channel

    def _slots(self, key: bytes) -> bytes:
        """Give the slots of all interval records of a channel, the first of which is in hand."""
        slots: list[bytes] = []
        while self._code in _INTERVALS:
            due = FIRST_INTERVALS + len(slots)
            if self._code != due:
                raise self._broken(f"an interval record has the number {self._code} where {due} was due")
            self._check_key(key)
            slots.append(self._rest)
            self._next()
        self._expect(
            "a further record of intervals, a header or the trailer",
            self._code in {CHANNEL_HEADER, METER_HEADER, TRAILER},
        )
        return b"".join(slots)

    def _trailer(self) -> None:
        if number(self._record()[TRAILER_COUNT]) != self._number:
            raise self._broken("the trailer does not count as many records as there are")
        self._next()
        if self._code != _END:
            raise self._broken("the file goes on behind its trailer")

    # --- Gates --------------------------------------------------------------------------------------------------------

    def _expect(self, what: str, found: bool) -> None:  # noqa: FBT001 - reads as a sentence where it is called
        if not found:
            ended = self._code == _END
            there = "the file ends" if ended else f"a record has the code {self._code}"
            raise self._broken(f"{there} where {what} was due", self._number + ended)

    def _check_key(self, key: bytes) -> None:
        if self._key != key and key_text(self._key) != key_text(key):
            raise self._broken("a record carries another recorder id than its meter header")

    def _check_clocks(self, channel: MdefChannel, place: int) -> None:
        """Hold the number of intervals to the stamps, on the clock that was given or on any that fits."""
        fitting = channel.clocks
        what = f"channel {channel.number} has {channel.count} intervals"
        if not fitting:
            raise self._broken(f"{what}, but its stamps make {_made(channel)}", place)
        if self._clock is not None and self._clock not in fitting:
            others = " or ".join(other.value for other in fitting)
            raise self._broken(
                f"{what}, but its stamps make {_made(channel)}, so that it was not written by the "
                f"{self._clock.value} clock",
                place,
                to_do=f"read it by the {others} clock, or ask who made it",
            )
        self._clocks &= fitting
        if not self._clocks:
            raise self._broken(f"{what}, which fit another clock than the channels before it", place)

    def _broken(self, what: str, place: int | None = None, *, to_do: str = _TO_DO) -> FormatError:
        """Make the error for a record: the one in hand, or another by its number."""
        place = place or self._number
        byte = (place - 1) * RECORD
        return FormatError(
            f"{what} (record {place} at byte {byte} of {self._data.name}): {to_do}",
            where=f"{self._data.name}, record {place}, byte {byte}",
        )

    # --- Records ------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        self._code, self._key, self._rest = next(self._records, (_END, b"", b""))

    def _record(self) -> bytes:
        """Give the record in hand, all of it."""
        return FRAME.pack(RECORD, self._code, self._key, self._rest)

    def _frames(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Give code, recorder key and rest of every record."""
        block = self._data.read(_BLOCK)
        self._check_beginning(block)
        while block:
            over = len(block) % RECORD
            for length, code, key, rest in FRAME.iter_unpack(block[: len(block) - over]):
                self._number += 1
                if length != RECORD:
                    raise self._broken(f"a record does not begin with its length, {RECORD}")
                yield code, key, rest
            if over:
                raise self._cut(over, self._number + 1)
            block = self._data.read(_BLOCK)

    def _check_beginning(self, block: bytes) -> None:
        """Refuse at once what is no MDEF at all, and what is known to be cut before a meter of it is handed on."""
        if not block:
            raise self._broken("the file is empty", 1)
        kind = sniff(block[:RECORD])
        if kind is Kind.PAGE:
            raise self._broken("the file is a page and not MDEF", 1, to_do="read in a browser what it says")
        size = self._data.size or 0
        if kind is Kind.MDEF and size % RECORD:
            raise self._cut(size % RECORD, size // RECORD + 1)

    def _cut(self, over: int, place: int) -> FormatError:
        return self._broken(f"the file is cut: its last {over} bytes are not a whole record", place)


def _made(channel: MdefChannel) -> str:
    """Say how many intervals the stamps of a channel make, clock by clock."""
    start, stop = wall_time(channel.start_stamp), wall_time(channel.stop_stamp)
    made = []
    for clock in TimeType:
        counts = readings(start, stop, channel.per_hour, clock) if start and stop else []
        numbers = " or ".join(str(count) for count in sorted({count for _, count in counts}))
        made.append(f"{numbers or 'no whole number'} ({clock.value})")
    return ", ".join(made)
