"""A CONNECT proxy: used when asked for, only then, and blamed for what it does itself."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import attrs
import pytest

from aiomar import (
    CertificateRejectedError,
    ClientIdentity,
    ConnectError,
    DeadlineError,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    RetryPolicy,
    Timeouts,
    TimeType,
)
from aiomar.testing import Authority, OmarServer
from tests.support.proxy import Proxy
from tests.support.raw import Port, RawSite

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Wait for the peer to leave."""
    await reader.read()
    while await reader.read(1):
        pass


@pytest.fixture
async def forbidden() -> AsyncIterator[Port]:
    """Give a port where nobody may come."""
    async with Port(hang_up) as port:
        yield port
        assert port.connections == 0


async def test_everything_goes_through_the_proxy(
    omar_config: OmarConfig, omar_server: OmarServer, tmp_path: Path
) -> None:
    """Login, downloads and an upload reach both ports through the proxy, one TLS handshake for each connection."""
    source = tmp_path / "meter.csv"
    source.write_bytes(b"1,2\r\n")
    async with Proxy() as proxy, OmarClient(attrs.evolve(omar_config, proxy=proxy.address)) as client:
        day = dt.date(2026, 1, 1)
        report = await client.download_range(
            [Meter("1001"), Meter("1002")],
            day,
            day,
            file_format=FileFormat.MDEF,
            time_type=TimeType.PST,
            into=tmp_path / "data",
        )
        receipt = await client.upload(source)

        environment = omar_server.environment
        places = {
            origin.removeprefix("https://") for origin in (environment.upload_origin, environment.download_origin)
        }
        assert {line.split(" ")[0] for line in proxy.requests} == {"CONNECT"}
        assert {line.split(" ")[1] for line in proxy.requests} == places
        assert proxy.connections == omar_server.connections.upload + omar_server.connections.download
    assert [file.completeness for file in report.files] == ["length", "length"]
    assert omar_server.uploads[0].file_id == receipt.file_id


@pytest.mark.fault(14)
async def test_variables_of_the_environment_are_ignored(
    omar_config: OmarConfig, monkeypatch: pytest.MonkeyPatch, forbidden: Port
) -> None:
    """Proxy variables of the environment change nothing, with a proxy of our own and without."""
    for variable in VARIABLES:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{forbidden.number}")
    monkeypatch.setenv("no_proxy", "")

    async with OmarClient(omar_config) as client:
        await client.login()
    async with Proxy() as proxy, OmarClient(attrs.evolve(omar_config, proxy=proxy.address)) as client:
        await client.login()
        assert proxy.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops",
        b"HTTP/1.1 302 Found\r\nLocation: https://localhost:1/\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"",
    ],
    ids=["403", "407", "502", "redirect", "garbage", "nothing"],
)
async def test_proxy_that_does_not_connect(
    configure: Callable[..., OmarConfig], answer: bytes, forbidden: Port
) -> None:
    """A proxy that makes no connection is a ConnectError, never a refused certificate, and nobody goes around it."""
    config = attrs.evolve(configure(forbidden.origin), retry=RetryPolicy(attempts=1))
    async with Proxy(answer) as proxy, OmarClient(attrs.evolve(config, proxy=proxy.address)) as client:
        with pytest.raises(ConnectError):
            await client.login()
        assert proxy.connections == 1


async def test_proxy_that_is_not_there(configure: Callable[..., OmarConfig], forbidden: Port) -> None:
    """A closed port in place of the proxy is a ConnectError that names the setting."""
    async with Proxy() as proxy:
        address = proxy.address
    async with OmarClient(attrs.evolve(configure(forbidden.origin), proxy=address)) as client:
        with pytest.raises(ConnectError, match="proxy="):
            await client.login()


async def test_silent_proxy(configure: Callable[..., OmarConfig], forbidden: Port) -> None:
    """A proxy that says nothing runs into the deadline of connecting."""
    config = attrs.evolve(configure(forbidden.origin), timeouts=Timeouts(connect=0.05), retry=RetryPolicy(attempts=1))
    async with (
        Port(say_nothing) as silent,
        OmarClient(attrs.evolve(config, proxy=f"http://127.0.0.1:{silent.number}")) as client,
    ):
        with pytest.raises(DeadlineError) as caught:
            await client.login()
    assert caught.value.phase == "connect"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_refused_certificate_behind_a_proxy(newest: ssl.TLSVersion) -> None:
    """A client certificate that the server refuses is that through a proxy too, after two connections at most."""
    identity = ClientIdentity.from_pkcs12(Authority().pkcs12())
    async with OmarServer(maximum_tls=newest) as server, Proxy() as proxy:
        config = OmarConfig(
            identity, server.environment, trust=server.trust, proxy=proxy.address, retry=RetryPolicy(first_wait=0.001)
        )
        async with OmarClient(config) as client:
            with pytest.raises(CertificateRejectedError) as caught:
                await client.login()
        assert caught.value.side == "client"
        assert proxy.connections <= 2


@pytest.mark.fault(15)
async def test_wrong_server_behind_a_proxy(
    configure: Callable[..., OmarConfig], server_context: ssl.SSLContext
) -> None:
    """The server behind a proxy is verified by its own name."""
    async with RawSite(server_context) as site, Proxy() as proxy:
        config = attrs.evolve(configure(site.origin), proxy=proxy.address)
        async with OmarClient(config) as client:
            await client.login()
        trust = attrs.evolve(config.trust, server_hostname="omar.example")
        async with OmarClient(attrs.evolve(config, trust=trust)) as client:
            with pytest.raises(CertificateRejectedError) as caught:
                await client.login()
        assert caught.value.side == "server"
        assert proxy.connections == 2
