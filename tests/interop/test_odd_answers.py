"""Answers that HTTP allows, forbids or never thought of: each ends in its own error, and nothing wrong is saved.

Every answer is given to a download, to a login and to an upload: on the short way, through aiohttp's session, and
through the session with a proxy, which are different ways of sending inside.
"""

from __future__ import annotations

import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import attrs
import pytest

from aiomar import (
    CertificateRejectedError,
    DeadlineError,
    EmptyBodyError,
    ExchangeError,
    OmarClient,
    OmarConfig,
    OmarError,
    OutcomeUnknownError,
    ResponseError,
    ResponseTooLargeError,
    RetryPolicy,
    StatusError,
    Timeouts,
    TransportError,
    TruncatedBodyError,
)
from tests.support.clients import CSV, download, saved_names
from tests.support.proxy import Proxy
from tests.support.raw import Answer, Port, RawSite, Then, whole

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(CSV)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(CSV), CSV)
LAST = b"0\r\n\r\n"
BODY = LENGTH + b"\r\n" + CSV
ZIPPED = gzip.compress(CSV)

GOOD = {
    "1xx first": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\n" + OK + BODY, "length"),
    "no reason phrase": (b"HTTP/1.1 200\r\n" + BODY, "length"),
    "bare line feeds": ((OK + LENGTH + b"\r\n").replace(b"\r", b"") + CSV, "length"),
    "folded header": (OK + b"X: a\r\n b\r\n" + BODY, "length"),
    "header in Latin-1": (OK + b"X: \xff\xfe\r\n" + BODY, "length"),
    "encoded as identity": (OK + b"Content-Encoding: identity\r\n" + BODY, "length"),
    "offer to upgrade": (OK + b"Upgrade: h2c\r\nConnection: upgrade\r\n" + BODY, "length"),
    "chunks": (OK + CHUNKED + CHUNK + LAST, "chunked"),
    "chunk extension": (OK + CHUNKED + CHUNK.replace(b"\r\n", b";a=b\r\n", 1) + LAST, "chunked"),
    "trailer": (OK + CHUNKED + CHUNK + b"0\r\nX: y\r\n\r\n", "chunked"),
    "until the end, HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n" + CSV, "content"),
    "until the end, HTTP/1.1": (OK + b"\r\n" + CSV, "content"),
}

BAD: dict[str, tuple[bytes, type[OmarError]]] = {
    "bytes after the body": (OK + b"Connection: close\r\n" + BODY + b"more", TransportError),
    "two lengths": (OK + b"Content-Length: 3\r\n" + BODY, TransportError),
    "the same length twice": (OK + LENGTH + BODY, TransportError),
    "list of lengths": (OK + b"Content-Length: 3, 3\r\n\r\nabc", TransportError),
    "length and chunks": (OK + LENGTH + CHUNKED + CHUNK + LAST, TransportError),
    "negative length": (OK + b"Content-Length: -5\r\n\r\n" + CSV, TransportError),
    "length with a sign": (OK + b"Content-Length: +5\r\n\r\n" + CSV, TransportError),
    "length in words": (OK + b"Content-Length: many\r\n\r\n" + CSV, TransportError),
    "length beyond all": (OK + b"Content-Length: 99999999999999999999999\r\n\r\n" + CSV, TransportError),
    "length in other digits": (OK + "Content-Length: \u0665\r\n\r\n".encode() + CSV, TransportError),
    "length beyond the limit": (OK + b"Content-Length: 9999999999999\r\n\r\n" + CSV, ResponseTooLargeError),
    "bad chunk size": (OK + CHUNKED + b"xyz\r\n" + CSV, TransportError),
    "negative chunk size": (OK + CHUNKED + b"-5\r\n" + CSV, TransportError),
    "chunk longer than its size": (OK + CHUNKED + b"5\r\nabcdefg\r\n" + LAST, TransportError),
    "no last chunk": (OK + CHUNKED + CHUNK, TruncatedBodyError),
    "garbage": (b"\x00\x01\x02garbage\r\n\r\n", TransportError),
    "another protocol": (b"SSH-2.0-OpenSSH_9\r\n", TransportError),
    "HTTP/0.9": (CSV, TransportError),
    "HTTP/2": (b"HTTP/2 200 OK\r\n" + BODY, TransportError),
    "status in words": (b"HTTP/1.1 fine OK\r\n" + BODY, TransportError),
    "status of four digits": (b"HTTP/1.1 1000 OK\r\n" + BODY, TransportError),
    "status 101": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxx", StatusError),
    "9 KB header": (OK + b"X: " + b"x" * 9000 + b"\r\n" + BODY, TransportError),
    "9 KB status line": (b"HTTP/1.1 200 " + b"x" * 9000 + b"\r\n" + BODY, TransportError),
    "5,000 headers": (OK + b"X: y\r\n" * 5000 + BODY, TransportError),
    "NUL in a header": (OK + b"X: a\0b\r\n" + BODY, TransportError),
    "header without a colon": (OK + b"nonsense\r\n" + BODY, TransportError),
    "nothing": (b"", TransportError),
    "half a status line": (b"HTTP/1", TransportError),
    "only a status line": (OK, TransportError),
    "only 1xx": (b"HTTP/1.1 102 Processing\r\n\r\n", TransportError),
    "only a head": (OK + LENGTH + b"\r\n", TruncatedBodyError),
    "cut": (OK + BODY[:-3], TruncatedBodyError),
    "cut, until the end": (OK + b"\r\n" + CSV[:-3], TruncatedBodyError),
    "gzip": (OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED) + ZIPPED, ResponseError),
    "unknown coding": (OK + b"Content-Encoding: x-own\r\n" + BODY, ResponseError),
    "gzip in transfer": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNK + LAST, ResponseError),
    "203": (b"HTTP/1.1 203 Changed\r\n" + BODY, StatusError),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", StatusError),
    "204 with a body": (b"HTTP/1.1 204 No Content\r\n" + BODY, TransportError),
    "206": (b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/100\r\n" + BODY, StatusError),
    "304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", StatusError),
    "999": (b"HTTP/1.1 999 Odd\r\n" + BODY, StatusError),
    "no bytes": (OK + b"Content-Length: 0\r\n\r\n", EmptyBodyError),
    "no bytes until the end": (OK + b"\r\n", EmptyBodyError),
}

STALLS = {
    "before the first byte": (b"", "first_byte"),
    "in the head": (OK + b"X: ", "first_byte"),
    "after the head": (OK + LENGTH + b"\r\n", "read"),
    "in the body": (OK + BODY[:-3], "read"),
    "before the end of the connection": (OK + b"\r\n" + CSV, "read"),
}


@pytest.fixture(params=["lean", "session", "proxy"])
async def config_of(
    request: pytest.FixtureRequest, configure: Callable[..., OmarConfig]
) -> AsyncIterator[Callable[[Port], OmarConfig]]:
    """Make the configuration of a client that tries once, on one of the ways to the server."""
    once = partial(attrs.evolve, retry=RetryPolicy(attempts=1), lean=request.param != "session")
    if request.param == "proxy":
        async with Proxy() as proxy:
            yield lambda site: once(configure(site.origin), proxy=proxy.address)
    else:
        yield lambda site: once(configure(site.origin))


@pytest.mark.clause("DL 3.3")
@pytest.mark.parametrize(("wire", "completeness"), GOOD.values(), ids=GOOD.keys())
async def test_good_answer(
    config_of: Callable[[Port], OmarConfig],
    server_context: ssl.SSLContext,
    tmp_path: Path,
    wire: bytes,
    completeness: str,
) -> None:
    """What HTTP allows is saved byte for byte, and the result says what proves it whole."""
    async with RawSite(server_context, Answer(wire)) as site, OmarClient(config_of(site)) as client:
        saved = await download(client, tmp_path)
    assert saved.path.read_bytes() == CSV
    assert saved.completeness == completeness


@pytest.mark.fault(6, 7, 8, 41, 42, 43, 45, 46, 47)
@pytest.mark.parametrize(("wire", "error"), BAD.values(), ids=BAD.keys())
async def test_bad_answer(
    config_of: Callable[[Port], OmarConfig],
    server_context: ssl.SSLContext,
    tmp_path: Path,
    wire: bytes,
    error: type[OmarError],
) -> None:
    """A download ends in the error of its kind, and nothing is saved; an upload's outcome is unknown, after one try."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    async with RawSite(server_context, Answer(wire)) as site, OmarClient(config_of(site)) as client:
        with pytest.raises(error) as caught:
            await download(client, tmp_path)
        assert not isinstance(caught.value, CertificateRejectedError)
        before = site.data_requests
        with pytest.raises(OutcomeUnknownError):
            await client.upload(source)
        assert site.data_requests == before + 1
    assert saved_names(tmp_path) == []


@pytest.mark.fault(41, 42, 47)
@pytest.mark.parametrize("wire", [wire for wire, _ in BAD.values()], ids=BAD.keys())
async def test_bad_login(configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, wire: bytes) -> None:
    """A login that is answered like this fails with an error of the tree, after as many tries as the policy allows."""
    async with RawSite(server_context, login=Answer(wire)) as site, OmarClient(configure(site.origin)) as client:
        with pytest.raises(ExchangeError):
            await client.login()
        assert 1 <= len(site.targets) <= 3


@pytest.mark.fault(9, 11)
@pytest.mark.parametrize(("wire", "phase"), STALLS.values(), ids=STALLS.keys())
async def test_stall(
    config_of: Callable[[Port], OmarConfig], server_context: ssl.SSLContext, tmp_path: Path, wire: bytes, phase: str
) -> None:
    """A server that falls silent runs into the deadline of its phase, and nothing is saved."""
    timeouts = Timeouts(first_byte=0.3) if phase == "first_byte" else Timeouts(read=0.3)
    async with RawSite(server_context, Answer(wire, Then.STALL)) as site:
        async with OmarClient(attrs.evolve(config_of(site), timeouts=timeouts)) as client:
            with pytest.raises(DeadlineError) as caught:
                await download(client, tmp_path)
        assert site.data_requests == 1
    assert caught.value.phase == phase
    assert saved_names(tmp_path) == []


async def test_answer_that_nobody_asked_for(
    config_of: Callable[[Port], OmarConfig], server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """What comes on an idle connection is never taken for the answer to the next request."""
    unasked = OK + b"Content-Length: 14\r\n\r\na,b\r\nother,99\r\n"
    async with RawSite(server_context, whole(CSV)) as site, OmarClient(config_of(site)) as client:
        await client.login()
        site.say_to_all(unasked)
        async with OmarClient(config_of(site)) as other:
            await other.login()  # so that the words have surely arrived
        saved = await download(client, tmp_path)
        assert site.connections == 3
    assert saved.path.read_bytes() == CSV


async def test_answer_in_one_piece_with_another(
    config_of: Callable[[Port], OmarConfig], server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """A second answer right behind the first one is never taken for the answer to the next request."""
    twice = OK + BODY + OK + b"Content-Length: 14\r\n\r\na,b\r\nother,99\r\n"
    async with RawSite(server_context, Answer(twice, Then.KEEP)) as site, OmarClient(config_of(site)) as client:
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            saved = await download(client, tmp_path / name)
            assert saved.path.read_bytes() == CSV
        assert site.data_requests == 2


@pytest.mark.fault(16, 17)
async def test_client_without_a_certificate(
    configure: Callable[..., OmarConfig], server_context: ssl.SSLContext
) -> None:
    """The word of nginx for a certificate that did not arrive is a refused certificate, not a status."""
    page = b"<html><title>400 No required SSL certificate was sent</title></html>"
    async with RawSite(server_context, login=whole(page, status="400 Bad Request")) as site:
        async with OmarClient(configure(site.origin)) as client:
            with pytest.raises(CertificateRejectedError) as caught:
                await client.login()
        assert len(site.targets) == 1
    assert (caught.value.side, caught.value.certain) == ("client", True)
