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
    if not holds_ascii(encoding):
        raise UsageError(f"{encoding!a:.40} is not an encoding that ASCII is part of: name one such as utf-8 or cp1252")
    with opened(source, name) as data:
        width = None
        for line, cells in numbered_rows(data, encoding):
            width = width or len(cells)
            yield CsvRow(cells, line, ragged=len(cells) != width)


def numbered_rows(data: OpenSource, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Read the rows of an open file, as plain lists of cells, each with the line on which it begins.

    Raises:
        FormatError: see `read_csv_rows`.
    """
    place = _Place()
    rows = csv.reader(_texts(data, encoding, place), strict=True)
    try:
        for cells in rows:
            if len(cells) > 1 or "".join(cells).strip():
                yield place.line, cells
            place.line, place.size = rows.line_num + 1, 0
    except csv.Error as error:
        raise broken_line(data, place.line, f"a row is not CSV ({error})") from error


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
        raise broken_line(data, 1, what, to_do)
    held, number = piece.removeprefix(codecs.BOM_UTF8), 1
    while piece:
        # The last line stays in hand: it may go on, and be it with the LF behind a CR.
        suspect = len(held) > LONGEST_LINE or b"\0" in held
        *whole, held = held.splitlines(keepends=True)
        if not suspect:  # hardly a piece is
            yield from whole
        else:
            for count, line in enumerate(whole):
                _check_line(line, number + count, data)
                yield line
            _check_line(held, number + len(whole), data)
        number += len(whole)
        piece = data.read(_PIECE)
        held += piece
    if held:
        yield held


def _check_line(line: bytes, number: int, data: OpenSource) -> None:
    if len(line) > LONGEST_LINE or b"\0" in line:
        what = "is no text" if b"\0" in line else f"is longer than {LONGEST_LINE} bytes"
        raise broken_line(data, number, f"a line {what}")


class _Place:
    """The row in hand."""

    __slots__ = ("line", "size")

    def __init__(self) -> None:
        self.line = 1
        """On which it begins."""
        self.size = 0
        """Bytes so far."""


def _texts(data: OpenSource, encoding: str, row: _Place) -> Iterator[str]:
    """Give lines as text to the reader of rows, which asks for as many as a row needs."""
    for number, line in enumerate(_lines(data), 1):
        row.size += len(line)
        if row.size > LONGEST_LINE:
            raise broken_line(data, row.line, f"a row is longer than {LONGEST_LINE} bytes")
        try:
            text = line.decode(encoding)
        except UnicodeError as error:
            what, to_do = f"a line is no text in {encoding}", "name the encoding that it has"
            raise broken_line(data, number, what, to_do) from error
        yield text


def holds_ascii(encoding: str) -> bool:
    """Say whether there is an encoding of this name, and ASCII is a part of it."""
    sample = rb""","\\+AGE-""" + b"\r\n"  # two ways to escape are encodings in Python too
    try:
        return sample.decode(encoding) == sample.decode("ascii")
    except (LookupError, ValueError):  # ValueError: a NUL in the name, or no text
        return False


def broken_line(
    data: OpenSource, line: int, what: str, to_do: str = "fetch the file again, or ask who made it"
) -> FormatError:
    """Make the error for a line."""
    return FormatError(f"{what} (line {line} of {data.name}): {to_do}", where=f"{data.name}, line {line}")
