"""From coverage to rows of a map: what of a meter's days is not full, and how bands of many meters look.

Nearly all days are full, so nothing is made for those: `marks` finds the others, and only they become values with
a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, count, groupby
from operator import ne, not_

import attrs

from aiomar.formats._layout import UNITS
from aiomar.report._coverage_values import DayCoverage, DayState, Series, Totals
from aiomar.report._html_style import CELL
from aiomar.report._html_text import days
from aiomar.report._svg_map import Columns, Row, Run
from aiomar.report._verdict import counted

WORDS = {
    DayState.NOT_ASKED: "not asked for",
    DayState.FULL: "full",
    DayState.ESTIMATED: "some values estimated",
    DayState.DUPLICATE: "some intervals twice",
    DayState.LONG: "more than expected",
    DayState.FLAGGED: "marked as missing by the file",
    DayState.SHORT: "some intervals missing",
    DayState.MISSING: "all intervals missing",
    DayState.CONFLICT: "copies that differ",
}
_RANK = {state: rank for rank, state in enumerate(DayState)}

Marks = dict[int, DayCoverage]
"""Day, counted from the first one of the map → its coverage, for every day that is not plainly full."""


@attrs.frozen
class Cell:
    """A day of a row that is not full.

    Args:
        index: of the day, from the first one of the map.
        kind: how it looks; a class of the style sheet.
        name: of its state.
        figures: of its intervals.
    """

    index: int
    kind: str
    name: str
    figures: Totals


def unit(code: str | None) -> str:
    """Name a unit; a code that nobody explained, or the word of a CSV file, stays as it stands."""
    return UNITS.get(code, f"unit {code}" if code.isdigit() else code) if code else ""


def channel_words(series: Series) -> str:
    """Name a channel and what it measures."""
    if series.channel is None:
        return "none read"
    return " ".join(filter(None, [f"{series.channel}", unit(series.unit_code)]))


def marks(series: Series, grid: Columns) -> Marks:
    """Find the days of a series that are not plainly full, those of the map that it does not reach among them."""
    shift = (series.first_day - grid.first).days
    reached = range(max(0, shift), min(grid.count, shift + len(series)))
    beside = chain(range(min(reached.start, grid.count)), range(max(reached.stop, 0), grid.count))
    found = {index: DayCoverage(day=grid.day(index)) for index in beside}
    for place in _suspects(series):
        day = series.day(place)
        if day.state is not DayState.FULL and place + shift in reached:
            found[place + shift] = day
    return found


def _suspects(series: Series) -> set[int]:
    """Name the days that may be other than full, without a Python loop over those that are."""
    odd = (series.missing, series.duplicates, series.conflicts, series.estimated, series.flagged)
    differs = map(ne, series.expected, series.found)
    return set[int]().union(*(compress(count(), figures) for figures in (*odd, differs, map(not_, series.expected))))


def series_row(series: Series, grid: Columns, *, first: bool) -> Row:
    """Make the row of one channel."""
    channel = f"channel {channel_words(series)}" if series.channel is not None else "nothing could be read"
    label = ", ".join(filter(None, [series.recorder_id, channel, series.label]))
    return Row(
        label=series.recorder_id,
        note=channel_words(series) if series.channel is None else f"ch {channel_words(series)}",
        words=f"{label}: {figures_words(series.totals)}",
        runs=_series_runs(series, grid),
        first=first,
        again=not first,
    )


def meter_row(recorder_id: str, channels: Sequence[Series], grid: Columns) -> Row:
    """Make the row of a meter, each day in the worst state of its channels."""
    figures = total(series.totals for series in channels)
    return Row(
        label=recorder_id,
        note=f"×{len(channels)}",
        words=f"{recorder_id}, {counted(len(channels), 'channel')}: {figures_words(figures)}",
        runs=_meter_runs(channels, grid),
    )


def total(several: Iterable[Totals]) -> Totals:
    """Add up figures."""
    return sum(several, Totals())


def figures_words(figures: Totals) -> str:
    """Say how many intervals there are, and what is odd about them."""
    odd = {
        "twice": figures.duplicates - figures.conflicts,
        "in conflict": figures.conflicts,
        "estimated": figures.estimated,
        "marked as missing": figures.flagged,
    }
    parts = [f"{figures.found:,} of {figures.expected:,} intervals"]
    parts += [f"{count:,} {name}" for name, count in odd.items() if count]
    return ", ".join(parts)


def joined(cells: Iterable[Cell], grid: Columns) -> Iterator[Run]:
    """Join days that lie side by side and look alike."""
    # Of days that lie side by side, place in the map and place among the cells are the same distance apart.
    places = enumerate(cells)
    for (kind, name, _), group in groupby(places, lambda item: (item[1].kind, item[1].name, item[1].index - item[0])):
        alike = [cell for _, cell in group]
        begin, end = alike[0].index, alike[-1].index + 1
        figures = total(cell.figures for cell in alike)
        span = days(grid.day(begin), grid.day(end - 1))
        said = "" if figures == Totals() else f", {figures_words(figures)}"
        yield Run(begin, end, kind, f"{span}: {name}{said}")


def _series_runs(series: Series, grid: Columns) -> Iterator[Run]:
    cells = sorted(marks(series, grid).items())
    yield from joined((Cell(index, day.state.value, WORDS[day.state], day) for index, day in cells), grid)


def _meter_runs(channels: Sequence[Series], grid: Columns) -> Iterator[Run]:
    # A generator: marks are found when the row is drawn, so that those of one meter are held at a time.
    yield from joined(_meter_cells(channels, [marks(series, grid) for series in channels]), grid)


def _meter_cells(channels: Sequence[Series], every: Sequence[Marks]) -> Iterator[Cell]:
    for index in sorted(set[int]().union(*every)):
        there = {series.channel: found[index] for series, found in zip(channels, every, strict=True) if index in found}
        states = chain((day.state for day in there.values()), [DayState.FULL] * (len(there) < len(every)))
        worst = max(states, key=_RANK.__getitem__)
        if worst is not DayState.FULL:
            odd = {channel: day for channel, day in there.items() if day.state is not DayState.NOT_ASKED} or there
            which = f" (channel {', '.join(map(str, odd))})" if len(odd) < len(every) else ""
            yield Cell(index, worst.value, WORDS[worst] + which, total(odd.values()))


def legend_item(kind: str, words: str) -> str:
    """Explain one class of cells."""
    sample = f'<rect class="{kind}" width="{CELL}" height="{CELL}"/>'
    return f'<li><svg width="{CELL}" height="{CELL}" aria-hidden="true">{sample}</svg>{words}</li>'
