"""Where a server lives: what changes its state is done in its own loop, whichever thread asks for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

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
        if self._loop is None or self._thread == threading.get_ident():
            what()
            return

        async def call() -> None:
            what()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(_PATIENCE)
