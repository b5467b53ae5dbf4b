"""How many downloads are under way at once, over all tasks of a client."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Limiter:
    """A fixed number of places, handed out in the order of asking.

    Args:
        places: how many downloads may be under way at once.
    """

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)

    async def __aenter__(self) -> None:
        await self._places.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._places.release()
