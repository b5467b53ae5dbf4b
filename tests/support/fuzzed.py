"""Mutated pages and headers through every reader of what a server says: the part that runs in the child.

A child is told its seed and a first number, and makes each page from those two alone, so that the one which killed it
can be made again.  It writes the number of the page at hand into a file before it reads it.  More than two seconds of
processor time on one page end the child by a signal that nobody handles: that also ends a parser which never comes back
to Python.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
from multidict import CIMultiDict

from aiomar import FileFormat, OmarError, TimeType
from aiomar._login import check_certificate_page
from aiomar.formats import sniff
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
    is_login_page,
    judge_head,
    page_words,
    read_upload_page,
    retry_after,
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
    *b"< > </ /> \" ' & &# &#x ; = <!-- --> <![CDATA[ ]]> <script> </script> <style> <title> <table> <tr> <td> </td>".split(),
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


def _as_upload(chance: random.Random, page: bytes) -> None:
    name = chance.choice(_NAMES)
    content = b"1,2\r\n"
    page = page[: PAGE_LIMIT + 1]
    if chance.random() < 0.5 and len(page) <= PAGE_LIMIT:
        seen = read_upload_page(page, name)
        for told in (seen.excerpt, seen.reason or "", *seen.fragments.values()):
            _fits(told)
        assert not (seen.login and seen.receipt), "a login page with a receipt"
        return
    verdict = judge_upload(Submission(name=name, content=content, sha256="00"), _head(chance, page), page, now=0.0)
    if isinstance(verdict, ReceiptFacts):
        assert (verdict.source_name, verdict.size) == (name, len(content)), "a receipt for something else"
        assert verdict.file_id.isascii(), "a file id in other digits"
        assert verdict.file_id.isdigit(), "a file id that is no number"
    elif isinstance(verdict, OmarError):
        _fits(str(verdict))


def _as_download(_: random.Random, page: bytes) -> None:
    page = page[: PAGE_LIMIT + 1]
    is_login_page(page)
    words = page_words(page)
    _fits(words.title)
    _fits(words.excerpt)


def _as_login(chance: random.Random, page: bytes) -> None:
    check_certificate_page(chance.choice((200, 400, 495, 496)), page[: PAGE_LIMIT + 1])


def _as_beginning(chance: random.Random, page: bytes) -> None:
    sniffer = PageSniffer()
    for piece in _pieces(chance, page):
        if sniffer.feed(piece) is not None:
            break
    sniff(page[:512])


def _as_head(chance: random.Random, page: bytes) -> None:
    head = _head(chance, page)
    framing(head)
    length = announced_length(head)
    assert length is None or length >= 0, "a negative length"
    wait = retry_after(_value(chance, page), now=1e9)
    assert wait is None or wait >= 0, "a negative wait"
    judge_head(head, now=1e9)


def _as_cookie(chance: random.Random, page: bytes) -> None:
    cookie = first_cookie([_value(chance, page) for _ in range(chance.randrange(3))])
    for style in CookieStyle:
        sent = cookie.header(style)
        assert sent.isascii(), "a cookie that cannot be sent"
        assert sent.isprintable(), "a cookie with a control character"


def _as_content(chance: random.Random, page: bytes) -> None:
    for file_format in FileFormat:
        check = content_check(file_format)
        for piece in _pieces(chance, page):
            check.feed(piece)
        check.whole()


READERS: dict[str, Callable[[random.Random, bytes], None]] = {
    "upload page": _as_upload,
    "page in place of data": _as_download,
    "certificate page": _as_login,
    "beginning": _as_beginning,
    "head": _as_head,
    "cookie": _as_cookie,
    "content": _as_content,
}


def read_all(seed: str, number: int, corpus: Corpus) -> list[str]:
    """Put one page through all readers; give what went wrong."""
    chance = random.Random(f"{seed} {number}")  # noqa: S311 - a test's chance, not a secret
    page = mutated(chance, corpus.pages)
    wrong = []
    for name, reader in READERS.items():
        body = mutated(chance, corpus.data) if name == "content" and number % 4 == 0 else page
        try:
            reader(chance, body)
        except OmarError:
            pass  # what it is there to say
        except Exception as error:  # noqa: BLE001 - every other one is what is looked for
            frame = traceback.extract_tb(error.__traceback__)[-1]
            wrong.append(f"page {number}, {name}: {type(error).__name__}: {error} ({frame.name}:{frame.lineno})")
    return wrong


def main(seed: str, first: int, count: int, at: str) -> None:
    """Read so many pages, and print what went wrong as JSON."""
    corpus = Corpus.load()
    place = os.open(at, os.O_WRONLY | os.O_CREAT)
    wrong: list[str] = []
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for number in range(first, first + count):
        os.pwrite(place, number.to_bytes(8, "little"), 0)
        signal.setitimer(signal.ITIMER_PROF, HANG)
        wrong += read_all(seed, number, corpus)
    signal.setitimer(signal.ITIMER_PROF, 0)
    os.close(place)
    json.dump({"bad": len(wrong), "examples": wrong[:_EXAMPLES]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
