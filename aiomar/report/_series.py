"""One series: what was asked for held against what was found.

Two passes of counting make the picture.  Asked time that nothing covers is missing: its intervals are counted on the
grid of the day, which begins at midnight.  What is there is counted where it begins, grid by grid, so that data of
another length or beginning never fill a gap that they do not cover.  Where there are intervals of several lengths for
one time, the shorter ones count, once, and as a conflict: nobody can say whether they agree.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

import attrs

from aiomar.report._asked import Asked, Question
from aiomar.report._coverage_values import Gap, Series
from aiomar.report._days import FIRST_DAY, HOUR, DayCounts, Days, instant_of
from aiomar.report._found import Found, Grid
from aiomar.report._pieces import Key
from aiomar.report._spans import Span, merged, uncovered

_Grids = dict[Grid, tuple[list[Span], list[Span]]]


def series_of(found: Found, asked: tuple[Asked, ...], days: Days) -> Series:
    """Make the series of a channel."""
    grids = found.grids()
    there, twice, conflicts = DayCounts(), DayCounts(), DayCounts()
    conflicts.take(found.conflicts)
    for layer in found.layers():
        for counts, spans in ((there, layer.kept), (twice, layer.twice), (conflicts, layer.clash)):
            for begin, end in spans:
                days.count(counts, begin, end, layer.grid.step, layer.grid.phase)
    cover, _ = merged(sorted(span for once, _ in grids.values() for span in once))
    usual = _usual(grids, found.step)
    steps = _steps(grids, days)
    missing, expected = _Missing(days, cover), DayCounts()
    for run, step in _by_step(asked, steps, usual):
        expected.add(run.first, days.full(step)[run.first : run.behind])
        missing.add(run, step)
    for day in (day for day, some in steps.items() if len(some) > 1 and any(expected.cut(day, day + 1))):
        expected.set(day, missing.counts.cut(day, day + 1)[0] + there.cut(day, day + 1)[0])
    first, behind = _range(asked, grids, days)
    return Series(
        recorder_id=found.key.recorder_id,
        channel=found.key.channel,
        unit_code=found.unit_code,
        label=found.label,
        per_hour=HOUR // usual,
        first_day=FIRST_DAY + dt.timedelta(days=first),
        expected=expected.cut(first, behind),
        found=there.cut(first, behind),
        missing=missing.counts.cut(first, behind),
        duplicates=twice.cut(first, behind),
        conflicts=conflicts.cut(first, behind),
        estimated=found.estimated.cut(first, behind),
        flagged=found.flagged.cut(first, behind),
        gaps=tuple(missing.gaps),
    )


def series_of_nothing(question: Question, step: int, days: Days) -> Series:
    """Make the series of a meter or group of which nothing could be read: all of it is missing.

    Args:
        question: its id and its days.
        step: minutes of an interval, as others have it.
        days: of the clock.
    """
    nothing = Found(Key(question.name, 0), unit_code=None, label="", step=step)
    return attrs.evolve(series_of(nothing, question.days, days), channel=None, group=question.group)


def _usual(grids: _Grids, otherwise: int) -> int:
    """Give the length of interval that most of the time has."""
    times: Counter[int] = Counter()
    for grid, (once, _) in grids.items():
        times[grid.step] += sum(end - begin for begin, end in once)
    return max(times, key=times.__getitem__, default=otherwise)


def _steps(grids: _Grids, days: Days) -> dict[int, set[int]]:
    """Give the lengths of interval that each day has; nothing where they are the same on all days, as nearly always."""
    steps: dict[int, set[int]] = {}
    if len({grid.step for grid in grids}) > 1:
        for grid, (once, _) in grids.items():
            for begin, end in once:
                for day in range(days.index(begin), days.index(end - 1) + 1):
                    steps.setdefault(day, set()).add(grid.step)
    return steps


def _by_step(asked: Iterable[Asked], steps: dict[int, set[int]], usual: int) -> Iterator[tuple[Asked, int]]:
    """Cut runs of days where the length of an interval changes; the shortest one of a day counts."""
    for run in asked:
        if not steps:
            yield run, usual
            continue
        for step, same in groupby(range(run.first, run.behind), key=lambda day: min(steps.get(day, {usual}))):
            some = list(same)
            yield Asked(some[0], some[-1] + 1, run.reason), step


def _range(asked: tuple[Asked, ...], grids: _Grids, days: Days) -> tuple[int, int]:
    """Give the days that have anything to say, as the first one and the one behind the last."""
    firsts = [run.first for run in asked[:1]] + [days.index(once[0][0]) for once, _ in grids.values()]
    lasts = [run.behind - 1 for run in asked[-1:]]
    lasts += [days.index(once[-1][1] - grid.step) for grid, (once, _) in grids.items()]
    return min(firsts, default=0), max(lasts, default=-1) + 1


class _Missing:
    """Asked time that nothing covers, as counts and as gaps."""

    def __init__(self, days: Days, cover: list[Span]) -> None:
        self._days = days
        self._cover = cover
        self.counts = DayCounts()
        self.gaps: list[Gap] = []

    def add(self, run: Asked, step: int) -> None:
        """Find what is missing of some days."""
        nights = self._days.midnights
        for begin, end in uncovered(nights[run.first], nights[run.behind], self._cover):
            number = self._days.count(self.counts, begin, end, step)
            gap = Gap(start=instant_of(begin), end=instant_of(end), intervals=number, reason=run.reason)
            last = self.gaps[-1] if self.gaps else None
            if last is not None and last.end == gap.start and last.reason == gap.reason:
                self.gaps[-1] = attrs.evolve(last, end=gap.end, intervals=last.intervals + number)
            elif number:  # less than an interval is no gap
                self.gaps.append(gap)
