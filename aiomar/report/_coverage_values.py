"""What coverage is told in: a series per meter and channel, a few numbers per day, gaps and problems."""

from __future__ import annotations

import datetime as dt
import enum
from array import array
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from pathlib import Path

import attrs

from aiomar.protocol import FileFormat, Selection, TimeType
from aiomar.report._days import day_minutes


class DayState(enum.Enum):
    """What one day of one series is, in a word.

    Of several that are true of a day the last one counts: the members stand in the order of how much a person should
    care.
    """

    NOT_ASKED = "not_asked"
    """Nobody asked for this day, and nothing is there."""
    FULL = "full"
    """Every interval is there, once."""
    ESTIMATED = "estimated"
    """Every interval is there, and the file marks some as estimated."""
    DUPLICATE = "duplicate"
    """Some intervals are there more than once, with the same value."""
    LONG = "long"
    """More intervals are there than the day has, or the day is one that nobody asked for."""
    FLAGGED = "flagged"
    """The file itself marks intervals as missing, or has fill in their place."""
    SHORT = "short"
    """Some intervals are missing."""
    MISSING = "missing"
    """Not one interval is there."""
    CONFLICT = "conflict"
    """Some intervals are there more than once, with different values or statuses, or in intervals of another length."""


@attrs.frozen(kw_only=True)
class Totals:
    """Numbers of intervals."""

    expected: int = 0
    """That were asked for."""
    found: int = 0
    """That are there; one that is there twice counts once."""
    missing: int = 0
    """That were asked for and are not there."""
    duplicates: int = 0
    """That are there more than once."""
    conflicts: int = 0
    """Those of them whose copies differ in value or status, or are of another length and cannot be compared."""
    estimated: int = 0
    """That the file marks as estimated (channel status 4)."""
    flagged: int = 0
    """That the file marks as missing (interval status 7), or has fill or an empty cell for."""

    @property
    def full(self) -> bool:
        """Whether everything that was asked for is there, and nothing else is to be said of it."""
        odd = self.missing or self.duplicates or self.conflicts or self.estimated or self.flagged
        return self.found == self.expected and not odd

    def __add__(self, other: Totals) -> Totals:
        return Totals(**{name: getattr(self, name) + getattr(other, name) for name in _NAMES})


_NAMES = tuple(field.name for field in attrs.fields(Totals))


@attrs.frozen(kw_only=True)
class DayCoverage(Totals):
    """One day of one series."""

    day: dt.date

    @property
    def state(self) -> DayState:
        """The day in a word."""
        return _state(
            self.expected, self.found, self.missing, self.duplicates, self.conflicts, self.estimated, self.flagged
        )


def _state(  # noqa: PLR0917 - the seven numbers of a day, mapped over seven arrays
    expected: int, found: int, missing: int, duplicates: int, conflicts: int, estimated: int, flagged: int
) -> DayState:
    if not (missing or duplicates or conflicts or estimated or flagged) and found == expected:
        return DayState.FULL if expected else DayState.NOT_ASKED
    if conflicts:
        return DayState.CONFLICT
    if missing:
        return DayState.SHORT if found else DayState.MISSING
    if flagged:
        return DayState.FLAGGED
    if found > expected:
        return DayState.LONG
    return DayState.DUPLICATE if duplicates else DayState.ESTIMATED


@attrs.frozen(kw_only=True)
class Gap:
    """A run of missing intervals."""

    start: dt.datetime
    """Aware, UTC."""
    end: dt.datetime
    """Aware, UTC; the first instant that is not missing."""
    intervals: int
    reason: str | None
    """``"download failed: …"``, ``"file cannot be read"``, ``"file is gone"``, or `None` when nothing that is known
    explains it."""


@attrs.frozen(kw_only=True)
class Problem:
    """A file that cannot be read or is gone, or a download that failed."""

    path: Path | None
    selection: Selection | None
    start: dt.date | None
    end: dt.date | None
    words: str
    """What it is and what to do, for people."""
    gone: bool = False
    """Whether it is a file that was saved and is not there any more."""


@attrs.frozen(kw_only=True, eq=False)
class Series:
    """One channel of one meter, day by day.

    The arrays have one number for each day from `first_day` on, and mean what `Totals` says.
    """

    recorder_id: str
    """As the files have it; where nothing could be read, the id that was asked for."""
    channel: int | None
    """The logical channel number; `None`: nothing of this meter or group could be read."""
    group: bool = False
    """Whether `recorder_id` names a group of which nothing could be read, so that its meters are not known."""
    unit_code: str | None
    label: str
    per_hour: int
    """Intervals in an hour, as most of the series has them; where nothing could be read, as most series have them."""
    first_day: dt.date
    expected: array[int] = attrs.field(repr=False)
    found: array[int] = attrs.field(repr=False)
    missing: array[int] = attrs.field(repr=False)
    duplicates: array[int] = attrs.field(repr=False)
    conflicts: array[int] = attrs.field(repr=False)
    estimated: array[int] = attrs.field(repr=False)
    flagged: array[int] = attrs.field(repr=False)
    gaps: tuple[Gap, ...] = attrs.field(repr=lambda gaps: f"<{len(gaps)}>")

    def __len__(self) -> int:
        return len(self.expected)

    @property
    def last_day(self) -> dt.date:
        """The last day of the arrays."""
        return self.first_day + dt.timedelta(days=len(self) - 1)

    @cached_property
    def totals(self) -> Totals:
        """All days together."""
        return Totals(**{name: sum(getattr(self, name)) for name in _NAMES})

    def day(self, index: int) -> DayCoverage:
        """Give one day, counted from 0."""
        return DayCoverage(
            day=self.first_day + dt.timedelta(days=index), **{name: getattr(self, name)[index] for name in _NAMES}
        )

    def days(self) -> Iterator[DayCoverage]:
        """Give every day."""
        return map(self.day, range(len(self)))

    def states(self) -> Iterator[DayState]:
        """Give the state of every day, quicker than by `days`."""
        return map(_state, *(getattr(self, name) for name in _NAMES))


@attrs.frozen(kw_only=True, eq=False)
class MeterGap:
    """A gap that channels of one meter have in common."""

    gap: Gap
    series: tuple[Series, ...]
    """Those channels, in order."""

    @property
    def recorder_id(self) -> str:
        """The meter, as `Series.recorder_id` names it."""
        return self.series[0].recorder_id


@attrs.frozen(kw_only=True, eq=False)
class Coverage:
    """Whether every interval of a directory is there."""

    directory: Path
    clock: TimeType
    file_format: FileFormat
    catalogued: bool
    """Whether a catalogue tells what was asked for.  Otherwise every series is expected on every day between the first
    and the last that any file has."""
    first_day: dt.date | None
    """The first day that was asked for or is there; `None` if there is none."""
    last_day: dt.date | None
    change_days: tuple[dt.date, ...]
    """The days between them on which the clock changes, so that they have 23 or 25 hours."""
    series: tuple[Series, ...] = attrs.field(repr=lambda series: f"<{len(series)}>")
    """By recorder id and channel."""
    problems: tuple[Problem, ...] = attrs.field(repr=lambda problems: f"<{len(problems)}>")
    files: int
    """Data files that could be read."""
    left_out: int
    """Data files that were not looked at."""
    left_out_words: str | None
    """Which those are, for people."""

    @cached_property
    def totals(self) -> Totals:
        """All series together."""
        return sum((series.totals for series in self.series), Totals())

    @cached_property
    def meter_count(self) -> int:
        """How many meters there are, those of which nothing could be read among them; groups are not."""
        return sum(not channels[0].group for _, channels in self.meters())

    @cached_property
    def unread_meters(self) -> int:
        """Of how many of the meters nothing could be read; how many channels these have is not known."""
        return sum(series.channel is None and not series.group for series in self.series)

    @cached_property
    def unread_groups(self) -> int:
        """Of how many groups nothing could be read, so that it is not known which meters they have."""
        return sum(series.group for series in self.series)

    @property
    def complete(self) -> bool:
        """Whether there is something, nothing of it is missing or contradicts itself, and every file could be read.

        A download that failed does not count by itself: what it should have brought is missing, or came otherwise.
        """
        unreadable = any(problem.path is not None for problem in self.problems)
        return bool(self.series) and not (unreadable or self.totals.missing or self.totals.conflicts)

    @cached_property
    def channel_count(self) -> int:
        """How many channels there are of which something could be read."""
        return sum(series.channel is not None for series in self.series)

    def meters(self) -> Iterator[tuple[str, tuple[Series, ...]]]:
        """Give every recorder id with the series of its channels; a group of which nothing could be read, likewise."""
        for (recorder_id, _), series in groupby(self.series, key=lambda one: (one.recorder_id, one.group)):
            yield recorder_id, tuple(series)

    def gaps(self) -> Iterator[MeterGap]:
        """Give every gap, meter by meter and by its start; one that channels of a meter have in common comes once."""
        for _, channels in self.meters():
            together: dict[Gap, list[Series]] = {}
            for series in channels:
                for gap in series.gaps:
                    together.setdefault(gap, []).append(series)
            for gap in sorted(together, key=lambda gap: gap.start):
                yield MeterGap(gap=gap, series=tuple(together[gap]))

    def day_minutes(self, day: dt.date) -> int:
        """Give the length of a day on the clock: 1,380, 1,440 or 1,500 minutes."""
        return day_minutes(day, self.clock)
