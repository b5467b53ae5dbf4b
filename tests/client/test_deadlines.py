"""Every phase has its own deadline, and a healthy transfer has none."""
# ruff: noqa: FBT001, PLR0917 - pytest gives parameters and fixtures by name

from __future__ import annotations

import socket
from pathlib import Path

import attrs
import pytest

from aiomar import ConnectError, DeadlineError, OmarClient, OmarConfig, StatusError, Timeouts
from aiomar.testing import Fault, OmarServer, SlowFirstByte, Stall, Status
from tests.client.helpers import Clock, data, fetch, give_waiting, once, sent, untouched


@pytest.mark.fault(9, 11, 13)
@pytest.mark.parametrize(
    ("fault", "timeouts", "phase"),
    [
        (Stall(None), Timeouts(first_byte=0.3), "first_byte"),
        (Stall(None, on="login"), Timeouts(first_byte=0.3), "first_byte"),
        (Stall(0), Timeouts(read=0.2), "read"),
        (Stall(700), Timeouts(read=0.2), "read"),
        (Stall(700, "chunked"), Timeouts(read=0.2), "read"),
        (Stall(700, "close"), Timeouts(read=0.2), "read"),
        (Stall(700), Timeouts(operation=0.7), "operation"),
        (Stall(None, on="login"), Timeouts(operation=0.7), "operation"),
    ],
    ids=lambda value: repr(value) if isinstance(value, Fault) else None,
)
async def test_a_silent_server(
    fault: Fault, timeouts: Timeouts, phase: str, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Silence is bounded in each phase, the error names it, and nothing is left on disk."""
    omar_server.script(fault)
    async with OmarClient(attrs.evolve(once(omar_config), timeouts=timeouts)) as client:
        with untouched(tmp_path), pytest.raises(DeadlineError) as caught:
            await fetch(client, tmp_path)
        assert caught.value.phase == phase


@pytest.mark.fault(9, 11, 13)
async def test_silence_is_tried_again(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """A stall costs one attempt."""
    omar_server.script(Stall(700), Stall(None))
    async with OmarClient(attrs.evolve(omar_config, timeouts=Timeouts(read=0.3, first_byte=0.3))) as client:
        assert (await fetch(client, tmp_path)).path.read_bytes() == data(omar_server)
    assert sent(omar_server, "download") == 3


async def test_a_slow_answer_within_its_deadline(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """The wait for the first byte is its own, and longer than the gap that is allowed between bytes."""
    omar_server.script(SlowFirstByte(0.6))
    async with OmarClient(attrs.evolve(once(omar_config), timeouts=Timeouts(read=0.3))) as client:
        assert (await fetch(client, tmp_path)).path.read_bytes() == data(omar_server)


@pytest.mark.fault(3)
async def test_a_server_that_never_speaks_tls(omar_config: OmarConfig, tmp_path: Path) -> None:
    """The deadline of connecting covers the TLS handshake."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        origin = f"https://localhost:{mute.getsockname()[1]}"
        environment = attrs.evolve(omar_config.environment, upload_origin=origin)
        config = attrs.evolve(once(omar_config), environment=environment, timeouts=Timeouts(connect=0.05))
        async with OmarClient(config) as client:
            with pytest.raises(DeadlineError) as caught:
                await fetch(client, tmp_path)
    assert caught.value.phase == "connect"


@pytest.mark.fault(2)
async def test_nobody_listens(omar_config: OmarConfig, tmp_path: Path) -> None:
    """A refused connection is a `ConnectError`, repeated as the policy says."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        origin = f"https://localhost:{closed.getsockname()[1]}"
    environment = attrs.evolve(omar_config.environment, upload_origin=origin)
    async with OmarClient(attrs.evolve(omar_config, environment=environment)) as client:
        with untouched(tmp_path), pytest.raises(ConnectError):
            await fetch(client, tmp_path)


@pytest.mark.fault(10)
@pytest.mark.parametrize(("rate", "good"), [(1e9, False), (0.0, True), (1.0, True)])
async def test_a_drip_is_given_up(
    rate: float,
    good: bool,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
) -> None:
    """Bytes that come, but too few of them over a minute, are a deadline of their own; 0 switches it off."""
    async with OmarClient(attrs.evolve(once(omar_config), timeouts=Timeouts(minimum_rate=rate))) as client:
        parts = client._ready()
        rules = attrs.evolve(parts.downloader.rules, clock=Clock(step=61.0))
        parts.downloader = attrs.evolve(parts.downloader, rules=rules)
        if good:
            await fetch(client, tmp_path)
            return
        with untouched(tmp_path), pytest.raises(DeadlineError) as caught:
            await fetch(client, tmp_path)
        assert caught.value.phase == "rate"


async def test_no_wait_is_begun_that_would_pass_the_operations_deadline(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A server that asks for a longer wait than is left is not waited for: its own error comes out."""
    omar_server.script(Status(503, retry_after=50))
    clock = Clock()
    async with OmarClient(attrs.evolve(omar_config, timeouts=Timeouts(operation=40.0))) as client:
        give_waiting(client, clock.waiting())
        with pytest.raises(StatusError):
            await fetch(client, tmp_path)
    assert sent(omar_server, "download") == 1


async def test_waiting_for_a_place_counts_as_operation(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A download that never gets its turn ends at the operation's deadline and has sent nothing."""
    async with OmarClient(attrs.evolve(once(omar_config), concurrency=1)) as client:
        await client.login()
        await client._ready().downloader.limiter.enter()
        client._ready().operations.seconds = 0.2
        with untouched(tmp_path), pytest.raises(DeadlineError) as caught:
            await fetch(client, tmp_path)
    assert caught.value.phase == "operation"
    assert sent(omar_server, "download") == 0
