"""One timer for many waits of the same length."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Waiting(Protocol):
    """What somebody waits at, and what can wake them: a stream or a queue of aiohttp's."""

    def set_exception(self, exc: BaseException, /) -> None:
        """Have whoever waits raise this."""


class Watch:
    """Wakes with a `TimeoutError` who has waited for too long.

    A timer of its own for each wait would cost as much as all the rest of sending.  As every wait here may last equally
    long, the one that began first is always the next to be broken off, so one timer is enough for all.

    Args:
        seconds: how long each wait may last; can be read.
        clock: seconds that never step back.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._since: dict[Waiting, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, waiting: Waiting, now: float) -> None:
        """Note that a wait begins now."""
        self._since[waiting] = now
        if self._timer is None:
            self._set_timer(self.seconds)

    def end(self, waiting: Waiting) -> None:
        """Note that it is over."""
        self._since.pop(waiting, None)

    def close(self) -> None:
        """Watch no longer."""
        self._since.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock()
        for waiting, since in list(self._since.items()):
            left = since + self.seconds - now
            if left > 0:
                self._set_timer(left)
                return
            self.end(waiting)
            waiting.set_exception(TimeoutError())
