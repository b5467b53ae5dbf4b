"""Rows of the table of faults about TLS that have no test elsewhere."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import struct
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ClientIdentity,
    ConnectError,
    IdentityError,
    LegacyTls,
    OmarClient,
    OmarConfig,
    TransportError,
    Trust,
)
from aiomar.testing import OmarServer
from tests.client.helpers import fetch, sent, untouched
from tests.support.pki import pki
from tests.support.raw import Port
from tests.support.repeats import Repeats


def _server_hello() -> bytes:
    """Write TLS 1.2's answer to a client without the extension of RFC 5746."""
    body = b"\x03\x03" + os.urandom(32) + b"\x00" + b"\xc0\x2f" + b"\x00"  # version, random, session, cipher, no zip
    handshake = b"\x02" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x03" + struct.pack(">H", len(handshake)) + handshake


async def answer_as_of_old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin a handshake as a server of before 2010 does."""
    await reader.read(4_096)
    writer.write(_server_hello())


@pytest.mark.fault(21)
async def test_a_server_without_secure_renegotiation(
    configure: Callable[..., OmarConfig], ca_file: Path, tmp_path: Path
) -> None:
    """It is a `ConnectError` at once that names the concession; with the concession the handshake goes on."""
    async with Port(answer_as_of_old) as port:
        config, repeats = configure(port.origin), Repeats()
        async with OmarClient(config, observer=repeats) as client:
            with untouched(tmp_path), pytest.raises(ConnectError, match=r"(?i)renegotiation.*LegacyTls"):
                await fetch(client, tmp_path)
        assert (port.connections, repeats.attempts("login")) == (1, 1)
        conceded = Trust(ca_file=ca_file, legacy=LegacyTls(unsafe_renegotiation=True))
        async with OmarClient(attrs.evolve(config, trust=conceded)) as client:
            with pytest.raises(TransportError) as caught:
                await client.login()
        assert "renegotiation" not in str(caught.value)  # it hangs up next, and that is what is told


@pytest.mark.fault(18)
async def test_a_certificate_that_expires_while_the_client_lives(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Login, download and upload all end before a byte leaves."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    moment = dt.datetime.now(dt.UTC)
    identity = ClientIdentity.from_pkcs12(pki().client.pkcs12(), now=lambda: moment)
    async with OmarClient(attrs.evolve(omar_config, identity=identity)) as client:
        moment = identity.not_after + dt.timedelta(seconds=1)
        for call in (client.login, lambda: fetch(client, tmp_path), lambda: client.upload(source)):
            with untouched(tmp_path), pytest.raises(IdentityError) as caught:
                await call()
            assert caught.value.kind == "expired"
    assert [sent(omar_server, kind) for kind in ("login", "download", "upload")] == [0, 0, 0]
    assert omar_server.connections.upload == 0
