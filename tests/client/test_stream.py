"""A download as a stream: no disk, the same errors, at the latest after the last piece."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from aiomar import (
    EmptyBodyError,
    FileFormat,
    LimitError,
    LoginError,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    ResponseError,
    ResponseTooLargeError,
    StatusError,
    TimeType,
    TruncatedBodyError,
    UnexpectedPageError,
    UnexpectedRedirectError,
)
from aiomar.testing import (
    CutBody,
    Fault,
    Framing,
    LoginPage,
    OmarServer,
    Page,
    Redirect,
    SlowFirstByte,
    Stall,
    Status,
)
from tests.client.helpers import DAY, METER, UNKNOWN, client_tasks, data, raw, sent, until


async def read(
    client: OmarClient,
    selection: Meter = METER,
    *,
    file_format: FileFormat = FileFormat.MDEF,
    allow_unverified: bool = False,
    into: list[bytes] | None = None,
) -> bytes:
    """Read a whole stream; `into` keeps the pieces that came before an error."""
    pieces = [] if into is None else into
    async with client.open_download(
        selection,
        DAY,
        DAY,
        file_format=file_format,
        time_type=TimeType.PST,
        allow_unverified=allow_unverified,
    ) as body:
        async for piece in body:
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.clause("DL 3.3")
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("file_format", FileFormat)
async def test_a_stream_gives_the_bytes(
    framing: str, file_format: FileFormat, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """The pieces, none of them empty, are the server's bytes in each framing."""
    omar_server.script(Framing(framing))  # type: ignore[arg-type] # one of three words
    pieces: list[bytes] = []
    assert await read(omar_client, file_format=file_format, into=pieces) == data(omar_server, METER, file_format)
    assert all(pieces)


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ([Status(404)], StatusError),
        ([Status(503, times=3)], StatusError),
        ([LoginPage(times=2)], LoginError),
        ([Redirect("/elsewhere")], UnexpectedRedirectError),
        ([Page("<html>Sorry", times=2)], UnexpectedPageError),
        ([Page("", times=2)], EmptyBodyError),
        ([raw(b"x,y\r\n", "Content-Encoding: gzip", "Content-Length: 5")], ResponseError),
    ],
    ids=repr,
)
async def test_what_is_known_from_the_beginning_is_raised_on_entering(
    faults: list[Fault], kind: type[OmarError], omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """A refusal, a page or nothing at all never gives a single piece."""
    omar_server.script(*faults)
    pieces: list[bytes] = []
    with pytest.raises(kind) as caught:
        await read(omar_client, into=pieces)
    assert type(caught.value) is kind
    assert pieces == []


@pytest.mark.parametrize("fault", [LoginPage(), Status(500), CutBody(0), Redirect("/fr_top.jsp")], ids=repr)
async def test_what_can_be_mended_before_the_first_piece_is(
    fault: Fault, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Until a piece is handed out a stream is repeated like a file."""
    omar_server.script(fault)
    assert await read(omar_client) == data(omar_server, file_format=FileFormat.MDEF)
    assert sent(omar_server, "download") == 2


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_cut_stream_never_ends_normally(framing: str, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """After a cut the pieces that came are a beginning of the body, and then the error; nothing is repeated."""
    omar_server.script(CutBody(-100, framing))  # type: ignore[arg-type] # one of three words
    pieces: list[bytes] = []
    with pytest.raises(TruncatedBodyError):
        await read(omar_client, into=pieces)
    assert data(omar_server, file_format=FileFormat.MDEF).startswith(b"".join(pieces))
    assert sent(omar_server, "download") == 1


async def test_an_unproven_stream_may_be_allowed(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """What nothing proves whole is an error after its last piece, unless the caller allows it."""
    omar_server.script(raw(b"hello"), raw(b"hello"))
    pieces: list[bytes] = []
    with pytest.raises(TruncatedBodyError, match="completeness cannot be proved"):
        await read(omar_client, into=pieces)
    assert b"".join(pieces) == b"hello"
    assert await read(omar_client, allow_unverified=True) == b"hello"


async def test_a_stream_that_is_too_large(omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """The client's limit holds for streams too."""
    omar_server.script(Framing("chunked"))
    async with OmarClient(attrs.evolve(omar_config, max_download_bytes=500)) as client:
        with pytest.raises(ResponseTooLargeError):
            await read(client)


async def test_leaving_early_gives_the_connection_up(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """A caller may leave in the middle of a body that never ends; nothing is left under way."""
    omar_server.script(Stall(500, times=3))
    for _ in range(3):
        async with omar_client.open_download(
            METER, DAY, DAY, file_format=FileFormat.MDEF, time_type=TimeType.PST
        ) as body:
            async for piece in body:
                assert piece
                break
        assert client_tasks() == []
    assert await read(omar_client) == data(omar_server, file_format=FileFormat.MDEF)


async def test_a_stream_that_is_not_read(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Entering and leaving without reading is fine, and asks nothing twice."""
    async with omar_client.open_download(METER, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST):
        pass
    assert sent(omar_server, "download") == 1


async def test_the_callers_own_error_comes_out(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """What the body of the ``async with`` raises is not touched."""
    with pytest.raises(ZeroDivisionError):
        async with omar_client.open_download(METER, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST):
            raise ZeroDivisionError
    assert await read(omar_client) == data(omar_server, file_format=FileFormat.MDEF)


async def test_streams_keep_to_the_concurrency(omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """Streams share the places of a client with each other."""
    omar_server.script(SlowFirstByte(0.05, times=3))  # so that three are surely under way together
    async with OmarClient(attrs.evolve(omar_config, concurrency=3)) as client:
        await asyncio.gather(*(read(client, Meter(str(number))) for number in range(1001, 1021)))
    assert omar_server.max_concurrent_downloads == 3


async def test_a_cancelled_stream_is_cancelled(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """A cancellation while waiting for the next piece comes out as itself and frees the place."""
    omar_server.script(Stall(500))
    call = asyncio.create_task(read(omar_client))
    await until(lambda: sent(omar_server, "download") == 1)
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()
    assert client_tasks() == []
    await read(omar_client)


async def test_nothing_is_sent_for_a_wrong_call(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """The arguments of a stream are checked before anything is sent, and no file is made anywhere."""
    with pytest.raises(LimitError):
        async with omar_client.open_download(
            "1001",  # type: ignore[arg-type] # on purpose
            DAY,
            DAY,
            file_format=FileFormat.CSV,
            time_type=TimeType.PST,
        ):
            pass
    with pytest.raises(UnexpectedPageError):
        await read(omar_client, UNKNOWN)
    assert list(tmp_path.iterdir()) == []
    assert sent(omar_server, "download") == 2
