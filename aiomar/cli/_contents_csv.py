"""What there is to say of a CSV file: of its form, whatever its columns mean, and of its intervals by a layout.

Rows are read as Latin-1, in which every byte is a character: whether the file is UTF-8 is found out beside that, from
the same bytes, and nothing has to be read twice.
"""

from __future__ import annotations

import codecs
import datetime as dt
import re
from collections import Counter
from collections.abc import Callable

import attrs

from aiomar import FormatError, TimeType
from aiomar.cli._tap import Tap, Tapped
from aiomar.formats import CsvInterval, CsvLayout, read_csv_intervals, read_csv_rows

MOST_SERIES = 10_000
"""Channels that are kept; intervals of further ones are only counted."""
MOST_LINES = 10
"""Ragged rows whose lines are named."""
_NUMBER = re.compile(r"\s*[-+]?[.]?[0-9]")


@attrs.frozen(kw_only=True)
class CsvFacts:
    """The form of a CSV file."""

    rows: int
    columns: int
    """Of the first row."""
    header: tuple[str, ...] | None
    """The first row, where none of its cells begins with a number; `None`: the file seems to have no header."""
    line_ends: dict[str, int]
    """``"CRLF"``, ``"LF"``, ``"CR"``, as far as there are any, and how many; those in quoted cells among them."""
    utf8: bool
    byte_order_mark: bool
    ragged: int
    """Rows of another length than the first."""
    ragged_lines: tuple[int, ...]
    """The lines on which the first of them begin, from 1."""
    error: str | None
    """What keeps it from being read further."""


@attrs.frozen(kw_only=True)
class SeriesFacts:
    """The intervals of one channel, by a layout."""

    recorder_id: str
    channel: int
    unit_code: str | None
    start: dt.datetime
    end: dt.datetime
    """The first start and the last end, UTC."""
    intervals: int
    empty: int
    """Intervals without a value."""


@attrs.frozen(kw_only=True)
class LayoutFacts:
    """The intervals of a CSV file, by a layout."""

    clock: TimeType
    minutes: int
    series: tuple[SeriesFacts, ...]
    intervals: int
    """Of all channels, also of those that are not in `series`, which has the first `MOST_SERIES`."""
    error: str | None
    """What keeps it from being read further."""


def form_of(
    opening: Callable[[Tap], Tapped], name: str, *, header: bool | None, progress: Callable[[int], object]
) -> CsvFacts:
    """Say what form a CSV file has.

    Args:
        opening: opens the file.
        name: what to call it in messages.
        header: whether the first row is a header; `None` if nobody knows, and it is to be told by its cells.
        progress: is told the size of every piece.

    Raises:
        SourceError: it cannot be opened.
        DiskError: the operating system refuses to read.
    """
    text = _Text(progress)
    rows = ragged = 0
    first: tuple[str, ...] = ()
    ragged_lines: list[int] = []
    error = None
    with opening(text.feed) as file:
        try:
            for row in read_csv_rows(file, encoding="latin-1", name=name):
                first = first or row
                rows += 1
                ragged += row.ragged
                if row.ragged and ragged <= MOST_LINES:
                    ragged_lines.append(row.line)
        except FormatError as broken:
            error = str(broken)
    return CsvFacts(
        rows=rows,
        columns=len(first),
        header=_header(first, known=header),
        line_ends=text.line_ends,
        utf8=text.is_utf8(cut=error is not None),
        byte_order_mark=text.byte_order_mark,
        ragged=ragged,
        ragged_lines=tuple(ragged_lines),
        error=error,
    )


def _header(first: tuple[str, ...], *, known: bool | None) -> tuple[str, ...] | None:
    """Give the names of the columns, if there are any: a first row with a number in it may hold values."""
    there = any(first) and not any(map(_NUMBER.match, first)) if known is None else known
    return tuple(cell.encode("latin-1").decode("utf-8", "replace") for cell in first) if there else None


class _Text:
    """What the bytes of a text tell, piece by piece."""

    def __init__(self, progress: Callable[[int], object]) -> None:
        self.byte_order_mark = False
        self._progress = progress
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._utf8 = True
        self._ends: Counter[str] = Counter()
        self._last = b""

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        self._progress(len(piece))
        if not piece:
            return
        if not self._last:
            self.byte_order_mark = piece.startswith(codecs.BOM_UTF8)
        both = piece.count(b"\r\n")
        apart = self._last == b"\r" and piece.startswith(b"\n")  # a CR and its LF in two pieces: counted as CR so far
        self._ends["CRLF"] += both + apart
        self._ends["LF"] += piece.count(b"\n") - both - apart
        self._ends["CR"] += piece.count(b"\r") - both - apart
        self._last = piece[-1:]
        self._utf8 = self._utf8 and self._decodes(piece)

    @property
    def line_ends(self) -> dict[str, int]:
        """Which ends the lines have, and how many."""
        return {end: number for end, number in self._ends.items() if number}

    def is_utf8(self, *, cut: bool) -> bool:
        """Say whether it is UTF-8; one that was not read to its end may end within a character."""
        return self._utf8 and (cut or self._decodes(b"", final=True))

    def _decodes(self, piece: bytes, *, final: bool = False) -> bool:
        try:
            self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            return False
        return True


def series_of(file: Tapped, name: str, layout: CsvLayout, clock: TimeType) -> LayoutFacts:
    """Say which intervals a CSV file has.

    Args:
        file: the file, from its beginning.
        name: what to call it in messages.
        layout: what its columns mean.
        clock: the clock that it was written by.

    Raises:
        DiskError: the operating system refuses to read.
    """
    series: dict[tuple[str, int], _Series] = {}
    total = 0
    error = None
    try:
        for interval in read_csv_intervals(file, layout, clock=clock, name=name):
            total += 1
            key = interval.recorder_id, interval.channel
            if (found := series.get(key)) is None and len(series) < MOST_SERIES:
                found = series[key] = _Series(interval)
            if found is not None:
                found.add(interval)
    except FormatError as broken:
        error = str(broken)
    facts = tuple(found.facts() for found in series.values())
    return LayoutFacts(clock=clock, minutes=layout.minutes, series=facts, intervals=total, error=error)


class _Series:
    """A channel whose intervals are counted; its first one is what it begins as."""

    def __init__(self, first: CsvInterval) -> None:
        self._first = first
        self._start, self._end = first.start, first.end
        self._intervals = self._empty = 0

    def add(self, interval: CsvInterval) -> None:
        """Count an interval, the first one too."""
        self._start, self._end = min(self._start, interval.start), max(self._end, interval.end)
        self._intervals += 1
        self._empty += interval.value is None

    def facts(self) -> SeriesFacts:
        """Give what was counted."""
        return SeriesFacts(
            recorder_id=self._first.recorder_id,
            channel=self._first.channel,
            unit_code=self._first.unit_code,
            start=self._start,
            end=self._end,
            intervals=self._intervals,
            empty=self._empty,
        )
