"""Bounded workers over lazily fed jobs; what they fetch and how is not theirs to know.

Never a task per file: a fixed number of workers takes one job after the other, so a million jobs cost no more memory
than a hundred.  Outcomes are handed over one by one; a consumer that is slow holds the workers back, and one that
goes away ends them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import attrs

from aiomar._threads import ended
from aiomar.errors import UsageError

_Job = TypeVar("_Job")
_Outcome = TypeVar("_Outcome")


@attrs.frozen
class Batch(Generic[_Job, _Outcome]):
    """The next piece of a plan."""

    done: Sequence[_Outcome]
    """Outcomes that need no work any more."""
    jobs: Sequence[_Job]


class Run(Generic[_Job, _Outcome]):
    """One run over all jobs.

    Args:
        take: gives the next batch, and `None` at the end; called only when every job that was taken is in hand.
        fetch: carries out one job; what it raises ends the run.
        workers: how many jobs may be in hand at once.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[Batch[_Job, _Outcome] | None]],
        fetch: Callable[[_Job], Awaitable[_Outcome]],
        *,
        workers: int,
    ) -> None:
        self._take = take
        self._fetch = fetch
        self._workers = workers
        self._jobs: deque[_Job] = deque()
        self._outcomes: deque[_Outcome] = deque()
        self._done: deque[_Outcome] = deque()
        self._news, self._taken = asyncio.Event(), asyncio.Event()
        self._room = asyncio.Semaphore(2 * workers)
        self._turn = asyncio.Lock()

    async def outcomes(self, own: Callable[[asyncio.Task[None]], object]) -> AsyncGenerator[_Outcome]:
        """Give the outcomes of all jobs, in the order in which they finish.

        Args:
            own: told the task that drives the workers, so that closing the client can end it.
        """
        driver = asyncio.create_task(self._drive(), name="aiomar range")
        driver.add_done_callback(lambda _: self._news.set())
        own(driver)
        try:
            while self._done or self._outcomes or not driver.done():
                if self._done:
                    yield self._done.popleft()
                    if not self._done:
                        self._taken.set()
                elif self._outcomes:
                    self._room.release()
                    yield self._outcomes.popleft()
                else:
                    self._news.clear()
                    await self._news.wait()
            await _result(driver)
        finally:
            driver.cancel()
            await ended(driver)

    async def _drive(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._room.acquire()
            if not self._jobs:
                async with self._turn:
                    if not await self._refill():
                        return
            self._outcomes.append(await self._fetch(self._jobs.popleft()))
            self._news.set()

    async def _refill(self) -> bool:
        """Get more jobs; outcomes that come with them wait until the last such ones were taken."""
        while not self._jobs:
            batch = await self._take()
            if batch is None:
                return False
            self._jobs.extend(batch.jobs)
            if batch.done:
                while self._done:
                    self._taken.clear()
                    await self._taken.wait()
                self._done.extend(batch.done)
                self._news.set()
        return True


async def _result(driver: asyncio.Task[None]) -> None:
    """Raise what ended the workers: the first reason itself, not the group that `asyncio.TaskGroup` makes of it."""
    if driver.cancelled():
        raise UsageError("the client was closed while a range was under way: keep it open until the range has ended")
    try:
        await driver
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from first.__cause__
