"""From pieces of a body to a file under its final name, which shows either the old content or the whole new one.

A part file beside the target takes the bytes; they are hashed on the way; when the body is proved whole the part file
is synced and renamed, and then the directory is synced.  Three decisions shape the code:

* A small body is kept in memory and written with one call: opening, hashing and writing 8 KB costs less than a thread
  hop. A large one goes to a worker thread in batches, written and hashed there while the loop receives the next
  batch; one batch is under way per file, so a slow disk slows the network down and memory stays flat.
* Publishing is grouped: while one group is being synced and renamed in a thread, the files that become ready form the
  next one; a directory is synced once for all files of a group, and the catalogue notes them in one transaction.
* A cancelled commit is waited for and then undone, so that whoever sees the `CancelledError` finds the final path
  exactly as it was before.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from aiomar._threads import Threads, to_the_end
from aiomar.errors import UsageError
from aiomar.transfer._publish import Note, Publication, abandon, beside, disk_error, publish_all, sweep_parts

_SMALL = 65_536
# Two batches per file at most are in memory: one being stored, one being filled.
_BATCH = 524_288
# Seconds that a group waits for company: every turn between loop and thread costs more than the syncing of a file.
_GATHER = 0.004
_ORPHAN_AGE = 3600.0
# Never through a link, never onto an existing file.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Disk:
    """Makes part files and publishes them, in groups if they are to be durable.

    Args:
        threads: where disks are waited for.
        durable: sync files and directories before a file counts as saved.
    """

    def __init__(self, threads: Threads, *, durable: bool) -> None:
        self._threads = threads
        self._durable = durable
        self._waiting: list[tuple[Publication, asyncio.Future[None]]] = []
        self._busy = False
        self._swept: set[Path] = set()

    def part(self, final: str, *, overwrite: bool, existed: bool, in_range: bool = False) -> PartFile:
        """Begin a file; nothing is on disk before the first bytes are."""
        return PartFile(self, self._threads, final, overwrite=overwrite, existed=existed, in_range=in_range)

    async def publish(self, item: Publication) -> None:
        """Give a finished part file its final name.

        Raises:
            DiskError: it could not be synced or renamed; the final path is what it was before.
            DestinationError: the file had been made by somebody else in the meantime.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((item, done))
        if not self._busy:
            self._busy = True
            loop.call_later(_GATHER, self._start_group)
        try:
            await to_the_end(done)
        except BaseException:
            await self._undo(item)
            raise
        if item.error is not None:
            await self._undo(item)
            raise disk_error(item.error, item.final) from item.error
        item.settle()

    async def _undo(self, item: Publication) -> None:
        try:
            await self._threads.run(item.undo)
        except UsageError:  # the client was closed and its threads are gone
            item.undo()

    def _start_group(self) -> None:
        group, self._waiting = self._waiting, []
        items = [item for item, _ in group]

        def finish(job: asyncio.Future[None] | None) -> None:
            if job is None or job.cancelled():
                abandon(items)
            failure = job.exception() if job is not None and not job.cancelled() else None
            for _, done in group:
                if failure is None:
                    done.set_result(None)
                else:
                    done.set_exception(failure)
            self._busy = bool(self._waiting)
            if self._busy:
                self._start_group()

        try:
            job = self._threads.start(publish_all, items, durable=self._durable)
        except UsageError:  # the client was closed and its threads are gone
            finish(None)
        else:
            job.add_done_callback(finish)

    async def sweep(self, directory: Path, *, ranges: bool = False) -> None:
        """Remove part files that a killed process left, once per directory; younger ones may be in use.

        Args:
            directory: where they are.
            ranges: also all of ranges, and again: no other range is under way there.
        """
        if directory in self._swept and not ranges:
            return
        self._swept.add(directory)
        await self._threads.run(sweep_parts, directory, time.time() - _ORPHAN_AGE, ranges=ranges)


class PartFile:
    """One file that is being written; ends in `finish` and `publish`, or in `discard`.

    Args:
        disk: publishes it.
        threads: where large files are written.
        final: the final path.
        overwrite: whether an old file may be replaced.
        existed: whether there is one.
        in_range: whether it belongs to a range, which holds its directory against other processes.
    """

    def __init__(
        self, disk: Disk, threads: Threads, final: str, *, overwrite: bool, existed: bool, in_range: bool
    ) -> None:
        self._disk = disk
        self._threads = threads
        self._final = final
        self._overwrite = overwrite
        self._existed = existed
        self._in_range = in_range
        self._part = ""
        self._fd = -1
        self._batch: list[bytes] = []
        self._batch_size = 0
        self._job: asyncio.Future[None] | None = None
        self._digest: hashlib._Hash | None = None
        self.size = 0

    async def write(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            DiskError: the disk is full or broken.
        """
        self._batch.append(piece)
        self._batch_size += len(piece)
        self.size += len(piece)
        if self._batch_size >= (_BATCH if self._fd >= 0 else _SMALL):
            try:
                self._open()
                if self._batch_size >= _BATCH:
                    await self._store_batch()
            except OSError as error:
                raise disk_error(error, self._final) from error

    async def finish(self) -> str:
        """Store what is still in memory; `publish` follows.

        Returns:
            The sha256 of the file's bytes, in hexadecimal.

        Raises:
            DiskError: it could not be stored.
        """
        try:
            digest = self._open()
            if self.size < _SMALL:
                _store(self._fd, digest, self._batch)
            else:
                await self._store_batch()
                await self._stored()
        except OSError as error:
            raise disk_error(error, self._final) from error
        return digest.hexdigest()

    async def publish(self, note: Note | None = None) -> None:
        """Give the finished file its final name.

        Args:
            note: for the catalogue; `None` where none is kept.

        Raises:
            DiskError: it could not be synced, renamed or noted; the final path is what it was before.
            DestinationError: the file had been made by somebody else in the meantime.
        """
        fd, self._fd = self._fd, -1
        await self._disk.publish(Publication(fd, self._part, self._final, self._overwrite, self._existed, note))
        self._part = ""

    async def discard(self) -> None:
        """Leave nothing behind; after `publish` there is nothing to do."""
        try:
            if self._job is not None:
                with suppress(OSError):  # why the file is discarded is known already
                    await to_the_end(self._job)
        finally:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            if self._part:
                with suppress(FileNotFoundError):
                    os.unlink(self._part)
                self._part = ""

    def _open(self) -> hashlib._Hash:
        """Make the part file and begin its hash, unless that is done."""
        if self._digest is None:
            part = beside(self._final, in_range=self._in_range)
            self._fd = os.open(part, _NEW_FILE, 0o600)
            self._part = part
            self._digest = hashlib.sha256()
        return self._digest

    async def _store_batch(self) -> None:
        await self._stored()
        batch, self._batch, self._batch_size = self._batch, [], 0
        self._job = self._threads.start(_store, self._fd, self._open(), batch)

    async def _stored(self) -> None:
        """Wait for the batch that is under way."""
        job = self._job
        if job is not None:
            self._job = None
            await to_the_end(job)


def _store(fd: int, digest: hashlib._Hash, pieces: Iterable[bytes]) -> None:
    """Hash and write; a short write goes on where it stopped."""
    for piece in pieces:
        digest.update(piece)
        written = os.write(fd, piece)
        while written < len(piece):
            written += os.write(fd, memoryview(piece)[written:])
