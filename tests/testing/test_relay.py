"""The relay and its toxics: each is shown to do what it says, and one that does nothing is an error."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from tests.client.helpers import until
from tests.support.relay import Relay, UnusedToxicError
from tests.support.toxics import (
    NAMES,
    Bandwidth,
    Dose,
    Down,
    Ending,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Step,
    Stream,
    Timeout,
    Toxic,
    through,
)

GREETING = bytes(range(256)) * 40
"""What the server answers to a line, before it ends the connection."""


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            if line == b"whole\n":
                writer.write(GREETING)
                break
            writer.write(line)
        writer.close()
        await writer.wait_closed()
    except OSError:
        writer.transport.abort()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Give the port of a server that says every line again, and to "whole" the greeting."""
    async with await asyncio.start_server(_serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def ask(relay: Relay, line: bytes = b"whole\n") -> bytes:
    """Send a line and read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    try:
        writer.write(line)
        return await reader.read()
    finally:
        writer.transport.abort()


def dose(toxic: Toxic) -> Dose:
    """Let a toxic work without an end."""
    return Dose(toxic, random.Random(1), lambda: True)  # noqa: S311 - no secret


def waits(steps: list[Step]) -> list[float]:
    """Give the seconds before each step."""
    return [step.wait for step in steps]


def data(steps: list[Step]) -> bytes:
    """Give what goes on."""
    return b"".join(step.data for step in steps)


async def test_without_a_toxic_everything_passes(port: int) -> None:
    """A healthy relay changes nothing, either way, and counts nothing."""
    async with Relay(port) as relay:
        assert await ask(relay) == GREETING
    assert relay.connections == 1
    assert not relay.fired


def test_there_are_eight() -> None:
    """The names are those of Toxiproxy's list."""
    assert set(NAMES) == {
        "latency", "down", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data",
    }  # fmt: skip


def test_a_latency_holds_back() -> None:
    """Everything waits as long as it says, give or take the jitter."""
    assert waits(through([dose(Latency(seconds=0.25))], GREETING)) == [0.25]
    [wait] = waits(through([dose(Latency(seconds=0.25, jitter=0.1))], GREETING))
    assert 0.15 <= wait <= 0.35
    assert wait != 0.25


def test_a_bandwidth_takes_its_time() -> None:
    """The waits add up to size by rate, and nothing is lost."""
    steps = through([dose(Bandwidth(rate=1_024))], GREETING)
    assert sum(waits(steps)) == pytest.approx(len(GREETING) / 1_024)
    assert data(steps) == GREETING
    assert len(steps) > 1


def test_a_slicer_slices() -> None:
    """Pieces have about the size that was asked for, and together they are what came."""
    steps = through([dose(Slicer(average=100, variation=20, seconds=0.5))], GREETING)
    assert data(steps) == GREETING
    assert all(80 <= len(step.data) <= 120 for step in steps[:-1])
    assert len({len(step.data) for step in steps[:-1]}) > 10
    assert waits(steps) == [0.0, *[0.5] * (len(steps) - 1)]


def test_toxics_compose() -> None:
    """What one makes the next takes up: waits add up, and nothing follows an end."""
    steps = through([dose(Latency(seconds=1)), dose(Slicer(average=1_000)), dose(LimitData(after=2_500))], GREETING)
    assert [(len(step.data), step.wait, step.ending) for step in steps] == [
        (1_000, 1, None),
        (1_000, 0, None),
        (500, 0, Ending.CLOSE),
    ]
    steps = through([dose(LimitData(after=2_500)), dose(Slicer(average=1_000))], GREETING)
    assert [(len(step.data), step.ending) for step in steps] == [(1_000, None), (1_000, None), (500, Ending.CLOSE)]


@pytest.mark.parametrize("stream", ["downstream", "upstream"])
async def test_what_only_slows_loses_nothing(port: int, stream: Stream) -> None:
    """Over a real connection the answer is whole, and each toxic is counted."""
    async with Relay(port) as relay:
        relay.add(
            Latency(seconds=0.001, stream=stream),
            Bandwidth(rate=1e7, stream=stream),
            Slicer(average=500, stream=stream),
        )
        assert await ask(relay) == GREETING
    assert relay.fired.keys() == {"latency", "bandwidth", "slicer"}


async def test_a_slow_close_keeps_the_end_back(port: int) -> None:
    """All bytes are there before the end is."""
    async with Relay(port) as relay:
        relay.add(SlowClose(seconds=3_600))
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"whole\n")
        assert await reader.readexactly(len(GREETING)) == GREETING
        await until(lambda: relay.fired["slow_close"] == 1)
        assert not reader.at_eof()
        writer.transport.abort()


async def test_a_limit_closes_in_order(port: int) -> None:
    """So many bytes come, then the end."""
    async with Relay(port) as relay:
        relay.add(LimitData(after=1_000))
        assert await ask(relay) == GREETING[:1_000]
    assert relay.fired == {"limit_data": 1}


async def test_a_limit_upstream_keeps_the_request_from_the_server(port: int) -> None:
    """What is cut on its way to the server is not answered."""
    async with Relay(port) as relay:
        relay.add(LimitData(after=3, stream="upstream"))
        assert await ask(relay) == b""
    assert relay.fired == {"limit_data": 1}


async def test_a_reset_is_a_reset(port: int) -> None:
    """The client sees a TCP reset, not an end."""
    async with Relay(port) as relay:
        relay.add(ResetPeer())
        with pytest.raises(ConnectionResetError):
            await ask(relay)
    assert relay.fired == {"reset_peer": 1}


async def test_a_timeout_swallows_and_then_closes(port: int) -> None:
    """Nothing more comes; after a while the connection ends."""
    async with Relay(port) as relay:
        relay.add(Timeout(seconds=0.01, after=10))
        assert await ask(relay) == GREETING[:10]
    assert relay.fired == {"timeout": 1}


async def test_a_timeout_for_good_ends_with_the_toxic(port: int) -> None:
    """The connection stays open although the server has ended it; when the toxic goes it is reset, not whole."""
    async with Relay(port) as relay:
        relay.add(Timeout(seconds=None, after=10))
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"whole\n")
        assert await reader.readexactly(10) == GREETING[:10]
        relay.check()
        relay.clear()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.transport.abort()


async def test_down_refuses_until_it_is_up_again(port: int) -> None:
    """Open connections end, new ones are refused, and later the same port answers again."""
    async with Relay(port) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        relay.add(Down())
        assert await reader.read() == b""
        writer.transport.abort()
        with pytest.raises(ConnectionRefusedError):
            await ask(relay)
        relay.clear()
        assert await ask(relay) == GREETING
    assert relay.fired == {"down": 1}


async def test_a_toxic_takes_hold_of_open_connections(port: int) -> None:
    """It need not be there when a connection begins, and counts its bytes from when it came."""
    async with Relay(port) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        relay.add(LimitData(after=5))
        writer.write(b"whole\n")
        assert await reader.read() == GREETING[:5]
        writer.transport.abort()


async def test_a_number_of_times(port: int) -> None:
    """A toxic that is used up has no effect on any connection."""
    async with Relay(port) as relay:
        relay.add(LimitData(after=1, times=2))
        assert [len(await ask(relay)) for _ in range(4)] == [1, 1, len(GREETING), len(GREETING)]
    assert relay.fired == {"limit_data": 2}


async def test_chance_comes_from_the_seed(port: int) -> None:
    """The same seed poisons the same connections, and about as many as the toxicity says."""

    async def cut(seed: int) -> list[bool]:
        async with Relay(port, seed) as relay:
            relay.add(LimitData(after=1, toxicity=0.5))
            return [len(await ask(relay)) == 1 for _ in range(40)]

    first = await cut(7)
    assert first == await cut(7)
    assert first != await cut(8)
    assert 10 < sum(first) < 30


async def test_a_toxic_without_effect_is_an_error(port: int) -> None:
    """A test whose trouble did not happen fails."""

    async def in_vain() -> None:
        async with Relay(port) as relay:
            relay.add(LimitData(after=1_000_000), Latency(seconds=0))
            assert await ask(relay) == GREETING

    with pytest.raises(UnusedToxicError, match=r"LimitData\(.*after=1000000"):
        await in_vain()


async def test_a_server_that_is_gone(port: int) -> None:
    """Without a server behind it a connection is reset."""
    async with Relay(1) as relay:
        with pytest.raises(ConnectionResetError):
            await ask(relay)
