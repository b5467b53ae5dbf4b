"""An event loop that notes how long its own thread works in one turn, which is how long everybody else waits.

What counts is processor time of the loop's thread: the clock on the wall also shows what else the machine does.
"""

from __future__ import annotations

import asyncio
import time


class MeasuredLoop(asyncio.SelectorEventLoop):
    """Real sockets and threads; a turn ends when the loop looks for news again."""

    longest = 0.0
    """Seconds of processor time in one turn."""
    turns = 0

    def _run_once(self) -> None:
        before = time.thread_time()
        super()._run_once()  # type: ignore[misc] # asyncio's own, which has no public name
        self.longest = max(self.longest, time.thread_time() - before)
        self.turns += 1
