"""An embedded server that can do only so much at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiomar.testing import Authority, OmarServer
from aiomar.testing._capacity import Workers
from tests.testing.wire import Wire


async def test_what_comes_while_all_workers_are_busy_is_refused(
    connect: Callable[[OmarServer], Wire], omar_authority: Authority
) -> None:
    """Two at once are served and the third gets HTTP 503; `clear` counts anew."""
    async with OmarServer(capacity=2, service_time=0.5, authority=omar_authority) as server:
        wire = connect(server)
        cookie = await wire.cookie()
        answers = await asyncio.gather(*(wire.download(cookie) for _ in range(3)))
        assert sorted(answer.head.split()[1] for answer in answers) == ["200", "200", "503"]
        assert sorted(record.status or 0 for record in server.requests if record.kind == "download") == [200, 200, 503]
        assert server.worked == (1, 1)
        server.clear()
        assert server.worked == (0, 0)


async def test_the_first_idle_worker_takes_a_download() -> None:
    """Downloads that come one after the other are all done by the first of three."""
    workers = Workers(3, 0.001)
    assert [await workers.work() for _ in range(4)] == [True] * 4
    assert workers.done == [4, 0, 0]


async def test_a_refusal_makes_what_is_under_way_take_longer() -> None:
    """Forty refusals at a twentieth each: a download takes three times as long."""
    workers = Workers(1, 0.01)
    clock = asyncio.get_running_loop().time
    began = clock()
    work = asyncio.create_task(workers.work())
    await asyncio.sleep(0)
    assert [await workers.work() for _ in range(40)] == [False] * 40
    assert await work
    assert clock() - began >= 0.03


async def test_a_client_that_leaves_frees_its_worker() -> None:
    """A download that is cancelled is not done, and the next is not refused."""
    workers = Workers(1, 60)
    work = asyncio.create_task(workers.work())
    await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait([work])
    assert workers.done == [0]
    again = asyncio.create_task(workers.work())
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()
    await asyncio.wait([again])
