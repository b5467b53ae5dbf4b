"""Checking MDEF: every gate of the reader with nothing fatal, and what a reader lets pass but a person should know.

That is what the layout has otherwise, or known files never have.  No code is among it that nobody explained: unit,
flow, validation and the like are the sender's.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from aiomar.formats._channel_gates import channel_number, channel_shown, stamp_time
from aiomar.formats._clocks import MINUTES, checked_clock
from aiomar.formats._fields import key_text, meter_shown, number
from aiomar.formats._findings import MOST_FINDINGS, Finding, Gate, Severity
from aiomar.formats._layout import (
    KEY,
    RECORD,
    SLOTS,
    TRAILER_COUNT,
    TRAILER_CREATED,
    ChannelPlaces,
    MeterPlaces,
)
from aiomar.formats._marks import both, filled
from aiomar.formats._source import Source, opened
from aiomar.formats._walk import ChannelPart, MeterPart, Part, TrailerPart, Walk
from aiomar.protocol import TimeType

_TOP: Final = bytes(byte & 0x7F == 0x7F for byte in range(256))  # noqa: PLR2004 - seven of the bits of an exponent
_LOW: Final = bytes(byte >= 0x80 for byte in range(256))  # noqa: PLR2004 - the eighth
"""Which of the two upper bytes of a float32 have their bits of the exponent set: all eight are in no number."""


def check_mdef(source: Source, *, clock: TimeType | None = None, name: str | None = None) -> tuple[Finding, ...]:
    """Check an MDEF file: say of everything in it that is wrong or strange where it is, and go on.

    What is broken is an error, exactly where `read_mdef` with the same clock refuses the file; what it reads although
    it should not be so is a warning.  Behind a broken record the check goes on as sensibly as it can, and what follows
    from one damage may be found as well; what is no MDEF at all has one finding.  Memory grows with the largest
    channel, not with the file.

    Args:
        source: a path, bytes, or a binary file.
        clock: the clock that the file was written by; `None` where either will do.
        name: what to call the source in messages; `None` for its path.

    Returns:
        The findings in the order in which the reader meets them, at most 1,000; when there are more, one more says so.
        Nothing: the file is as it should be.

    Raises:
        FormatError: there is no such file.
        DiskError: the operating system refuses to read.
        ConfigError: this machine has no time zone database.
        UsageError: the clock is no `TimeType`, or the source nothing that can be read.
    """
    clock = None if clock is None else checked_clock(clock)
    findings = _Findings()
    with opened(source, name) as data:
        try:
            for warning in _warnings(Walk(data, clock, findings.refuse).parts()):
                findings.add(warning)
        except _EnoughError:
            pass
    return findings.all()


class _EnoughError(Exception):
    """So much is wrong that nobody reads on."""


class _Findings:
    """Takes findings until there are enough.

    A file that is refused must have an error among its findings, so one place is kept for the first of them, and
    warnings alone never end a check: they are no longer noted.
    """

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._refused = False
        self._more: Finding | None = None  # the first that was not noted

    def refuse(self, finding: Finding, _to_do: str) -> None:
        """Take an error; a finding says what is, not what to do."""
        self.add(finding)

    def add(self, finding: Finding) -> None:
        """Take a finding.

        Raises:
            _EnoughError: there are more than anybody wants to know.
        """
        self._refused = self._refused or finding.severity == "error"
        if len(self._found) < MOST_FINDINGS - (not self._refused):
            self._found.append(finding)
        elif self._more is None:
            self._more = finding
        if self._refused and self._more is not None:
            raise _EnoughError

    def all(self) -> tuple[Finding, ...]:
        """Give what was found, and whether there is more."""
        if self._more is None:
            return tuple(self._found)
        words = f"there are more findings, and no more than {MOST_FINDINGS:,} are told"
        severity: Severity = "error" if self._refused else "warning"
        return (*self._found, attrs.evolve(self._more, gate="too_many", severity=severity, words=words))


# --- What a reader lets pass ------------------------------------------------------------------------------------------


def _warnings(parts: Iterable[Part]) -> Iterator[Finding]:
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
        meter = None
        if isinstance(part, TrailerPart):
            yield from _trailer(part)
        else:
            meter = _Meter(part)
            yield from meter.begins()
    if meter is not None:
        yield from meter.ends()


def _trailer(part: TrailerPart) -> Iterator[Finding]:
    counted = number(part.record[TRAILER_COUNT])
    if counted == part.intervals != part.place:
        words = (
            f"the trailer counts {counted}, which is the number of intervals: known files count records, {part.place}"
        )
        yield _warning("trailer_habit", part.place, words)
    if stamp_time(part.record[TRAILER_CREATED]) is None:
        yield _warning("created_stamp", part.place, "the time at which the trailer says the file was made is none")


class _Meter:
    """What a meter header says, against its channels."""

    def __init__(self, header: MeterPart) -> None:
        self._place = header.place
        self._record = header.record
        self._shown = meter_shown(header.record[KEY])
        self._stamps: tuple[bytes, bytes] | None = (header.record[MeterPlaces.START], header.record[MeterPlaces.STOP])
        self._count = 0
        self._numbers: set[int] = set()

    def begins(self) -> Iterator[Finding]:
        if not key_text(self._record[MeterPlaces.RECORDER]):
            yield self._warning("no_recorder", "a meter has no recorder id")
        if self._stamps and None in map(stamp_time, self._stamps):
            self._stamps = None
            yield self._warning("meter_stamps", f"the start or the stop of {self._shown} is not a time")

    def channel(self, part: ChannelPart) -> Iterator[Finding]:
        self._count += 1
        number_ = channel_number(part.record)
        if number_ in self._numbers:
            yield _warning("channel_number", part.place, f"channel {number_} stands twice in {self._shown}")
        self._numbers.add(number_)
        if self._stamps and self._stamps != (part.record[ChannelPlaces.START], part.record[ChannelPlaces.STOP]):
            self._stamps = None  # told once
            words = f"channel {number_} of {self._shown} has another start or stop than its meter header"
            yield self._warning("meter_stamps", words)

    def ends(self) -> Iterator[Finding]:
        declared = number(self._record[MeterPlaces.CHANNELS])
        if declared != self._count:
            says = "no number of channels" if declared is None else f"{declared} channels"
            there = f"there {'is' if self._count == 1 else 'are'} {self._count}"
            yield self._warning("declared_channels", f"the header of {self._shown} declares {says}, and {there}")

    def _warning(self, gate: Gate, words: str) -> Finding:
        return _warning(gate, self._place, words)


def _alignment(part: ChannelPart) -> Iterator[Finding]:
    start, per_hour = stamp_time(part.record[ChannelPlaces.START]), number(part.record[ChannelPlaces.PER_HOUR])
    if start and per_hour and (start.minute - 1) % (MINUTES // per_hour):
        what = f"{channel_shown(part.record)} does not start with the first minute of an interval"
        yield _warning("alignment", part.place, what)


def _intervals(part: ChannelPart) -> Iterator[Finding]:
    """Find values that are no numbers: byte by byte of all intervals at once, and closer only where there are some."""
    width, slots = part.width, part.slots
    top = slots[3::width].translate(_TOP)
    if 1 not in top:
        return
    odd = both(top, slots[2::width].translate(_LOW))
    fill = filled(slots, width)
    gates: tuple[tuple[Gate, bytes, str], ...] = (
        ("fill", fill, "{} filled as unused ones are, before its end"),
        ("value", bytes(map(operator.gt, odd, fill)), "{} with a value that is no number"),
    )
    for gate, found, words in gates:
        if count := found.count(1):
            record = _record_of(part, found.find(1) * width // SLOTS)
            what = words.format(f"{count} interval{'s' if count > 1 else ''}")
            yield _warning(gate, record, f"{channel_shown(part.record)} has {what}")


def _record_of(part: ChannelPart, index: int) -> int:
    """Give the number of the record that holds the slots of the interval record with this index."""
    for records in part.records:
        if index < len(records):
            break
        index -= len(records)
    return records[index]


def _warning(gate: Gate, place: int, words: str) -> Finding:
    return Finding(gate=gate, severity="warning", record=place, byte=(place - 1) * RECORD, words=words)
