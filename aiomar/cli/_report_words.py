"""What ``aiomar report`` says on a terminal: a verdict first, then tables and lists that end where they get long.

Ids come from files and from servers: whatever is not printable ASCII is escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

import attrs
from rich import box
from rich.console import Console
from rich.table import Table

from aiomar import SubmissionRecord, TimeType
from aiomar.cli._output import count
from aiomar.cli._upload import drawn
from aiomar.formats import zone
from aiomar.protocol import printable
from aiomar.report import Coverage, DayState, Gap, Problem, Series, Totals

_T = TypeVar("_T")
_MOST_ROWS = 20
"""Rows of the table and lines of the lists that are shown."""
_MOST_WITH_VERBOSE = 10_000
_FEW = 10
"""Series that are all shown, also those with nothing to say."""
_WIDE = 400
"""Characters a line where there is no terminal: nothing is shortened or wrapped."""
_LAST_IDS = 5
_OPTIONAL = ("duplicates", "conflicts", "estimated", "flagged")
"""Columns that are shown if there is anything in them."""
_TITLES = {"duplicates": "twice", "conflicts": "differing"}
_HOURS = 60


def verdict(coverage: Coverage) -> str:
    """Say in a line whether every interval is there."""
    totals, files = coverage.totals, sum(problem.path is not None for problem in coverage.problems)
    wrong = []
    if totals.conflicts:
        wrong.append(f"{totals.conflicts:,} differ between their copies")
    if files:
        wrong.append(f"{count(files, 'file')} cannot be read")
    if totals.missing:
        wrong.insert(0, f"{totals.missing:,} of {count(totals.expected, 'interval')} are missing")
    elif coverage.series:
        wrong[:1] = [f"every interval is there, but {wrong[0]}" if wrong else "every interval is there"]
    else:
        wrong.insert(0, "no interval is there")
    return f"{', '.join(wrong)}: {_extent(coverage)}"


def _extent(coverage: Coverage) -> str:
    meters = len({series.recorder_id for series in coverage.series})
    channels = sum(series.channel is not None for series in coverage.series)
    days = [f"{coverage.day_minutes(day) // _HOURS} hours on {day}" for day in coverage.change_days[:2]] + [
        f"{len(coverage.change_days)} days of change in all"
    ] * (len(coverage.change_days) > 2)  # noqa: PLR2004 - a year
    clock = "; ".join([coverage.clock.value, *days])
    span = "" if coverage.first_day is None else f", {coverage.first_day} to {coverage.last_day}"
    return f"{count(meters, 'meter')}, {count(channels, 'channel')}{span} ({clock})"


def remarks(coverage: Coverage) -> Iterator[str]:
    """Say what else there is to know of the intervals that are there."""
    totals = coverage.totals
    noted = (
        (totals.flagged, "marked as missing by the file itself, or without a value"),
        (totals.estimated, "marked as estimated"),
        (totals.duplicates - totals.conflicts, "there more than once, with the same value"),
    )
    if told := ", ".join(f"{number:,} {what}" for number, what in noted if number):
        yield f"of the {count(totals.found, 'interval')} found: {told}"
    beyond = sum(state is DayState.LONG for series in coverage.series for state in series.states())
    if beyond:
        yield f"on {count(beyond, 'day')} a channel has more than was asked for"


def table(coverage: Coverage, *, everything: bool) -> Iterator[str]:
    """Show the series that have something to say; all of them where they are few."""
    few = everything or len(coverage.series) <= _FEW
    told = [series for series in coverage.series if few or _speaks(series.totals)]
    if not told:
        return
    names = ["expected", "found", "missing", *(name for name in _OPTIONAL if getattr(coverage.totals, name))]
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("meter", overflow="fold")
    for title in ("ch", *(_TITLES.get(name, name) for name in names)):
        made.add_column(title, justify="right", no_wrap=True)
    shown, rest = _cut(told, everything=everything)
    for series in shown:
        channel = "-" if series.channel is None else str(series.channel)
        numbers = (f"{getattr(series.totals, name):,}" for name in names)
        made.add_row(printable(series.recorder_id), channel, *numbers)
    yield drawn(console, made)
    yield from _more(rest, "channel")


def _speaks(totals: Totals) -> bool:
    return totals != Totals(expected=totals.found, found=totals.found)


@attrs.frozen
class _Hole:
    """A gap, as several channels of a meter have it."""

    recorder_id: str
    channels: tuple[int | None, ...]
    gap: Gap


def gaps(coverage: Coverage, *, everything: bool) -> Iterator[str]:
    """List the gaps, those that channels of a meter have in common once."""
    holes = [hole for _, some in groupby(coverage.series, _recorder) for hole in _holes(some)]
    shown, rest = _cut(holes, everything=everything)
    if shown:
        yield f"missing, from the first to the end of the last interval, by the {coverage.clock.value} clock:"
    for hole in shown:
        yield f"  {_in_words(hole, coverage.clock)}"
    yield from _more(rest, "gap")


def _recorder(series: Series) -> str:
    return series.recorder_id


def _holes(series: Iterable[Series]) -> Iterator[_Hole]:
    channels: dict[Gap, list[int | None]] = {}
    recorder_id = ""
    for one in series:
        recorder_id = one.recorder_id
        for gap in one.gaps:
            channels.setdefault(gap, []).append(one.channel)
    for gap in sorted(channels, key=lambda gap: gap.start):
        yield _Hole(recorder_id, tuple(channels[gap]), gap)


def _in_words(hole: _Hole, clock: TimeType) -> str:
    gap = hole.gap
    numbers = ", ".join(str(number) for number in hole.channels if number is not None)
    channels = f" ch {numbers}" if numbers else ""
    each = " each" if len(hole.channels) > 1 else ""
    # The reason in full stands with the problems.
    reason = f", {gap.reason.partition(':')[0]}" if gap.reason else ""
    start, end = (instant.astimezone(zone(clock)) for instant in (gap.start, gap.end))
    until = end if start.utcoffset() != end.utcoffset() else end.replace(tzinfo=None)
    span = f"{start.isoformat(' ', 'minutes')} to {until.isoformat(' ', 'minutes')}"
    return f"{printable(hole.recorder_id)}{channels}  {span}  {gap.intervals:,}{each}{reason}"


def problems(coverage: Coverage, *, everything: bool) -> Iterator[str]:
    """List what could not be read or was not fetched."""
    shown, rest = _cut(coverage.problems, everything=everything)
    for problem in shown:
        yield f"{_what(problem)}: {problem.words}"
    yield from _more(rest, "problem")


def _what(problem: Problem) -> str:
    if problem.path is not None:
        return "unreadable"
    chosen = problem.selection
    which = (
        "a download" if chosen is None else f"{chosen.kind} {printable(chosen.id)}, {problem.start} to {problem.end}"
    )
    return f"not fetched: {which}"


def submissions(records: Sequence[SubmissionRecord]) -> Iterator[str]:
    """Say how many submissions are in which state, and the last file ids."""
    if not records:
        return
    states = Counter(record.state.value.replace("_", " ") for record in records)
    told = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    ids = [printable(record.file_id) for record in records if record.file_id is not None][-_LAST_IDS:]
    last = f"; last file ids {', '.join(ids)}" if ids else ""
    yield f"{count(len(records), 'submission')}: {told}{last}"


def _cut(items: Sequence[_T], *, everything: bool) -> tuple[Sequence[_T], int]:
    most = _MOST_WITH_VERBOSE if everything else _MOST_ROWS
    return items[:most], max(len(items) - most, 0)


def _more(number: int, thing: str) -> Iterator[str]:
    if number:
        yield f"and {count(number, f'more {thing}')} (--json gives all)"
