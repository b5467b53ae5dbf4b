"""Being told when something appears in a directory, without trusting it.

Notices of the system get lost: they overflow, and network file systems give none for what other machines do.  So they
only end a wait early, and whoever waits looks at the directory himself.  watchfiles' own asynchronous function is not
used: its worker thread belongs to anyio and would outlive the wait.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs

from aiomar._threads import Threads
from aiomar.errors import ConfigError

_log = logging.getLogger("aiomar")
_STEP = 100
"""Milliseconds between two looks at what the system has told, and at whether to stop."""
_ROUND = 1_000
"""Milliseconds of one wait for changes."""


@attrs.frozen
class News:
    """Whether anything has changed."""

    _event: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def wait(self, seconds: float) -> None:
        """Wait until something has changed since the last wait, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()

    def tell(self) -> None:
        """Say that something has changed."""
        self._event.set()


def check_watchfiles() -> None:
    """Do nothing if there is the library.

    Raises:
        ConfigError: there is not.
    """
    if importlib.util.find_spec("watchfiles") is None:
        raise ConfigError("watching an outbox needs its extra: run pip install 'aiomar[outbox]', or use once()")


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[News]:
    """Watch a directory, but not what is below it; the watch has ended when the block has."""
    news, stop, loop = News(), threading.Event(), asyncio.get_running_loop()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop is closed: the disk hangs, and nobody waited for that
            loop.call_soon_threadsafe(news.tell)

    threads = Threads(1)
    try:
        _ = threads.start(_watch, directory, stop, tell)  # raises nothing, and ends with `aclose`
        yield news
    finally:
        stop.set()
        await threads.aclose()


def _watch(directory: Path, stop: threading.Event, tell: Callable[[], None]) -> None:
    from watchfiles import watch  # noqa: PLC0415 - an extra

    try:
        changes = watch(
            directory,
            watch_filter=None,
            step=_STEP,
            stop_event=stop,
            rust_timeout=_ROUND,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        )
        # The first of them, also without a change, says that the watch stands: what came before it was not told.
        for number, found in enumerate(changes):
            if found or number == 0:
                tell()
    except Exception as error:  # noqa: BLE001 - whatever a system cannot do, the outbox goes on without it
        _log.warning("the system does not tell of changes in %s (%s): it is looked at now and then", directory, error)
