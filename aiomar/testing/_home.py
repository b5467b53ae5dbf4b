"""Where a server lives: what changes its state is done in its own loop, whichever thread asks for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

_PATIENCE = 10.0
"""Seconds that the loop gets to turn once; it needs far less than a millisecond unless something blocks it."""


class Home:
    """The loop that a server runs in, and the thread of that loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def enter(self) -> None:
        """Live in the running loop from now on."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()

    def leave(self) -> None:
        """Live nowhere; nothing runs there any more, so any thread may change things."""
        self._loop = None

    def change(self, what: Callable[[], None]) -> None:
        """Call this between two turns of the loop, and wait for it; what it raises is raised here.

        Raises:
            TimeoutError: that loop is blocked.
        """
        loop = self._loop  # another thread may leave meanwhile
        if loop is None or self._thread == threading.get_ident():
            what()
            return

        called: Future[None] = Future()

        def call() -> None:
            if called.set_running_or_notify_cancel():
                try:
                    what()
                except Exception as error:  # noqa: BLE001 - whatever it is, it is raised in the thread that asks
                    called.set_exception(error)
                else:
                    called.set_result(None)

        loop.call_soon_threadsafe(call)
        # One that is given up is not made later either, when nobody expects it.
        if wait((called,), _PATIENCE).not_done and called.cancel():
            raise TimeoutError("the loop of the server is blocked: let it turn, or use in_thread()")
        called.result()
