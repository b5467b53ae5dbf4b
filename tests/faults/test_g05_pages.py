"""G5: a page in place of data is never saved and never ends a stream well, whatever its shape, type and framing.

Each shape is asked for under a meter of its own, whose number says which answer is due, so the server needs no script
and cannot give one shape in the place of another.  What the contract does not call a page is there too: framed it is
saved as it is, and where it ends with the connection its content has to be proof.
"""
# ruff: noqa: PLR0917 - pytest gives parameters and fixtures by name

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from aiomar import (
    FileFormat,
    LoginError,
    Meter,
    OmarClient,
    OmarError,
    TimeType,
    TruncatedBodyError,
    UnexpectedPageError,
)
from tests.client.helpers import DAY, Clock, fetch, give_waiting
from tests.support.clients import config_for
from tests.support.gates import Gate
from tests.support.pages import Shape, shapes
from tests.support.pki import pki
from tests.support.raw import LOGIN, Port

SHAPES = shapes()
TYPES = ("text/html; charset=ISO-8859-1", "text/csv", "application/octet-stream", None)
FRAMINGS = ("length", "chunked", "close")
OLD = b"what was there before"


@attrs.frozen
class Case:
    """One answer."""

    shape: Shape
    content_type: str | None
    framing: str

    @property
    def wire(self) -> bytes:
        """Everything from the status line on."""
        lines = ["HTTP/1.1 200 OK"]
        lines += [f"Content-Type: {self.content_type}"] if self.content_type else []
        body = self.shape.body
        match self.framing:
            case "length":
                lines.append(f"Content-Length: {len(body)}")
            case "chunked":
                lines.append("Transfer-Encoding: chunked")
                half = len(body) // 2
                pieces = [piece for piece in (body[:1], body[1:half], body[max(1, half) :]) if piece]
                body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        return "\r\n".join([*lines, "", ""]).encode() + body

    def due(self, file_format: FileFormat) -> type[OmarError] | None:
        """Say what a download of it must end in; `None` where it is saved."""
        if self.shape.kind == "login":
            return LoginError
        if self.shape.kind == "page":
            return UnexpectedPageError
        proved = self.framing != "close" or file_format.name in self.shape.proves
        return None if proved else TruncatedBodyError


class Pages(Port):
    """A site whose login works and where the meter's number says which case is the answer."""

    def __init__(self, context: ssl.SSLContext, cases: list[Case]) -> None:
        super().__init__(self._talk, context)
        self._cases = cases
        self.asked: Counter[int] = Counter()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            found = re.search(r"selectedMeters=(\d+)", head)
            case = self._cases[int(found[1])] if found else None
            if found:
                self.asked[int(found[1])] += 1
            writer.write(case.wire if case else LOGIN.wire)
            await writer.drain()
            if case and case.framing == "close":
                return


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """Give the file of the authority."""
    return pki().save_root(tmp_path)


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """Give the server's side of TLS."""
    files = pki().server.save(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


@asynccontextmanager
async def opened(ca_file: Path, context: ssl.SSLContext, cases: list[Case]) -> AsyncGenerator[tuple[Pages, OmarClient]]:
    """Open site and client; each look at its clock moves it on, so that no row of login pages opens the breaker."""
    async with Pages(context, cases) as site, OmarClient(config_for(ca_file, site.origin)) as client:
        give_waiting(client, Clock(step=31.0).waiting(lambda: 0.0))
        yield site, client


async def read(client: OmarClient, number: int, file_format: FileFormat, pieces: list[bytes]) -> None:
    """Read a stream to its end."""
    stream = client.open_download(Meter(str(number)), DAY, DAY, file_format=file_format, time_type=TimeType.PST)
    async with stream as body:
        async for piece in body:
            pieces.append(piece)  # noqa: PERF401 - what came before an error counts too


@pytest.mark.fault(35, 52)
@pytest.mark.gate("G5")
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("file_format", FileFormat)
async def test_no_page_is_saved(
    file_format: FileFormat, framing: str, gate: Gate, ca_file: Path, context: ssl.SSLContext, tmp_path: Path
) -> None:
    """Every shape under every type ends as the contract says, and a final path shows what it showed before."""
    cases = [Case(shape, content_type, framing) for shape, content_type in itertools.product(SHAPES, TYPES)]
    into = tmp_path / "data"
    into.mkdir()
    bad: list[str] = []
    async with opened(ca_file, context, cases) as (site, client):
        for number, case in enumerate(cases):
            old = number % 2 == 0
            name = f"{number}.dat"
            if old:
                (into / name).write_bytes(OLD)
            due = case.due(file_format)
            kind: type[OmarError] | None = None
            try:
                await fetch(client, into, Meter(str(number)), file_format=file_format, name=name, overwrite=True)
            except OmarError as error:
                kind = type(error)
            shown = case.shape.body if due is None else OLD if old else None
            left = {path.name: path.read_bytes() for path in into.iterdir()}
            # A login page is asked for once more after a fresh login, and never a third time.
            asked = site.asked[number] in ({2} if due is LoginError else {1, 2})
            if kind is not due or left != ({} if shown is None else {name: shown}) or not asked:
                bad.append(f"{case}: {kind}, asked {site.asked[number]} times")
            (into / name).unlink(missing_ok=True)
    gate.record(len(cases), len(bad), "answers that are no data, saved to disk")
    assert bad == []


@pytest.mark.fault(35)
@pytest.mark.gate("G5")
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("file_format", FileFormat)
async def test_no_page_ends_a_stream_well(
    file_format: FileFormat, framing: str, gate: Gate, ca_file: Path, context: ssl.SSLContext
) -> None:
    """A stream gives nothing of a page but the blanks in front of it, and then its error; its type decides nothing."""
    types = itertools.cycle(TYPES)
    cases = [Case(shape, next(types), framing) for shape in SHAPES]
    bad: list[str] = []
    async with opened(ca_file, context, cases) as (_, client):
        for number, case in enumerate(cases):
            due = case.due(file_format)
            kind: type[OmarError] | None = None
            pieces: list[bytes] = []
            try:
                await read(client, number, file_format, pieces)
            except OmarError as error:
                kind = type(error)
            given = b"".join(pieces)
            good = not given.strip() if case.shape.kind != "not-a-page" else given == case.shape.body
            if kind is not due or not good:
                bad.append(f"{case}: {kind}, {given[:40]!r}")
    gate.record(len(cases), len(bad), "answers that are no data, read as a stream")
    assert bad == []


def test_the_corpus_is_large_enough() -> None:
    """At least sixty shapes are pages, and among all of them there is every kind."""
    kinds = Counter(shape.kind for shape in SHAPES)
    assert kinds["login"] + kinds["page"] >= 60
    assert min(kinds["login"], kinds["page"], kinds["not-a-page"]) >= 10
