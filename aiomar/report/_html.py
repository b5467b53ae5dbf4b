"""One HTML file that shows whether every interval is there.

The page is made as a stream of pieces, top to bottom, and nothing but the coverage itself is held: a year of 5,000
meters takes no more memory than one meter.  It has no script, asks for nothing, and opens from a disk.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from aiomar._beside import new_file
from aiomar._types import PathLike
from aiomar.errors import UsageError
from aiomar.report._coverage_values import Coverage, DayState
from aiomar.report._html_bands import draw_bands
from aiomar.report._html_lists import gap_list, problem_list, series_list, submission_list
from aiomar.report._html_rows import WORDS, legend_item, series_row
from aiomar.report._html_style import CELL, patterns, policy, style_sheet
from aiomar.report._html_text import clock_words, days, number, on_clock, sentence_list, share, text
from aiomar.report._page_file import BEGINNING, check_page
from aiomar.report._profile import LoadProfile
from aiomar.report._svg_map import Columns, Row, draw_map
from aiomar.report._svg_profile import draw_profile
from aiomar.report._verdict import counted, extent_words, missing_words, other_faults
from aiomar.submissions import SubmissionRecord

MOST_ROWS = 120
"""Up to so many channels each has a row of its own; more are shown in bands of meters."""
MOST_DAYS = 3_660
"""Days that a map shows, ten years."""
_GATHERED = 1 << 16
"""Characters that are written at once."""


def write_html(
    target: PathLike,
    coverage: Coverage,
    *,
    submissions: Iterable[SubmissionRecord] = (),
    profile: LoadProfile | None = None,
    made_at: dt.datetime,
    overwrite: bool = True,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write a report that a browser opens, as one file that needs no other.  Blocks.

    It shows no values, unless a profile is given.

    Args:
        target: where to write it; it appears there whole or not at all, and only in the place of an earlier page.
        coverage: what is there and what is not.
        submissions: of a ledger, in any order.
        profile: the load of a meter, to be drawn too.
        made_at: when the report is made; aware.
        overwrite: whether a page that is there already may be replaced; anything else never is.
        progress: told the bytes that were written; what it raises ends the writing, and nothing appears.

    Raises:
        DestinationError: the path cannot be written, or there is something already that may not be replaced.
        DiskError: the disk is full or broken.
        UsageError: `made_at` is not aware.
    """
    if made_at.tzinfo is None:
        raise UsageError("made_at has no time zone: give an aware time, such as datetime.now(UTC)")
    check_page(Path(target))
    with new_file(Path(target), overwrite=overwrite) as write:
        for part in _gathered(_page(coverage, submissions, profile, made_at)):
            write(part)
            if progress is not None:
                progress(len(part))


def _gathered(pieces: Iterable[str]) -> Iterator[bytes]:
    """Put pieces together, so that not every one of a million is written by itself."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _GATHERED:
            yield "".join(held).encode()
            held, size = [], 0
    yield "".join(held).encode()


def _page(
    coverage: Coverage, submissions: Iterable[SubmissionRecord], profile: LoadProfile | None, made_at: dt.datetime
) -> Iterator[str]:
    name = text(coverage.directory.absolute().name or coverage.directory)
    yield from _head(f"{name}: coverage of meter data")
    yield f'<p class="kind">Coverage of meter data in {text(coverage.directory)}</p>\n'
    yield from _verdict(coverage)
    yield from _facts(coverage, made_at)
    yield from _map(coverage)
    if coverage.series:
        yield "<h2>Gaps</h2>\n"
        yield from gap_list(coverage)
    if coverage.problems:
        yield '<h2 id="problems">Problems</h2>\n'
        yield from problem_list(coverage)
    if coverage.series:
        yield "<h2>In numbers</h2>\n"
        yield from series_list(coverage)
    yield from submission_list(submissions, coverage.clock)
    if profile is not None:
        yield from draw_profile(profile)
    yield f"<footer>Made by aiomar {text(version('aiomar'))}. This file needs no other, and asks nobody for anything."
    yield "</footer>\n</main></body></html>\n"


def _head(title: str) -> Iterator[str]:
    sheet = style_sheet()
    yield f'{BEGINNING}{text(version("aiomar"))}">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy(sheet)}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">\n'
    yield f"<title>{title}</title>\n<style>{sheet}</style></head>\n<body>{patterns()}<main>\n"


def _verdict(coverage: Coverage) -> Iterator[str]:
    """Say in words whether everything is there, and what else there is to know."""
    good = coverage.complete
    yield f'<div class="verdict{" good" if good else ""}"><h1>{_headline(coverage)}</h1>\n'
    for sentence in _remarks(coverage):
        yield f"<p>{sentence}</p>\n"
    yield "</div>\n"


def _headline(coverage: Coverage) -> str:
    if not coverage.series:
        return "Nothing to show: no file with intervals was read"
    where = counted(coverage.meter_count, "meter")
    if coverage.complete:
        return f"Complete: all {number(coverage.totals.expected)} intervals of {where} are there"
    faults = list(other_faults(coverage))
    if coverage.totals.missing:
        missed = sum(
            any(series.totals.missing and not series.group for series in channels) for _, channels in coverage.meters()
        )
        at = f", at {number(missed)} of {where}" if missed else ""
        lost = share(coverage.totals.missing, coverage.totals.expected)
        faults.insert(0, f"Not complete: {missing_words(coverage)} ({lost}){at}")
    return "; ".join(faults)


def _remarks(coverage: Coverage) -> Iterator[str]:
    if coverage.problems:
        failed = counted(len(coverage.problems), "file or request", "files or requests")
        yield f'{failed} failed: see <a href="#problems">Problems</a>.'

    figures = coverage.totals
    odd = {
        "came more than once": figures.duplicates,
        "have copies that differ": figures.conflicts,
        "are marked as estimated": figures.estimated,
        "are marked as missing by the files themselves": figures.flagged,
    }
    parts = [f"{number(count)} {words}" for words, count in odd.items() if count]
    if parts:
        yield f"Of the intervals that are there {sentence_list(parts)}."
    if coverage.series and not coverage.catalogued:
        yield (
            "No catalogue tells what was asked for: every channel is expected on every day between the first and the "
            "last that any file has."
        )
    if coverage.left_out_words:
        yield f"Not looked at: {text(coverage.left_out_words)}."


def _facts(coverage: Coverage, made_at: dt.datetime) -> Iterator[str]:
    figures = coverage.totals
    span = days(coverage.first_day, coverage.last_day) if coverage.first_day and coverage.last_day else "none"
    facts = {
        "Days": span,
        "There are": extent_words(coverage),
        "Intervals expected": number(figures.expected),
        "Intervals found": number(figures.found),
        "Intervals missing": f"{number(figures.missing)} ({share(figures.missing, figures.expected)})",
        "Files read": f"{number(coverage.files)} {coverage.file_format.value}",
        "Clock": clock_words(coverage.clock),
        "Made": on_clock(made_at, coverage.clock),
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    yield f'<dl class="facts">{cells}</dl>\n'


def _map(coverage: Coverage) -> Iterator[str]:
    if not coverage.series or coverage.first_day is None or coverage.last_day is None:
        return
    grid = _grid(coverage, coverage.first_day, coverage.last_day)
    yield "<h2>Day by day</h2>\n"
    yield from _legend(grid)
    if grid.first != coverage.first_day:
        yield f'<p class="dim">The map shows the last {number(MOST_DAYS)} days; the lists below know all.</p>\n'
    if len(coverage.series) > MOST_ROWS:
        yield from draw_bands(coverage, grid)
        return
    about = "One row for each channel, one column for each day; the tables below tell the same in numbers."
    yield from draw_map(_rows(coverage, grid), grid, name="map", title="Coverage by channel and day", about=about)


def _rows(coverage: Coverage, grid: Columns) -> Iterator[Row]:
    for _, channels in coverage.meters():
        for series in channels:
            yield series_row(series, grid, first=series is channels[0])


def _grid(coverage: Coverage, first: dt.date, last: dt.date) -> Columns:
    first = max(first, last - dt.timedelta(days=MOST_DAYS - 1))
    changes = tuple((day, coverage.day_minutes(day)) for day in coverage.change_days if day >= first)
    return Columns(first=first, count=(last - first).days + 1, changes=changes)


def _legend(grid: Columns) -> Iterator[str]:
    yield '<ul class="legend" aria-label="Legend">'
    yield from (legend_item(state.value, WORDS[state]) for state in DayState)
    for day, minutes in grid.changes:
        mark = f'<path class="mark" d="M3.5 0V{CELL}M10.5 0V{CELL}"/>'
        yield f'<li><svg width="{CELL}" height="{CELL}" aria-hidden="true">{mark}</svg>'
        yield f"{day}: clock change, {minutes // 60} hours</li>"
    yield "</ul>\n"
