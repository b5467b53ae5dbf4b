"""The embedded server and a client certificate that it does not accept: it hangs up without a word.

Python's TLS sends no alert for a refused certificate, so nothing certain can be said: under TLS 1.2 the handshake ends,
under TLS 1.3 the connection ends after it.
"""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiomar import (
    CertificateRejectedError,
    ClientIdentity,
    FileFormat,
    Hint,
    Meter,
    OmarClient,
    OmarConfig,
    RetryPolicy,
    TimeType,
    TransportError,
)
from aiomar.testing import Authority, Disconnect, OmarServer
from tests.support.pki import pki

DAY = dt.date(2026, 1, 1)
METERS = [Meter("1001"), Meter("1002"), Meter("1003")]


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def server(request: pytest.FixtureRequest, omar_authority: Authority) -> AsyncIterator[OmarServer]:
    """Give a server that speaks one version of TLS at most."""
    async with OmarServer(maximum_tls=request.param, authority=omar_authority) as running:
        yield running


def configure(server: OmarServer, identity: ClientIdentity) -> OmarConfig:
    """Make a client that would try five times."""
    retry = RetryPolicy(attempts=5, first_wait=0.001)
    return OmarConfig(identity, server.environment, trust=server.trust, retry=retry)


@pytest.mark.clause("SUB 1.2.3", "DL 1.2.3")
@pytest.mark.fault(16, 17)
async def test_foreign_certificate(server: OmarServer, tmp_path: Path) -> None:
    """A foreign certificate is most likely refused: tried twice for a login, and after five times no more for now."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    errors: list[Exception] = []
    async with OmarClient(configure(server, ClientIdentity.from_pkcs12(pki().stranger.pkcs12()))) as client:
        with pytest.raises(CertificateRejectedError) as refused_login:
            await client.login()
        assert server.connections.upload == 2
        with pytest.raises(CertificateRejectedError) as refused_upload:
            await client.upload(source)
        assert server.connections.upload == 4
        report = await client.download_range(
            METERS, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=tmp_path / "d", errors="collect"
        )
        assert server.connections.upload == 5
        assert server.connections.download == 0

    errors = [refused_login.value, refused_upload.value, *(failure.error for failure in report.failures)]
    assert len(errors) == 5
    for error in errors:
        assert isinstance(error, CertificateRejectedError)
        assert (error.side, error.certain, error.hint) == ("client", False, Hint.RETRY)
        assert "registered" in str(error)
    assert server.requests == []


async def test_disconnects_after_the_login(server: OmarServer, tmp_path: Path) -> None:
    """Once a certificate has been accepted, a disconnect is an ordinary one and is tried as the policy says."""
    server.script(Disconnect(times=5))
    async with OmarClient(configure(server, server.identity())) as client:
        with pytest.raises(TransportError) as caught:
            await client.download(
                METERS[0], DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=tmp_path / "data"
            )
    assert not isinstance(caught.value, CertificateRejectedError)
    assert server.connections.download == 5


@pytest.mark.fault(15)
async def test_foreign_server(server: OmarServer) -> None:
    """A server of an authority that we do not know is refused by us, once, whoever we are."""
    config = OmarConfig(server.identity(), server.environment)
    async with OmarClient(config) as client:
        with pytest.raises(CertificateRejectedError) as caught:
            await client.login()
    assert (caught.value.side, caught.value.certain) == ("server", True)
    assert server.connections.upload == 1
