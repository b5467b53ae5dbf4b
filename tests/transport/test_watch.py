"""The one timer behind many waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from aiomar.transport._watch import Watch


def a_wait() -> asyncio.Future[None]:
    """Give something to wait for."""
    return asyncio.get_running_loop().create_future()


async def test_a_long_wait_is_broken_off() -> None:
    """Who has waited for too long gets a TimeoutError; who comes later has a time of their own."""
    watch = Watch(0.01)
    loop = asyncio.get_running_loop()
    for _ in range(2):
        wait = a_wait()
        watch.begin(wait, loop.time())
        with pytest.raises(TimeoutError):
            await wait


async def test_each_wait_has_its_time() -> None:
    """Those whose time is over are woken together, and the timer is set for the next; a wait that is over sleeps on."""
    moments: Iterator[float] = iter((10.0, 10.01))
    watch = Watch(0.01, clock=lambda: next(moments))
    first, second, over, last = a_wait(), a_wait(), a_wait(), a_wait()
    watch.begin(first, 9.98)
    watch.begin(over, 9.98)
    watch.begin(second, 9.99)
    watch.begin(last, 10.0)
    watch.end(over)
    for wait in (first, second):
        with pytest.raises(TimeoutError):
            await wait
    assert not last.done()
    with pytest.raises(TimeoutError):
        await last
    assert not over.done()


async def test_closed() -> None:
    """A closed watch wakes nobody, and what ends afterwards ends well."""
    watch = Watch(0.001)
    wait, other = a_wait(), a_wait()
    watch.begin(wait, 0.0)
    watch.close()
    timer = Watch(0.002)
    timer.begin(other, 0.0)
    with pytest.raises(TimeoutError):
        await other
    watch.end(wait)
    assert not wait.done()
