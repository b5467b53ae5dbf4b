"""Bounded workers over lazily fed jobs; what they fetch and how is not theirs to know.

Never a task per file: a fixed number of workers takes one job after the other, so a million jobs cost no more memory
than a hundred.  Outcomes are handed over one by one; a consumer that is slow holds the workers back, and one that
goes away ends them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

from aiomar.errors import UsageError

_Job = TypeVar("_Job")
_Outcome = TypeVar("_Outcome")


async def run_jobs(
    jobs: AsyncIterator[_Job],
    fetch: Callable[[_Job], Awaitable[_Outcome]],
    *,
    workers: int,
    own: Callable[[asyncio.Task[None]], object],
) -> AsyncGenerator[_Outcome]:
    """Give the outcomes of all jobs, in the order in which they finish.

    Args:
        jobs: consumed lazily; at most `workers` jobs are taken before their turn.
        fetch: carries out one job; what it raises ends the run.
        workers: how many jobs may be in hand at once.
        own: told the task that drives the workers, so that closing the client can end it.
    """
    outcomes: deque[_Outcome] = deque()
    news = asyncio.Event()
    room = asyncio.Semaphore(2 * workers)
    turn = asyncio.Lock()

    async def work() -> None:
        while True:
            await room.acquire()
            await turn.acquire()
            try:
                job = await anext(jobs)
            except StopAsyncIteration:
                return
            finally:
                turn.release()
            outcomes.append(await fetch(job))
            news.set()

    async def drive() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())

    driver = asyncio.create_task(drive(), name="aiomar range")
    driver.add_done_callback(lambda _: news.set())
    own(driver)
    try:
        while outcomes or not driver.done():
            if outcomes:
                room.release()
                yield outcomes.popleft()
            else:
                news.clear()
                await news.wait()
        await _result(driver)
    finally:
        driver.cancel()
        await asyncio.wait([driver])


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
