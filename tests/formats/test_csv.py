"""Rows stay rows: quoting, line ends and encoding are read, ragged rows are marked, and columns mean nothing."""

from __future__ import annotations

import datetime as dt
import io
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar import FormatError, TimeType, UsageError
from aiomar.formats import CsvRow, read_csv_lines, read_csv_rows
from aiomar.testing import _data
from tests.support.sources import Short

MEGABYTE = 1 << 20


def _rows(content: bytes, encoding: str = "utf-8") -> list[tuple[str, ...]]:
    return [tuple(row) for row in read_csv_rows(content, encoding=encoding)]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n1,2\n", [("a", "b"), ("1", "2")]),
        (b"a,b\r\n1,2", [("a", "b"), ("1", "2")]),
        (b"a,b\r1,2\r", [("a", "b"), ("1", "2")]),
        (b"a,b\n1,2\r\n3,4\r5,6", [("a", "b"), ("1", "2"), ("3", "4"), ("5", "6")]),
        (b"\xef\xbb\xbfa,b\n", [("a", "b")]),
        (b"\r\n\r\na,b\r\n \r\n\r\n1,2\r\n\r\n", [("a", "b"), ("1", "2")]),
        (b'"a","b, c"\n"say ""no""",\n', [("a", "b, c"), ('say "no"', "")]),
        (b'"two\r\nlines",x\r\n', [("two\r\nlines", "x")]),
        (b"one\ntwo\n", [("one",), ("two",)]),
        (b",\n", [("", "")]),
        ("naïve,€\n".encode(), [("naïve", "€")]),
        (b" a , b \n", [(" a ", " b ")]),
    ],
)
def test_rows(content: bytes, rows: list[tuple[str, ...]]) -> None:
    """Cells as they stand, without the rows that have no character."""
    assert _rows(content) == rows
    assert [tuple(row) for row in read_csv_rows(Short(content))] == rows


def test_a_row_knows_its_place() -> None:
    """The line on which it begins, with quoted and empty lines counted, and whether it is as long as the first."""
    rows = list(read_csv_rows(b'a,b\n\n"1\n1",2\nx\ny,z,\n'))
    assert [(row.line, row.ragged) for row in rows] == [(1, False), (3, False), (5, True), (6, True)]
    assert rows[1] == ("1\n1", "2")
    again = pickle.loads(pickle.dumps(rows[2]))  # noqa: S301 - our own bytes
    assert (again, again.line, again.ragged) == (("x",), 5, True)
    assert isinstance(again, CsvRow)


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "empty"),
        (b" \r\n\xef\xbb\xbf", 1, "empty"),
        (b"<?xml version='1.0'?><a>,</a>", 1, "page"),
        (b"\xd8\x00\x01\x00" + b" " * 212, 1, "MDEF"),
        (b"a,b\n1,\xff\n", 2, "no text in utf-8"),
        (b"a,b\n\n1,\0\n", 3, "no text"),
        (b'a,b\n1,"2\n3,4\n', 2, "not CSV"),
        (b'a,b\n"1"2,3\n', 2, "not CSV"),
        (b"a,b\n" + b"x" * 200_000, 2, "not CSV"),
        (b"a,b\n" + b"1," * MEGABYTE, 2, "longer than"),
        (b'a,b\n"x\n' + b'","\n' * (MEGABYTE // 3), 2, "longer than"),
    ],
)
def test_what_is_no_csv_has_its_line(content: bytes, line: int, what: str) -> None:
    """The first line that does not fit is named; nothing of what stands in it is shown."""
    with pytest.raises(FormatError, match=what) as caught:
        _rows(content)
    assert f"(line {line} of the content): " in str(caught.value)
    assert caught.value.where == f"the content, line {line}"


def test_an_encoding_can_be_named() -> None:
    """For files that are not UTF-8; one that has another idea of a comma is refused."""
    assert _rows(b"caf\xe9,1\n", "cp1252") == [("café", "1")]
    assert _rows(b"\xef\xbb\xbfa,1\n", "utf-8-sig") == [("a", "1")]
    for encoding in ("utf-16", "cp500", "nonesuch", "hex", "undefined", "unicode_escape", "utf-7", "\udc80", "\0"):
        with pytest.raises(UsageError, match="encoding"):
            _rows(b"a,b\n", encoding)


@pytest.mark.parametrize("clock", TimeType)
def test_the_embedded_servers_data(clock: TimeType) -> None:
    """A row for each meter, channel and interval, on a day of change too, and none of them ragged."""
    days = dt.date(2026, 3, 7), dt.date(2026, 3, 8)
    rows = list(read_csv_rows(_data.csv(["1001", "a,b"], *days, clock)))
    count = sum(number for _, number in _data.day_counts(*days, clock))
    assert tuple(rows[0]) == tuple(_data.CSV_HEADER.split(","))
    assert len(rows) == 1 + 2 * 3 * count
    assert {row[0] for row in rows[1:]} == {"1001", "a,b"}
    assert not any(row.ragged for row in rows)


@given(st.binary(max_size=300) | st.text(',"\r\n \tab\ufeff', max_size=60).map(str.encode))
def test_lines_put_together_are_the_file(content: bytes) -> None:
    """Nothing but a byte order mark is lost, however the bytes come, and nothing but a `FormatError` is raised."""
    try:
        lines = list(read_csv_lines(content))
    except FormatError:
        with pytest.raises(FormatError):
            list(read_csv_lines(Short(content)))
        return
    assert b"".join(lines) == content.removeprefix(b"\xef\xbb\xbf")
    assert lines == content.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
    assert list(read_csv_lines(Short(content))) == lines


@given(
    st.binary(max_size=300) | st.text(',"\r\n \tab\ufeff', max_size=60).map(str.encode),
    st.sampled_from(["utf-8", "cp1252"]),
)
def test_anything_is_rows_or_a_format_error(content: bytes, encoding: str) -> None:
    """Nothing else is raised, and every row has its line within the file."""
    try:
        rows = list(read_csv_rows(content, encoding=encoding))
    except FormatError:
        return
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    assert all(1 <= row.line <= len(content.splitlines()) for row in rows)


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_lines_over_many_pieces(end: bytes) -> None:
    """A line end may fall apart between two pieces of a large file."""
    lines = [b"x" * (index % 97) + end for index in range(6_000)]
    assert list(read_csv_lines(io.BytesIO(b"a,b" + end + b"".join(lines)))) == [b"a,b" + end, *lines]
