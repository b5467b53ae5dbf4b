"""CSV as rows.  CAISO's layout is not public, so no column has a meaning here.

Lines are cut by hand and not by a text file, for two reasons: a line has a bound, so that a file without a line end
cannot fill the memory, and what is no text can be named by its line.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator
from typing import Self

from aiomar.errors import FormatError, UsageError
from aiomar.formats._sniff import Kind, sniff
from aiomar.formats._source import OpenSource, Source, opened

LONGEST_LINE = 1 << 20
"""Bytes; a row of meter data has about fifty, and a whole file to submit has half as many."""
_PIECE = 1 << 16
_REFUSED = {
    Kind.EMPTY: ("the file is empty", "fetch it again, or ask who made it"),
    Kind.PAGE: ("the file is a page and not CSV", "read in a browser what it says"),
    Kind.MDEF: ("the file is MDEF and not CSV", "read it as MDEF"),
}


class CsvRow(tuple[str, ...]):  # noqa: SLOT001 - a tuple has no room for slots that hold something
    """The cells of a row, as a tuple that knows its place."""

    line: int
    """The line on which it begins, from 1."""
    ragged: bool
    """Whether it has another number of cells than the first row."""

    def __new__(cls, cells: Iterable[str], line: int = 0, *, ragged: bool = False) -> Self:
        row = super().__new__(cls, cells)
        row.line, row.ragged = line, ragged
        return row


def read_csv_rows(source: Source, *, encoding: str = "utf-8", name: str | None = None) -> Iterator[CsvRow]:
    """Read the rows of a CSV file one after the other.

    Cells are separated by commas and may be quoted; lines end with CR, LF or both; a byte order mark of UTF-8 and rows
    without a character are left out.  Rows of another length than the first are given with `CsvRow.ragged`.

    Args:
        source: a path, bytes, or a binary file.
        encoding: of its text; ASCII must be a part of it.
        name: what to call the source in messages; `None` for its path.

    Yields:
        Row by row, a header line among them, if there is one.

    Raises:
        FormatError: there is no such file, or it is empty, a page, MDEF, no text in this encoding, quoted wrongly, or
            has a row of more than a megabyte; the message and ``where`` name the line.
        DiskError: the operating system refuses to read.
        UsageError: there is no such encoding, or it is no superset of ASCII.
    """
    _check_encoding(encoding)
    with opened(source, name) as data:
        text = _Text(data, encoding)
        rows = csv.reader(text, strict=True)
        width = None
        while True:
            text.begin_row()
            try:
                cells = next(rows, None)
            except csv.Error as error:
                raise _broken(data, text.row, f"a row is not CSV ({error})") from error
            if cells is None:
                return
            if len(cells) > 1 or "".join(cells).strip():
                width = width or len(cells)
                yield CsvRow(cells, text.row, ragged=len(cells) != width)


def read_csv_lines(source: Source, *, name: str | None = None) -> Iterator[bytes]:
    """Read a CSV file line by line, as bytes: what can be said of rows without knowing how they are quoted.

    Args:
        source: a path, bytes, or a binary file.
        name: what to call the source in messages; `None` for its path.

    Yields:
        Every line with its end, CR, LF or both, the empty ones too; without a byte order mark of UTF-8.

    Raises:
        FormatError: there is no such file, or it is empty, a page, MDEF, no text, or has a line of more than a
            megabyte; the message and ``where`` name the line.
        DiskError: the operating system refuses to read.
    """
    with opened(source, name) as data:
        yield from _lines(data)


def _lines(data: OpenSource) -> Iterator[bytes]:
    piece = data.read(_PIECE)
    kind = sniff(piece)
    if kind in _REFUSED:
        what, to_do = _REFUSED[kind]
        raise _broken(data, 1, what, to_do)
    held, number = piece.removeprefix(codecs.BOM_UTF8), 1
    while piece:
        # The last line stays in hand: it may go on, and be it with the LF behind a CR.
        *whole, held = held.splitlines(keepends=True)
        for line in whole:
            if len(line) > LONGEST_LINE or b"\0" in line:
                raise _bad_line(data, number, line)
            yield line
            number += 1
        if len(held) > LONGEST_LINE or b"\0" in held:
            raise _bad_line(data, number, held)
        piece = data.read(_PIECE)
        held += piece
    if held:
        yield held


def _bad_line(data: OpenSource, number: int, line: bytes) -> FormatError:
    what = "is no text" if b"\0" in line else f"is longer than {LONGEST_LINE} bytes"
    return _broken(data, number, f"a line {what}")


class _Text:
    """Lines as text for the reader of rows, which asks for as many as a row needs."""

    def __init__(self, data: OpenSource, encoding: str) -> None:
        self._data = data
        self._encoding = encoding
        self._source = _lines(data)
        self._size = 0
        self.line = 0
        """The last one that was given, from 1."""
        self.row = 1
        """The line on which the row in hand begins."""

    def begin_row(self) -> None:
        """The next line begins a row."""
        self._size, self.row = 0, self.line + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._source)
        self.line += 1
        self._size += len(line)
        if self._size > LONGEST_LINE:
            raise _broken(self._data, self.row, f"a row is longer than {LONGEST_LINE} bytes")
        try:
            return line.decode(self._encoding)
        except UnicodeError as error:
            raise _broken(
                self._data, self.line, f"a line is no text in {self._encoding}", "name the encoding that it has"
            ) from error


def _check_encoding(encoding: str) -> None:
    sample = b'\r\n,"'
    try:
        good = sample.decode(encoding) == sample.decode("ascii")
    except (LookupError, UnicodeError):
        good = False
    if not good:
        raise UsageError(f"{encoding!a:.40} is not an encoding that ASCII is part of: name one such as utf-8 or cp1252")


def _broken(
    data: OpenSource, line: int, what: str, to_do: str = "fetch the file again, or ask who made it"
) -> FormatError:
    return FormatError(f"{what} (line {line} of {data.name}): {to_do}", where=f"{data.name}, line {line}")
