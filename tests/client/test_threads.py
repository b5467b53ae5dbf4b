"""Worker threads that end with their client, and what becomes of the calls that wait for one."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aiomar import UsageError
from aiomar._threads import Threads
from tests.client.helpers import until


async def test_a_call_that_never_began_is_no_cancellation() -> None:
    """Nobody cancelled its caller: it hears that the client was closed, and so does who comes later."""
    threads = Threads(1)
    go_on = threading.Event()
    under_way = asyncio.create_task(threads.run(go_on.wait))
    waiting = asyncio.create_task(threads.run(int))
    await until(lambda: len(threads._running) == 2)
    threads.close()
    with pytest.raises(UsageError, match="closed"):
        await waiting
    with pytest.raises(UsageError, match="closed"):
        await threads.run(int)
    go_on.set()
    assert await under_way


async def test_a_cancelled_call_that_never_began_stays_cancelled() -> None:
    """A cancellation is never turned into something else."""
    threads = Threads(1)
    go_on = threading.Event()
    under_way = asyncio.create_task(threads.run(go_on.wait))
    waiting = asyncio.create_task(threads.run(int))
    await until(lambda: len(threads._running) == 2)
    waiting.cancel()
    threads.close()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    go_on.set()
    assert await under_way


async def test_a_page_that_takes_too_long_is_left_behind() -> None:
    """Whoever waits goes on; the thread ends when it does."""
    threads = Threads(1)
    go_on = threading.Event()
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        await threads.read_page(go_on.wait)
    assert loop.time() - began >= 1
    go_on.set()
    await threads.aclose()
