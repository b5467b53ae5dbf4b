"""Does the content of a body prove that it is whole?"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.protocol import FileFormat, content_check


def _record(code: int, text: bytes = b"") -> bytes:
    return ((216).to_bytes(2, "little") + code.to_bytes(2, "little") + text).ljust(216)


def _trailer(records: int | bytes) -> bytes:
    return _record(9999, b" " * 30 + (records if isinstance(records, bytes) else b"%010d" % records))


def _mdef(intervals: int = 3) -> bytes:
    """One meter with one channel: header, channel, intervals, trailer (the layout of MV-90)."""
    data = b"".join(_record(1001 + index, b"\x27\x0f" * 106) for index in range(intervals))
    return _record(1, b"1001") + _record(10, b"1001") + data + _trailer(intervals + 3)


MDEF = _mdef()
CSV = b'meter,start,end,kWh\r\n1001,"a ""b"", c",2,3.5\r\n\r\n1002,"two\r\nlines",4,5\r\n'


def _whole(file_format: FileFormat, *pieces: bytes) -> bool:
    check = content_check(file_format)
    for piece in pieces:
        check.feed(piece)
    return check.whole()


def _bytes(body: bytes) -> list[bytes]:
    return [body[position : position + 1] for position in range(len(body))]


@pytest.mark.clause("DL 3.3")
@pytest.mark.parametrize(
    "body", [MDEF, _mdef(0), _mdef(40), _record(1) + _record(1) + _trailer(3), _record(1) + _trailer(2)]
)
def test_whole_mdef(body: bytes) -> None:
    """Whole records, a header first, one trailer at the end that counts them all."""
    assert _whole(FileFormat.MDEF, body)
    assert _whole(FileFormat.MDEF, *_bytes(body))
    assert _whole(FileFormat.MDEF, body[:100], body[100:101], body[101:])


@pytest.mark.clause("DL 3.3")
def test_no_cut_mdef_is_whole() -> None:
    """Cut at any byte, an MDEF file is not whole: only its trailer ends it."""
    assert [end for end in range(len(MDEF)) if _whole(FileFormat.MDEF, MDEF[:end])] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        MDEF + b"\n",
        MDEF + b"\0",
        b"\n" + MDEF,
        MDEF + _record(1),
        MDEF + MDEF,
        MDEF + _trailer(7),
        MDEF[216:],
        _trailer(1),
        MDEF[:-216] + _trailer(5),
        MDEF[:-216] + _trailer(7),
        MDEF[:-216] + _trailer(b"         "),
        MDEF[:-216] + _trailer(b"-000000006"),
        MDEF[:-216] + _trailer(b"\xb2\xb3\xb9       "),
        MDEF[:216] + b"\xd9\x00" + MDEF[218:],
        MDEF[:216] + b"\xd8\x01" + MDEF[218:],
        MDEF[:216] + _trailer(2) + MDEF[432:],
        CSV,
    ],
)
def test_mdef_that_is_not_whole(body: bytes) -> None:
    """Trailing rubbish, a missing or wrong header or trailer, a wrong count or record length."""
    assert not _whole(FileFormat.MDEF, body)
    assert not _whole(FileFormat.MDEF, *_bytes(body))


@pytest.mark.clause("DL 3.3")
@pytest.mark.parametrize(
    "body",
    [
        CSV,
        b"a,b\n",
        b"a,b\n1,2\n",
        b"\r\n\r\na,b\r\n1,2\r\n\r\n",
        b",\n,\n",
        b'"a,b",c\n1,"\n\n"\n',
        b"\xff,\xfe\n\0,\0\n",
        b'a\rb,"c"\n1,2\n',
        b'"' + b"x" * 200_000 + b'",1\n',
    ],
    ids=range(9),
)
def test_whole_csv(body: bytes) -> None:
    """A constant number of columns, at least two, and a line end after the last row; empty lines are no rows."""
    assert _whole(FileFormat.CSV, body)
    assert _whole(
        FileFormat.CSV, *itertools.chain.from_iterable((body[at : at + 7], b"") for at in range(0, len(body), 7))
    )


@pytest.mark.clause("DL 3.3")
def test_cuts_of_csv_that_pass() -> None:
    """Only cuts behind the end of a row pass, for what is left is a shorter CSV file; each of them is listed here."""
    assert [CSV[:end] for end in range(len(CSV)) if _whole(FileFormat.CSV, CSV[:end])] == [
        b"meter,start,end,kWh\r\n",
        b'meter,start,end,kWh\r\n1001,"a ""b"", c",2,3.5\r\n',
        b'meter,start,end,kWh\r\n1001,"a ""b"", c",2,3.5\r\n\r',
        b'meter,start,end,kWh\r\n1001,"a ""b"", c",2,3.5\r\n\r\n',
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"\r\n\r\n",
        b"a,b",
        b"a,b\n1,2",
        b"a,b\n1,2\r",
        b"a,b\r1,2\r",
        b"a,b\n1\n",
        b"a,b\n1\n2,3\n",
        b"a,b\n1,2,3\n",
        b"a,b\n1,2\n \n",
        b'a,"b\n',
        b'a,b\n1,"2\n3,4\n',
        b'a,b\n1,"2,3"x,4\n',
        b"no data\n",
        b"one\ntwo\n",
        MDEF,
        MDEF + b"\n",
        b"\x1f\x8b\x08\0,\n",
    ],
)
def test_csv_that_is_not_whole(body: bytes) -> None:
    """No last line end, other columns, an open quote, no comma, no text at all: nothing proves these whole."""
    assert not _whole(FileFormat.CSV, body)
    assert not _whole(FileFormat.CSV, *_bytes(body))


@pytest.mark.parametrize("body", [b'"' + b"\n" * 300_000, b'"\n' * 150_000, b"," * 300_000, b"\n" * 300_000])
def test_a_hostile_csv_costs_its_length(body: bytes) -> None:
    """A quote that is never closed is not read again at every line."""
    assert not _whole(FileFormat.CSV, body)


LIKE_CSV = st.lists(
    st.sampled_from([b"a", b",", b'"', b"\n", b"\r", b"\r\n", b"1,2\n", b'"x,y",z\n']), max_size=30
).map(b"".join)
LIKE_MDEF = st.lists(
    st.sampled_from([_record(1), _record(10), _record(1001), _trailer(2), _trailer(3), b"\0"]), max_size=5
)


@given(
    st.one_of(st.binary(), LIKE_CSV, LIKE_MDEF.map(b"".join)),
    st.lists(st.integers(0, 1_200)),
    st.sampled_from(FileFormat),
)
def test_pieces_do_not_matter(body: bytes, cuts: list[int], file_format: FileFormat) -> None:
    """However a body is cut into pieces, the answer is the same, and nothing raises."""
    ends = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in itertools.pairwise(ends)]
    assert _whole(file_format, *pieces) is _whole(file_format, body) is _whole(file_format, *_bytes(body))


@given(st.lists(st.lists(st.text('ab,"\n \r', max_size=6), min_size=3, max_size=3), min_size=1, max_size=6))
def test_any_written_csv_is_whole(rows: list[list[str]]) -> None:
    """Rows with every field quoted, whatever the fields hold, are a whole file; without the last byte they are not."""
    text = "".join(",".join('"' + field.replace('"', '""') + '"' for field in row) + "\n" for row in rows)
    assert _whole(FileFormat.CSV, text.encode())
    assert not _whole(FileFormat.CSV, text.encode()[:-1])
