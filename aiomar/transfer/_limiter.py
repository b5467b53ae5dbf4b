"""How many downloads are under way at once, over all tasks of a client."""

from __future__ import annotations

import asyncio


class Limiter:
    """A fixed number of places, handed out in the order of asking.

    Args:
        places: how many downloads may be under way at once.
    """

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)

    async def enter(self) -> None:
        """Wait for a place; `leave` follows."""
        await self._places.acquire()

    def leave(self) -> None:
        """Give the place to the next."""
        self._places.release()
