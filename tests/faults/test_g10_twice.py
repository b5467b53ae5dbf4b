"""G10: no byte of an upload goes over the wire twice for one call, whatever happens to it and wherever it is sent.

A server that keeps every byte it decrypts stands behind the relay, and another one at the place that it points to.  The
one documented case is a login page, or a redirect to it, in place of an answer: the server did not take the file.  Then
it is sent once more, if the new login shows that the session had ended, and never a third time.
"""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from collections import Counter
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ClientIdentity,
    Environment,
    OmarClient,
    OmarConfig,
    OmarError,
    RetryPolicy,
    Timeouts,
    Trust,
    UploadReceipt,
    errors,
)
from aiomar.testing import Authority, _html
from tests.support.gates import Gate
from tests.support.raw import Answer, Port, Then, reset, whole
from tests.support.relay import Relay
from tests.support.toxics import Latency, LimitData, ResetPeer, Slicer, Stream, Timeout, Toxic

_LENGTH = re.compile(r"(?im)^content-length: (\d+)")
_STREAMS: tuple[Stream, ...] = ("downstream", "upstream")
_CALLS_PER_CLIENT = 10
_LOGIN_PAGE = whole(b'<html><form action="/fr_top.jsp"><input type="password"></form></html>')
_TO_LOGIN = [whole(b"moved", "Location: /fr_top.jsp", status=f"{number} Moved") for number in (301, 302, 303, 307, 308)]
_LOGINS = [_LOGIN_PAGE, *_TO_LOGIN]
RECEIPT = object()
"""Take it, and say so."""


class Tap(Port):
    """A site that keeps what it gets.

    Attributes:
        answers: one for each upload; the last one for all that follow.
        renews: whether every login gives another cookie.
        uploads: the head and body of every upload, as far as they came.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(self._talk, context)
        self.answers: list[Answer | object] = [RECEIPT]
        self.renews = True
        self.uploads: list[bytearray] = []
        self._logins = 0

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"fr_top" in head.split(b"\r\n", 1)[0]:
                self._logins += self.renews
                writer.write(whole(b"welcome", f"Set-Cookie: S={self._logins}; Path=/").wire)
                continue
            kept = bytearray(head)
            self.uploads.append(kept)
            await self._take(kept, reader)
            answer = self.answers[min(len(self.uploads), len(self.answers)) - 1]
            then = await self._say(_receipt(kept) if answer is RECEIPT else answer, writer)
            if then is Then.STALL:
                await self._take(kept, reader, more=True)
            if then is Then.RESET:
                reset(writer)
            if then is not Then.KEEP:
                return

    @staticmethod
    async def _take(kept: bytearray, reader: asyncio.StreamReader, *, more: bool = False) -> None:
        """Keep the body, or whatever comes until the other side has gone."""
        length = _LENGTH.search(kept.partition(b"\r\n\r\n")[0].decode("latin-1"))
        missing = int(length[1]) if length and not more else 1 << 40
        while missing > 0 and (piece := await reader.read(min(missing, 65_536))):
            kept += piece
            missing -= len(piece)

    @staticmethod
    async def _say(answer: object, writer: asyncio.StreamWriter) -> Then:
        assert isinstance(answer, Answer)
        writer.write(answer.wire)
        await writer.drain()
        return answer.then


def _receipt(kept: bytearray) -> Answer:
    name = re.search(rb'filename="([^"]+)"', kept)
    length = re.search(rb"\r\n\r\n.*\r\n\r\n(.*)\r\n--", kept, re.DOTALL)
    if not name or not length:
        return Answer(b"")
    return whole(_html.receipt(name[1].decode(), len(length[1]), 77))


def _answers(rng: random.Random, elsewhere: str) -> list[Answer | object]:
    """Draw what the first upload of a call gets, and those that must not come."""
    places = (
        "/fr_top.jsp",
        "/uploadProcess.jsp",
        f"{elsewhere}/uploadProcess.jsp",
        "http://localhost/",
        "file:///x",
        "",
    )
    number = rng.choice((301, 302, 303, 307, 308))
    page = whole(b"<html>Thank you</html>")
    first = rng.choice(
        [
            RECEIPT,
            RECEIPT,
            RECEIPT,
            RECEIPT,
            _LOGIN_PAGE,
            _LOGIN_PAGE,
            rng.choice(_TO_LOGIN),
            rng.choice(_TO_LOGIN),
            whole(b"moved", f"Location: {rng.choice(places)}", status=f"{number} Moved"),
            whole(b"moved", f"Location: {rng.choice(places)}", status=f"{number} Moved"),
            whole(b"<html>busy</html>", "Retry-After: 0", status=f"{rng.choice((429, 500, 502, 503))} Busy"),
            whole(b"<html>no</html>", status=f"{rng.choice((400, 401, 403, 404, 408, 417))} No"),
            whole(b"<html>Error in File Processing: bad</html>"),
            page,
            Answer(b"", Then.CLOSE),
            Answer(b"", Then.RESET),
            Answer(page.wire[: rng.randrange(len(page.wire))], rng.choice((Then.CLOSE, Then.RESET))),
            Answer(b"HTTP/1.1 100 Continue\r\n\r\n" + page.wire, Then.CLOSE),
            Answer(b"garbage\r\n\r\n", Then.CLOSE),
            Answer(b"", Then.STALL) if rng.random() < 0.3 else page,
        ]
    )
    return [first, rng.choice((RECEIPT, _LOGIN_PAGE))]


def _toxics(rng: random.Random, size: int) -> list[Toxic]:
    """Draw what happens on the way; half of the time nothing does."""
    stream = rng.choice(_STREAMS)
    after = rng.randrange(3_000 if stream == "downstream" else 3_000 + size)
    seconds = None if rng.random() < 0.1 else 0.002
    deadly: list[Toxic] = [
        LimitData(after=after, stream=stream, times=1),
        ResetPeer(after=after, stream=stream, times=1),
        Timeout(after=after, seconds=seconds, stream=stream, times=1),
    ]
    slow: list[Toxic] = [Latency(seconds=0.001, stream=stream), Slicer(average=2_000, variation=500, stream=stream)]
    return [toxic for toxic in (rng.choice(deadly), rng.choice(slow)) if rng.random() < 0.5]


@attrs.define
class _Lane:
    """Uploads one after the other, and what came of them."""

    config: OmarConfig
    tap: Tap
    relay: Relay
    elsewhere: Tap
    rng: random.Random
    outcomes: Counter[str] = attrs.field(factory=Counter)
    twice: list[str] = attrs.field(factory=list)
    again: int = 0
    """Calls whose file was sent once more after a login page."""

    async def run(self, count: int, directory: Path) -> None:
        """Upload so many files, each with another content."""
        for begin in range(0, count, _CALLS_PER_CLIENT):
            async with OmarClient(self.config) as client:
                for number in range(begin, min(begin + _CALLS_PER_CLIENT, count)):
                    content = b"".join(b"%08d,%06d\n" % (number, row) for row in range(self.rng.randrange(1, 4_000)))
                    source = directory / f"{number}.csv"
                    source.write_bytes(content)
                    await self._call(client, source, len(content))

    async def _call(self, client: OmarClient, source: Path, size: int) -> None:
        self.tap.uploads.clear()
        self.tap.answers = _answers(self.rng, self.elsewhere.origin)
        self.tap.renews = self.rng.random() < 0.7
        toxics = _toxics(self.rng, size)
        self.relay.add(*toxics)
        result: UploadReceipt | OmarError
        try:
            result = await client.upload(source)
        except OmarError as error:
            result = error
        self.relay.clear()
        self.outcomes[type(result).__name__] += 1
        self._judge(f"{result!r} with {toxics} and {self.tap.answers}")

    def _judge(self, what: str) -> None:
        """Count every row of the file over all connections, also those that were cut."""
        rows = Counter(row for upload in self.tap.uploads for row in re.findall(rb"\d{8},\d{6}\n", upload))
        most = max(rows.values(), default=0)
        documented = self.tap.renews and self.tap.answers[0] in _LOGINS
        self.again += documented and most > 1
        if most > 1 + documented or len(self.tap.uploads) > 1 + documented:
            self.twice.append(f"{most} times: {what}")


@pytest.mark.gate("G10")
@pytest.mark.fault(33, 34, 53)
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "aiohttp"])
@pytest.mark.parametrize("part", range(2))
async def test_nothing_is_sent_twice(
    part: int, *, lean: bool, gate: Gate, omar_authority: Authority, omar_identity: ClientIdentity, tmp_path: Path
) -> None:
    """Every row of every file came once at most, or twice where the login page came first; nothing went elsewhere."""
    (tmp_path / "ca.pem").write_bytes(omar_authority.ca_pem)
    context = omar_authority.server_context()
    async with Tap(context) as tap, Tap(context) as elsewhere, Relay(tap.number, gate.rng.random()) as relay:
        config = OmarConfig(
            omar_identity,
            Environment("twice", relay.origin, relay.origin),
            trust=Trust(ca_file=tmp_path / "ca.pem"),
            timeouts=Timeouts(connect=1, first_byte=0.3, read=0.3, operation=10),
            retry=RetryPolicy(first_wait=0.001, longest_wait=0.002),
            state_dir=tmp_path / "state",
            lean=lean,
        )
        lane = _Lane(config, tap, relay, elsewhere, gate.rng)
        count = gate.count(ci=125, long=5_000)
        await lane.run(count, tmp_path)
        gate.record(count, len(lane.twice) + elsewhere.connections, "uploads with a fault or a redirect")
    assert lane.twice == []
    assert elsewhere.connections == 0
    assert relay.fired.keys() >= {"limit_data", "reset_peer", "timeout", "slicer", "latency"}
    assert lane.again > 0
    assert lane.outcomes.keys() <= {"UploadReceipt", *vars(errors)}
    assert lane.outcomes.keys() >= {"UploadReceipt", "OutcomeUnknownError"}
