"""Does a body begin like a page?"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.protocol import PageSniffer

BOMS = [b"", b"\xef\xbb\xbf"]
BLANKS = [b"", b" ", b"\r\n\r\n", b"\t \x0b\x0c\n", b" " * 100_000]
BEGINNINGS = [b"<html>", b"<HTML>", b"<a", b"<Z", b"<!DOCTYPE html>", b"<!--", b"<?xml ?>", b"<h1>"]
DATA = [
    b"meter,start,end\r\n1,2,3\r\n",
    b'"<html>",1\r\n',
    b"1,<html>\n",
    b"<5,<6\n",
    b"< b",
    b"</html>",
    b"<<html>",
    b"<\n",
    b"<\0h",
    b"\xd8\x00\x01\x00" + b"1001" + b" " * 208,
    b"\xd8\x00<html>",
    b"\x00<html>",
    b"x<html>",
    b"&lt;html>",
    b"\xa0<html>",
    b"{}",
]  # fmt: skip
UNDECIDED = [
    b"",
    b" ",
    b"\r\n",
    b"<",
    b"  <",
    b"\xef",
    b"\xef\xbb",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf \n<",
    b"\xff",
    b"\xff\xfe<",
]
WIDE = ["utf-16-le", "utf-16-be"]


def _all_at_once(body: bytes) -> bool | None:
    return PageSniffer().feed(body)


def _byte_by_byte(body: bytes) -> bool | None:
    sniffer = PageSniffer()
    verdict = None
    for position in range(len(body)):
        verdict = sniffer.feed(body[position : position + 1])
        if verdict is not None:
            break
    return verdict


@pytest.mark.clause("DL 3.3")
@pytest.mark.parametrize(
    "body", [a + b + c + d for a, b, c, d in itertools.product(BLANKS[:3], BOMS, BLANKS[:4], BEGINNINGS)]
)
def test_pages(body: bytes) -> None:
    """After any number of blanks and a byte order mark: a bracket and a letter, an exclamation or question mark."""
    assert _all_at_once(body) is True
    assert _byte_by_byte(body) is True


@pytest.mark.parametrize("mark", BOMS)
def test_a_page_behind_very_many_blanks(mark: bytes) -> None:
    """The number of blanks does not matter, also in pieces."""
    sniffer = PageSniffer()
    assert sniffer.feed(mark) is None
    assert all(sniffer.feed(b" \r\n\t" * 1_000) is None for _ in range(100))
    assert sniffer.feed(b"<") is None
    assert sniffer.feed(b"html>") is True


@pytest.mark.parametrize("codec", WIDE)
@pytest.mark.parametrize("text", ["<html>", " \r\n<!DOCTYPE html>", "<?xml"])
def test_pages_in_utf_16(codec: str, text: str) -> None:
    """A page that says by its mark that it is UTF-16."""
    body = ("\ufeff" + text).encode(codec)
    assert _all_at_once(body) is True
    assert _byte_by_byte(body) is True


@pytest.mark.clause("DL 3.3")
@pytest.mark.parametrize("body", [blanks + data for blanks in (b"", b"\r\n ", b"\xef\xbb\xbf") for data in DATA])
def test_data(body: bytes) -> None:
    """CSV, MDEF, a bracket before a digit, a blank or an end tag: no page."""
    assert _all_at_once(body) is False
    assert _byte_by_byte(body) is False


@pytest.mark.parametrize("codec", WIDE)
def test_data_in_utf_16(codec: str) -> None:
    """A mark alone makes no page."""
    assert _all_at_once("\ufeff1,2\n".encode(codec)) is False


@pytest.mark.parametrize("body", UNDECIDED)
def test_undecided(body: bytes) -> None:
    """Blanks, a mark or its beginning, a lone bracket: more is needed to tell."""
    assert _all_at_once(body) is None
    assert _byte_by_byte(body) is None


LIKE_BODIES = st.lists(
    st.sampled_from([b"<", b"a", b"1", b"!", b" ", b"\n", b"\0", b"\xef", b"\xbb", b"\xbf", b"\xff", b"\xfe"])
)


@given(st.one_of(st.binary(max_size=20), LIKE_BODIES.map(b"".join)), st.lists(st.integers(0, 20)))
def test_pieces_do_not_matter(body: bytes, cuts: list[int]) -> None:
    """However a body is cut into pieces, the verdict is the same, and it stands once it is given."""
    sniffer = PageSniffer()
    verdict = None
    for start, end in itertools.pairwise([0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]):
        verdict = sniffer.feed(body[start:end])
        if verdict is not None:
            break
    assert verdict is _byte_by_byte(body)
    assert _all_at_once(body) is verdict
