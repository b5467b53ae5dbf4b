"""Which of two hours a row means, told by the rows around it.

In autumn the clock shows an hour twice.  Rows with times of day in that hour are told apart by their order only, and
that is trusted as far as it proves itself: rows of one meter and channel are held back from the interval before the
hour to the one behind it.  Then there must be exactly one way to read them so that time never stands still or goes
back, and one row at least of which no order is needed.  Anything else is refused: one pass alone may be either, and a
file that begins with its newest row, or has both passes side by side, does not say which is which.

Only these rows wait, and they are few; all others pass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from aiomar.formats._csv_times import Doubt, RefusedError

MOST_HELD = 1_000_000
"""Rows; five-minute data of 12,000 meters and three channels, written interval by interval, hold back fewer."""
_MOST_IN_A_RUN = 128
"""The hour shown twice has 120 minutes, and a few stand around it."""


class CsvInterval(NamedTuple):
    """One interval of a CSV file."""

    recorder_id: str
    channel: int
    """1 where the layout names no column for it."""
    unit_code: str | None
    """As it stands in the file; `None` where there is none."""
    start: dt.datetime
    """UTC."""
    end: dt.datetime
    """UTC; the first instant that is no longer a part of the interval."""
    value: float | None
    """`None` where the cell is empty."""
    channel_status: int | None
    """The status word; `None` where there is none."""
    interval_status: int | None
    line: int
    """The line of the file on which the row begins, from 1."""


_Run = list[tuple[CsvInterval, Doubt]]


class Order:
    """Rows that wait for the rows behind them."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, int], _Run] = {}
        """Meter and channel, and what waits of them."""
        self._held = 0

    def hold(self, row: CsvInterval, doubt: Doubt) -> Iterator[CsvInterval]:
        """Take a row that waits; give those that it ends the waiting of, which are of another day."""
        key = (row.recorder_id, row.channel)
        run = self.runs.get(key)
        if run is not None and run[0][1].wall.date() != doubt.wall.date():
            yield from self.release(row)
            run = None
        if run is None:
            run = self.runs[key] = []
        run.append((row, doubt))
        self._held += 1
        if len(run) > _MOST_IN_A_RUN:
            raise _unclear(run)
        if self._held > MOST_HELD:
            raise RefusedError(
                f"{MOST_HELD} rows of the hour that the clock showed twice wait for what follows them", row.line
            )

    def release(self, row: CsvInterval) -> Iterator[CsvInterval]:
        """Give the rows whose waiting ends with a row of the same meter and channel."""
        run = self.runs.pop((row.recorder_id, row.channel), None)
        if run is not None:
            self._held -= len(run)
            yield from _told_apart(run)

    def rest(self) -> Iterator[CsvInterval]:
        """Give what still waits when the file has ended."""
        while self.runs:
            yield from _told_apart(self.runs.pop(next(iter(self.runs))))


def _told_apart(run: _Run) -> Iterator[CsvInterval]:
    """Give the rows of a run, each with the instants that it means."""
    doubts = [doubt for _, doubt in run]
    if any(len(doubt.starts) > 1 for doubt in doubts):
        ways = _ways(doubts)
        certain = any(len(doubt.starts) == 1 for doubt in doubts)
        if len(ways) != 1 or not certain:
            raise _unclear(run)
        starts = ways.pop()
    else:
        starts = tuple(doubt.starts[0] for doubt in doubts)
        if len(set(starts)) < len({doubt.wall for doubt in doubts}):
            raise RefusedError(
                "two times of day mean the same interval, on the day when the clock skips an hour", run[-1][0].line
            )
    for (row, _), start in zip(run, starts, strict=True):
        yield row._replace(start=start, end=start + (row.end - row.start))


def _ways(doubts: list[Doubt]) -> set[tuple[dt.datetime, ...]]:
    """Find every way to read a run in which time goes on: up to some row the first pass, from there on the second."""
    found = set()
    for first in range(len(doubts) + 1):
        starts = tuple(doubt.starts[0 if place < first else -1] for place, doubt in enumerate(doubts))
        if all(before < after for before, after in pairwise(starts)):
            found.add(starts)
    return found


def _unclear(run: _Run) -> RefusedError:
    line = next((row.line for row, doubt in run if len(doubt.starts) > 1), run[0][0].line)
    return RefusedError(
        "the time is one that the clock showed twice, and the order of the rows around it does not say which is meant",
        line,
    )
