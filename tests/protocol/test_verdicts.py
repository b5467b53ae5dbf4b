"""What an answer is, from its status and its headers."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aiomar.errors import ExchangeError, Hint, ResponseError, StatusError, UnexpectedRedirectError
from aiomar.protocol import (
    Framing,
    HeadVerdict,
    ResponseHead,
    announced_length,
    framing,
    is_login_location,
    judge_head,
    redirect_location,
    retry_after,
    status_error,
)

NOW = dt.datetime(2026, 11, 21, 12, 0, 0, tzinfo=dt.UTC).timestamp()

LOGIN_LOCATIONS = [
    "fr_top.jsp",
    "/fr_top.jsp",
    "https://omar-online.caiso.com/fr_top.jsp",
    "https://omar-online.caiso.com:443/fr_top.jsp?from=/getMDEF.jsp#top",
    "/fr_top.jsp;jsessionid=0000AbC:-1",
    "/a/b/fr_top.jsp;jsessionid=1?x=y",
    "//other.example/fr_top.jsp",
    "http://other.example/fr_top.jsp",
]
OTHER_LOCATIONS = [
    "/",
    "/login.jsp",
    "/fr_top.jsp/",
    "/fr_top.jsp/x",
    "/fr_top.jspx",
    "/x?next=/fr_top.jsp",
    "/x#/fr_top.jsp",
    "/x;fr_top.jsp",
    "https://evil.example/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://[broken/fr_top.jsp",
    "http://a\u2100b/fr_top.jsp",
    "\x1b[31m",
    "caf\udce9",
]


def _head(status: int, **headers: str) -> ResponseHead:
    return ResponseHead(status, CIMultiDict((name.replace("_", "-"), value) for name, value in headers.items()))


@pytest.mark.parametrize(
    "headers", [{}, {"Content_Type": "text/html"}, {"Location": "/x"}, {"Content_Encoding": "Identity "}]
)
def test_200_is_a_body(headers: dict[str, str]) -> None:
    """Content-Type decides nothing, and a Location without a redirect is none."""
    assert judge_head(_head(200, **headers), now=NOW) is HeadVerdict.BODY


@pytest.mark.clause("SUB 3.1.1.2")
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", LOGIN_LOCATIONS)
def test_a_redirect_to_the_authentication_page_ends_the_session(status: int, location: str) -> None:
    """Its Location has a path that ends in fr_top.jsp; what stands before or behind the path does not count."""
    assert judge_head(_head(status, location=location), now=NOW) is HeadVerdict.LOGIN


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", OTHER_LOCATIONS, ids=ascii)
def test_any_other_redirect_is_an_error(status: int, location: str) -> None:
    """It is never followed; the place is told, escaped."""
    with pytest.raises(UnexpectedRedirectError) as caught:
        judge_head(_head(status, location=location), now=NOW)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert caught.value.location.isprintable()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("headers", [{}, {"Location": ""}])
def test_a_redirect_to_nowhere_is_a_redirect(status: int, headers: dict[str, str]) -> None:
    """A redirect without a place leads nowhere that is the login page."""
    head = _head(status, **headers)
    assert redirect_location(head) == ""
    with pytest.raises(UnexpectedRedirectError):
        judge_head(head, now=NOW)


@pytest.mark.parametrize(("status", "location"), [(200, None), (304, None), (404, None), (302, "/x"), (300, "/x")])
def test_redirect_location(status: int, location: str | None) -> None:
    """Only a 3xx answer points anywhere."""
    assert redirect_location(_head(status, Location="/x") if location else _head(status)) == location
    assert redirect_location(_head(201, Location="/x")) is None


@given(st.text())
def test_any_location_has_an_answer(location: str) -> None:
    """Whatever a server writes there, it is the login page or it is not, and nothing else happens."""
    assert is_login_location(location) in {True, False}
    assert not is_login_location(f"/elsewhere?{location}#/fr_top.jsp")


@pytest.mark.parametrize("status", [201, 203, 204, 206, 304, 400, 401, 403, 404, 405, 410, 413, 416, 451, 499])
def test_a_refusal_is_not_repeated(status: int) -> None:
    """Only 200 is an answer; other statuses below 500 say no, but for two that say later."""
    with pytest.raises(StatusError) as caught:
        judge_head(_head(status, Retry_After="5"), now=NOW)
    assert (caught.value.status, caught.value.hint, caught.value.retry_after) == (status, Hint.NEVER, None)


@pytest.mark.parametrize("status", [408, 429, 500, 501, 502, 503, 504, 599])
def test_a_busy_or_broken_server_may_recover(status: int) -> None:
    """Busy servers and their faults may be tried again, after as long as they ask."""
    with pytest.raises(StatusError) as caught:
        judge_head(_head(status, Retry_After="5"), now=NOW)
    assert (caught.value.status, caught.value.hint, caught.value.retry_after) == (status, Hint.RETRY, 5.0)
    assert status_error(_head(status), now=NOW).retry_after is None


@pytest.mark.fault(43, 44)
@pytest.mark.parametrize(
    "headers",
    [
        (("Content-Encoding", "gzip"),),
        (("content-encoding", " GZIP "),),
        (("Content-Encoding", "identity, br"),),
        (("Content-Encoding", "identity"), ("Content-Encoding", "deflate")),
        (("Content-Encoding", "\x1b[31m"),),
        (("Transfer-Encoding", "gzip, chunked"),),
    ],
)
def test_a_coding_was_not_asked_for(headers: tuple[tuple[str, str], ...]) -> None:
    """A coded body cannot be proved whole: nothing is decoded or saved."""
    with pytest.raises(ResponseError) as caught:
        judge_head(ResponseHead(200, CIMultiDict(headers)), now=NOW)
    assert type(caught.value) is ResponseError
    assert caught.value.hint is Hint.NEVER
    assert str(caught.value).isprintable()


@pytest.mark.fault(40)
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120\t", 120.0),
        ("007", 7.0),
        ("99999999999", 99_999_999_999.0),
        ("Sat, 21 Nov 2026 12:01:40 GMT", 100.0),
        ("Saturday, 21-Nov-26 12:01:40 GMT", 100.0),
        ("Sat Nov 21 12:01:40 2026", 100.0),
        ("Sat, 21 Nov 2026 13:01:40 +0100", 100.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    """Seconds in ASCII digits, or a date in any of HTTP's three forms; never less than nothing."""
    assert retry_after(value, now=NOW) == seconds


@pytest.mark.fault(40)
@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", "-5", "+5", "1e3", "1.5", "1_000", "1,000", "0x10", "5;", "5 seconds", "9" * 19, "1" * 5_000),
        *("\u0661\u0662", "\uff11\uff12", "\xb2", "\xa05", "5\x0b", "\x00", "\udcff", "nan", "inf", "soon", "Mon"),
        *("Sat, 21 Nov", "Sat, 99 Nov 2026 12:00:00 GMT", "Sat, 21 Nov 2026 99:00:00 GMT"),
        *("Sat, 21 Nov 99999 12:00:00 GMT", "Sat, 21 Nov 2026 12:00:00 +9999999999"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_retry_after_that_is_none(value: str | None) -> None:
    """Signs, fractions, other scripts, dates that are none: ignored."""
    assert retry_after(value, now=NOW) is None


@pytest.mark.fault(40)
@given(st.one_of(st.text(), st.text("0123456789 -+:,.GMTSatNov")))
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    """No text raises, and no wait is negative or endless."""
    seconds = retry_after(value, now=NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1)).map(lambda moment: moment.replace(tzinfo=dt.UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_every_http_date_is_read(moment: dt.datetime) -> None:
    """What the standard library writes as an HTTP date comes back, to the second."""
    seconds = retry_after(format_datetime(moment, usegmt=True), now=NOW)
    assert seconds == max(0.0, int(moment.timestamp()) - NOW)


def test_a_date_without_a_zone_is_utc_everywhere() -> None:
    """The machine's own zone does not change how long to wait."""
    code = f"from aiomar.protocol import retry_after; print(retry_after('Sat Nov 21 12:01:40 2026', now={NOW}))"
    environ = {**os.environ, "TZ": "America/Los_Angeles", "PYTHONPATH": os.pathsep.join(sys.path)}
    shown = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "100.0"


@pytest.mark.parametrize(
    ("headers", "kind", "length"),
    [
        ((), "close", None),
        ((("Connection", "close"),), "close", None),
        ((("Content-Length", "0"),), "length", 0),
        ((("content-length", " 1234 "),), "length", 1234),
        ((("Transfer-Encoding", "chunked"),), "chunked", None),
        ((("transfer-encoding", "Chunked "),), "chunked", None),
        ((("Transfer-Encoding", "identity"), ("Transfer-Encoding", "chunked")), "chunked", None),
        ((("Transfer-Encoding", "identity"),), "close", None),
        ((("Content-Length", "5"), ("Transfer-Encoding", "chunked")), "chunked", None),
        ((("Content-Length", "-5"),), "length", None),
        ((("Content-Length", "\u0665"),), "length", None),
        ((("Content-Length", "1e3"),), "length", None),
        ((("Content-Length", "9" * 5000),), "length", None),
    ],
)
def test_framing(headers: tuple[tuple[str, str], ...], kind: Framing, length: int | None) -> None:
    """The end of a body is known by its last chunk, its announced length in ASCII digits, or the connection's end."""
    head = ResponseHead(200, CIMultiDict(headers))
    assert (framing(head), announced_length(head)) == (kind, length)


@given(
    st.integers(100, 699), st.dictionaries(st.sampled_from(["Location", "Retry-After", "Content-Encoding"]), st.text())
)
def test_any_head_is_judged(status: int, headers: dict[str, str]) -> None:
    """A verdict or an error of the tree, whose text is printable."""
    try:
        verdict = judge_head(ResponseHead(status, CIMultiDict(headers)), now=NOW)
    except ExchangeError as error:
        assert str(error).isprintable()  # noqa: PT017 - one of two good ends
    else:
        assert verdict is (HeadVerdict.BODY if status == 200 else HeadVerdict.LOGIN)
