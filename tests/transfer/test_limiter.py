"""Who waits for a place, for how long, and what is told: the limiter in its loop."""

from __future__ import annotations

import asyncio
import time

import pytest

from aiomar.errors import (
    ConnectError,
    DeadlineError,
    EmptyBodyError,
    ExchangeError,
    LoginError,
    StatusError,
    TruncatedBodyError,
)
from aiomar.transfer import DownloadsPaused, LimitChanged, Limiter

BUSY = StatusError("busy", status=503)


def busy(retry_after: float) -> StatusError:
    """Give a refusal that asks for a wait."""
    return StatusError("busy", status=503, retry_after=retry_after)


async def turns(count: int = 5) -> None:
    """Let the loop go on a little."""
    for _ in range(count):
        await asyncio.sleep(0)


async def take(limiter: Limiter, count: int) -> list[int]:
    """Take places that are free."""
    return [await limiter.enter() for _ in range(count)]


def timer_of(limiter: Limiter) -> asyncio.TimerHandle | None:
    """Give the timer that ends a pause."""
    return limiter._timer


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now


async def test_places_go_to_those_who_wait_in_the_order_of_asking() -> None:
    """Two places: the third and the fourth wait, and nobody who comes later is let in before them."""
    limiter = Limiter(2)
    await take(limiter, 2)
    order: list[str] = []

    async def ask(name: str) -> None:
        await limiter.enter()
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(ask(name))
            await turns(1)
        assert order == []
        limiter.leave()
        late = group.create_task(ask("late"))
        await turns()
        assert order == ["a"]
        for _ in range(3):
            limiter.leave()
        await turns()
        assert late.done()
    assert order == ["a", "b", "c", "late"]


async def test_a_place_that_was_granted_to_a_cancelled_task_is_handed_on() -> None:
    """Cancelled between the grant and its turn of the loop, it loses nothing for the others."""
    limiter = Limiter(1)
    await limiter.enter()
    first, second = asyncio.create_task(limiter.enter()), asyncio.create_task(limiter.enter())
    await turns()
    limiter.leave()
    first.cancel()
    await asyncio.wait([first, second], timeout=5)
    assert first.cancelled()
    assert second.done()
    limiter.leave()
    await asyncio.wait_for(limiter.enter(), 5)


async def test_a_task_that_is_cancelled_while_it_waits_is_passed_over() -> None:
    """Also when the place comes free before it has noticed."""
    limiter = Limiter(1)
    await limiter.enter()
    first, second, third = (asyncio.create_task(limiter.enter()) for _ in range(3))
    await turns()
    first.cancel()
    await turns()
    second.cancel()
    limiter.leave()
    await asyncio.wait([first, second, third], timeout=5)
    assert (first.cancelled(), second.cancelled(), third.cancelled()) == (True, True, False)


async def test_a_lower_limit_lets_nobody_in_until_enough_have_left() -> None:
    """Ten places of which seven remain: the fourth to leave makes room for one."""
    limiter = Limiter(10)
    numbers = await take(limiter, 10)
    limiter.went_badly(numbers[0], BUSY)
    assert (limiter.limit, limiter.most) == (7, 10)
    waiting = asyncio.create_task(limiter.enter())
    for _ in range(3):
        limiter.leave()
        await turns()
        assert not waiting.done()
    limiter.leave()
    await asyncio.wait_for(waiting, 5)


async def test_a_higher_limit_lets_in_those_who_wait_and_is_told() -> None:
    """One success in slow start: one place more, for who waits, at once."""
    events: list[LimitChanged | DownloadsPaused] = []
    limiter = Limiter(64, notify=events.append)
    numbers = await take(limiter, 16)
    waiting = asyncio.create_task(limiter.enter())
    await turns()
    limiter.went_well(numbers[0], 0.2)
    await asyncio.wait_for(waiting, 5)
    assert events == [LimitChanged(17, 64, "room")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        *((StatusError("", status=status), "busy") for status in (408, 429, 502, 503, 504)),
        *((DeadlineError("", phase=phase), "timeout") for phase in ("connect", "first_byte", "read", "rate")),
        (ConnectError(""), "timeout"),
        (DeadlineError("", phase="operation"), None),
        (StatusError("", status=404), None),
        (StatusError("", status=500), None),
        (TruncatedBodyError("", received=1, expected=2), None),
        (EmptyBodyError(""), None),
        (LoginError(""), None),
    ],
    ids=repr,
)
async def test_what_an_error_means_for_the_limit(error: ExchangeError, reason: str | None) -> None:
    """Busy and silent servers get less; errors that have nothing to do with load change nothing."""
    events: list[LimitChanged | DownloadsPaused] = []
    limiter = Limiter(16, notify=events.append)
    numbers = await take(limiter, 16)
    limiter.went_badly(numbers[0], error)
    told = [(event.limit, event.reason) for event in events if isinstance(event, LimitChanged)]
    assert told == ([] if reason is None else [(11, reason)])
    assert limiter.limit == (16 if reason is None else 11)


# --- Pauses -----------------------------------------------------------------------------------------------------------


async def test_a_pause_keeps_everybody_waiting_and_ends_by_itself() -> None:
    """Free places or not, nobody begins before the time that the server asked for is over."""
    limiter = Limiter(16)
    numbers = await take(limiter, 2)
    asked = time.monotonic()
    limiter.went_badly(numbers[0], busy(0.02))
    began: list[float] = []

    async def ask() -> None:
        await limiter.enter()
        began.append(time.monotonic() - asked)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ask())
        limiter.leave()
        limiter.leave()
    assert min(began) >= 0.02
    assert timer_of(limiter) is None


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """And after the longer one, the next is free at once, without a timer."""
    clock = Clock()
    limiter = Limiter(16, clock=clock)
    numbers = await take(limiter, 2)
    limiter.went_badly(numbers[0], busy(30))
    limiter.went_badly(numbers[1], busy(5))
    clock.now += 29.9
    waiting = asyncio.create_task(limiter.enter())
    await turns()
    assert not waiting.done()
    clock.now += 0.1
    limiter.leave()
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(limiter.enter(), 5)
    limiter.close()


async def test_a_pause_is_told_once_and_bounded() -> None:
    """The refusals of a moment are one; a much longer one is told again; nothing is longer than the cap."""
    clock = Clock()
    events: list[LimitChanged | DownloadsPaused] = []
    limiter = Limiter(16, retry_after_cap=60.0, clock=clock, notify=events.append)
    numbers = await take(limiter, 16)
    for number in numbers[:10]:
        limiter.went_badly(number, busy(5))
        clock.now += 0.01
    limiter.went_badly(numbers[10], busy(0))
    limiter.went_badly(numbers[11], busy(3_600))
    clock.now += 60
    limiter.went_badly(numbers[12], busy(2))
    paused = [event for event in events if isinstance(event, DownloadsPaused)]
    assert paused == [DownloadsPaused(5), DownloadsPaused(60), DownloadsPaused(2)]


async def test_there_is_no_timer_unless_somebody_waits() -> None:
    """A pause alone has none; it comes with the first who waits and goes with the last, or when the client closes."""
    limiter = Limiter(16)
    numbers = await take(limiter, 1)
    limiter.went_badly(numbers[0], busy(60))
    assert timer_of(limiter) is None
    first, second = asyncio.create_task(limiter.enter()), asyncio.create_task(limiter.enter())
    await turns()
    timer = timer_of(limiter)
    assert timer is not None
    first.cancel()
    await turns()
    assert timer_of(limiter) is timer
    second.cancel()
    await turns()
    assert timer_of(limiter) is None
    assert timer.cancelled()
    third = asyncio.create_task(limiter.enter())
    await turns()
    timer = timer_of(limiter)
    assert timer is not None
    limiter.close()
    assert timer.cancelled()
    limiter.leave()
    assert timer_of(limiter) is None
    third.cancel()
    await asyncio.wait([third])
