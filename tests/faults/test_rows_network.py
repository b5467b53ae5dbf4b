"""Rows of the table of faults about the network that have no test elsewhere: each operation, its error, its repeats."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ConnectError,
    DeadlineError,
    DownloadRetrying,
    FileFormat,
    OmarClient,
    OmarConfig,
    RetryPolicy,
    SubmissionState,
    Timeouts,
    TimeType,
    TransportError,
)
from aiomar._assembly import Effects
from aiomar.submissions import Submissions
from aiomar.testing import OmarServer
from tests.client.helpers import CSV, DAY, METER, fetch, on_disk, sent, untouched
from tests.support.disturbed import opened
from tests.support.raw import LOGIN, Answer, Port, RawSite
from tests.support.relay import Relay
from tests.support.repeats import Operation, Repeats, black_hole, closed_port, lead_uploads_to
from tests.support.toxics import Timeout

LAST_DAY = DAY + dt.timedelta(days=30)


@contextlib.contextmanager
def unknown_name() -> Iterator[str]:
    """Give an origin whose name does not exist."""
    yield "https://omar.invalid"


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """Give an origin that refuses connections."""
    with closed_port() as port:
        yield f"https://localhost:{port}"


@contextlib.contextmanager
def hole() -> Iterator[str]:
    """Give an origin that never answers a connection."""
    with black_hole() as port:
        yield f"https://localhost:{port}"


@pytest.mark.parametrize("operation", ["login", "download", "upload"])
@pytest.mark.parametrize(
    ("place", "kind"),
    [
        pytest.param(unknown_name, ConnectError, marks=pytest.mark.fault(1)),
        pytest.param(nobody, ConnectError, marks=pytest.mark.fault(2)),
        pytest.param(hole, DeadlineError, marks=pytest.mark.fault(3)),
    ],
    ids=["unknown name", "refused", "black hole"],
)
async def test_no_connection(  # noqa: PLR0917 - pytest gives parameters and fixtures by name
    place: Callable[[], contextlib.AbstractContextManager[str]],
    kind: type[TransportError],
    operation: Operation,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
) -> None:
    """Where no connection can be made every operation is tried three times; nothing was sent, nothing is on disk."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    repeats = Repeats()
    with place() as origin, untouched(tmp_path):
        timeouts = Timeouts(connect=0.3 if kind is DeadlineError else 10.0)
        environment = omar_config.environment
        if operation == "login":
            environment = attrs.evolve(environment, upload_origin=origin)
        elif operation == "download":
            environment = attrs.evolve(environment, download_origin=origin)
        config = attrs.evolve(omar_config, environment=environment, timeouts=timeouts)
        async with opened(config, Effects(), repeats) as client:
            if operation == "upload":
                await client.login()
                lead_uploads_to(client, origin)
            calls: dict[Operation, Callable[[], Coroutine[object, object, object]]] = {
                "login": client.login,
                "download": lambda: fetch(client, tmp_path),
                "upload": lambda: client.upload(source),
            }
            with pytest.raises(kind) as caught:
                await calls[operation]()
    assert type(caught.value) is kind
    assert not isinstance(caught.value, DeadlineError) or caught.value.phase == "connect"
    assert repeats.attempts(operation) == 3
    assert sent(omar_server, operation) == 0
    if operation == "upload":
        states = [record.state for record in Submissions(omar_config.state_dir).records()]
        assert states == [SubmissionState.NOT_SENT]


class JumpingLoop(asyncio.SelectorEventLoop):
    """Real sockets, and a clock that can be put forward."""

    ahead = 0.0

    def time(self) -> float:  # noqa: D102 - the loop's own
        return super().time() + self.ahead


@pytest.mark.fault(12)
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "session"])
def test_a_healthy_transfer_may_take_long(
    *, lean: bool, configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """A quarter of an hour in the middle of a body ends nothing, as long as bytes come in time."""
    rest = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"fr_top" in head:
                writer.write(LOGIN.wire)
                continue
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CSV) + CSV[:10])
            await rest.wait()
            writer.write(CSV[10:])

    async def main(loop: JumpingLoop) -> bytes:
        async with Port(answer, server_context) as port:
            config = attrs.evolve(configure(port.origin), lean=lean, retry=RetryPolicy(attempts=1), state_dir=tmp_path)
            async with OmarClient(config) as client:
                stream = client.open_download(METER, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST)
                async with stream as body:
                    pieces = [await anext(body)]
                    loop.ahead += 900.0
                    for _ in range(10):
                        await asyncio.sleep(0)
                    rest.set()
                    pieces += [piece async for piece in body]
        return b"".join(pieces)

    loop = JumpingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main(loop)) == CSV


@pytest.mark.fault(13)
@pytest.mark.parametrize("when", ["in a body", "idle"])
async def test_a_peer_that_vanished(
    when: str, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A machine that is gone sends nothing, not even an end: silence is what is noticed, and the repeat succeeds."""
    repeats = Repeats()
    async with Relay(int(omar_server.environment.download_origin.rpartition(":")[2])) as relay:
        config = attrs.evolve(
            omar_config,
            environment=attrs.evolve(omar_config.environment, download_origin=relay.origin),
            timeouts=Timeouts(read=0.4, first_byte=0.4),
        )
        async with opened(config, Effects(), repeats) as client:
            if when == "idle":
                await fetch(client, tmp_path)
            relay.add(Timeout(after=0 if when == "idle" else 20_000, seconds=None, times=1))
            saved = await client.download(
                METER, DAY, LAST_DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=tmp_path / "data"
            )
        assert relay.fired["timeout"] == 1
    # On a busy machine the repeat may be late, too.
    error, *_ = [event.error for event in repeats.events if isinstance(event, DownloadRetrying)]
    assert isinstance(error, DeadlineError)
    assert error.phase == ("first_byte" if when == "idle" else "read")
    whole = omar_server.data(METER, DAY, LAST_DAY, file_format=FileFormat.CSV, time_type=TimeType.PST)
    assert len(whole) > 20_000
    assert on_disk(tmp_path / "data") == {saved.path.name: whole}


ROWS = b"id,time,value\r\n" + b"1001,01:00,5\r\n" * 150_000


def chunked(body: bytes) -> bytes:
    """Write a body in chunks of 8 KiB, as old servers do."""
    parts = [body[at : at + 8_192] for at in range(0, len(body), 8_192)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


@pytest.mark.fault(48)
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_slow_reader_and_a_server_that_closes(
    framing: str, configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """Who reads late what a server sent before it closed misses nothing, and is not told of a cut."""
    head, body = {
        "length": (f"Content-Length: {len(ROWS)}", ROWS),
        "chunked": ("Transfer-Encoding: chunked", chunked(ROWS)),
        "close": ("Connection: close", ROWS),
    }[framing]
    wire = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body
    async with RawSite(server_context, Answer(wire)) as site:
        config = attrs.evolve(configure(site.origin), retry=RetryPolicy(attempts=1), state_dir=tmp_path)
        async with OmarClient(config) as client:
            got = bytearray()
            async with client.open_download(
                METER, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST
            ) as stream:
                async for piece in stream:
                    got += piece
                    for _ in range(20):
                        await asyncio.sleep(0)
        assert site.data_requests == 1
    assert bytes(got) == ROWS
