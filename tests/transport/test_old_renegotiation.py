"""A server without secure renegotiation (RFC 5746): refused, unless that one concession is made."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from aiomar import ConnectError, Hint, LegacyTls, OmarClient, TransportError, Trust
from tests.support.clients import config_for
from tests.support.pki import pki
from tests.support.raw import Port

_HELLO = b"\x03\x03" + b"\x07" * 32 + b"\x00" + b"\xc0\x2f" + b"\x00"
"""TLS 1.2, some random bytes, no session, ECDHE-RSA-AES128-GCM-SHA256, no compression, and no extensions at all."""
SERVER_HELLO = b"\x16\x03\x03" + (len(_HELLO) + 4).to_bytes(2) + b"\x02" + len(_HELLO).to_bytes(3) + _HELLO
ALERT = b"\x15\x03\x03\x00\x02\x02\x50"
"""Internal error: the end, for a client that has no objection to the hello."""


@pytest.mark.fault(21)
async def test_server_without_secure_renegotiation(tmp_path: Path) -> None:
    """It is a ConnectError that names the concession and is not tried again; with it, the handshake goes on."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(SERVER_HELLO + ALERT)
        await reader.read()

    ca_file = pki().save_root(tmp_path)
    async with Port(talk) as port:
        config = config_for(ca_file, port.origin)
        async with OmarClient(config) as client:
            with pytest.raises(ConnectError, match=r"(?i)unsafe.legacy.*LegacyTls") as refused:
                await client.login()
        assert refused.value.hint is Hint.NEVER
        assert port.connections == 1
        conceded = attrs.evolve(config, trust=Trust(ca_file=ca_file, legacy=LegacyTls(unsafe_renegotiation=True)))
        async with OmarClient(conceded) as client:
            with pytest.raises(TransportError, match=r"(?i)internal.error"):
                await client.login()
