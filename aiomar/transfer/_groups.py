"""Publishing in groups: what is waited for together, and what runs where.

A thread and the loop share one lock of the interpreter, and whenever the thread comes back from a system call the loop
has to stop for it.  So a group needs the thread twice, for all its files together: once to sync them, once to sync
their directory and to note them.  Closing and renaming are done in the loop, as long as they are quick; a file system
that takes its time gets the thread for that, too.

A group is what became ready while the last one was under way.  It waits a little for company, but for nobody when all
files under way are here.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress

from aiomar._threads import Threads, to_the_end
from aiomar.errors import UsageError
from aiomar.transfer._publish import Publication, Together, abandon, arrange, disk_error

# Seconds that a group waits for company, and the company that is enough.
_GATHER = 0.008
_ENOUGH = 32
# Seconds that closing and renaming may take of a turn of the loop.
_QUICK = 0.005
# Seconds that closing the client waits for the disk.
_PATIENCE = 5.0


class Groups:
    """Publishes files together.

    Args:
        threads: where the disk is waited for.
        durable: sync files and directories before a file counts as saved.
    """

    def __init__(self, threads: Threads, *, durable: bool) -> None:
        self._threads = threads
        self._durable = durable
        self._waiting: dict[Publication, asyncio.Future[None]] = {}
        self._group: dict[Publication, asyncio.Future[None]] = {}
        self._enough = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self.under_way = 0
        """Files that were begun and are neither published nor given up."""

    async def publish(self, item: Publication) -> None:
        """Give a finished part file its final name.

        A cancellation is kept until the file's group is done, and then the final path is what it was before.

        Raises:
            DiskError: it could not be synced, renamed or noted; the final path is what it was before.
            DestinationError: the file had been made by somebody else in the meantime.
        """
        loop = asyncio.get_running_loop()
        done = self._waiting[item] = loop.create_future()
        if self._work is None:
            self._work = loop.create_task(self._publish_groups(), name="aiomar disk")
        elif self._is_enough():
            self._enough.set()
        try:
            await done
        except asyncio.CancelledError:
            await self._take_back(item)
            raise
        if item.error is not None:
            await self._undo(item)
            raise disk_error(item.error, item.final) from item.error
        item.settle()

    async def aclose(self) -> None:
        """Wait for the group that is under way, but not for ever for a disk that hangs."""
        if self._work is not None:
            await asyncio.wait([self._work], timeout=_PATIENCE)

    def _is_enough(self) -> bool:
        return len(self._waiting) >= min(self.under_way, _ENOUGH)

    async def _publish_groups(self) -> None:
        try:
            while self._waiting:
                if not self._is_enough():
                    self._enough.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_GATHER):
                            await self._enough.wait()
                self._group, self._waiting = self._waiting, {}
                await self._publish_group(list(self._group))
        finally:
            self._work = None
            abandon(list(self._waiting))
            self._waiting = self._ended(self._waiting)

    async def _publish_group(self, items: list[Publication]) -> None:
        try:
            for together in arrange(items):
                await self._publish_together(together)
        except UsageError:  # the client was closed and its threads are gone
            abandon(items)
        except BaseException:
            abandon(items)
            raise
        finally:
            self._group = self._ended(self._group)

    async def _publish_together(self, files: Together) -> None:
        if self._durable:
            await self._threads.run(files.sync)
        if not files.move(_QUICK):
            await self._threads.run(files.move, math.inf)
        files.prepare()
        if self._durable or files.catalogue is not None:
            await self._threads.run(files.complete, durable=self._durable)

    def _ended(self, group: dict[Publication, asyncio.Future[None]]) -> dict[Publication, asyncio.Future[None]]:
        """Wake up whoever waits for a group; give an empty one."""
        for done in group.values():
            if not done.done():
                done.set_result(None)
        return {}

    async def _take_back(self, item: Publication) -> None:
        """Make good that the caller of a file went away."""
        if self._waiting.pop(item, None) is not None:
            abandon([item])
            return
        if item in self._group:
            ended = self._group[item] = asyncio.get_running_loop().create_future()
            with suppress(asyncio.CancelledError):  # once more; the caller raises what it was cancelled with
                await to_the_end(ended)
        await self._undo(item)

    async def _undo(self, item: Publication) -> None:
        try:
            await self._threads.run(item.undo)
        except UsageError:  # the client was closed and its threads are gone
            item.undo()
