"""Maps of rows by days: the axis, the rows, and the labels that stay in sight while a map scrolls sideways.

A row is drawn as one rectangle for a full row, and on it one for every run of equal days that are not: a complete year
of 5,000 meters is 5,000 rectangles.  Sizes are in pixels and nothing is scaled, so that no text gets too small; what is
wider than the page scrolls inside its box.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from operator import add

import attrs

from aiomar.report._html_style import AXIS, CELL, ROW
from aiomar.report._html_text import text

_WIDEST = 1_020
"""Pixels for the days of a map that fits a desktop page beside its labels."""
_CELL_WIDTHS = (3, 24)
_BETWEEN_METERS = 6
_DAY = dt.timedelta(days=1)
_DECEMBER = 12
_NEXT_FIRST = 32
"""Stands for the first of the month that follows."""
_LONGEST = 18
"""Characters of a label; what tells ids apart is mostly at their ends."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_TEXT, _YEAR_TEXT, _DAY_TEXT = 28, 60, 20
"""Pixels that a month, a month with its year, and the number of a day take."""
_MONTH_LINE, _DAY_LINE, _CHANGE_LINE = 13, 29, 45
"""Where the lines of text stand in the axis."""


@attrs.frozen
class Run:
    """Days of a row, one after the other, that look alike.

    Args:
        begin: the first day, counted from the first one of the map.
        end: the day behind the last.
        kind: how they look; a class of the style sheet.
        words: what shows when somebody points at them.
    """

    begin: int
    end: int
    kind: str
    words: str


@attrs.frozen(kw_only=True)
class Row:
    """One row of a map.

    Args:
        label: its name, foreign text.
        note: what comes behind the name and is never cut.
        words: what shows when somebody points at it.
        runs: everything in it that is not full.
        first: whether it begins a new group of rows.
        again: whether the row above has the same name.
        link: a place on the page that tells more.
    """

    label: str
    note: str
    words: str
    runs: Iterable[Run]
    first: bool = False
    again: bool = False
    link: str | None = None


@attrs.frozen(kw_only=True)
class Columns:
    """The days of a map, from left to right.

    Args:
        first: the first one.
        count: how many.
        changes: those that have 23 or 25 hours, with their number of minutes.
    """

    first: dt.date
    count: int
    changes: tuple[tuple[dt.date, int], ...]

    @property
    def cell(self) -> int:
        """How many pixels a day is wide."""
        least, most = _CELL_WIDTHS
        return max(least, min(most, _WIDEST // self.count))

    @property
    def width(self) -> int:
        """How many pixels all days are wide."""
        return self.cell * self.count

    def day(self, index: int) -> dt.date:
        """Give a day by its place."""
        return self.first + index * _DAY

    def added(self, sums: Sequence[int], first: dt.date, figures: Sequence[int]) -> list[int]:
        """Add figures of days in a row, the first of which is named, to those of the map; what is beside it is not."""
        shift = (first - self.first).days
        before = max(0, shift)
        there = figures[max(0, -shift) : max(0, self.count - shift)]
        end = before + len(there)
        return [*sums[:before], *map(add, sums[before:end], there), *sums[end:]]

    def x(self, day: dt.date) -> int:
        """Say where a day begins."""
        return (day - self.first).days * self.cell


def draw_map(rows: Iterable[Row], days: Columns, *, name: str, title: str, about: str) -> Iterator[str]:
    """Draw a map with its labels.

    Args:
        rows: from the top; the labels of all are held, the runs of one at a time.
        days: from left to right.
        name: of the map on the page, unlike that of any other.
        title: what it shows, in a few words.
        about: the same in a sentence, for those who cannot see it.
    """
    rows = list(rows)
    yield f'<div class="box map" tabindex="0" role="region" aria-label="{text(title)}"><ul class="labels">'
    yield from map(_label, rows)
    yield "</ul>"
    height = AXIS + ROW * len(rows) + _BETWEEN_METERS * sum(row.first for row in rows) + 2
    # Room at the right for what is written over the last day.
    width = max(days.width, _YEAR_TEXT) + _DAY_TEXT
    yield (
        f'<svg width="{width}" height="{height}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{text(title)}</title><desc id="{name}-d">{text(about)}</desc>\n'
    )
    yield from _axis(days)
    y = AXIS
    for row in rows:
        y += _BETWEEN_METERS * row.first
        yield from _row(row, days, y)
        y += ROW
    yield from _lines(days, height)
    yield "</svg></div>\n"


def _label(row: Row) -> str:
    name = text(shortened(row.label))
    again = ' class="again"' if row.again else ""
    shown = f'<a href="#{row.link}">{name}</a>' if row.link else f"<b{again}>{name}</b>"
    note = f"<span>{text(row.note)}</span>" if row.note else ""
    apart = ' class="first"' if row.first else ""
    return f'<li title="{text(row.words)}"{apart}>{shown}{note}</li>'


def shortened(label: str) -> str:
    """Leave out the middle of a long label."""
    half = (_LONGEST - 1) // 2
    return label if len(label) <= _LONGEST else f"{label[:half]}…{label[-half:]}"


def _row(row: Row, days: Columns, y: int) -> Iterator[str]:
    yield (
        f'<g class="row" transform="translate(0 {y})"><title>{text(row.words)}</title>'
        f'<rect class="full" width="{days.width}" height="{CELL}"/>'
    )
    for run in row.runs:
        x, width = run.begin * days.cell, (run.end - run.begin) * days.cell
        yield (
            f'<rect class="{run.kind}" x="{x}" width="{width}" height="{CELL}"><title>{text(run.words)}</title></rect>'
        )
    yield "</g>\n"


def _axis(days: Columns) -> Iterator[str]:
    """Write months, days where there is room, and the days that have 23 or 25 hours."""
    months = list(_months(days))
    for (x, month), (behind, _) in zip(months, [*months[1:], (days.width + _DAY_TEXT, days.first)], strict=True):
        # The first month names its year too, and so does every January; a month with no room has no name.
        with_year = x == months[0][0] or month.month == 1
        room = behind - x if len(months) > 1 else _YEAR_TEXT
        if room >= (_YEAR_TEXT if with_year else _MONTH_TEXT):
            year = f" {month.year}" if with_year else ""
            yield f'<text class="strong" x="{x + 1}" y="{_MONTH_LINE}">{_MONTHS[month.month - 1]}{year}</text>'
    step = next((step for step in (1, 2, 7, 15) if step * days.cell >= _DAY_TEXT), _NEXT_FIRST)
    for index in range(days.count):
        day = days.day(index)
        if (day.day - 1) % step == 0 and (step == 1 or day.day + step <= _NEXT_FIRST):
            yield f'<text x="{index * days.cell + 1}" y="{_DAY_LINE}">{day.day}</text>'
    for day, minutes in days.changes:
        yield f'<text class="change" x="{days.x(day)}" y="{_CHANGE_LINE}">{minutes // 60} h</text>'


def _months(days: Columns) -> Iterator[tuple[int, dt.date]]:
    """Give every month of the map, and where it begins to show."""
    day, last = days.first, days.day(days.count - 1)
    while day <= last:
        yield days.x(day), day
        years, month = divmod(day.month, _DECEMBER)
        day = day.replace(year=day.year + years, month=month + 1, day=1)


def _lines(days: Columns, height: int) -> Iterator[str]:
    """Draw the beginnings of months, and both sides of the days of change, over all rows."""
    for x, day in list(_months(days))[1:]:
        yield f'<path class="month" d="M{x} {AXIS}V{height}"><title>{day:%Y-%m}</title></path>'
    for day, minutes in days.changes:
        x = days.x(day)
        yield (
            f'<path class="mark" d="M{x}.5 {AXIS - 5}V{height}M{x + days.cell}.5 {AXIS - 5}V{height}">'
            f"<title>{day}: the clocks change, {minutes // 60} hours</title></path>"
        )
