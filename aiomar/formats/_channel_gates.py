"""The gates of one channel: a header that its intervals can be read by, and as many of them as its stamps make."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

import attrs

from aiomar.formats._clocks import MINUTES, readings, wall_time
from aiomar.formats._fields import meter_shown, number
from aiomar.formats._findings import Gate
from aiomar.formats._layout import FILL, KEY, STATUS, VALUE, ChannelPlaces
from aiomar.protocol import TimeType

_FLAGS = slice(ChannelPlaces.CHANNEL_STATUS.start, ChannelPlaces.INTERVAL_STATUS.stop)
_NONE: Final = frozenset[TimeType]()


class Misfit(NamedTuple):
    """Why the intervals of a channel do not fit its stamps."""

    gate: Gate
    words: str
    to_do: str | None = None


@attrs.frozen
class Shape:
    """What the intervals of a channel are read by."""

    faults: tuple[tuple[Gate, str], ...]
    """What of the header keeps them from being read: gates, and sentences with ``{}`` for the channel.  With any, the
    rest means nothing."""
    width: int
    """Bytes of one interval, 8, 6 or 4."""
    counts: tuple[tuple[TimeType, tuple[int, ...]], ...]
    """How many intervals the stamps make, clock by clock."""
    clocks: Mapping[int, frozenset[TimeType]]
    """Number of intervals → the clocks that it fits, in one way."""
    doubtful: frozenset[int]
    """Numbers of intervals that fit the DST clock in several ways."""

    def counts_shown(self) -> str:
        """Say how many intervals the stamps make; by each clock where they differ."""
        shown = [
            (" or ".join(map(str, counts)) or "no whole number of intervals", clock.value)
            for clock, counts in self.counts
        ]
        if len({made for made, _ in shown}) == 1:
            return shown[0][0]
        return ", ".join(f"{made} ({clock})" for made, clock in shown)


def shape(record: bytes) -> Shape:
    """Look at a channel header; channels mostly have the same stamps and flags, so what they mean is kept."""
    places = ChannelPlaces
    stamps, flags = record[places.START.start : places.STOP.stop], record[_FLAGS]
    return _shape(stamps, flags, record[places.PER_HOUR])


@functools.lru_cache(maxsize=1_024)
def _shape(stamps: bytes, flags: bytes, per_hour: bytes) -> Shape:
    start, stop = stamps[: len(stamps) // 2].decode("latin-1"), stamps[len(stamps) // 2 :].decode("latin-1")
    an_hour = number(per_hour)
    faults: list[tuple[Gate, str]] = []
    if flags.strip(b"YN"):
        faults.append(("flags", "{} does not say by Y or N which status words it carries"))
    if not an_hour or MINUTES % an_hour:
        faults.append(("per_hour", "the intervals per hour of {} do not divide the hour into whole minutes"))
    if wall_time(start) is None or wall_time(stop) is None:
        faults.append(("stamps", "the start or the stop of {} is not a time"))
    width = VALUE + STATUS * flags.count(b"Y")
    if faults or not an_hour:
        return Shape(tuple(faults), width, (), {}, frozenset())
    ways = {clock: Counter(count for _, count in readings(start, stop, an_hour, clock)) for clock in TimeType}
    counts = tuple((clock, tuple(sorted(each))) for clock, each in ways.items())
    every = {count for _, each in counts for count in each}
    clocks = {count: frozenset(clock for clock, each in ways.items() if each[count] == 1) for count in every}
    doubtful = frozenset(count for count, number_of_ways in ways[TimeType.DST].items() if number_of_ways > 1)
    return Shape((), width, counts, clocks, doubtful)


def stamp_time(field: bytes) -> dt.datetime | None:
    """Read a stamp of a record as a time on the wall; `None` when it is none."""
    return wall_time(field.decode("latin-1"))


def channel_number(record: bytes) -> int:
    """Read the logical number of a channel."""
    return int.from_bytes(record[ChannelPlaces.NUMBER], "little")


def channel_shown(record: bytes) -> str:
    """Name the channel of a header, and its meter, in messages."""
    return f"channel {channel_number(record)} of {meter_shown(record[KEY])}"


def without_fill(slots: bytes, width: int) -> bytes:
    """Take away the slots at the end that are nothing but fill."""
    fill = FILL * (width // len(FILL))
    end = len(slots)
    while slots.endswith(fill, 0, end):
        end -= width
    return slots[:end]


class Clocks:
    """The clocks that fit every channel so far, of which one has to fit the whole file."""

    def __init__(self, clock: TimeType | None) -> None:
        """Begin a file.

        Args:
            clock: the one that it was written by; `None` where any will do.
        """
        self._clock = clock
        self._fitting = frozenset(TimeType)

    def misfit(self, record: bytes, form: Shape, count: int) -> Misfit | None:
        """Hold the number of intervals of the next channel to the stamps in its header.

        Args:
            record: the header.
            form: its shape, without a fault.
            count: how many intervals there are.
        """
        fitting = form.clocks.get(count, _NONE)
        if self._fitting & fitting and (self._clock is None or self._clock in fitting):
            self._fitting &= fitting
            return None
        what = f"{channel_shown(record)} has {count} intervals"
        if count in form.doubtful and TimeType.DST in (self._fitting if self._clock is None else {self._clock}):
            words = f"{what}, which begin in the hour that the DST clock shows twice, and nothing tells in which pass"
            return Misfit("clock", words, "ask for it by the PST clock")
        if not fitting:
            return Misfit("count", f"{what}, but its stamps make {form.counts_shown()}")
        if self._clock is not None and self._clock not in fitting:
            others = " or ".join(other.value for other in fitting)
            return Misfit(
                "clock",
                f"{what}, but its stamps make {form.counts_shown()}, so that it was not written by the "
                f"{self._clock.value} clock",
                f"read it by the {others} clock, or ask who made it",
            )
        self._fitting = fitting
        return Misfit("clock", f"{what}, which fit another clock than the channels before it")
