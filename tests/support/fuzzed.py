"""Mutated answers through every reader of what a server says, in the order in which the client calls them.

This is the part that runs in a child.  It is told a seed and a first number, and makes each page from those two alone,
so that the one which killed it can be made again; its number is written into a file before the page is read.  More than
two seconds of processor time on one page end the child by a signal that nobody handles: that also ends a parser which
never comes back to Python.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import attrs
from multidict import CIMultiDict

from aiomar import FileFormat, OmarError, TimeType
from aiomar._login import check_certificate_page
from aiomar.formats import Kind, sniff
from aiomar.protocol import (
    PAGE_LIMIT,
    CookieStyle,
    PageSniffer,
    ReceiptFacts,
    ResponseHead,
    announced_length,
    content_check,
    first_cookie,
    framing,
    is_login_location,
    is_login_page,
    judge_head,
    page_words,
    redirect_location,
    status_error,
    unexpected_redirect,
)
from aiomar.submissions import Submission, judge_upload
from aiomar.testing import _data
from tests.client.helpers import DAY
from tests.support.pages import shapes

HANG = 2.0
"""Seconds of processor time that one page may take."""
_EXAMPLES = 5
_SAMPLES = Path(__file__).parents[1] / "samples"
_NAMES = ("test5.csv", "a b.csv", "File Id.csv", "session expired.csv", "<td>.csv", "x.dat", "&lt;.csv", "528527.csv")
_TOKENS = (
    *b"< > </ /> \" ' & &# &#x ; = <!-- --> <![CDATA[ ]]> <script> </script> <style> <title>".split(),
    *b"<table> <tr> <td> </td> <td class=formgray>".split(),
    *b"<form action=fr_top.jsp> <input type=password> <select> <option> <b> <div> <svg> <template> <noscript>".split(),
    *b"&nbsp; &#160; &#0; &#xd800; &#x110000; &amp;lt; , : . - KB 63,186 528527 0 ".split(),
    b"Saved As",
    b"Meter file uploaded and Saved As",
    b"File Size : ",
    b"File Id: ",
    b"Fie Id: ",
    b"Error in File Processing",
    b"session expired",
    b"SSL certificate",
    b"test5.csv",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\0",
    b"\x1f",
    b"\xee\x80\x80",
    b"\xa0",
    b"\xc2\xa0",
    b"\xed\xa0\x80",
    b"\xd9\xa5",
    b"\r\n",
    b"\n\n",
    b" " * 40,
)
_HEADERS = ("Content-Length", "Transfer-Encoding", "Content-Encoding", "Location", "Retry-After", "Set-Cookie", "X")
_VALUES = (
    b"JSESSIONID=0000AbC:-1; Path=/; Secure",
    b'S="a;b/=="; Version="1"; Path="/x"; Comment="a;b"',
    b"S=a!1!2,b==; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0",
    b"A=1; Version=1, B=2; Version=1",
    b"120",
    b"Wed, 21 Oct 2026 07:28:00 GMT",
    b"-5",
    b"1e3",
    b"99999999999999999999",
    b"chunked, gzip",
    b"identity",
    b"https://omar.example:444/omar/fr_top.jsp;jsessionid=1?x=[#top",
    b"//[::1",
    b"",
)


@attrs.frozen
class Corpus:
    """What is mutated."""

    pages: tuple[bytes, ...]
    data: tuple[bytes, ...]

    @classmethod
    def load(cls) -> Corpus:
        """Read the sample pages and make some data."""
        samples = [path.read_bytes() for path in sorted(_SAMPLES.glob("*/body.html"))]
        pages = [*samples, *(shape.body[:2_000] for shape in shapes())]
        data = [make(["1001"], DAY, DAY, TimeType.PST) for make in (_data.csv, _data.mdef)]
        return cls(tuple(page for page in pages if page), (data[0][:3_000], data[1], data[1][-2_160:]))


def _one(page: bytearray, chance: random.Random, pages: Sequence[bytes]) -> None:
    """Change a page in one way."""
    size = len(page)
    at = chance.randrange(size + 1)
    end = min(size, at + 1 + int(chance.expovariate(0.03)))
    match chance.randrange(9):
        case 0 if size:
            page[chance.randrange(size)] = chance.randrange(256)
        case 1:
            del page[at:end]
        case 2:
            page[at:at] = page[at:end]
        case 3:
            other = chance.choice(pages)
            start = chance.randrange(len(other))
            page[at:end] = other[start : start + chance.randrange(400)]
        case 4:
            del page[at:]
        case 5:
            page[at:end] = bytes(page[at:end]).swapcase()
        case 6:
            page[at:at] = chance.choice(_TOKENS) * chance.choice((1, 1, 1, 2, 3, 60))
        case _:
            page[at:at] = chance.choice(_TOKENS)


def mutated(chance: random.Random, pages: Sequence[bytes]) -> bytes:
    """Make a page: changed a few times, now and then written in another encoding, or blown up to the longest."""
    page = bytearray(chance.choice(pages))
    start = chance.randrange(len(page))
    if chance.random() < 0.8:  # mostly a piece, as a change counts for more in it
        page = page[start : start + 20 + chance.randrange(380)]
    for _ in range(1 + int(chance.expovariate(0.4))):
        _one(page, chance, pages)
    if chance.random() < 0.02:
        page[:] = page.decode("latin-1").encode(chance.choice(("utf-16", "utf-16-be", "utf-8-sig")))
    if chance.random() < 0.001 and page:  # a piece of it over and over, up to beyond what is read
        start = chance.randrange(len(page))
        piece = bytes(page[start : start + 1 + int(chance.expovariate(0.05))])
        page[start:start] = piece * (chance.choice((8_192, PAGE_LIMIT)) // len(piece))
    return bytes(page)


def _value(chance: random.Random, page: bytes) -> str:
    """Make a header's value, as a transport may give it."""
    value = bytearray(chance.choice(_VALUES))
    for _ in range(chance.randrange(4)):
        _one(value, chance, _VALUES[:10])
    if chance.random() < 0.1:
        value += page[:200]
    return bytes(value).replace(b"\r", b"").replace(b"\n", b"").decode("utf-8", "surrogateescape")


def _head(chance: random.Random, page: bytes) -> ResponseHead:
    names = chance.choices(_HEADERS, k=chance.randrange(4))
    status = chance.choice((200, 200, 200, 200, 302, 400, 401, 404, 495, 500, 503))
    return ResponseHead(status, CIMultiDict((name, _value(chance, page)) for name in names))


def _pieces(chance: random.Random, body: bytes) -> list[bytes]:
    cuts = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(4)))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def _fits(told: str) -> None:
    assert told.isascii(), "not ASCII"
    assert told.isprintable(), "not printable"


def _upload(chance: random.Random, page: bytes, _: Corpus) -> None:
    """Read it as the answer to an upload."""
    name, content = chance.choice(_NAMES), b"1,2\r\n"
    page = page[: PAGE_LIMIT + 1]
    submission = Submission(name=name, content=content, sha256="00")
    verdict = judge_upload(submission, _head(chance, page), page, now=0.0)
    if isinstance(verdict, ReceiptFacts):
        assert (verdict.source_name, verdict.size) == (name, len(content)), "a receipt for something else"
        assert verdict.file_id.isascii(), "a file id in other digits"
        assert verdict.file_id.isdigit(), "a file id that is no number"
    elif isinstance(verdict, OmarError):
        _fits(str(verdict))


def _download(chance: random.Random, page: bytes, corpus: Corpus) -> None:
    """Read it as the answer to a download: its head, its beginning, then as data and as a page."""
    if chance.random() < 0.25:
        page = mutated(chance, corpus.data)
    head = _head(chance, page)
    length = announced_length(head)
    assert length is None or length >= 0, "a negative length"
    assert framing(head) in {"length", "chunked", "close"}
    sniffer, checks = PageSniffer(), [content_check(file_format) for file_format in FileFormat]
    verdict: bool | None = None
    for piece in _pieces(chance, page):
        verdict = sniffer.feed(piece) if verdict is None else verdict
        for check in checks:
            check.feed(piece)
    assert not (verdict and checks[0].whole() and checks[1].whole()), "a page that is both kinds of data"
    if page.startswith(b"<") and verdict is not None:
        assert verdict is (sniff(page) is Kind.PAGE), "a page to one sniffer only"
    page = page[: PAGE_LIMIT + 1]
    is_login_page(page)
    words = page_words(page)
    _fits(words.title)
    _fits(words.excerpt)
    judge_head(head, now=1e9)


def _login(chance: random.Random, page: bytes, _: Corpus) -> None:
    """Read it as the answer to a login."""
    head = _head(chance, page)
    check_certificate_page(head.status, page[: PAGE_LIMIT + 1])
    if (location := redirect_location(head)) is not None and not is_login_location(location):
        _fits(str(unexpected_redirect(head.status, location)))
    wait = status_error(head, now=1e9).retry_after
    assert wait is None or wait >= 0, "a negative wait"
    cookie = first_cookie([*head.all("Set-Cookie"), *(_value(chance, page) for _ in range(chance.randrange(3)))])
    for style in CookieStyle:
        sent = cookie.header(style)
        assert sent.isascii(), "a cookie that cannot be sent"
        assert sent.isprintable(), "a cookie with a control character"


READERS = (_upload, _upload, _download, _download, _login)


def read(seed: str, number: int, corpus: Corpus) -> str | None:
    """Make one page and read it as an answer; say what went wrong."""
    chance = random.Random(f"{seed} {number}")  # noqa: S311 - a test's chance, not a secret
    reader = READERS[number % len(READERS)]
    page = mutated(chance, corpus.pages)
    try:
        reader(chance, page, corpus)
    except OmarError as error:  # what readers are there to say
        if not str(error).isprintable():
            return f"page {number},{reader.__name__}: a message that is not printable: {error!a}"
    except AssertionError as error:
        return f"page {number},{reader.__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - every other one is what is looked for
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"page {number},{reader.__name__}: {type(error).__name__}: {error} ({frame.name}:{frame.lineno})"
    return None


def main(seed: str, first: int, count: int, at: str) -> None:
    """Read so many pages, and print what went wrong as JSON."""
    corpus = Corpus.load()
    place = os.open(at, os.O_WRONLY | os.O_CREAT)
    wrong: list[str] = []
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for number in range(first, first + count):
        os.pwrite(place, number.to_bytes(8, "little"), 0)
        signal.setitimer(signal.ITIMER_PROF, HANG)
        if trouble := read(seed, number, corpus):
            wrong.append(trouble)
    signal.setitimer(signal.ITIMER_PROF, 0)
    os.close(place)
    json.dump({"bad": len(wrong), "examples": wrong[:_EXAMPLES]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
