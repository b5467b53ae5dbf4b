"""G24, G25: what a client holds on to when it works for a long time, and when a file is large."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from aiomar.testing import Authority
from tests.support.data_site import DataSite
from tests.support.gates import Gate
from tests.support.raw import Port, whole
from tests.support.relay import Relay
from tests.support.soaking import Work, in_a_child, large, soak
from tests.support.toxics import LimitData, ResetPeer, Slicer, Timeout

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")

_ROWS = b"1001,01/01/2026,17,1234.5,0\r\n" * 2_340
"""A little over 64 KiB."""
LOGIN = whole(b"welcome", "Set-Cookie: S=1; Path=/").wire


@pytest.fixture
def work(omar_authority: Authority, tmp_path: Path) -> Callable[..., Work]:
    """Make what a child does, with a certificate and a place for files."""
    files = omar_authority.write(tmp_path)

    def make(origin: str, **more: int | bool) -> Work:
        return Work(
            origin=origin,
            ca_file=files.ca_file,
            certificate=files.pkcs12,
            directory=tmp_path,
            **more,  # type: ignore[arg-type] # numbers and switches of `Work`
        )

    return make


@pytest.mark.gate("G24")
async def test_nothing_grows(work: Callable[..., Work], omar_authority: Authority, gate: Gate) -> None:
    """After thousands of calls, one in twenty with a fault, nothing is held on to that was not held before."""
    downloads, uploads = gate.count(ci=2_400, long=100_000), gate.count(ci=200, long=2_000)
    async with (
        DataSite(omar_authority.server_context(), gate.rng.random()) as site,
        Relay(site.port, gate.rng.random()) as relay,
    ):
        site.size = 2_000
        site.framings = ("length", "length", "length", "chunked", "close", "http/1.0")
        relay.add(
            LimitData(after=4_500, toxicity=0.08),
            ResetPeer(after=3_500, toxicity=0.08),
            Timeout(after=4_000, seconds=0.01, toxicity=0.06),
            Slicer(average=500, toxicity=0.05),
        )
        report = await in_a_child(
            soak, work(relay.origin, downloads=downloads, uploads=uploads, seed=gate.rng.getrandbits(30))
        )
    before, after = report.before, report.after
    faults = relay.fired.total() - relay.fired["slicer"]
    grown = [
        what
        for what, left, right in (
            ("descriptors", before.descriptors, after.descriptors),
            ("tasks", before.tasks, after.tasks),
            ("threads", before.threads, after.threads),
        )
        if right > left
    ]
    gate.record(report.outcomes.total(), len(grown), "calls of a soak: descriptors, tasks or threads that grew")
    kilobytes = after.kilobytes - before.kilobytes
    # A short run ends before the allocator has settled.
    most = gate.count(ci=8, long=5)
    gate.record(
        report.outcomes.total(), kilobytes > most * 1024, f"calls of a soak: memory that grew by more than {most} MiB"
    )
    assert grown == [], (before, after)
    assert kilobytes <= most * 1024
    assert faults >= 0.05 * report.outcomes.total()
    assert report.outcomes["saved"] >= 0.8 * downloads
    assert report.outcomes["sent"] >= 0.7 * uploads


@pytest.mark.gate("G25")
@pytest.mark.fault(12)
@pytest.mark.parametrize(
    ("framing", "lean"), [("length", True), ("close", True), ("chunked", False)], ids=["length", "close", "chunked"]
)
async def test_a_large_file_is_never_in_memory(
    framing: Literal["length", "close", "chunked"],
    lean: bool,  # noqa: FBT001 - of the test's table
    work: Callable[..., Work],
    omar_authority: Authority,
    gate: Gate,
) -> None:
    """However large a file is, downloading it takes a few megabytes of memory."""
    size = gate.count(ci=64, long=1_024) << 20
    limit = gate.count(ci=24, long=32) << 10

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"fr_top" in head:
                writer.write(LOGIN)
                continue
            await _stream(writer, size // len(_ROWS) if b"=large&" in head else 1, framing)
            if framing == "close":
                return

    async with Port(talk, omar_authority.server_context()) as port:
        report = await in_a_child(large, work(port.origin, lean=lean))
    grown = report.after.peak - report.before.kilobytes
    assert report.outcomes == {"saved": 2}
    gate.record(
        1, grown > limit, f"{size >> 20:,} MiB at a time: more than {limit >> 10} MiB of memory over the baseline"
    )
    assert grown <= limit


async def _stream(writer: asyncio.StreamWriter, blocks: int, framing: str) -> None:
    """Send the rows so many times."""
    heads = {"length": f"Content-Length: {blocks * len(_ROWS)}", "chunked": "Transfer-Encoding: chunked"}
    writer.write(f"HTTP/1.1 200 OK\r\n{heads.get(framing, 'Connection: close')}\r\n\r\n".encode())
    chunked = framing == "chunked"
    for _ in range(blocks):
        writer.write(b"%x\r\n%b\r\n" % (len(_ROWS), _ROWS) if chunked else _ROWS)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
