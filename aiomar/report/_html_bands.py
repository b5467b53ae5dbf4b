"""Thousands of meters: a map of bands of them, and a map of the meters of each band behind its own heading.

In a band of a hundred meters something is not as expected on nearly every day, so the worst state would tell nothing.
A band shows which share of its intervals is missing, and by a line above it that there is something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

import attrs

from aiomar.report._coverage_values import Coverage, DayCoverage, DayState, Series, Totals
from aiomar.report._html_rows import (
    WORDS,
    Cell,
    figures_words,
    joined,
    legend_item,
    marks,
    meter_row,
    total,
)
from aiomar.report._html_text import number, text
from aiomar.report._svg_map import Columns, Row, Run, draw_map, shortened
from aiomar.report._verdict import counted

_SHARES = ((0.01, "up to 1 %"), (0.05, "up to 5 %"), (0.2, "up to 20 %"), (0.5, "up to 50 %"), (1.0, "more than 50 %"))
"""Share of a band's intervals that is missing, at most, and its name."""
_SIZES = (25, 50, 100, 200, 250, 500, 1_000, 2_000, 5_000, 10_000)
_TOLD = {DayState.NOT_ASKED, DayState.FULL, DayState.SHORT, DayState.MISSING}
"""States of which the share of missing intervals tells."""
_MOST_BANDS = 60
_OPEN = 3
"""Bands in trouble that are open from the beginning; more would be a page without an end."""


@attrs.frozen(kw_only=True)
class Band:
    """Meters that stand in one row, by the order of their ids.

    Args:
        number: of the band, from 1.
        meters: ids and channels.
    """

    number: int
    meters: Sequence[tuple[str, Sequence[Series]]]

    @property
    def name(self) -> str:
        """The first id and the last one."""
        first, last = shortened(self.meters[0][0]), shortened(self.meters[-1][0])
        return first if first == last else f"{first} – {last}"

    @property
    def channels(self) -> Iterator[Series]:
        """All series of the band."""
        return (series for _, channels in self.meters for series in channels)


def bands(coverage: Coverage) -> Iterator[Band]:
    """Cut the meters of a report into bands of a round number."""
    rows = coverage.meter_count + coverage.unread_groups
    size = next((size for size in _SIZES if size * _MOST_BANDS >= rows), _SIZES[-1])
    every = coverage.meters()
    place = 1
    while some := list(islice(every, size)):
        yield Band(number=place, meters=some)
        place += 1


def draw_bands(coverage: Coverage, grid: Columns) -> Iterator[str]:
    """Draw the overview, and behind it every band with its meters."""
    every = list(bands(coverage))
    rows = (_band_row(band, grid) for band in every)
    about = "One row for each band of meters, one column for each day; the tables below tell the same in numbers."
    yield f"<h3>Overview: {counted(len(every), 'band')} of {number(len(every[0].meters))} meters</h3>\n"
    yield from _legend()
    yield from draw_map(rows, grid, name="overview", title="Share of missing intervals by band and day", about=about)
    yield "<h3>Every meter, band by band</h3>\n"
    yield '<p class="dim">A day shows the worst state of the channels of a meter. A band with something to look at is '
    yield f"open, up to {_OPEN} of them.</p>\n"
    opened = 0
    for band in every:
        figures = total(series.totals for series in band.channels)
        trouble, copied = _troubled(band)
        opened += bool(trouble)
        yield f'<details id="band-{band.number}"{" open" if trouble and opened <= _OPEN else ""}><summary>'
        yield f"<b>{text(band.name)}</b>: {counted(len(band.meters), 'meter')}, {_verdict(figures, trouble, copied)}"
        yield "</summary>\n"
        rows = (meter_row(recorder_id, channels, grid) for recorder_id, channels in band.meters)
        title = f"Meters {band.name} by day"
        yield from draw_map(rows, grid, name=f"map-{band.number}", title=title, about=figures_words(figures))
        yield "</details>\n"


def _verdict(figures: Totals, trouble: int, copied: int) -> str:
    said = [f'<span class="bad">{number(trouble)} to look at</span>'] if trouble else []
    said += [f"{number(copied)} with copies"] if copied else []
    return ", ".join([*(said or ['<span class="good">full</span>']), figures_words(figures)])


def _troubled(band: Band) -> tuple[int, int]:
    """Count the meters with something to look at, and those of which some intervals came twice, and that is all."""
    trouble = copied = 0
    for _, channels in band.meters:
        if not all(series.totals.full for series in channels):
            figures = total(series.totals for series in channels)
            only_copies = attrs.evolve(figures, duplicates=0).full
            trouble, copied = trouble + (not only_copies), copied + only_copies
    return trouble, copied


def _band_row(band: Band, grid: Columns) -> Row:
    figures = total(series.totals for series in band.channels)
    return Row(
        label=band.name,
        note="",
        words=f"{band.name}, {counted(len(band.meters), 'meter')}: {figures_words(figures)}",
        runs=_band_runs(band, grid),
        link=f"band-{band.number}",
    )


def _band_runs(band: Band, grid: Columns) -> Iterator[Run]:
    """Add up a band day by day; only days with a mark become cells."""
    by_day: dict[int, list[DayCoverage]] = {}
    due = [0] * grid.count
    count = 0
    for series in band.channels:
        count += 1
        for index, day in marks(series, grid).items():
            by_day.setdefault(index, []).append(day)
        due = grid.added(due, series.first_day, series.expected)
    cells = (_band_cell(index, due[index], marked, count) for index, marked in sorted(by_day.items()))
    yield from joined(cells, grid)  # a generator: one band is held at a time


def _band_cell(index: int, due: int, marked: Sequence[DayCoverage], count: int) -> Cell:
    states = Counter(day.state for day in marked)
    if states[DayState.NOT_ASKED] == count:
        return Cell(index, DayState.NOT_ASKED.value, WORDS[DayState.NOT_ASKED], Totals())
    figures = attrs.evolve(total(marked), expected=due)
    figures = attrs.evolve(figures, found=due - figures.missing)
    level = next((place for place, (most, _) in enumerate(_SHARES, 1) if figures.missing <= most * due), len(_SHARES))
    level = level if figures.missing else 0
    odd = [WORDS[state] for state in DayState if states[state] and state not in _TOLD]
    share_words = f"{_SHARES[level - 1][1]} missing" if level else "none missing"
    return Cell(index, f"q{level}{'o' if odd else ''}", ", ".join([share_words, *odd]), figures)


def _legend() -> Iterator[str]:
    yield '<ul class="legend" aria-label="Legend of the overview">'
    yield legend_item("full", "nothing missing")
    for place, (_, words) in enumerate(_SHARES, 1):
        yield legend_item(f"q{place}", f"{words} of the intervals missing")
    yield legend_item("q0o", "a line on top: something else, such as duplicates")
    yield "</ul>\n"
