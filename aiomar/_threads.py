"""Worker threads that belong to one client and end with it.

asyncio's default executor is not used: its threads outlive the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from aiomar.errors import UsageError

_P = ParamSpec("_P")
_T = TypeVar("_T")
# How long closing waits for calls that are under way; a name look-up that hangs is left behind.
_PATIENCE = 1.0
_PAGE_SECONDS = 2.0
_CLOSED = "the client was closed while this was under way: keep it open until it has ended"


class Threads:
    """A few threads for what would block the loop: hashing, disk, parsing, name look-ups.

    Args:
        workers: how many threads at most; none is started before it is needed.
        page_seconds: how long reading a page of the server may take, which takes milliseconds.
    """

    def __init__(self, workers: int, *, page_seconds: float = _PAGE_SECONDS) -> None:
        self._page_seconds = page_seconds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="aiomar")
        self._running: set[Future[object]] = set()

    def start(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> asyncio.Future[_T]:
        """Start a call in a thread; the result may be left behind.

        Raises:
            UsageError: the client was closed.
        """
        try:
            future = self._pool.submit(function, *args, **kwargs)
        except RuntimeError as error:
            raise UsageError(_CLOSED) from error
        self._running.add(future)  # type: ignore[arg-type] # the set never looks at results
        future.add_done_callback(self._running.discard)
        return asyncio.wrap_future(future)

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call in a thread and wait until it has ended, also when cancelled in the meantime.

        A cancelled caller gets its `CancelledError` only after the thread has let go of files and buffers.

        Raises:
            UsageError: the client was closed before it had begun.
        """
        future = self.start(function, *args, **kwargs)
        try:
            return await to_the_end(future)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if future.cancelled() and task is not None and not task.cancelling():
                raise UsageError(_CLOSED) from error
            raise

    async def read_page(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call what reads a page of the server in a thread, and leave it behind if it takes too long.

        Raises:
            TimeoutError: this one was built to be slow.
        """
        async with asyncio.timeout(self._page_seconds):
            return await self.start(function, *args, **kwargs)

    async def aclose(self) -> None:
        """Let the threads go; one whose call does not end soon goes when it does."""
        try:
            if running := [asyncio.wrap_future(future) for future in self._running.copy()]:
                await asyncio.wait(running, timeout=_PATIENCE)
        finally:
            self.close()

    def close(self) -> None:
        """Let the threads go: at once if they are idle, else when their call ends."""
        self._pool.shutdown(wait=not self._running, cancel_futures=True)


async def to_the_end(future: asyncio.Future[_T]) -> _T:
    """Wait for a future's result; a cancellation is kept until the future is done and raised then."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await ended(future)
        raise


async def ended(future: asyncio.Future[_T]) -> None:
    """Wait until a future is done, whatever it comes to; a cancellation is kept until then, however often it comes."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if not future.cancelled():
        future.exception()  # looked at, so that asyncio does not complain about it
    if cancelled is not None:
        raise cancelled
