"""Trying again: the loop around an attempt, for downloads and logins alike; `RetryPolicy` says what is repeated."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TypeVar

import attrs

from aiomar.errors import DeadlineError, ExchangeError, UsageError
from aiomar.transfer import RetryPolicy

_T = TypeVar("_T")
# How long `Operations.aclose` waits for what it ended: a few turns of the loop, unless a disk hangs.
_PATIENCE = 5.0


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


class Operations:
    """What is under way in the tasks of the client's callers: each bounded in time, all ended when the client closes.

    Args:
        seconds: how long one download or upload may take with its retries and logins; `None` for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._under_way: dict[asyncio.Timeout, asyncio.Task[object] | None] = {}
        self._one_less = asyncio.Event()
        self._closed = False

    def limit(self) -> _Operation:
        """Carry out one operation, as ``async with operations.limit()``.

        Raises:
            DeadlineError: phase ``"operation"``.
            UsageError: the client is closed, or was closed in the meantime.
        """
        self.check()
        return _Operation(self)

    def begin(self, scope: asyncio.Timeout) -> None:
        """Note an operation of the running task."""
        self._under_way[scope] = asyncio.current_task()

    def end(self, scope: asyncio.Timeout) -> None:
        """Forget an operation."""
        del self._under_way[scope]
        self._one_less.set()

    def check(self) -> None:
        """Do nothing while the client is open.

        Raises:
            UsageError: it is closed.
        """
        if self._closed:
            raise UsageError("the client was closed before this had ended: keep it open until everything is done")

    def close(self) -> None:
        """Let nothing begin any more."""
        self._closed = True

    async def aclose(self) -> None:
        """End what is under way and wait for it, save what the calling task itself is in the middle of."""
        self.close()
        me, now = asyncio.current_task(), asyncio.get_running_loop().time()
        others = {scope for scope, task in self._under_way.items() if task is not me}
        for scope in others:
            if not scope.expired():
                scope.reschedule(now)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while others & self._under_way.keys():
                    self._one_less.clear()
                    await self._one_less.wait()


class _Operation:
    """One operation under way; a class because a generator for each of a hundred thousand downloads costs too much."""

    __slots__ = ("_operations", "_scope")

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._scope = asyncio.timeout(operations.seconds)

    async def __aenter__(self) -> None:
        self._operations.begin(self._scope)
        await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            self._operations.check()
            raise DeadlineError(
                f"not done within {self._operations.seconds:g} s, retries included: try again later, or raise "
                "Timeouts.operation",
                phase="operation",
            ) from expired
        finally:
            self._operations.end(self._scope)


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
