"""What there is to say of an MDEF file: meters, channels, how many intervals carry which flag, and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs

from aiomar import FormatError, TimeType
from aiomar.cli._tap import tapped
from aiomar.formats import Finding, MdefChannel, MdefMeter, check_mdef, read_mdef, read_mdef_trailer
from aiomar.formats._layout import RECORD, UNITS
from aiomar.formats._marks import marks

MOST_CHANNELS = 10_000
"""Channels that are kept with everything; further ones are only counted, so that memory has a bound."""


@attrs.frozen(kw_only=True)
class ChannelFacts:
    """One channel: everything but its values."""

    number: int
    unit_code: str
    unit: str | None
    """What the code means, where that is known."""
    label: str
    start_stamp: str
    stop_stamp: str
    minutes: int
    """How long an interval is."""
    intervals: int
    channel_status: bool
    interval_status: bool
    """Which status words it carries."""
    estimated: int | None
    missing: int | None
    """Intervals so flagged; `None` where the channel carries no such word."""
    filled: int
    """Intervals that hold nothing but fill."""


@attrs.frozen(kw_only=True)
class MeterFacts:
    """One meter and its channels."""

    recorder_id: str
    channels: tuple[ChannelFacts, ...]


@attrs.frozen(kw_only=True)
class MdefFacts:
    """What an MDEF file holds, as far as it can be read."""

    meters: tuple[MeterFacts, ...]
    """The first of them, with about `MOST_CHANNELS` channels."""
    meter_count: int
    channel_count: int
    interval_count: int
    estimated: int
    missing: int
    filled: int
    """Of all meters; see `ChannelFacts`."""
    status_words: bool
    """Whether any channel carries one."""
    clocks: tuple[TimeType, ...]
    """The clocks that fit all of them."""
    records: int
    """Whole records in the file."""
    created_stamp: str | None
    """When it was made, as the trailer says; `None` where there is none."""
    findings: tuple[Finding, ...]
    error: str | None
    """What keeps the file from being read further: what the first finding of severity "error" tells."""


def look_into_mdef(path: Path, size: int, *, clock: TimeType | None, progress: Callable[[int], object]) -> MdefFacts:
    """Say what an MDEF file holds.

    Its meters are read by whichever clock fits, so that a wrong one hides nothing; the gates have the clock.

    Args:
        path: where it is.
        size: of the file, in bytes.
        clock: the clock that it is said to be written by.
        progress: is told the size of every piece, of which each comes twice.

    Raises:
        SourceError: it cannot be opened.
        DiskError: the operating system refuses to read.
    """

    def tap(piece: bytes) -> None:
        progress(len(piece))

    name, error = str(path), None
    with tapped(path, tap) as file:
        findings = check_mdef(file, clock=clock, name=name)
    found = _Found()
    with tapped(path, tap) as file:
        try:
            for meter in read_mdef(file, name=name):
                found.add(meter)
        except FormatError as broken:
            error = str(broken)
    totals = found.totals
    return MdefFacts(
        meters=tuple(found.meters),
        meter_count=totals["meters"],
        channel_count=totals["channels"],
        interval_count=totals["intervals"],
        estimated=totals["estimated"],
        missing=totals["missing"],
        filled=totals["filled"],
        status_words=totals["with status words"] > 0,
        clocks=tuple(each for each in TimeType if each in found.clocks),
        records=size // RECORD,
        created_stamp=_created(path),
        findings=findings,
        error=error,
    )


def _created(path: Path) -> str | None:
    try:
        return read_mdef_trailer(path).created_stamp
    except FormatError:
        return None


class _Found:
    """What was read so far."""

    def __init__(self) -> None:
        self.meters: list[MeterFacts] = []
        self.totals: Counter[str] = Counter()
        self.clocks: frozenset[TimeType] = frozenset()

    def add(self, meter: MdefMeter) -> None:
        """Take the next meter."""
        totals, channels = self.totals, tuple(_channel(channel) for channel in meter.channels)
        if totals["channels"] < MOST_CHANNELS:
            self.meters.append(MeterFacts(recorder_id=meter.recorder_id, channels=channels))
        self.clocks = self.clocks & meter.clocks if totals["meters"] else meter.clocks
        totals["meters"] += 1
        for channel in channels:
            totals["channels"] += 1
            totals["intervals"] += channel.intervals
            totals["estimated"] += channel.estimated or 0
            totals["missing"] += channel.missing or 0
            totals["filled"] += channel.filled
            totals["with status words"] += channel.channel_status or channel.interval_status


def _channel(channel: MdefChannel) -> ChannelFacts:
    estimated, missing, filled = (found.count(1) for found in marks(channel))
    return ChannelFacts(
        number=channel.number,
        unit_code=channel.unit_code,
        unit=UNITS.get(channel.unit_code),
        label=channel.label,
        start_stamp=channel.start_stamp,
        stop_stamp=channel.stop_stamp,
        minutes=60 // channel.per_hour,
        intervals=channel.count,
        channel_status=channel.has_channel_status,
        interval_status=channel.has_interval_status,
        estimated=estimated if channel.has_channel_status else None,
        missing=missing if channel.has_interval_status else None,
        filled=filled,
    )
