"""Pages that somebody made to hurt: they cost their length, and raise nothing.

Work is counted by growth, not by a clock: a pattern that goes back over what it has read would run for hours on these
sizes, so that each of them ends at all, far inside the suite's own limit, is the fact tested.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.protocol import PAGE_LIMIT, is_login_page, page_words, printable, read_upload_page
from aiomar.protocol import _pages as pages
from aiomar.protocol import _text as text

SIZE = 65_536
MANY = PAGE_LIMIT // 8

BOMBS = {
    "blanks": b" " * PAGE_LIMIT + b"x",
    "blanks in a cell": b"<td>" + b" " * PAGE_LIMIT + b"x</td>",
    "line ends": b"\n" * PAGE_LIMIT + b"x",
    "blanks that do not break": b"&nbsp;" * (PAGE_LIMIT // 6),
    "opening brackets": b"<" * SIZE,
    "tag never closed": b"<td " + b"a " * SIZE,
    "quotes in a tag": b"<td " + b"\"'" * SIZE,
    "quotes in tags": b"<a '\">" * MANY,
    "attributes behind a quoted bracket": b'<a b=">" ' + b" ".join(b"c%d" % i for i in range(40_000)) + b">",
    "attributes behind a tag in quotes": b'<a x="<b>" ' + b" ".join(b"c%d" % i for i in range(40_000)) + b">",
    "deep divisions": b"<div>" * (SIZE // 5),
    "deep cells": b"<table><tr><td>" * (SIZE // 15),
    "deep formatting": b"<b><i><font>" * (SIZE // 12),
    "options": b"<select>" + b"<option>" * MANY,
    "comments begun": b"<!--" * (SIZE // 4),
    "comments ended": b"-->" * (SIZE // 3),
    "dashes": b"<!--" + b"-" * SIZE,
    "scripts begun": b"<script>" * MANY,
    "script ends": b"<script>" + b"</script " * MANY,
    "titles": b"<title " * MANY,
    "forms": b"<form action " * MANY,
    "inputs": b"<input type " * MANY,
    "forms with blanks": b"<form " + b"action   " * MANY,
    "references": b"&#" + b"1" * SIZE + b";",
    "zeros in a reference": b"&#" + b"0" * SIZE + b"65;",
    "hexadecimal reference": b"&#x" + b"f" * SIZE + b";",
    "ampersands": b"&" * SIZE,
    "anchors": b"x.csv Meter file uploaded and Saved As " * (SIZE // 38),
    "half anchors": b"meter file uploaded and saved " * (SIZE // 30),
    "labels": b"File Size : " * (SIZE // 12),
    "digits": b"File Size : " + b"9" * SIZE,
    "thousands": b"File Size : 1" + b",000" * (SIZE // 4),
    "thousands in a receipt": b"<td>x.csv Meter file uploaded and Saved As 1_x.csv<td>File Id: 1<td>File Size : 1"
    + b",000" * (SIZE // 4)
    + b"<br>",
    "names": b"x.csv " * (SIZE // 6),
    "sessions": b"session " * (SIZE // 8) + b"a",
    "one word after a session": b"session " + b"a" * SIZE,
    "markers": b"Error in File Processing " * (SIZE // 25),
    "half markers": b"Error in File " * (SIZE // 14),
    "nothing": b"\0" * SIZE,
    "high bytes": b"\xff" * SIZE,
    "half of UTF-16": b"\xff\xfe" + b"\xd8" * SIZE,
}


@pytest.mark.fault(64)
@pytest.mark.parametrize("page", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_read_and_is_nothing(page: bytes) -> None:
    """No bomb raises, takes longer than its length, or passes for a receipt."""
    read = read_upload_page(page, "Error in File Processing.csv")
    assert read.receipt is None
    assert not is_login_page(page)
    assert len(page_words(page).excerpt) <= 500


@pytest.mark.parametrize("page", BOMBS.values(), ids=BOMBS.keys())
def test_the_parser_gets_bare_tables_only(page: bytes) -> None:
    """What reaches the HTML parser has no attributes and no tags but those of tables."""
    source = pages._tables(text.decode(page))
    tags = [part.partition(">")[0].strip("/") for part in source.split("<")[1:]]
    assert set(tags) <= {"table", "thead", "tbody", "tfoot", "tr", "td", "th"}


def test_a_receipt_in_too_many_tags_is_still_read() -> None:
    """A page with more tags than the parser is given is read by its text."""
    page = (
        b"<table>" * 5_000
        + b"<td>x.csv Meter file uploaded and Saved As 1_x.csv</td><td>File Size : 7</td><td>File Id: 1</td>"
    )
    receipt = read_upload_page(page, "x.csv").receipt
    assert receipt is not None
    assert (receipt.saved_name, receipt.size, receipt.file_id) == ("1_x.csv", 7, "1")


WORDS = """
<table>|<tr>|<td>|</td>|<td class="x >|<!--|-->|<script>|</script>|<br>|<|>|"|'|x.csv|:|KB|5|63,186|&nbsp;|&#1;|&lt;|
Error in File Processing.csv|Error in File Processing|Meter file uploaded|and Saved As|1_x.csv|File Size :|Fie Id:|
session expired|<form action="fr_top.jsp">|<input type="password">|<title>
"""
PIECES = st.sampled_from(
    [*WORDS.replace("\n", "").split("|"), "\x1f", "\ue000", "\n", " ", "\x00", "\u0665", "\x1b[31m"]
)
LIKE_PAGES = st.lists(PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode())


@given(
    page=st.one_of(LIKE_PAGES, st.binary(max_size=400)), sent_name=st.sampled_from(["x.csv", "a b.csv", "<td>.csv", ""])
)
def test_any_page_is_read_without_an_error(page: bytes, sent_name: str) -> None:
    """Whatever comes, a reading comes of it, the same each time, and what it tells is printable ASCII."""
    read = read_upload_page(page, sent_name)
    assert read == read_upload_page(page, sent_name)
    words = page_words(page)
    for told in (read.excerpt, read.reason or "", words.title, words.excerpt, *read.fragments.values()):
        assert told.isascii()
        assert all(character.isprintable() for character in told)
    if read.receipt is not None:
        assert read.receipt.file_id.isdecimal()
        assert read.receipt.size >= 0
        assert not read.login
    assert not (read.login and not is_login_page(page))


@given(page=LIKE_PAGES, words=st.sampled_from([b"Saved As", b"File Id", b"uploaded", b"x.csv"]))
def test_no_page_with_a_word_of_a_receipt_is_a_login_page(page: bytes, words: bytes) -> None:
    """As the answer to an upload a login page counts only without any word of a receipt."""
    assert not read_upload_page(b"<p>" + words + b"</p>" + page, "x.csv").login


@pytest.mark.fault(78)
@given(st.text())
def test_printable_is_printable_and_steady(raw: str) -> None:
    """Server words become one line of at most 500 printable ASCII characters; printing those again changes nothing."""
    shown = printable(raw)
    assert shown.isascii()
    assert all(character.isprintable() for character in shown)
    assert len(shown) <= 500
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a \t\r\n b", "a b"),
        ("\x1b[31m", "\\x1b[31m"),
        ("caf\xe9 \u2028 \u202e \U0001f600", "caf\\xe9 \\u202e \\U0001f600"),
        ("\udcff", "\\udcff"),
        ("a" * 501, "a" * 497 + "..."),
        ("a" * 500, "a" * 500),
    ],
)
def test_printable_escapes_folds_and_cuts(raw: str, shown: str) -> None:
    """Blanks are folded, what is not printable ASCII is escaped, and a cut is shown."""
    assert printable(raw) == shown


@pytest.mark.parametrize(
    ("page", "title", "excerpt"),
    [
        (b"<title>502 Proxy\n Error</title><p>Bad &amp; worse</p>", "502 Proxy Error", "502 Proxy Error Bad & worse"),
        (b"<TITLE lang=en>A&nbsp;B", "A B", "A B"),
        (b"<!-- <title>no</title> --><p>yes", "", "yes"),
        (b"\xff\xfe" + "<title>caf\xe9</title>".encode("utf-16-le"), "caf\\xe9", "caf\\xe9"),
        (b"", "", ""),
    ],
)
def test_page_words_are_title_and_beginning(page: bytes, title: str, excerpt: str) -> None:
    """An unexpected page is told by its title and the beginning of its text."""
    words = page_words(page)
    assert (words.title, words.excerpt) == (title, excerpt)


@pytest.mark.parametrize(
    ("page", "login"),
    [
        (b"<form action=fr_top.jsp>", True),
        (b"<form method=post\n action = '/x/fr_top.jsp?a=1'>", True),
        (b"<form action='fr_top.jsp.html'>", False),
        (b"<form action='/upload.jsp?next=fr_top.jsp'>", False),
        (b"<a href='fr_top.jsp'>Log in</a>", False),
        (b"<INPUT NAME=p TYPE = PASSWORD>", True),
        (b"<input type='text' name='password'>", False),
        (b"<script>var f = '<input type=password>'</script>", False),
        (b"<p>Your session has expired", True),
        (b"<p>Session timed-out", True),
        (b"<p>session time out", True),
        (b"<p>the session of user 7 was terminated", True),
        (b"<p>Invalid parameter. Your session is open", False),
        (b"<p>obsession expired", False),
        (b"1,2,3\n", False),
        (b"", False),
    ],
)
def test_a_login_page_is_told_by_its_form_its_field_or_its_words(page: bytes, login: bool) -> None:  # noqa: FBT001 - a table
    """A form to fr_top.jsp, a password field, or the words that the session has ended."""
    assert is_login_page(page) is login
