"""How many downloads are under way at once, over all tasks of a client: who waits, for whom, and for how long.

`Limit` says how many; this file hands the places out in the order of asking, tells by an error what it means for the
limit, and keeps everybody waiting where the server asked for that (``Retry-After``).  A pause has one
timer, and that only while somebody waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aiomar.errors import ConnectError, DeadlineError, ExchangeError, StatusError
from aiomar.transfer._events import DownloadsPaused, LimitChanged, LimitReason
from aiomar.transfer._limit import Limit

_BUSY: Final = frozenset({408, 429, 502, 503, 504})
_SILENT: Final = frozenset({"connect", "first_byte", "read", "rate"})
_NEWS: Final = 1.0
"""Seconds by which a pause must have become longer to be told again: the many answers of a moment are one."""


class Limiter:
    """Places for downloads, handed out in the order of asking; their number adapts to what the server bears.

    Args:
        most: how many downloads may be under way at once, at the very most.
        retry_after_cap: seconds; no pause is longer.
        clock: seconds on a clock that never steps back.
        notify: told when the number of places changes and when a pause begins.

    Attributes:
        most: as given.
    """

    __slots__ = ("_cap", "_clock", "_closed", "_limit", "_notify", "_resume", "_timer", "_told", "_waiting", "most")

    def __init__(
        self,
        most: int,
        *,
        retry_after_cap: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        notify: Callable[[LimitChanged | DownloadsPaused], None] | None = None,
    ) -> None:
        self.most: int = most
        self._limit = Limit(most)
        self._cap = retry_after_cap
        self._clock = clock
        self._notify = notify
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._resume: float | None = None  # when the pause ends; it may have, see `_paused`
        self._told = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def limit(self) -> int:
        """How many downloads may be under way at once now."""
        return self._limit.whole

    async def enter(self) -> int:
        """Wait for a place, and for the end of a pause; `leave` follows.

        Returns:
            The attempt's number, for `went_well` and `went_badly`.
        """
        limit = self._limit
        if limit.taken < limit.whole and not self._waiting and (self._resume is None or not self._paused()):
            return limit.begin()
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # it was passed over already
                    self._waiting.remove(turn)
                self._drop_idle_timer()
            else:
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to the next; what came of the attempt is said before."""
        self._limit.end()
        if self._waiting:
            self._admit()

    def went_well(self, number: int, waited: float) -> None:
        """Note a success, before `leave`.

        Args:
            number: what `enter` gave.
            waited: seconds from the request to the head of its answer.
        """
        reason = self._limit.well(number, waited)
        if reason is not None:
            self._changed(reason)

    def went_badly(self, number: int, error: ExchangeError) -> None:
        """Note a failure, before `leave`; most errors say nothing about the load of the server and change nothing.

        Args:
            number: what `enter` gave.
            error: a busy server's status and every deadline but the operation's are signs of trouble, as is a
                connection that could not be made; a ``Retry-After`` keeps everybody waiting.
        """
        if isinstance(error, StatusError) and error.retry_after is not None:
            self._pause(min(error.retry_after, self._cap))
        reason = _meaning(error)
        if reason is not None and self._limit.badly(number):
            self._changed(reason)

    def close(self) -> None:
        """Drop the timer and make no other; those who wait are cancelled by their own tasks."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _changed(self, reason: LimitReason) -> None:
        if self._notify:
            self._notify(LimitChanged(self._limit.whole, self.most, reason))
        self._admit()

    def _admit(self) -> None:
        """Hand out what is free, unless there is a pause: then see that it ends."""
        if self._waiting and self._paused():
            self._set_timer()
            return
        limit, waiting = self._limit, self._waiting
        while waiting and limit.taken < limit.whole:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(limit.begin())

    # --- Pauses -------------------------------------------------------------------------------------------------------

    def _pause(self, seconds: float) -> None:
        resume = self._clock() + seconds
        if seconds <= 0 or (self._resume is not None and resume <= self._resume):
            return
        told = self._told if self._paused() else 0.0
        self._resume = resume
        if resume >= told + _NEWS or not told:
            self._told = resume
            if self._notify:
                self._notify(DownloadsPaused(seconds))
        self._admit()

    def _paused(self) -> bool:
        if self._resume is not None and self._clock() >= self._resume:
            self._resume = None
        return self._resume is not None

    def _set_timer(self) -> None:
        if self._timer is None and self._resume is not None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(self._resume - self._clock(), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._admit()

    def _drop_idle_timer(self) -> None:
        if self._timer is not None and not self._waiting:
            self._timer.cancel()
            self._timer = None


def _meaning(error: ExchangeError) -> LimitReason | None:
    """Say what an error means for the limit."""
    match error:
        case StatusError(status=status) if status in _BUSY:
            return "busy"
        case DeadlineError(phase=phase) if phase in _SILENT:
            return "timeout"
        case ConnectError():
            return "timeout"
    return None
