"""What ``aiomar report`` says on a terminal: a verdict first, then tables and lists that end where they get long.

Ids come from files and from servers: whatever is not printable ASCII is escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from aiomar import SubmissionRecord, TimeType
from aiomar.cli._output import count
from aiomar.cli._tables import MOST_ROWS, Column, cut, drawn, more, offset
from aiomar.formats import zone
from aiomar.protocol import printable
from aiomar.report import Coverage, DayState, MeterGap, Problem, Series
from aiomar.report._verdict import extent_words, missing_words, other_faults

_T = TypeVar("_T")
_ALL = "--json gives all"
_MOST_WITH_VERBOSE = 10_000
_FEW = 10
"""Series that are all shown, also those with nothing to say."""
_LAST_IDS = 5
_OPTIONAL = ("duplicates", "conflicts", "estimated", "flagged")
"""Columns that are shown if there is anything in them."""
_TITLES = {"duplicates": "twice", "conflicts": "differing"}
_HOUR = 60
_A_YEAR = 2
"""Days of change that are named, which is what a year has."""


def verdict(coverage: Coverage) -> str:
    """Say in a line whether every interval is there, and if not, what is wrong."""
    wrong = list(other_faults(coverage))
    if not coverage.series:
        wrong.insert(0, "no interval is there")
    elif coverage.totals.missing:
        wrong.insert(0, missing_words(coverage))
    return f"{'; '.join(wrong) or 'every interval is there'}: {_extent(coverage)}"


def _extent(coverage: Coverage) -> str:
    words = [coverage.clock.value]
    changes = coverage.change_days
    words += [f"{coverage.day_minutes(day) // _HOUR} hours on {day}" for day in changes[:_A_YEAR]]
    if len(changes) > _A_YEAR:
        words.append(f"{len(changes)} days of change in all")
    span = "" if coverage.first_day is None else f", {coverage.first_day} to {coverage.last_day}"
    return f"{extent_words(coverage)}{span} ({'; '.join(words)})"


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
    odd = [series for series in coverage.series if not series.totals.full]
    beyond = sum(state is DayState.LONG for series in odd for state in series.states())
    if beyond:
        than = "was asked for" if coverage.catalogued else "the day has room for"
        yield f"on {count(beyond, 'day')} a channel has more than {than}"


def table(coverage: Coverage, *, everything: bool) -> Iterator[str]:
    """Show the series that have something to say; all of them where they are few."""
    few = everything or len(coverage.series) <= _FEW
    told = [series for series in coverage.series if few or not series.totals.full]
    if not told:
        return
    names = ["expected", "found", "missing", *(name for name in _OPTIONAL if getattr(coverage.totals, name))]
    columns = [Column("meter", folds=True)]
    columns += [Column(title, right=True) for title in ("ch", *(_TITLES.get(name, name) for name in names))]
    shown, rest = _cut(told, everything=everything)
    rows = [
        (printable(series.recorder_id), _channel(series), *(f"{getattr(series.totals, name):,}" for name in names))
        for series in shown
    ]
    yield drawn(columns, rows)
    yield from more(rest, "channel", _ALL)


def _channel(series: Series) -> str:
    return "-" if series.channel is None else str(series.channel)


def gaps(coverage: Coverage, *, everything: bool) -> Iterator[str]:
    """List the gaps, those that channels of a meter have in common once."""
    shown, rest = _cut(list(coverage.gaps()), everything=everything)
    if shown:
        yield f"missing, from the first to the end of the last interval, by the {coverage.clock.value} clock:"
    for missing in shown:
        yield f"  {_in_words(missing, coverage.clock)}"
    yield from more(rest, "gap", _ALL)


def _in_words(missing: MeterGap, clock: TimeType) -> str:
    gap = missing.gap
    numbers = ", ".join(str(series.channel) for series in missing.series if series.channel is not None)
    channels = f" ch {numbers}" if numbers else ""
    each = " each" if len(missing.series) > 1 else ""
    # The reason in full stands with the problems.
    reason = f", {gap.reason.partition(':')[0]}" if gap.reason else ""
    start, end = (instant.astimezone(zone(clock)) for instant in (gap.start, gap.end))
    until = f" {offset(end)}" if start.utcoffset() != end.utcoffset() else ""
    span = f"{start:%Y-%m-%d %H:%M} {offset(start)} to {end:%Y-%m-%d %H:%M}{until}"
    return f"{printable(missing.recorder_id)}{channels}  {span}  {gap.intervals:,}{each}{reason}"


def problems(coverage: Coverage, *, everything: bool) -> Iterator[str]:
    """List what could not be read or was not fetched."""
    shown, rest = _cut(coverage.problems, everything=everything)
    for problem in shown:
        yield problem.words if problem.gone else f"{_what(problem)}: {problem.words}"
    yield from more(rest, "problem", _ALL)


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
    return cut(items, _MOST_WITH_VERBOSE if everything else MOST_ROWS)
