"""Rows of the table of faults about HTTP, sessions and hostile names that have no test elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from aiomar import (
    OmarClient,
    OmarConfig,
    ResponseError,
    ResponseTooLargeError,
    UnexpectedPageError,
)
from aiomar.testing import OmarServer, Page
from tests.client.helpers import CSV, cookies, data, fetch, on_disk, raw, sent, untouched
from tests.support.raw import LOGIN, Port

ZIPPED = gzip.compress(CSV * 1_000)


def bomb() -> bytes:
    """Give 256 MiB of nothing in about one."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()


@pytest.mark.fault(43)
@pytest.mark.parametrize("length", [True, False], ids=["length", "close"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99, 1.0])
async def test_a_truncated_coded_body(
    share: float, *, length: bool, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Whether a coded body is whole is never asked: the coding alone is the error, once."""
    body = ZIPPED[: int(len(ZIPPED) * share)]
    headers = ["Content-Encoding: gzip", *([f"Content-Length: {len(body)}"] if length else [])]
    omar_server.script(raw(body, *headers))
    with untouched(tmp_path), pytest.raises(ResponseError) as caught:
        await fetch(omar_client, tmp_path, allow_unverified=True)
    assert type(caught.value) is ResponseError
    assert sent(omar_server, "download") == 1


@pytest.mark.fault(44)
async def test_a_decompression_bomb(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """Nothing is decoded, declared or not: the one is an error, the other is not data that could be proved."""
    packed = bomb()
    assert len(packed) < 2_000_000
    async with OmarClient(omar_config) as client:
        omar_server.script(raw(packed, f"Content-Length: {len(packed)}", "Content-Encoding: gzip"))
        with untouched(tmp_path), pytest.raises(ResponseError) as caught:
            await fetch(client, tmp_path)
        assert type(caught.value) is ResponseError
        omar_server.script(raw(packed, f"Content-Length: {len(packed)}"))
        saved = await fetch(client, tmp_path)  # bytes with a length, which nobody opens
    assert saved.size == len(packed)
    assert sent(omar_server, "download") == 2


@pytest.mark.fault(45)
@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_an_endless_body(
    framing: str, configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """A body without an end is given up at the limit, and so is its connection; it is not asked for again."""
    left = asyncio.Event()
    asked = 0
    piece = b"1001,01:00,5\r\n" * 1_000

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"fr_top" in head:
                writer.write(LOGIN.wire)
                continue
            asked += 1
            writer.write(b"HTTP/1.1 200 OK\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n" if framing == "chunked" else b"\r\n")
            wire = b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece
            try:
                while True:
                    writer.write(wire)
                    await writer.drain()
                    await asyncio.sleep(0)  # draining alone lets nobody else in when the peer has just gone
            finally:
                left.set()

    async with Port(talk, server_context) as port:
        config = attrs.evolve(configure(port.origin), max_download_bytes=1_000_000, state_dir=tmp_path)
        async with OmarClient(config) as client:
            with untouched(tmp_path), pytest.raises(ResponseTooLargeError):
                await fetch(client, tmp_path)
            async with asyncio.timeout(10):
                await left.wait()
    assert asked == 1


@pytest.mark.fault(56)
async def test_an_address_in_place_of_a_name(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """The cookie goes to a server that is known by its number as to any other."""
    numbers = {
        name: getattr(omar_server.environment, name).replace("localhost", "127.0.0.1")
        for name in ("upload_origin", "download_origin")
    }
    config = attrs.evolve(
        omar_config,
        environment=attrs.evolve(omar_config.environment, **numbers),
        trust=attrs.evolve(omar_config.trust, server_hostname="localhost"),
    )
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    async with OmarClient(config) as client:
        saved = await fetch(client, tmp_path / "data")
        await client.upload(source)
    assert saved.path.read_bytes() == data(omar_server)
    (download,), (upload,) = cookies(omar_server, "download"), cookies(omar_server, "upload")
    assert download == upload
    assert download is not None
    assert "JSESSIONID=" in download


EVIL = "../../evil.csv"


@pytest.mark.fault(78)
@pytest.mark.parametrize(
    "header",
    [
        f'Content-Disposition: attachment; filename="{EVIL}"',
        "Content-Disposition: attachment; filename*=UTF-8''..%2F..%2Fevil.csv",
        f"Content-Location: {EVIL}",
        f'Content-Type: text/csv; name="{EVIL}"',
    ],
)
async def test_a_servers_name_is_no_path(
    header: str, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Whatever name a server gives its data, the file's is our own, and nothing else is made anywhere."""
    omar_server.script(raw(CSV, f"Content-Length: {len(CSV)}", header))
    into = tmp_path / "a" / "b"
    into.mkdir(parents=True)
    await fetch(omar_client, into)
    assert on_disk(tmp_path) == {"a/b/meter-1001_20260101_20260101_pst.csv": CSV}


@pytest.mark.fault(78)
async def test_a_servers_words_are_one_printable_line(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Control characters, line ends and masses of text reach neither a terminal nor a log."""
    page = f"<title>\x1b[2J{'x' * 2_000}\r\nSet-Cookie: S=1</title><p>\x07\u202eevil{'y' * 2_000}"
    omar_server.script(Page(page, times=2))
    with untouched(tmp_path), pytest.raises(UnexpectedPageError) as caught:
        await fetch(omar_client, tmp_path)
    for text in (str(caught.value), caught.value.title, caught.value.excerpt):
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= 1_500
