"""`openssl s_server`: certificates that one side refuses, old versions, and a certificate that is asked for later.

It is the server that tells most about a refusal: it sends the alert that the standard demands, before the end of the
handshake in TLS 1.2 and after it in TLS 1.3.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from aiomar import (
    CertificateRejectedError,
    ClientIdentity,
    ConnectError,
    FileFormat,
    LegacyTls,
    Meter,
    OmarClient,
    OmarConfig,
    TimeType,
    Trust,
)
from tests.support.clients import CSV, DAY, download, saved_names
from tests.support.openssl import SServer, s_server
from tests.support.pki import pki
from tests.support.tls import REFUSED, REFUSED_SERVERS, site

pytestmark = pytest.mark.interop

VERSIONS = ["-tls1_2", "-tls1_3"]


async def handshakes(server: SServer, config: OmarConfig) -> int:
    """Count the handshakes so far; one more, with a good certificate, shows that the server has dealt with them all."""
    async with OmarClient(config) as client:
        await client.login()
    await asyncio.to_thread(server.wait_for, "FILE:fr_top.jsp")  # which no refused client gets as far as
    return server.output.count("ClientHello") - 1


@pytest.mark.clause("SUB 1.2.3", "DL 1.2.3")
@pytest.mark.fault(16, 17)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who", REFUSED)
async def test_refused_client(configure: Callable[..., OmarConfig], tmp_path: Path, who: str, version: str) -> None:
    """A client certificate that the server refuses is a CertificateRejectedError at once, one handshake for a call."""
    credential = REFUSED[who]()
    moment = credential.certificate.not_valid_before_utc + dt.timedelta(seconds=1)
    identity = ClientIdentity.from_pkcs12(credential.pkcs12(), now=lambda: moment)  # our own check must pass
    with site(tmp_path, version) as server:
        origin = f"https://localhost:{server.port}"
        async with OmarClient(configure(origin, identity=identity)) as client:
            with pytest.raises(CertificateRejectedError) as caught:
                await client.login()
            report = await client.download_range(
                [Meter("1"), Meter("2")],
                DAY,
                DAY,
                file_format=FileFormat.CSV,
                time_type=TimeType.PST,
                into=tmp_path / "data",
                errors="collect",
            )
        assert await handshakes(server, configure(origin)) == 1  # nobody knocks again after a certain refusal

    errors = [caught.value, *(failure.error for failure in report.failures)]
    assert len(errors) == 3
    for error in errors:
        assert isinstance(error, CertificateRejectedError)
        assert (error.side, error.certain) == ("client", True)
    assert saved_names(tmp_path) == []


@pytest.mark.clause("DL 3.1", "DL 3.3")
@pytest.mark.parametrize("version", VERSIONS)
async def test_accepted_client(configure: Callable[..., OmarConfig], tmp_path: Path, version: str) -> None:
    """With the certificate that the server wants, a file named by the query byte for byte is fetched."""
    with site(tmp_path, version) as server:
        async with OmarClient(configure(f"https://localhost:{server.port}")) as client:
            saved = await download(client, tmp_path)
    assert saved.path.read_bytes() == CSV


@pytest.mark.clause("SUB 1.2.1", "DL 1.2.1")
@pytest.mark.fault(15)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", REFUSED_SERVERS)
async def test_refused_server(configure: Callable[..., OmarConfig], tmp_path: Path, what: str, version: str) -> None:
    """A server certificate that we refuse is a CertificateRejectedError of the server's side, not tried again."""
    with site(tmp_path, version, server=REFUSED_SERVERS[what]()) as server:
        async with OmarClient(configure(f"https://localhost:{server.port}")) as client:
            with pytest.raises(CertificateRejectedError) as caught:
                await client.login()
        await asyncio.to_thread(server.wait_for, "Alert .*fatal")
        assert server.output.count("ClientHello") == 1
    assert (caught.value.side, caught.value.certain) == ("server", True)


@pytest.mark.clause("SUB 2")
async def test_other_name_of_a_server(configure: Callable[..., OmarConfig], tmp_path: Path) -> None:
    """A server whose certificate carries another name is reached by giving that name to Trust."""
    with site(tmp_path, server=pki().named_server) as server:
        config = configure(f"https://localhost:{server.port}")
        trust = attrs.evolve(config.trust, server_hostname="omar.example")
        async with OmarClient(attrs.evolve(config, trust=trust)) as client:
            assert (await download(client, tmp_path)).size == len(CSV)


OLD = {
    "TLS 1.0": (LegacyTls(tls_1_0=True), ("-tls1", "-cipher", "DEFAULT:@SECLEVEL=0")),
    "TLS 1.1": (LegacyTls(tls_1_0=True), ("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")),
    "static RSA": (LegacyTls(), ("-tls1_2", "-cipher", "AES128-SHA")),
}


def named(legacy: LegacyTls) -> str:
    """Write a concession as an error names it."""
    return "LegacyTls(tls_1_0=True)" if legacy.tls_1_0 else "LegacyTls()"


@pytest.mark.clause("SUB 1.2.1", "DL 1.2.1")
@pytest.mark.fault(22, 23)
@pytest.mark.parametrize(("legacy", "options"), OLD.values(), ids=OLD.keys())
async def test_old_server(
    configure: Callable[..., OmarConfig], ca_file: Path, tmp_path: Path, legacy: LegacyTls, options: tuple[str, ...]
) -> None:
    """An old server is a ConnectError that names the concession, is not tried again, and works with it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with site(tmp_path, *options, server=pki().root.issue("localhost", key=key)) as server:
        config = configure(f"https://localhost:{server.port}")
        async with OmarClient(config) as client:
            with pytest.raises(ConnectError, match=re.escape(named(legacy))):
                await client.login()
        conceded = attrs.evolve(config, trust=Trust(ca_file=ca_file, legacy=legacy))
        assert await handshakes(server, conceded) == 1


@pytest.mark.fault(19, 20)
@pytest.mark.parametrize(("version", "ask"), [("-tls1_2", "R"), ("-tls1_3", "c")], ids=["renegotiation", "1.3"])
async def test_certificate_asked_for_later(
    configure: Callable[..., OmarConfig], tmp_path: Path, version: str, ask: str
) -> None:
    """A server may ask for the certificate when it has seen the request: by renegotiation, or as TLS 1.3 has it."""
    files = pki().server.save(tmp_path, "server")
    options = ("-cert", files.certificate, "-key", files.key, "-CAfile", pki().save_root(tmp_path), "-crlf", version)
    with s_server(*options, "-no_resumption_on_reneg") as server:
        async with OmarClient(configure(f"https://localhost:{server.port}")) as client:
            login = asyncio.create_task(client.login())
            await asyncio.to_thread(server.wait_for, "^User-Agent: aiomar")
            server.tell(ask)
            await asyncio.to_thread(server.wait_for, "depth=0 .*Test Client")
            server.tell("HTTP/1.1 200 OK\nset-cookie: A=1\ncontent-length: 0\n")
            await login
