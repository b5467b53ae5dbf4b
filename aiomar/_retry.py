"""Trying again: the loop around an attempt, for downloads and logins alike; `RetryPolicy` says what is repeated."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import attrs

from aiomar.errors import ExchangeError
from aiomar.transfer import RetryPolicy

_T = TypeVar("_T")


class GivenUpError(Exception):
    """Carries an error whose repeats are used up through an outer loop that would repeat it all over again."""

    def __init__(self, error: ExchangeError) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def unwrapped() -> Iterator[None]:
    """Let the error come out of a `GivenUpError`, at the edge of the client."""
    try:
        yield
    except GivenUpError as wrapper:
        raise wrapper.error from wrapper.error.__cause__


@attrs.frozen
class Waiting:
    """The effects of waiting, replaced by tests."""

    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic


async def with_retries(
    attempt: Callable[[int], Awaitable[_T]],
    *,
    policy: RetryPolicy,
    waiting: Waiting,
    deadline: float | None,
    on_retry: Callable[[ExchangeError, int, float], None],
) -> _T:
    """Call `attempt` until it succeeds or the policy gives up; the last error is raised.

    Args:
        attempt: gets its number, from 1.
        policy: says what is repeated and after which wait.
        waiting: clock, sleep and random numbers.
        deadline: a moment of the clock; no wait is begun that would pass it.
        on_retry: told error, attempt and wait in seconds before each wait.

    Raises:
        ExchangeError: the last attempt's.
    """
    number = 1
    while True:
        try:
            return await attempt(number)
        except ExchangeError as error:
            wait = policy.wait_before_next(error, number, waiting.random)
            if wait is None or (deadline is not None and waiting.clock() + wait >= deadline):
                raise
            on_retry(error, number, wait)
        except GivenUpError as wrapper:
            raise wrapper.error from wrapper.error.__cause__
        await waiting.sleep(wait)
        number += 1
