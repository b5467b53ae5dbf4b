"""Places where no OMAR-Online is: closed, silent, something else, unknown; and one that goes away."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
import pytest

from aiomar import (
    CertificateRejectedError,
    ConnectError,
    DeadlineError,
    OmarClient,
    OmarConfig,
    OutcomeUnknownError,
    RetryPolicy,
    Timeouts,
    TransportError,
)
from aiomar.protocol import build_login
from aiomar.transport import AiohttpTransport, LeanTransport, Trace, Transport, Wiring, build_context
from tests.support.clients import CSV, download, saved_names
from tests.support.names import Addresses
from tests.support.raw import Answer, Port, RawSite, Then, whole


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak another protocol."""
    writer.write(b"220 mail.example ESMTP\r\n" * 3)
    await writer.drain()
    await reader.read(1)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what comes, and wait for the peer to leave."""
    while await reader.read(65_536):
        pass


async def test_another_protocol(configure: Callable[..., OmarConfig]) -> None:
    """A port where something other than TLS answers is a ConnectError, tried as often as the policy says."""
    async with Port(babble) as port, OmarClient(configure(port.origin)) as client:
        with pytest.raises(ConnectError, match="TLS"):
            await client.login()
        assert port.connections == 3


@pytest.mark.fault(3, 31)
async def test_silence(configure: Callable[..., OmarConfig]) -> None:
    """A port that accepts and says nothing runs into the deadline of connecting, and closing does not wait for it."""
    config = attrs.evolve(configure("https://localhost:1"), timeouts=Timeouts(connect=0.05))
    async with Port(say_nothing) as port:
        config = attrs.evolve(config, environment=configure(port.origin).environment, retry=RetryPolicy(attempts=1))
        async with OmarClient(config) as client:
            with pytest.raises(DeadlineError) as caught:
                await client.login()
        assert port.connections == 1
    assert caught.value.phase == "connect"


@pytest.mark.fault(2)
async def test_closed_port(configure: Callable[..., OmarConfig], tmp_path: Path) -> None:
    """A port that nobody listens on is a ConnectError, for an upload too: nothing was sent."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        origin = f"https://localhost:{taken.getsockname()[1]}"
    async with OmarClient(configure(origin)) as client:
        with pytest.raises(ConnectError, match="ECONNREFUSED"):
            await client.login()
        with pytest.raises(ConnectError):
            await client.upload(source)


@pytest.mark.fault(1)
@pytest.mark.parametrize("host", ["omar.invalid", f"{'x' * 63}.{'y' * 63}.invalid"])
async def test_unknown_name(configure: Callable[..., OmarConfig], host: str) -> None:
    """A name that does not exist is a ConnectError that says so."""
    config = attrs.evolve(configure(f"https://{host}"), retry=RetryPolicy(attempts=1))
    async with OmarClient(config) as client:
        with pytest.raises(ConnectError, match="cannot be resolved"):
            await client.login()


@pytest.mark.fault(4, 42)
async def test_disconnect_after_an_answer(
    configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """Once the server has answered, a bare disconnect is an ordinary TransportError: the certificate was accepted."""
    for then in (Then.CLOSE, Then.RESET):
        async with RawSite(server_context, Answer(b"", then)) as site, OmarClient(configure(site.origin)) as client:
            with pytest.raises(TransportError, match="lost") as caught:
                await download(client, tmp_path)
            assert not isinstance(caught.value, CertificateRejectedError)
            assert (
                site.connections == 4
            )  # the login's, which might just have been idle for too long, and three attempts
    assert saved_names(tmp_path) == []


@pytest.mark.fault(2, 5)
async def test_server_that_goes_away(
    configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """A server that has answered and is gone is a ConnectError; uploads were not sent then."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    async with RawSite(server_context, whole(CSV)) as site:
        config = configure(site.origin)
        client = OmarClient(config)
        await client.login()
    async with client:
        with pytest.raises(ConnectError):
            await download(client, tmp_path)
        with pytest.raises(ConnectError):
            await client.upload(source)


@pytest.mark.fault(4)
async def test_server_that_goes_away_in_an_upload(
    configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """A disconnect after the file was sent leaves the outcome unknown, and the file was sent once."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    for then in (Then.CLOSE, Then.RESET):
        async with RawSite(server_context, Answer(b"", then)) as site, OmarClient(configure(site.origin)) as client:
            with pytest.raises(OutcomeUnknownError) as caught:
                await client.upload(source)
            assert caught.value.phase == "request"
            assert site.data_requests == 1


@pytest.mark.parametrize("way", [LeanTransport, partial(AiohttpTransport, proxy=None)], ids=["lean", "session"])
async def test_addresses_that_fail_in_different_ways(
    configure: Callable[..., OmarConfig], way: Callable[[Wiring], Transport]
) -> None:
    """Several addresses that fail in different ways are a ConnectError, not a server that hung up."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = configure(f"https://localhost:{taken.getsockname()[1]}")
    wiring = Wiring(
        context=build_context(config.identity, config.trust),
        timeouts=config.timeouts,
        user_agent="test",
        server_hostname=None,
        # One where nobody listens, one that no network leads to.
        resolver=Addresses("127.0.0.1", "255.255.255.255"),
    )
    transport = way(wiring)
    try:
        with pytest.raises(ConnectError):
            await transport.send(build_login(config.environment), Trace())
    finally:
        await transport.aclose()
