"""CSV as intervals: rows, read by a layout, on a clock.

Every column has a function from its cell to a value, made once; what repeats from row to row, dates above all, is
remembered by its text.  So a row costs little more than being read as a row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TypeVar

from aiomar.formats._clocks import checked_clock
from aiomar.formats._csv import broken_line, numbered_rows
from aiomar.formats._csv_layout import Column, CsvLayout
from aiomar.formats._csv_order import CsvInterval, Order
from aiomar.formats._csv_times import LONGEST_CELL, Memo, Place, RefusedError, places
from aiomar.formats._source import Source, opened
from aiomar.protocol import TimeType

_DIGITS = re.compile(r"[0-9]+")
_MOST = 0xFFFF
_MOST_TEXTS = 10_000
"""How many texts of a column are remembered."""
_MOST_NAMES = 300
"""Characters of a message for the columns that there are."""

_T = TypeVar("_T")
_Rows = Iterator[tuple[int, list[str]]]


def read_csv_intervals(
    source: Source, layout: CsvLayout, *, clock: TimeType, name: str | None = None
) -> Iterator[CsvInterval]:
    """Read the intervals of a CSV file whose layout is known.

    The rows of a meter and channel come in the order of the file.  Where the file has times of day, those around the
    hour that the clock shows twice wait until it is told which of the two they mean, so other meters may overtake them.

    Args:
        source: a path, bytes, or a binary file.
        layout: which column holds what.
        clock: the clock that the file was written by; its days and times are days and times on it.
        name: what to call the source in messages; `None` for its path.

    Returns:
        An iterator that gives an interval for each row behind the header.

    Raises:
        FormatError: there is no such file, it is no CSV, or a row does not fit the layout: another number of cells than
            the first row, a column that is missing or there twice, a number, date or time that cannot be read or that
            the clock never showed, a time that it showed twice when the rows do not tell which.  The message and
            ``where`` name the line.
        DiskError: the operating system refuses to read.
        ConfigError: this machine has no time zone database.
        UsageError: the clock is no `TimeType`, which is told at once, or the source nothing that can be read.
    """
    return _intervals(source, layout, checked_clock(clock), name)


def _intervals(source: Source, layout: CsvLayout, clock: TimeType, name: str | None) -> Iterator[CsvInterval]:
    spots = places(layout, clock)
    with opened(source, name) as data:
        rows = numbered_rows(data, layout.encoding)
        try:
            first = next(rows, None)
            if first is not None:  # or there is nothing but blanks in quotes
                columns = _Columns(layout, *first)
                yield from _read(rows if layout.header else chain((first,), rows), columns, spots)
        except RefusedError as refused:
            raise broken_line(data, refused.line or 1, str(refused), refused.to_do) from refused


def _read(rows: _Rows, columns: _Columns, spots: Memo[Memo[Place]]) -> Iterator[CsvInterval]:
    """Read row by row; every look-up counts here, so places have names and the constructor of a row is passed by."""
    order, width, new = Order(), columns.width, tuple.__new__
    waiting = order.runs
    date_at, when_at, value_at = columns.place("date"), columns.place("interval", "time"), columns.place("value")
    meter_at, meters = columns.texts("meter")
    channel_at, channels = columns.numbers("channel", without=1)
    unit_at, units = columns.texts("unit")
    status_at, statuses = columns.numbers("status")
    channel_status_at, channel_statuses = columns.numbers("channel_status")
    for line, row in rows:
        try:
            if len(row) != width:
                raise RefusedError(f"a row has {len(row)} cells, and the first one has {width}")  # noqa: TRY301 - below, the line is added
            meter, channel = meters[row[meter_at]], channels[row[channel_at]]
            if meter is None or channel is None:
                raise RefusedError(f"the {'meter' if meter is None else 'channel'} is empty")  # noqa: TRY301 - likewise
            start, end, doubt = spots[row[date_at]][row[when_at]]
            unit, value, status = units[row[unit_at]], _number(row[value_at]), statuses[row[status_at]]
            channel_status = channel_statuses[row[channel_status_at]]
        except RefusedError as refused:
            refused.line = line
            raise
        interval = new(CsvInterval, (meter, channel, unit, start, end, value, channel_status, status, line))
        if doubt is not None:
            yield from order.hold(interval, doubt)
            continue
        if waiting:
            yield from order.release(interval)
        yield interval
    yield from order.rest()


def _number(cell: str) -> float | None:
    """Read a decimal number; Python reads more than that, such as ``nan`` and ``1_000``."""
    try:
        value = float(cell)
    except ValueError:
        if cell.strip():
            raise RefusedError("the value is no decimal number") from None
        return None
    if not math.isfinite(value) or "_" in cell or not cell.isascii():
        raise RefusedError("the value is no decimal number")
    return value


class _Columns:
    """Where the columns of a layout are in the rows of a file, by its first one, and what their cells mean."""

    def __init__(self, layout: CsvLayout, line: int, first: list[str]) -> None:
        self.width = len(first)
        names = [cell.strip() for cell in first]
        try:
            self._places = {setting: _place(setting, column, names) for setting, column in layout.columns().items()}
        except RefusedError as refused:
            refused.line = line
            raise

    def place(self, *settings: str) -> int:
        """Give where the first of the columns is that the layout tells of, from 0."""
        return next(self._places[setting] for setting in settings if setting in self._places)

    def texts(self, setting: str) -> tuple[int, Memo[str | None]]:
        """Give a column's place and its cells without the blanks around them; `None` for empty ones."""

        def read(cell: str) -> str | None:
            if len(cell) > LONGEST_CELL:
                raise RefusedError(f"the {setting} is longer than {LONGEST_CELL} characters")
            return cell.strip() or None

        return self._column(setting, read, None)

    def numbers(self, setting: str, *, without: int | None = None) -> tuple[int, Memo[int | None]]:
        """Give a column's place and its cells as numbers of 16 bits; `None` for empty ones.

        Args:
            setting: of the layout.
            without: what all rows have if the layout does not tell of the column.
        """

        def read(cell: str) -> int | None:
            text = cell.strip()
            if len(cell) > LONGEST_CELL or (text and not (_DIGITS.fullmatch(text) and int(text) <= _MOST)):
                raise RefusedError(f"the {setting.replace('_', ' ')} is no whole number from 0 to {_MOST}")
            return int(text) if text else None

        return self._column(setting, read, without)

    def _column(self, setting: str, read: Callable[[str], _T], without: _T) -> tuple[int, Memo[_T]]:
        if setting in self._places:
            return self._places[setting], Memo(read, _MOST_TEXTS)
        return self._places["meter"], Memo(lambda _: without, _MOST_TEXTS)  # some cell, and always the same answer


def _place(setting: str, column: Column, names: list[str]) -> int:
    if isinstance(column, int):
        if column > len(names):
            raise RefusedError(f"the layout has the {setting} in column {column}, and there are {len(names)}")
        return column - 1
    number = names.count(column)
    if number != 1:
        there = ", ".join(map(ascii, names))
        shown = there if len(there) <= _MOST_NAMES else f"{there[:_MOST_NAMES]}…"
        raise RefusedError(f"{number or 'no'} columns are named {column!a:.60}, the {setting}, among {shown}")
    return names.index(column)
