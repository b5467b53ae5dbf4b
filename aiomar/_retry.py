"""Trying again: the loop around an attempt, for downloads and logins alike; `RetryPolicy` says what is repeated.

The first attempt is made here and only a failed one goes to stamina, whose loop costs more than a small download may.
stamina carries out what is decided here: it waits in the loop, tells its instrumentation, and heeds the switches
`stamina.set_active` and `stamina.set_testing`, by which the tests of a program do without repeats or their waits.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import attrs
import stamina

from aiomar.errors import ExchangeError, Hint
from aiomar.transfer import RetryBudget, RetryPolicy

_T = TypeVar("_T")

# How often, how long and until when is the policy's to say.
_stamina = stamina.AsyncRetryingCaller(attempts=None, timeout=None)


class GivenUpError(Exception):
    """Carries an error that must not be repeated through an outer loop that would repeat it all over again."""

    def __init__(self, error: ExchangeError) -> None:
        super().__init__()
        self._error = error

    def take_out(self) -> ExchangeError:
        """Give the error, once: it is raised while this is handled, and must not be found in its own context."""
        error = self._error
        del self._error
        return error


@contextmanager
def unwrapped() -> Iterator[None]:
    """Let the error come out of a `GivenUpError`, at the edge of the client."""
    try:
        yield
    except GivenUpError as wrapper:
        error = wrapper.take_out()
        raise error from error.__cause__


@attrs.frozen
class Waiting:
    """Chance and time, replaced by tests; the waits themselves are the loop's."""

    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic


@attrs.frozen
class Retries:
    """What all downloads and logins of a client have in common when they are repeated.

    Args:
        policy: says what is repeated and after which wait.
        waiting: clock and random numbers.
        budget: pays for repeats.
    """

    policy: RetryPolicy
    waiting: Waiting = attrs.field(factory=Waiting)
    budget: RetryBudget = attrs.field(factory=RetryBudget)

    async def run(
        self,
        attempt: Callable[[int], Awaitable[_T]],
        *,
        seconds: float | None,
        on_retry: Callable[[ExchangeError, int, float], None],
    ) -> _T:
        """Call `attempt` until it succeeds, or policy, budget or time say that it is enough; the last error is raised.

        Args:
            attempt: gets its number, from 1.
            seconds: no wait is begun that would end later than this; `None` for no limit.
            on_retry: told error, attempt and wait in seconds before each wait.

        Raises:
            ExchangeError: the last attempt's.
        """
        deadline = None if seconds is None else self.waiting.clock() + seconds
        try:
            result = await attempt(1)
        except GivenUpError as wrapper:
            error = wrapper.take_out()
            raise error from error.__cause__
        except ExchangeError as error:
            if error.hint is not Hint.RETRY:
                raise
            repeats = _Repeats(error, attempt, self, deadline, on_retry)
        else:
            self.budget.earn()
            return result
        return await repeats.run()


@attrs.define
class _Repeats(Generic[_T]):
    """What follows a failed first attempt."""

    _first: ExchangeError | None
    _attempt: Callable[[int], Awaitable[_T]]
    _rules: Retries
    _deadline: float | None
    _on_retry: Callable[[ExchangeError, int, float], None]
    _number: int = 0
    _spent: int = 0

    async def run(self) -> _T:
        """Wait and try, until one attempt is the last."""
        try:
            result = await _stamina(self._wait_or_not, self._next)
        except GivenUpError as wrapper:
            error = wrapper.take_out()
            raise error from error.__cause__
        self._rules.budget.earn(self._spent)
        return result

    async def _next(self) -> _T:
        self._number += 1
        if self._first is not None:
            error, self._first = self._first, None
            raise error
        return await self._attempt(self._number)

    def _wait_or_not(self, error: BaseException) -> float | bool:
        # stamina asks about whatever comes out, a cancellation too; `False` sends it on its way.
        if not isinstance(error, ExchangeError):
            return False
        wait = self._rules.policy.wait_before_next(error, self._number, self._rules.waiting.random)
        if wait is None or (self._deadline is not None and self._rules.waiting.clock() + wait >= self._deadline):
            return False
        cost = self._rules.budget.spend(error)
        if not cost:
            return False
        self._spent += cost
        self._on_retry(error, self._number, wait)
        return wait
