"""A server that can do only so much: some workers, and a refusal for what comes while all of them are busy.

A refusal is not free, as it is not with a real server: the connection, the request and the page of the refusal take
the processor from the downloads that are being worked on, so each of those takes longer.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import Final

_REFUSAL: Final = 0.05
"""What a refusal adds to each download under way, as a part of the time that one takes."""


class Workers:
    """Work on some downloads at once, each for a fixed time.

    Args:
        capacity: how many.
        seconds: how long each takes while nobody is refused.

    Attributes:
        done: downloads that each worker has finished.
    """

    def __init__(self, capacity: int, seconds: float) -> None:
        self._seconds = seconds
        self._idle = list(range(capacity))
        self._ends: dict[int, float] = {}
        self.done = [0] * capacity

    async def work(self) -> bool:
        """Give a download to the first worker that is idle, and wait until it is done; false if none is idle."""
        if not self._idle:
            for busy in self._ends:
                self._ends[busy] += self._seconds * _REFUSAL
            return False
        clock = asyncio.get_running_loop().time
        worker = heapq.heappop(self._idle)
        self._ends[worker] = clock() + self._seconds
        try:
            while (rest := self._ends[worker] - clock()) > 0:  # noqa: ASYNC110 - what is waited for is the time
                await asyncio.sleep(rest)
            self.done[worker] += 1
        finally:
            del self._ends[worker]
            heapq.heappush(self._idle, worker)
        return True

    def clear(self) -> None:
        """Count anew."""
        self.done = [0] * len(self.done)
