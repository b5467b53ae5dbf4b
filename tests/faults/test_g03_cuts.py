"""G3, G4: answers that are cut at every byte, in every framing, and those that are compressed besides.

A cut in a framed answer always shows.  In one that ends with its connection only the content can show it, and there is
one cut that no content shows: behind the end of a row of CSV what is left is a shorter CSV file.  These are named here,
and no other may be taken.
"""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Literal

import attrs
import pytest

from aiomar import FileFormat, Meter, OmarClient, OmarConfig, OmarError, ResponseError, TimeType, TruncatedBodyError
from aiomar.testing import CutBody, OmarServer
from tests.client.helpers import DAY, data, fetch, on_disk, once
from tests.support.data_site import FramingKind, csv, mdef
from tests.support.gates import Gate
from tests.support.memory import MemoryTransport

SIZE = 4_096
HEADS: dict[FramingKind, bytes] = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
    "close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n",
    "http/1.0": b"HTTP/1.0 200 OK\r\n",
}
FORMATS = [FileFormat.CSV, FileFormat.MDEF]
ENDS = {"end": None, "reset": lambda: ConnectionResetError(104, "reset")}


@attrs.frozen
class Judge:
    """A client without a network, and what it makes of bytes."""

    client: OmarClient
    transport: MemoryTransport

    async def taken(self, wire: bytes, file_format: FileFormat, end: str = "end") -> bytes | OmarError:
        """Give what a caller gets of an answer that ends after these bytes."""
        self.transport.wire, self.transport.end = wire, ENDS[end]
        opened = self.client.open_download(Meter("7"), DAY, DAY, file_format=file_format, time_type=TimeType.PST)
        try:
            async with opened as body:
                return b"".join([piece async for piece in body])
        except OmarError as error:
            return error


@pytest.fixture
async def judge(omar_config: OmarConfig) -> AsyncIterator[Judge]:
    """Give a client whose bytes come from memory; it tries once."""
    async with OmarClient(once(omar_config)) as client:
        await client._ready().transport.aclose()
        transport = MemoryTransport()
        parts = client._ready()
        parts.transport = parts.session._transport = transport
        parts.session._opener = attrs.evolve(parts.session._opener, transport=transport)
        yield Judge(client, transport)


def file_of(file_format: FileFormat, size: int = SIZE) -> bytes:
    """Give a file of exactly so many bytes, or of as many whole records as fit."""
    if file_format is FileFormat.MDEF:
        return mdef("m", size)
    rows = csv("m", size)
    cut = rows[: rows.rindex(b"\r\n", 0, size - 40) + 2]
    return cut + b"m,9,".ljust(size - len(cut) - 2, b"1") + b"\r\n"


def framed(content: bytes, framing: FramingKind, *headers: bytes) -> tuple[bytes, int]:
    """Give a whole answer, and where its body begins."""
    head = HEADS[framing] % len(content) if framing == "length" else HEADS[framing]
    head += b"".join(header + b"\r\n" for header in headers) + b"\r\n"
    if framing != "chunked":
        return head + content, len(head)
    pieces = [content[at : at + 1_000] for at in range(0, len(content), 1_000)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n", len(head)


def row_ends(content: bytes, file_format: FileFormat) -> dict[int, str]:
    """Name the cuts that nothing can show, by the number of bytes that are left."""
    if file_format is FileFormat.MDEF:
        return {}
    *ends, _ = itertools.accumulate(len(row) + 2 for row in content.split(b"\r\n")[:-1])
    return {end: f"behind row {number}" for number, end in enumerate(ends)}


async def cuts(
    judge: Judge, content: bytes, offsets: Iterable[int], framing: FramingKind, file_format: FileFormat
) -> dict[int, bytes]:
    """Cut an answer at all these bytes of the wire, both ways; give what was taken, by what was left of the body."""
    wire, start = framed(content, framing)
    taken = {}
    for offset in offsets:
        for end in ENDS:
            got = await judge.taken(wire[: start + offset], file_format, end)
            if isinstance(got, bytes):
                taken[offset] = got
                assert content.startswith(got)
            elif offset > 0:
                assert isinstance(got, TruncatedBodyError), got
    return taken


@pytest.mark.gate("G3")
@pytest.mark.fault(6, 7, 8)
@pytest.mark.parametrize("framing", HEADS)
@pytest.mark.parametrize("file_format", FORMATS, ids=lambda chosen: chosen.name)
async def test_every_cut_shows(framing: FramingKind, file_format: FileFormat, judge: Judge, gate: Gate) -> None:
    """Of the cuts at every byte none is taken for a whole file, save behind a row where only the connection ends."""
    content = file_of(file_format)
    wire, start = framed(content, framing)
    excused = row_ends(content, file_format) if framing in {"close", "http/1.0"} else {}
    assert await judge.taken(wire, file_format) == content
    cut = range(len(wire) - start)
    taken = await cuts(judge, content, cut, framing, file_format)
    wrong = {offset for offset, got in taken.items() if got != content and offset not in excused}
    gate.record(2 * len(cut), len(wrong), "cuts of 4 KiB, at every byte")
    assert wrong == set()
    assert taken.keys() >= excused.keys(), "an excuse that is not needed"
    if excused:
        gate.record(2 * len(excused), 0, "cuts behind a row of CSV, which nothing can show")


@pytest.mark.gate("G3")
@pytest.mark.parametrize("framing", HEADS)
async def test_a_head_that_is_cut(framing: FramingKind, judge: Judge, gate: Gate) -> None:
    """Without the whole head there is no answer."""
    wire, start = framed(file_of(FileFormat.CSV), framing)
    taken = [await judge.taken(wire[:offset], FileFormat.CSV, end) for offset in range(start) for end in ENDS]
    wrong = [got for got in taken if isinstance(got, bytes)]
    gate.record(len(taken), len(wrong), "cuts of the head, at every byte")


@pytest.mark.gate("G3")
@pytest.mark.parametrize("file_format", FORMATS, ids=lambda chosen: chosen.name)
async def test_cuts_of_large_files(file_format: FileFormat, judge: Judge, gate: Gate) -> None:
    """At random bytes of 1 MiB it is the same."""
    content = file_of(file_format, 1 << 20)
    excused = row_ends(content, file_format)
    offsets = [gate.rng.randrange(1, len(content)) for _ in range(gate.count(ci=50, long=5_000))]
    taken = await cuts(judge, content, offsets, "close", file_format)
    wrong = taken.keys() - excused.keys()
    gate.record(len(offsets), len(wrong), "cuts of 1 MiB, at random bytes")
    assert wrong == set()


@pytest.mark.gate("G3")
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("file_format", FORMATS, ids=lambda chosen: chosen.name)
async def test_cuts_over_tls(  # noqa: PLR0917 - fixtures
    framing: Literal["length", "chunked", "close"],
    file_format: FileFormat,
    gate: Gate,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
) -> None:
    """Over real connections, with an orderly end of TLS, the judgement is the same and nothing is left on the disk."""
    content = data(omar_server, file_format=file_format)
    excused = row_ends(content, file_format) if framing == "close" else {}
    offsets = [gate.rng.randrange(1, len(content)) for _ in range(gate.count(ci=12, long=400))]
    offsets += gate.rng.sample(sorted(excused), min(3, len(excused)))
    bad = 0
    async with OmarClient(once(omar_config)) as client:
        for offset in offsets:
            omar_server.script(CutBody(offset, framing))
            try:
                saved = await fetch(client, tmp_path, file_format=file_format, name="data")
            except TruncatedBodyError:
                bad += on_disk(tmp_path) != {}
            else:
                bad += offset not in excused or saved.completeness != "content"
                saved.path.unlink()
    gate.record(len(offsets), bad, "cuts over TLS")


@pytest.mark.gate("G4")
@pytest.mark.fault(43)
@pytest.mark.parametrize("framing", HEADS)
async def test_truncated_gzip_that_says_so(framing: FramingKind, judge: Judge, gate: Gate) -> None:
    """A coding that was not asked for is an error at once, wherever it is cut, and also when it is whole."""
    squeezed = gzip.compress(gate.rng.randbytes(SIZE))
    wire, start = framed(squeezed, framing, b"Content-Encoding: gzip")
    got = [await judge.taken(wire[:offset], FileFormat.CSV) for offset in range(start, len(wire) + 1)]
    wrong = [one for one in got if type(one) is not ResponseError]
    gate.record(len(got), len(wrong), "truncated gzip with its header")


@pytest.mark.gate("G4")
@pytest.mark.fault(43)
@pytest.mark.parametrize("file_format", FORMATS, ids=lambda chosen: chosen.name)
@pytest.mark.parametrize("text", ["noise", "rows"])
async def test_truncated_gzip_that_does_not_say_so(
    text: str, file_format: FileFormat, judge: Judge, gate: Gate
) -> None:
    """Without its header a compressed body is no CSV and no MDEF, however it is cut."""
    content = gate.rng.randbytes(SIZE) if text == "noise" else _rows(gate.rng)
    wire, start = framed(gzip.compress(content), "close")
    got = [await judge.taken(wire[:offset], file_format) for offset in range(start + 1, len(wire) + 1)]
    wrong = [one for one in got if not isinstance(one, TruncatedBodyError)]
    gate.record(len(got), len(wrong), "truncated gzip without its header")


def _rows(rng: random.Random) -> bytes:
    """Give rows that compress to some kilobytes."""
    return b"".join(b"1001,%d,%d\r\n" % (number, rng.getrandbits(60)) for number in range(500))
