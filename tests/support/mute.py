"""An embedded server in a thread of its own, which can fall silent like a machine that hangs.

Its kernel still takes connections and bytes, as kernels do; nothing above answers any more, neither HTTP nor TLS, and
nobody says goodbye.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from aiomar.testing import Authority, OmarServer

_PATIENCE = 30.0
_TURNS = 200


class HangingServer:
    """Runs an `OmarServer` in a thread, as ``with HangingServer(authority) as hanging``.

    Args:
        authority: who signs its certificate.
    """

    def __init__(self, authority: Authority) -> None:
        self.server = OmarServer(authority=authority)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thawed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hanging server")

    def __enter__(self) -> Self:
        """Open its ports."""
        self._thread.start()
        assert self._ready.wait(_PATIENCE)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let it go on, and end it."""
        self._thawed.set()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def freeze(self) -> None:
        """Hang: when this returns nothing of it runs any more."""
        frozen = threading.Event()

        def hang() -> None:
            frozen.set()
            self._thawed.wait()

        self._loop.call_soon_threadsafe(hang)
        assert frozen.wait(_PATIENCE)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with self.server:
            self._ready.set()
            await self._stop.wait()
            for _ in range(_TURNS):  # what connected in the meantime is taken in, and found to be gone
                await asyncio.sleep(0)
            self.server.clear()  # what is stuck is not asked whether its fault was used up
