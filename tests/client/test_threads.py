"""Worker threads that end with their client, and what becomes of the calls that wait for one."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from aiomar import OmarClient, OutcomeUnknownError, UnexpectedPageError, UsageError
from aiomar._threads import Threads
from aiomar.testing import OmarServer, Page
from tests.client.helpers import fetch, until, untouched


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
    threads = Threads(1, page_seconds=0)
    go_on = threading.Event()
    with pytest.raises(TimeoutError):
        await threads.read_page(go_on.wait)
    assert len(threads._running) == 1
    go_on.set()
    await threads.aclose()
    assert not threads._running


async def test_a_slow_page_in_place_of_data(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """It is an unexpected page like any other, and nothing is saved."""
    await omar_client.login()
    omar_client._ready().threads._page_seconds = 0
    omar_server.script(Page("<html>slow</html>"))
    with untouched(tmp_path), pytest.raises(UnexpectedPageError, match="too long to read"):
        await fetch(omar_client, tmp_path)


async def test_a_slow_page_that_answers_an_upload(
    omar_server: OmarServer, omar_client: OmarClient, sources: Path
) -> None:
    """Nobody can say what it says: the outcome is unknown, and the page is kept."""
    await omar_client.login()
    omar_client._ready().threads._page_seconds = 0
    with pytest.raises(OutcomeUnknownError, match="too long to read") as caught:
        await omar_client.upload(sources / "file1.csv")
    assert len(omar_server.uploads) == 1
    assert Path(str(caught.value.facts["answer_page"])).stat().st_size
