"""An outbox at work: looks, turns and waits, in the client's loop and threads."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import TypeVar

import attrs

from aiomar._operations import Operations
from aiomar._outbox._folder import Folder, Lying
from aiomar._outbox._line import Line
from aiomar._outbox._watch import News
from aiomar._threads import Threads, ended
from aiomar.errors import OmarError, SourceError
from aiomar.protocol import UploadReceipt
from aiomar.transfer import Event, FailedUpload, OutboxPassedOver, OutboxWaiting

_log = logging.getLogger("aiomar")
_T = TypeVar("_T")
_GRACE = 20.0
"""Seconds that a file under way has to arrive when the outbox is stopped."""


@attrs.frozen(kw_only=True)
class Work:
    """What one call of `Outbox.once` or `Outbox.run` works with, while it holds the outbox.

    Args:
        folder: what lies there.
        line: submits.
        threads: where disks are waited for.
        operations: ends waits when the client closes.
        notify: tells the observer.
        clock: seconds, never stepping back.
        rescan: seconds that a file is left alone that could not be read.
    """

    folder: Folder
    line: Line
    threads: Threads
    operations: Operations
    notify: Callable[[Event], None]
    clock: Callable[[], float]
    rescan: float

    async def next(self, among: Collection[Path] | None = None) -> Lying | None:
        """Look, and give the oldest file that stood still for long enough, if there is one.

        Args:
            among: only one of these.
        """
        quiet = await self.threads.run(self._look, self.clock())
        return next((lying for lying in quiet if among is None or lying.path in among), None)

    def _look(self, now: float) -> list[Lying]:
        self.line.shelf.finish()
        return self.folder.look(now)

    async def serve(self, lying: Lying) -> UploadReceipt | FailedUpload | None:
        """Do what can be done for one file, to the end also when cancelled; see `Line.serve`."""
        return await _finished(self.line.serve(lying))

    async def pass_over(self, lying: Lying, error: SourceError) -> bool:
        """Leave a file alone for a while that cannot be read.

        Returns:
            Whether that is news: not if it is gone, or was so before.
        """
        if not await self.threads.run(os.path.lexists, lying.path):
            return False
        if not self.folder.set_aside(lying, self.clock() + self.rescan):
            return False
        self.notify(OutboxPassedOver(lying.path, error))
        return True

    async def rest(self, seconds: float) -> None:
        """Wait, by the clock that tells how long a file stood still."""
        until = self.clock() + seconds
        with self.operations.limit(timed=False):
            while (left := until - self.clock()) > 0:  # noqa: ASYNC110 - a loop's timer may be a little early
                await asyncio.sleep(left)

    async def wait_for(self, news: News) -> None:
        """Wait until there may be something to do."""
        due = self.folder.due(self.clock())
        with self.operations.limit(timed=False):
            await news.wait(self.rescan if due is None else min(due, self.rescan))

    def tell(self, error: OmarError, wait: float) -> None:
        """Say why nothing is sent for the time being."""
        _log.warning("the outbox waits: %s", error)
        self.notify(OutboxWaiting(self.folder.directory, error, wait))


async def _finished(work: Coroutine[object, object, _T]) -> _T:
    """Let a file's turn come to its end before a cancellation counts, unless that takes too long."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([task], timeout=_GRACE)
        finally:
            task.cancel()
            await ended(task)
        raise
