"""The lists of the page: gaps, problems, series in numbers, submissions.  Each has an end, and says what it left."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from aiomar.protocol import TimeType
from aiomar.report._coverage_values import Coverage, MeterGap, Problem, Series
from aiomar.report._html_rows import channel_words
from aiomar.report._html_text import days, number, on_clock, share, table, text
from aiomar.report._verdict import counted
from aiomar.submissions import SubmissionRecord, SubmissionState

MOST_GAPS = 300
MOST_PROBLEMS = 200
MOST_SERIES = 150
MOST_SUBMISSIONS = 200
_SHORT_HASH = 12
_STATES = {
    SubmissionState.SENDING: "… being sent",
    SubmissionState.ACCEPTED: "✓ accepted",
    SubmissionState.REJECTED: "✕ rejected",
    SubmissionState.UNKNOWN: "? unknown",
    SubmissionState.NOT_SENT: "○ not sent",
}
_TAKEN = frozenset({SubmissionState.ACCEPTED, SubmissionState.SENDING})


def gap_list(coverage: Coverage) -> Iterator[str]:
    """List the gaps, the longest first, with what explains them."""
    total = sum(1 for _ in coverage.gaps())
    if not total:
        yield "<p>No interval is missing.</p>\n"
        return
    shown = heapq.nsmallest(MOST_GAPS, coverage.gaps(), key=_longest_first)
    heads = ("Meter", "Channel", "From", "To", "Intervals", "Why")
    caption = f"{counted(total, 'gap')}, the longest first; times on the {coverage.clock.value} clock"
    yield from table(caption, heads, (_gap_row(gap, coverage.clock) for gap in shown), numeric=frozenset({4}))
    yield from _left(total - len(shown), "gap", _report_on(coverage))


def _longest_first(missing: MeterGap) -> tuple[int, str, dt.datetime]:
    return -missing.gap.intervals * len(missing.series), missing.recorder_id, missing.gap.start


def _gap_row(missing: MeterGap, clock: TimeType) -> Sequence[str]:
    gap = missing.gap
    several = f"{counted(len(missing.series), 'channel')} × " if len(missing.series) > 1 else ""
    return (
        text(missing.recorder_id),
        text(", ".join(map(channel_words, missing.series))),
        _time(gap.start, clock),
        _time(gap.end, clock),
        several + number(gap.intervals),
        _wide(gap.reason or "not known"),
    )


def problem_list(coverage: Coverage) -> Iterator[str]:
    """List the files that are gone or cannot be read, and the downloads that failed."""
    problems = coverage.problems
    rows = (
        (
            text(_below(coverage, problem.path) if problem.path else _asked(problem)),
            days(problem.start, problem.end) if problem.start and problem.end else "",
            _wide(problem.words),
        )
        for problem in problems[:MOST_PROBLEMS]
    )
    heads = ("File or request", "Days", "What happened")
    caption = "Files that are gone or cannot be read, and downloads that failed"
    yield from table(caption, heads, rows, numeric=frozenset())
    yield from _left(len(problems) - MOST_PROBLEMS, "problem", _report_on(coverage))


def _below(coverage: Coverage, path: Path) -> str:
    """Name a file by its way from the directory: of a cluster's files it is in one of those below."""
    return path.relative_to(coverage.directory).as_posix() if path.is_relative_to(coverage.directory) else path.name


def _asked(problem: Problem) -> str:
    return f"{problem.selection.kind} {problem.selection.id}" if problem.selection else ""


def series_list(coverage: Coverage) -> Iterator[str]:
    """List the series in numbers: all where they are few, otherwise those that miss most."""
    few = len(coverage.series) <= MOST_SERIES
    odd = [one for one in coverage.series if few or not one.totals.full]
    shown = odd if few else heapq.nsmallest(MOST_SERIES, odd, key=_worst_first)
    if not shown:
        yield "<p>Every channel is full.</p>\n"
        return
    caption = "Every channel in numbers of intervals" if few else "Channels that are not full, the worst first"
    heads = (
        "Meter",
        "Channel",
        "Label",
        "Days",
        "Expected",
        "Found",
        "Missing",
        "Share",
        "Twice",
        "Differ",
        "Estimated",
        "Marked missing",
    )
    yield from table(caption, heads, map(_series_row, shown), numeric=frozenset(range(4, 12)))
    yield from _left(len(odd) - len(shown), "channel", _report_on(coverage))


def _series_row(series: Series) -> Sequence[str]:
    figures = series.totals
    missing = number(figures.missing)
    return (
        text(series.recorder_id),
        text(channel_words(series)),
        text(series.label),
        days(series.first_day, series.last_day),
        number(figures.expected),
        number(figures.found),
        f'<span class="bad">{missing}</span>' if figures.missing else missing,
        share(figures.missing, figures.expected),
        number(figures.duplicates),
        number(figures.conflicts),
        number(figures.estimated),
        number(figures.flagged),
    )


def _worst_first(series: Series) -> tuple[int, int]:
    return -series.totals.missing, -series.totals.conflicts


def submission_list(submissions: Iterable[SubmissionRecord], clock: TimeType) -> Iterator[str]:
    """List what was submitted, the newest first; nothing where nothing was."""
    count = 0
    newest: list[tuple[dt.datetime, int, SubmissionRecord]] = []
    for count, record in enumerate(submissions, 1):
        item = (record.submitted_at, count, record)
        (heapq.heappush if len(newest) < MOST_SUBMISSIONS else heapq.heappushpop)(newest, item)
    if not newest:
        return
    rows = (_submission_row(record, clock) for *_, record in sorted(newest, reverse=True, key=lambda item: item[:2]))
    heads = ("Submitted", "State", "File id", "Name", "Bytes", "SHA-256", "Why")
    yield "<h2>Submissions</h2>\n"
    caption = f"{counted(count, 'submission')} in the ledger, the newest first"
    yield from table(caption, heads, rows, numeric=frozenset({4}))
    yield from _left(count - len(newest), "submission", "aiomar submissions list --json")


def _submission_row(record: SubmissionRecord, clock: TimeType) -> Sequence[str]:
    state = _STATES[record.state]
    return (
        _time(record.submitted_at, clock),
        state if record.state in _TAKEN else f'<span class="bad">{state}</span>',
        text(record.file_id or ""),
        _wide(record.name),
        number(record.size),
        f'<code title="{text(record.sha256)}">{text(record.sha256[:_SHORT_HASH])}…</code>',
        _wide(record.reason or ""),
    )


def _report_on(coverage: Coverage) -> str:
    return f"aiomar report {coverage.directory} --json"


def _left(count: int, thing: str, command: str) -> Iterator[str]:
    """Say how many more there are, and what shows them."""
    if count > 0:
        verb = "is" if count == 1 else "are"
        more = counted(count, f"more {thing}")
        yield f'<p class="dim">{more} {verb} not shown here. All of them: <code>{text(command)}</code></p>\n'


def _time(instant: dt.datetime, clock: TimeType) -> str:
    shown = on_clock(instant, clock)
    return f'<time datetime="{instant.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}">{shown}</time>'


def _wide(words: str) -> str:
    return f'<span class="wide">{text(words)}</span>' if words else ""
