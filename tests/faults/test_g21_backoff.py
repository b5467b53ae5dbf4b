"""G21: clients that fail together do not come back together.

A thousand clients each have a clock, a budget and a chance of their own, as a thousand processes have; all of them fail
at the same moment and go on failing.  Nobody sleeps: the waits move the clocks.
"""

from __future__ import annotations

import logging
import random
from bisect import bisect_left

import pytest

from aiomar import ConnectError, ExchangeError, RetryPolicy
from aiomar._retry import Retries
from tests.client.helpers import Clock
from tests.support.gates import Gate
from tests.support.sleepless import run

CLIENTS = 1_000
WINDOW = 0.1
SINCE = 1.0


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let nobody keep a record of each of the many waits."""
    caplog.set_level(logging.ERROR, "stamina")


async def times_of(policy: RetryPolicy, clock: Clock, chance: random.Random) -> list[float]:
    """Let one client fail until it gives up, and note when it tries."""
    times: list[float] = []

    async def attempt(_: int) -> None:
        times.append(clock.now)
        raise ConnectError("lost")

    clock.now = 0.0
    retries = Retries(policy, clock.waiting(chance.random))
    with pytest.raises(ExchangeError):
        await retries.run(attempt, seconds=None, on_retry=lambda *_: None)
    return times


def busiest(times: list[float], since: float) -> int:
    """Count the most of them that fall into one window that begins at or after `since`."""
    late = sorted(time for time in times if time >= since)
    return max((bisect_left(late, time + WINDOW) - place for place, time in enumerate(late)), default=0)


def crowd(policy: RetryPolicy, clients: int, chance: random.Random) -> list[float]:
    """Give the times at which so many clients try, the first time included, which is the same for all."""
    clock = Clock()

    async def together() -> list[float]:
        return [time for _ in range(clients) for time in await times_of(policy, clock, chance)]

    times = run(clock, together())
    assert len(times) == clients * policy.attempts  # each came back as often as it may
    assert busiest(times, 0.0) >= clients  # and they did begin together
    return times


@pytest.mark.gate("G21")
def test_a_crowd_spreads(gate: Gate) -> None:
    """A second after a common failure, no tenth of a second sees a tenth of the clients."""
    # Chance makes the crest of a thousand uneven by a tenth of its height, so several thousands are laid over another.
    clients = CLIENTS * gate.count(ci=8, long=80)
    most = busiest(crowd(RetryPolicy(), clients, gate.rng), SINCE)
    gate.record(clients, 0 if most < clients / 10 else most, f"clients, at most {most / clients:.1%} of them in 0.1 s")
    assert most < clients / 10


@pytest.mark.gate("G21")
@pytest.mark.parametrize(
    "policy",
    [RetryPolicy(attempts=8), RetryPolicy(attempts=5, first_wait=0.1), RetryPolicy(attempts=5, first_wait=2.0)],
    ids=["patient", "hasty", "slow"],
)
def test_those_who_try_longer_spread_too(policy: RetryPolicy, gate: Gate) -> None:
    """Who comes back more often is met more often, but no tenth of a second has a tenth of all that is repeated."""
    clients = CLIENTS * gate.count(ci=1, long=20)
    times = crowd(policy, clients, gate.rng)
    repeats = len(times) - clients
    most = busiest(times, SINCE)
    gate.record(repeats, 0 if most < repeats / 10 else most, "repeats of other policies, none of ten in 0.1 s")
    assert most < repeats / 10
