"""G20: an outage is not made worse by those who suffer from it.

A hundred downloads that are started together may cost a server in full outage at most 130 requests, whatever the outage
looks like: logins count, and so does what the transport repeats by itself on connections that have died.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from aiomar import (
    DownloadRetrying,
    ExchangeError,
    LoginRetrying,
    Meter,
    OmarClient,
    OmarConfig,
    RetryPolicy,
    Timeouts,
    TransportError,
)
from aiomar.testing import Disconnect, Fault, OmarServer, Reset, Stall, Status
from tests.client.helpers import fetch, fetch_range, on_disk
from tests.support.gates import Gate

CALLS = 100
MOST = 130
METERS = [Meter(str(number)) for number in range(1001, 1009)]

OUTAGES = {
    "503": Status(503, times=10_000),
    "500": Status(500, times=10_000),
    "disconnect": Disconnect(times=10_000),
    "reset": Reset(times=10_000),
    "stall": Stall(None, times=10_000),
}


def patient(config: OmarConfig, *, lean: bool) -> OmarConfig:
    """Repeat more often than by default, so that it is the budget and not the policy that holds the number down."""
    retry = RetryPolicy(attempts=10, first_wait=0.001, longest_wait=0.002)
    # Only the stall ever waits that long; where a healthy answer takes longer too, a login is repeated, see below.
    return attrs.evolve(config, retry=retry, lean=lean, timeouts=Timeouts(first_byte=0.02), concurrency=32)


async def log_in(client: OmarClient) -> None:
    """Open a session, however busy this machine is; the budget for repeats is full again afterwards."""
    for _ in range(100):
        try:
            await client.login()
            break
        except ExchangeError:
            client._ready().session.breaker.logins.succeed()
    client._ready().downloader.retries.budget.tokens = 100


async def storm(client: OmarClient, into: Path) -> None:
    """Start a hundred downloads together; all of them fail."""
    calls = (fetch(client, into, Meter(str(number))) for number in range(1001, 1001 + CALLS))
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(error, ExchangeError) for error in errors), errors
    assert on_disk(into) == {}


def judge(gate: Gate, asked: list[int]) -> None:
    """Hold what each outage cost to its bound; every call has cost something."""
    assert min(asked) >= CALLS
    gate.record(CALLS * len(asked), 0, "downloads in an outage")
    gate.record(
        sum(asked), sum(max(0, number - MOST) for number in asked), "requests for them; bad: beyond 1.3 for each"
    )
    assert max(asked) <= MOST


@pytest.mark.fault(38, 39)
@pytest.mark.gate("G20")
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "session"])
@pytest.mark.parametrize("outage", OUTAGES)
async def test_a_server_that_fails_is_asked_little_more(
    outage: str, *, lean: bool, gate: Gate, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A server that refuses, breaks, hangs up or is silent gets at most 1.3 requests a download, warm or cold."""
    fault: Fault = OUTAGES[outage]
    rounds = gate.count(ci=1 if outage == "stall" else 2, long=20)  # waiting for nothing takes its time
    asked: list[int] = []
    for number in range(rounds):
        async with OmarClient(patient(omar_config, lean=lean)) as client:
            await log_in(client)
            if number % 2 == 0:  # with connections that are open, and a limit that has grown
                await fetch_range(client, METERS, tmp_path / "warm", errors="collect")
                client._ready().downloader.retries.budget.tokens = 100
            before = len(omar_server.requests)
            omar_server.script(fault)
            await storm(client, tmp_path / f"{number}")
            asked.append(len(omar_server.requests) - before)
        omar_server.clear()
    judge(gate, asked)


@asynccontextmanager
async def hanging_up() -> AsyncGenerator[tuple[str, list[int]]]:
    """Give an origin where every connection is accepted, counted and closed."""
    accepted: list[int] = []

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}", accepted


@pytest.mark.fault(2, 42)
@pytest.mark.gate("G20")
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "session"])
async def test_a_port_that_hangs_up_is_not_stormed(
    *, lean: bool, gate: Gate, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A port that closes every connection before TLS gets at most 1.3 connections a download."""
    async with hanging_up() as (origin, accepted):
        environment = attrs.evolve(omar_config.environment, download_origin=origin)
        config = patient(attrs.evolve(omar_config, environment=environment), lean=lean)
        async with OmarClient(config) as client:
            await log_in(client)
            before = len(omar_server.requests)
            await storm(client, tmp_path / "data")
    judge(gate, [len(accepted) + len(omar_server.requests) - before])


@pytest.mark.fault(2)
@pytest.mark.gate("G20")
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "session"])
async def test_a_closed_port_is_not_stormed(
    *, lean: bool, gate: Gate, omar_config: OmarConfig, omar_server: OmarServer, tmp_path: Path
) -> None:
    """Where nobody listens there are at most 1.3 attempts a download; the observer counts them, as nobody else can."""
    repeats: list[object] = []

    def observe(event: object) -> None:
        if isinstance(event, DownloadRetrying | LoginRetrying):
            repeats.append(event)

    with socket.create_server(("127.0.0.1", 0)) as closed:
        origin = f"https://localhost:{closed.getsockname()[1]}"
    environment = attrs.evolve(omar_config.environment, download_origin=origin)
    config = patient(attrs.evolve(omar_config, environment=environment), lean=lean)
    async with OmarClient(config, observer=observe) as client:
        await log_in(client)
        repeats.clear()
        with pytest.raises(TransportError):
            await fetch(client, tmp_path / "one")
        assert repeats
        repeats.clear()
        client._ready().downloader.retries.budget.tokens = 100
        await storm(client, tmp_path / "data")
    judge(gate, [CALLS + len(repeats)])
