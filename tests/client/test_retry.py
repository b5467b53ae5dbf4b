"""The loop around attempts: the policy's arithmetic, the ways out of the loop, and what an outage costs on the wire.

What a server does and what comes of it stands in the table of ``test_retry_steps.py``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import attrs
import pytest
import stamina

from aiomar import (
    CertificateRejectedError,
    ConfigError,
    ConnectError,
    DeadlineError,
    EmptyBodyError,
    ExchangeError,
    FileFormat,
    Hint,
    LoginError,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    RetryPolicy,
    StatusError,
    TimeType,
    TransportError,
    TruncatedBodyError,
    UnexpectedPageError,
)
from aiomar._retry import GivenUpError, Retries
from aiomar.testing import Disconnect, Fault, OmarServer, Status
from tests.client.helpers import DAY, METER, Clock, fetch, fetch_range, give_waiting, sent, until
from tests.support.sleepless import run

LOST = ConnectError("lost")
BUSY = StatusError("busy", status=503, hint=Hint.RETRY)
BROKEN = StatusError("broken", status=500, hint=Hint.RETRY)
CUT = TruncatedBodyError("cut", received=1, expected=2)
UNPROVEN = TruncatedBodyError("unproven", received=1, expected=None, hint=Hint.NEVER)
LATE = DeadlineError("late", phase="read")
DRIP = DeadlineError("drip", phase="rate")
EMPTY = EmptyBodyError("empty")
GONE = StatusError("gone", status=404)
PAGE = UnexpectedPageError("page", title="", excerpt="")
NO = LoginError("no")
REFUSED = CertificateRejectedError("refused", side="client")
PERHAPS = CertificateRejectedError("perhaps", side="client", certain=False, hint=Hint.RETRY)
METERS = [Meter(str(number)) for number in range(1001, 1061)]


@pytest.mark.fault(9, 10, 38, 39, 46)
@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        *((error, 7) for error in (LOST, BUSY, CUT, LATE)),
        *((error, 2) for error in (BROKEN, DRIP, EMPTY, PERHAPS)),
        *((error, 1) for error in (GONE, PAGE, NO, REFUSED, UNPROVEN)),
    ],
    ids=str,
)
def test_how_often_an_error_is_tried(error: ExchangeError, attempts: int) -> None:
    """What may pass up to the policy's attempts, what will most likely stay twice, the rest once."""
    policy = RetryPolicy(attempts=7)
    number = 1
    while policy.wait_before_next(error, number, lambda: 1.0) is not None:
        number += 1
    assert number == attempts


def test_many_attempts_do_not_overflow() -> None:
    """However often something is tried, the wait is bounded."""
    policy = RetryPolicy(attempts=10_000)
    assert policy.wait_before_next(LOST, 9_999, lambda: 1.0) == 20.0


@attrs.define
class Attempts:
    """Ends as it is told, then well; notes what it and its observer are given."""

    errors: list[BaseException]
    numbers: list[int] = attrs.field(factory=list)
    told: list[tuple[str, int, float]] = attrs.field(factory=list)

    async def __call__(self, number: int) -> str:
        """End as told."""
        self.numbers.append(number)
        if number <= len(self.errors):
            raise self.errors[number - 1]
        return "done"

    async def go(self, clock: Clock) -> str:
        """Carry it out under the usual policy."""
        return await Retries(RetryPolicy(), clock.waiting()).run(
            self,
            seconds=None,
            on_retry=lambda error, number, wait: self.told.append((str(error), number, wait)),
        )


def test_the_observer_is_told_before_each_wait() -> None:
    """Error, attempt and wait, in their order, and nothing about the attempt that is good."""
    clock, attempts = Clock(), Attempts([LOST, BUSY])
    assert run(clock, attempts.go(clock)) == "done"
    assert attempts.told == [("lost", 1, 0.5), ("busy", 2, 1.0)]
    assert attempts.numbers == [1, 2, 3]
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize("errors", [[], [LOST], [LOST, BUSY]], ids=repr)
@pytest.mark.parametrize("last", [ValueError("mine"), asyncio.CancelledError(), NO], ids=repr)
async def test_what_is_no_exchange_is_not_repeated(errors: list[BaseException], last: BaseException) -> None:
    """A mistake in a program, a cancellation and what was given up elsewhere come out as they are, from any attempt."""
    attempts = Attempts([*errors, GivenUpError(last) if last is NO else last])
    with stamina.set_testing(True, attempts=3), pytest.raises(BaseException) as caught:  # noqa: PT011 - the very object is looked at
        await attempts.go(Clock())
    assert caught.value is last
    assert len(attempts.told) == len(errors)


async def test_a_wait_can_be_cancelled() -> None:
    """A cancellation in the middle of a wait ends it at once."""
    attempts = Attempts([LOST])
    task = asyncio.create_task(attempts.go(Clock()))
    await until(lambda: bool(attempts.told))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert attempts.numbers == [1]


def test_causes_are_kept() -> None:
    """The last error comes out itself, with the cause that it had."""
    clock, last = Clock(), ConnectError("last")
    last.__cause__ = OSError("deep")
    attempts = Attempts([LOST, BUSY, last])
    with pytest.raises(ConnectError) as caught:
        run(clock, attempts.go(clock))
    assert caught.value is last
    assert isinstance(last.__cause__, OSError)


async def test_the_switches_of_stamina_are_heeded() -> None:
    """A program's tests can do without repeats, or without their waits."""
    stamina.set_active(False)
    try:
        with pytest.raises(ConnectError):
            await Attempts([LOST]).go(Clock())
    finally:
        stamina.set_active(True)
    with stamina.set_testing(True, attempts=10, cap=True):
        assert await Attempts([LOST, BUSY]).go(Clock()) == "done"


def test_what_stamina_logs_is_ours_to_show(caplog: pytest.LogCaptureFixture) -> None:
    """One record for each wait, with the text of our error and nothing that was passed around."""
    clock = Clock()
    with caplog.at_level(logging.WARNING, "stamina"):
        run(clock, Attempts([LOST]).go(clock))
    (record,) = [vars(record) for record in caplog.records if record.name == "stamina"]
    assert record["stamina.caused_by"] == "ConnectError('lost')"
    assert record["stamina.args"] == ()
    assert record["stamina.kwargs"] == {}


_PROGRAM = """
import asyncio, logging, sys
from aiomar import ConnectError, RetryPolicy
from aiomar._retry import Retries

async def attempt(number):
    if number == 1:
        raise ConnectError("lost")
    return number

exec(sys.argv[1])
retries = Retries(RetryPolicy(first_wait=0))
assert asyncio.run(retries.run(attempt, seconds=None, on_retry=lambda *_: None)) == 2
"""


@pytest.mark.parametrize(
    ("setting_up", "printed"),
    [("", ""), ("logging.basicConfig(format='%(name)s %(message)s')", "stamina stamina.retry_scheduled\n")],
    ids=["no logging", "logging"],
)
def test_a_repeat_is_printed_only_where_a_program_logs(setting_up: str, printed: str) -> None:
    """A program that set up no logging sees nothing of repeats, and one that did sees stamina's warning."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM, setting_up], capture_output=True, text=True, check=True)
    assert done.stderr == printed


async def many(call: Callable[[int], Awaitable[object]], count: int = 100) -> list[object]:
    """Make many calls at once."""
    return await asyncio.gather(*(call(number) for number in range(count)), return_exceptions=True)


@pytest.mark.parametrize("fault", [Disconnect(times=1_000), Status(503, times=1_000)], ids=["cut", "503"])
@pytest.mark.parametrize("warm", [0, 8], ids=["cold", "warm"])
async def test_an_outage_is_not_amplified(
    fault: Fault, warm: int, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A hundred downloads at once make at most 130 requests, with logins and with repeats on dead connections."""
    async with OmarClient(omar_config) as client:
        if warm:
            await fetch_range(client, METERS[:warm], tmp_path / "warm")
        before = len(omar_server.requests)
        omar_server.script(fault)
        errors = await many(lambda number: fetch(client, tmp_path, Meter(f"1{number}")))
        assert all(isinstance(error, OmarError) for error in errors)
        assert 100 <= len(omar_server.requests) - before <= 130
    omar_server.clear()


@pytest.mark.parametrize("warm", [16, 64])
async def test_dead_connections_do_not_amplify_an_outage(
    warm: int, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """What a transport repeats by itself is paid for too: many warm connections add nothing to 130 requests."""
    async with OmarClient(attrs.evolve(omar_config, concurrency=warm)) as client:
        client._ready().downloader.limiter._limit.whole = warm
        async with AsyncExitStack() as stack:  # each keeps its connection until all are open
            stream = partial(client.open_download, METER, DAY, DAY, file_format=FileFormat.CSV)
            bodies = [await stack.enter_async_context(stream(time_type=TimeType.PST)) for _ in range(warm)]
            for body in bodies:
                assert [piece async for piece in body]
        assert omar_server.connections.download == warm
        before = len(omar_server.requests)
        omar_server.script(Disconnect(times=1_000))
        errors = await many(lambda number: fetch(client, tmp_path, Meter(f"1{number}")))
        assert all(isinstance(error, TransportError) for error in errors)
        assert 100 <= len(omar_server.requests) - before <= 130
    omar_server.clear()


@pytest.mark.parametrize("lean", [True, False], ids=["lean", "session"])
async def test_a_transport_asks_before_it_repeats(
    *, lean: bool, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A repeat that brings data costs nothing in the end; with an empty bucket there is none, also for a login."""
    async with OmarClient(attrs.evolve(omar_config, lean=lean)) as client:
        budget = client._ready().downloader.retries.budget
        await fetch(client, tmp_path)
        budget.tokens = 50
        omar_server.script(Disconnect())
        await fetch(client, tmp_path, overwrite=True)
        assert (budget.tokens, sent(omar_server, "download")) == (51, 3)
        budget.tokens = 4
        omar_server.script(Disconnect())
        with pytest.raises(TransportError):
            await fetch(client, tmp_path, overwrite=True)
        assert (budget.tokens, sent(omar_server, "download")) == (4, 4)
        session = client._ready().session
        session.end(await session.lease())
        omar_server.script(Disconnect(on="login", times=2))
        with pytest.raises(TransportError):
            await client.login()
        assert (budget.tokens, sent(omar_server, "login")) == (4, 2)
        budget.tokens = 50
        await client.login()  # on a new connection, so the policy repeats it
        assert (budget.tokens, sent(omar_server, "login")) == (51, 4)
        session.end(await session.lease())
        omar_server.script(Disconnect(on="login"))
        await client.login()
        assert (budget.tokens, sent(omar_server, "login")) == (52, 6)


async def test_a_closed_port_is_not_stormed(omar_config: OmarConfig, omar_server: OmarServer, tmp_path: Path) -> None:
    """A hundred downloads towards a port where nobody answers open at most 130 connections, logins included."""
    accepted = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        writer.close()

    server = await asyncio.start_server(hang_up, sock=socket.create_server(("127.0.0.1", 0)))
    async with server:
        origin = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        environment = attrs.evolve(omar_config.environment, download_origin=origin)
        async with OmarClient(attrs.evolve(omar_config, environment=environment)) as client:
            await many(lambda number: fetch(client, tmp_path, Meter(f"1{number}")))
    assert 100 <= accepted + len(omar_server.requests) <= 130


async def test_logins_in_an_outage_are_few(omar_config: OmarConfig, omar_server: OmarServer, tmp_path: Path) -> None:
    """When there is no session to be had, a hundred downloads make five requests and then fail at once."""
    omar_server.script(Status(503, on="login", times=1_000))
    async with OmarClient(omar_config) as client:
        give_waiting(client, Clock().waiting(lambda: 0.0))
        for _ in range(2):
            errors = await many(lambda number: fetch(client, tmp_path, Meter(f"1{number}")), 50)
            assert {type(error) for error in errors} == {StatusError}
    assert [record.kind for record in omar_server.requests] == ["login"] * 5
    omar_server.clear()


@pytest.mark.parametrize(
    "arguments",
    [
        {"attempts": 0},
        {"attempts": 1.5},
        {"attempts": True},
        {"first_wait": -1},
        {"longest_wait": float("nan")},
        {"retry_after_cap": "60"},
    ],
    ids=repr,
)
def test_a_policy_checks_its_numbers(arguments: dict[str, int]) -> None:
    """A number out of range is a `ConfigError` that names it."""
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        RetryPolicy(**arguments)


def test_the_documented_defaults() -> None:
    """Three attempts, half a second doubling to twenty, a minute at most for the server's own wish."""
    policy = RetryPolicy()
    assert (policy.attempts, policy.first_wait, policy.longest_wait, policy.retry_after_cap) == (3, 0.5, 20.0, 60.0)
