"""The session cookie: the first one, as it came, in its own style."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.errors import LoginError
from aiomar.protocol import CookieStyle, first_cookie

PLAIN = [
    ("S=abc", "S=abc"),
    ("S=abc; Path=/; Secure; HttpOnly", "S=abc"),
    ("S=abc/def==; path=/", "S=abc/def=="),
    ("JSESSIONID=0000AbC:-1;Path=/", "JSESSIONID=0000AbC:-1"),
    ("S=x!1!2,y; path=/", "S=x!1!2,y"),
    ("S=a,b==", "S=a,b=="),
    ("S=a b; path=/", "S=a b"),
    ('S="a;b, c=d"; Path=/', 'S="a;b, c=d"'),
    ('S="a\\";b"; Path=/', 'S="a\\";b"'),
    ('S=""; Path=/', 'S=""'),
    ('S="never closed; Path=/', 'S="never closed'),
    ('S="a"b; Path=/', 'S="a"b'),
    (" S = abc ; Path=/", "S=abc"),
    ("S=abc; Version=0", "S=abc"),
    ("S=abc; Version", "S=abc"),
    ('S=abc; Comment="Version=1; a"; Path=/', "S=abc"),
    ("S=abc; Expires=Fri, 01-Jan-2038 00:00:00 GMT; path=/", "S=abc"),
    ("S=abc; Expires=Fri, 01 Jan 38 00:00:00 GMT", "S=abc"),
    ("S=abc; Expires=nonsense; Max-Age=nonsense", "S=abc"),
    ("S=abc; Max-Age=3600; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "S=abc"),
    ("S=abc; Max-Age=1; Max-Age=0", "S=abc"),
    ("S=abc;;;", "S=abc"),
]
RFC_2109 = [
    ("S=abc; Version=1", "$Version=1; S=abc"),
    ('S="abc"; Version="1"; Path="/"', '$Version=1; S="abc"; $Path="/"'),
    ("S=abc; Path=/x; VERSION=1", "$Version=1; S=abc; $Path=/x"),
    ("S=abc ; version = 1 ; path = /", "$Version=1; S=abc; $Path=/"),
    ('S="a;b"; Comment="x;y"; Discard; Version="1"; Path="/a;b"', '$Version=1; S="a;b"; $Path="/a;b"'),
    ("S=abc; Version=1; Version=0", "$Version=1; S=abc"),
    ("S=abc; Version=1; Path=", "$Version=1; S=abc"),
    ("S=abc; Version=1; Path=/caf\xe9", "$Version=1; S=abc"),
]
FOLDED = [
    ("A=1, B=2", "A=1"),
    ('A="1", B="2"; Path=/', 'A="1"'),
    ('A="1",B="2"; Version=1', 'A="1"'),
    ("A=1; Path=/, B=2; Version=1; Max-Age=0", "A=1"),
    ("A=1; Secure, B=2; Version=1", "A=1"),
    ("A=1; Version=1, B=2; Version=0; Path=/x; Max-Age=0", "$Version=1; A=1"),
    ("A=1; Version=1,B=2", "$Version=1; A=1"),
    ('A=1; Version="1", B="2"; Version="1"', "$Version=1; A=1"),
    ("A=1; Expires=Fri, 01 Jan 2038 00:00:00 GMT, B=2; Version=1", "A=1"),
]
TAKEN_AWAY = [
    "S=abc; Max-Age=0",
    'S=abc; Max-Age="0"',
    "S=abc; max-age=-1; Expires=Fri, 01 Jan 2038 00:00:00 GMT",
    "S=abc; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "S=abc; expires=Thu, 01-Jan-1970 00:00:10 GMT; path=/",
    "S=abc; Expires=Thu, 01-Jan-70 00:00:00 GMT",
    'S=abc; Expires="Thu, 01 Jan 1970 00:00:00 GMT"; Version=1',
]
ILLEGAL = [
    "",
    " ",
    ";",
    "=abc",
    "S",
    "S; Path=/",
    "S=",
    "S=; Path=/",
    "a b=c",
    "a,b=c",
    '"S"=abc',
    "caf\xe9=abc",
    "S=caf\xe9",
    "S=abc\xa0",
    "S=\udcff",
    "S=a\x00b",
    "S=a\tb",
    "S=a\r\nX: y",
    "(S)=abc",
]


@pytest.mark.fault(54)
@pytest.mark.clause("SUB 1.2.2", "DL 1.2.2", "SUB 3.1.1.1")
@pytest.mark.parametrize(("line", "header"), PLAIN + RFC_2109 + FOLDED)
def test_a_cookie_goes_back_as_it_came(line: str, header: str) -> None:
    """Name and value byte for byte, quotes included; RFC 2109's form for a cookie of version 1, else NAME=VALUE."""
    assert first_cookie([line]).header(CookieStyle.AUTO) == header


@pytest.mark.clause("SUB 3.1.1.1")
@pytest.mark.parametrize(("line", "header"), PLAIN + RFC_2109)
def test_the_style_can_be_forced(line: str, header: str) -> None:
    """Each environment may say which of the two forms its site wants."""
    cookie = first_cookie([line])
    pair = f"{cookie.name}={cookie.value}"
    assert cookie.header(CookieStyle.PLAIN) == pair
    assert cookie.header(CookieStyle.RFC2109).startswith(f"$Version=1; {pair}")
    assert header in {cookie.header(CookieStyle.PLAIN), cookie.header(CookieStyle.RFC2109)}


@pytest.mark.fault(49)
@pytest.mark.clause("SUB 3.1.1.2")
@pytest.mark.parametrize(
    "later", [["S=2"], ["S=2", "S=3; Path=/"], ["T=2"], ["S=; Max-Age=0"], ["\x00"], ["S=2; Version=1"]]
)
def test_the_first_line_counts(later: list[str]) -> None:
    """The first cookie is the right one, also when a later line repeats its name or takes it away."""
    assert first_cookie(["S=1", *later]).header(CookieStyle.AUTO) == "S=1"


@pytest.mark.fault(50, 55, 57)
@pytest.mark.clause("SUB 3.1.1.2")
@pytest.mark.parametrize("lines", [[], *([line] for line in ILLEGAL + TAKEN_AWAY)], ids=ascii)
def test_no_session_without_a_good_first_cookie(lines: list[str]) -> None:
    """None, one that cannot be sent back, one that ends a session: no later line takes its place."""
    with pytest.raises(LoginError) as caught:
        first_cookie([*lines, "T=2"] if lines else [])
    assert "abc" not in str(caught.value)


def test_a_cookie_does_not_show_its_value() -> None:
    """A repr may reach a log."""
    assert "s3cret" not in repr(first_cookie(["S=s3cret; Version=1; Path=/"]))


HOSTILE = [
    " " * 100_000 + '"',
    "S" + " " * 100_000 + '"',
    "A=" + ", a" * 50_000,
    "A=" + ",  " * 50_000 + "\x00",
    'A="' + '\\"' * 50_000,
    'A="\\"' + ';="\\"' * 30_000,
    "A=1" + ';="' * 50_000,
    "A=1; " + " " * 100_000 + "=",
    "A=1" + "; Expires=" * 10_000,
    "A=1; Expires=" + "1 Jan 2038 " * 10_000,
    "A=1; Max-Age=" + "9" * 100_000,
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_line_costs_its_length(line: str) -> None:
    """A pattern that goes back over what it has read would never end on these lines."""
    try:
        cookie = first_cookie([line])
    except LoginError:
        return
    assert re.fullmatch(r"A=[ -~]+", cookie.header(CookieStyle.PLAIN))


PARTS = st.lists(
    st.sampled_from(
        ["S", "=", ";", ",", " ", '"', "\\", "Version", "1", "Path", "/", "Max-Age", "Expires", "0", "\t", "\xe9"]
    )
)


@given(st.one_of(st.text(), PARTS.map("".join)))
def test_any_line_is_a_cookie_or_a_login_error(line: str) -> None:
    """What is sent back is one printable ASCII line that stands in what came."""
    try:
        cookie = first_cookie([line])
    except LoginError:
        return
    assert cookie.value in line
    for style in CookieStyle:
        assert re.fullmatch(r"[ -~]+", cookie.header(style))
