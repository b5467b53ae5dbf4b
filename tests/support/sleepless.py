"""An event loop in which nobody sleeps: a sleep of any length ends in the next turn, and a clock moves on by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TypeVar

from tests.client.helpers import Clock

_T = TypeVar("_T")
_END_OF_SLEEP = "_set_result_unless_cancelled"
"""What `asyncio.sleep` hands to the loop; deadlines and other timers hand in something else and stay as they are."""


class SleeplessLoop(asyncio.SelectorEventLoop):
    """Real sockets, real threads, no sleep.

    Args:
        clock: moved by each sleep, which it notes too.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._moved = clock

    def call_later(  # noqa: D102 - the loop's own
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") == _END_OF_SLEEP:
            self._moved.sleep(delay)
            delay = 0.0
        return super().call_later(delay, callback, *args, context=context)


def run(clock: Clock, main: Coroutine[object, object, _T]) -> _T:
    """Run to the end without sleeping.

    A sleep of no time at all never reaches the loop's timers, so it is not noted.
    """
    with asyncio.Runner(loop_factory=lambda: SleeplessLoop(clock)) as runner:
        return runner.run(main)
