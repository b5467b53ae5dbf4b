"""From pieces of a body to a file under its final name, which shows either the old content or the whole new one.

A part file beside the target takes the bytes; they are hashed on the way; when the body is proved whole the part file
is synced and renamed, and then the directory is synced.  Three decisions shape the code:

* A small body is kept in memory and written with one call: opening, hashing and writing 8 KB costs less than a thread
  hop. A large one goes to a worker thread in batches, written and hashed there while the loop receives the next
  batch; one batch is under way per file, so a slow disk slows the network down and memory stays flat.
* Publishing is grouped, see `_groups.py`: a directory is synced once for all files of a group, and the catalogue notes
  them in one transaction.
* A cancelled commit is waited for and then undone, so that whoever sees the `CancelledError` finds the final path
  exactly as it was before.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from aiomar._files import REAL_FILES, FileSystem
from aiomar._threads import Threads, to_the_end
from aiomar.transfer._groups import Groups
from aiomar.transfer._publish import Note, Publication, beside, disk_error, sweep_parts

_SMALL = 65_536
# Two batches per file at most are in memory: one being stored, one being filled.
_BATCH = 524_288
_ORPHAN_AGE = 3600.0
# Never through a link, never onto an existing file.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Disk:
    """Makes part files and publishes them, in groups if they are to be durable.

    Args:
        threads: where disks are waited for.
        durable: sync files and directories before a file counts as saved.
        files: the file system.
    """

    def __init__(self, threads: Threads, *, durable: bool, files: FileSystem = REAL_FILES) -> None:
        self._threads = threads
        self._files = files
        self.groups: Groups = Groups(threads, durable=durable)
        self._swept: set[Path] = set()

    def part(self, final: str, *, overwrite: bool, existed: bool, in_range: bool = False) -> PartFile:
        """Begin a file; nothing is on disk before the first bytes are."""
        return PartFile(
            self.groups,
            self._threads,
            self._files,
            final,
            overwrite=overwrite,
            existed=existed,
            in_range=in_range,
        )

    async def aclose(self) -> None:
        """Wait for what is being published."""
        await self.groups.aclose()

    async def sweep(self, directory: Path, *, ranges: bool = False) -> None:
        """Remove part files that a killed process left, once per directory; younger ones may be in use.

        Args:
            directory: where they are.
            ranges: also all of ranges, and again: no other range is under way there.
        """
        if directory in self._swept and not ranges:
            return
        self._swept.add(directory)
        before = time.time() - _ORPHAN_AGE
        await self._threads.run(sweep_parts, directory, before, ranges=ranges, files=self._files)


class PartFile:
    """One file that is being written; ends in `finish` and `publish`, or in `discard`.

    Args:
        groups: publish it.
        threads: where large files are written.
        files: the file system.
        final: the final path.
        overwrite: whether an old file may be replaced.
        existed: whether there is one.
        in_range: whether it belongs to a range, which holds its directory against other processes.
    """

    def __init__(
        self,
        groups: Groups,
        threads: Threads,
        files: FileSystem,
        final: str,
        *,
        overwrite: bool,
        existed: bool,
        in_range: bool,
    ) -> None:
        self._groups = groups
        groups.under_way += 1
        self._threads = threads
        self._files = files
        self._final = final
        self._overwrite = overwrite
        self._existed = existed
        self._in_range = in_range
        self._part = ""
        self._ended = False
        self._fd = -1
        self._batch: list[bytes] = []
        self._batch_size = 0
        self._job: asyncio.Future[None] | None = None
        self._digest: hashlib._Hash | None = None
        self.size: int = 0

    async def write(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            DiskError: the disk is full or broken.
        """
        self._batch.append(piece)
        self._batch_size += len(piece)
        self.size += len(piece)
        del piece  # no traceback that prints local variables shall show data; nor do the system's own, without frames
        if self._batch_size >= (_BATCH if self._fd >= 0 else _SMALL):
            try:
                self._open()
                if self._batch_size >= _BATCH:
                    await self._store_batch()
            except OSError as error:
                raise disk_error(error, self._final) from error.with_traceback(None)

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
                _store(self._files.write, self._fd, digest, self._batch)
            else:
                await self._store_batch()
                await self._stored()
        except OSError as error:
            raise disk_error(error, self._final) from error.with_traceback(None)
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
        await self._groups.publish(
            Publication(fd, self._part, self._final, self._overwrite, self._existed, note, self._files)
        )
        self._part = ""
        self._end()

    async def discard(self) -> None:
        """Leave nothing behind; after `publish` there is nothing to do.

        Why the file is discarded is known already, so no error of the disk takes that one's place; a part file that
        cannot be removed is swept later.
        """
        try:
            if self._job is not None:
                with suppress(OSError):
                    await to_the_end(self._job)
        finally:
            fd, self._fd = self._fd, -1
            part, self._part = self._part, ""
            if fd >= 0:
                with suppress(OSError):
                    self._files.close(fd)
            if part:
                with suppress(OSError):
                    self._files.unlink(part)
            self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._groups.under_way -= 1

    def _open(self) -> hashlib._Hash:
        """Make the part file and begin its hash, unless that is done."""
        if self._digest is None:
            part = beside(self._final, in_range=self._in_range)
            self._fd = self._files.open(part, _NEW_FILE, 0o600)
            self._part = part
            self._digest = hashlib.sha256()
        return self._digest

    async def _store_batch(self) -> None:
        await self._stored()
        batch, self._batch, self._batch_size = self._batch, [], 0
        self._job = self._threads.start(_store, self._files.write, self._fd, self._open(), batch)

    async def _stored(self) -> None:
        """Wait for the batch that is under way."""
        job = self._job
        if job is not None:
            self._job = None
            await to_the_end(job)


def _store(
    write: Callable[[int, bytes | memoryview], int], fd: int, digest: hashlib._Hash, pieces: Iterable[bytes]
) -> None:
    """Hash and write; a short write goes on where it stopped."""
    for piece in pieces:
        digest.update(piece)
        written = write(fd, piece)
        while written < len(piece):
            written += write(fd, memoryview(piece)[written:])
