"""From pieces of a body to a file under its final name, which shows either the old content or the whole new one.

A part file beside the target takes the bytes; they are hashed on the way; when the body is proved whole the part file is
synced and renamed, and then the directory is synced.  Three decisions shape the code:

* A small body is kept in memory and written with one call: opening, hashing and writing 8 KB costs less than a thread hop.
  A large one goes to a worker thread in batches, written and hashed there while the loop receives the next batch; one
  batch is under way per file, so a slow disk slows the network down and memory stays flat.
* Syncing is grouped: while one group is being synced in a thread, the files that become ready form the next one, and a
  directory is synced once for all files of a group.
* A cancelled commit is waited for and then undone, so that whoever sees the `CancelledError` finds the final path exactly
  as it was before.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from aiomar._threads import Threads, wait_for_end
from aiomar.errors import DestinationError, DiskError, OmarError

_SMALL = 65_536
# Two batches per file at most are in memory: one being stored, one being filled.
_BATCH = 524_288
_PART_NAME = re.compile(r"\..*\.[0-9a-f]{12}\.part", re.DOTALL)
_ORPHAN_AGE = 3600.0
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
# Leaves room for dots, random part and suffix within the 255 bytes that file systems allow.
_PART_STEM_BYTES = 200


@attrs.define(eq=False)
class _Publication:
    """One part file on its way to its final name."""

    fd: int
    part: Path
    final: Path
    overwrite: bool
    existed: bool = False
    previous: Path | None = None
    published: bool = False
    error: OSError | None = None

    def publish(self) -> None:
        """Move the part file to its final name; an old file stays reachable until `settle` or `undo`."""
        self.existed = os.path.lexists(self.final)
        if self.existed and not self.overwrite:
            raise FileExistsError(errno.EEXIST, "made by somebody else in the meantime")
        if self.existed:
            previous = _beside(self.final)
            if _link(self.final, previous):
                self.previous = previous
        elif _link(self.part, self.final):  # unlike a rename it fails if somebody makes the file at this moment
            self.published = True
            self.part.unlink()
            return
        self.part.replace(self.final)
        self.published = True

    def settle(self) -> None:
        """Let go of the old file."""
        if self.previous is not None:
            self.previous.unlink(missing_ok=True)

    def undo(self) -> None:
        """Make the final path what it was before."""
        with suppress(OSError):
            if self.published and self.previous is not None:
                self.previous.replace(self.final)
            elif self.published and not self.existed:
                self.final.unlink()
            elif not self.published:
                self.settle()


def _link(source: Path, target: Path) -> bool:
    """Make a hard link; `False` where the file system has none."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def _publish_all(group: Sequence[_Publication], *, durable: bool) -> None:
    """Sync, close and rename a group of files, then sync their directories; failures stay with their file."""
    for item in group:
        try:
            try:
                if durable:
                    os.fsync(item.fd)
            finally:
                os.close(item.fd)
            item.publish()
        except OSError as error:
            item.error = error
    if not durable:
        return
    for directory in {item.final.parent for item in group if item.published}:
        try:
            _sync_directory(directory)
        except OSError as error:
            for item in group:
                if item.final.parent == directory:
                    item.error = item.error or error


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(fd)
    except OSError as error:
        # Some file systems cannot sync a directory at all; there is nothing more to be had from them.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(fd)


class Disk:
    """Makes part files and publishes them, in groups if they are to be durable.

    Args:
        threads: where disks are waited for.
        durable: sync files and directories before a file counts as saved.
    """

    def __init__(self, threads: Threads, *, durable: bool) -> None:
        self._threads = threads
        self._durable = durable
        self._waiting: list[tuple[_Publication, asyncio.Future[None]]] = []
        self._busy = False
        self._swept: set[Path] = set()

    def part(self, final: Path, *, overwrite: bool) -> PartFile:
        """Begin a file; nothing is on disk before the first bytes are."""
        return PartFile(self, self._threads, final, overwrite=overwrite)

    async def publish(self, item: _Publication) -> None:
        """Give a finished part file its final name.

        Raises:
            DiskError: it could not be synced or renamed; the final path is what it was before.
            DestinationError: the file had been made by somebody else in the meantime.
        """
        if not self._durable:
            _publish_all([item], durable=False)
        else:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((item, done))
            if not self._busy:
                self._start_group()
            try:
                await wait_for_end(done)
            except asyncio.CancelledError:
                item.undo()
                raise
        if item.error is not None:
            item.undo()
            raise _disk_error(item.error, item.final) from item.error
        item.settle()

    def _start_group(self) -> None:
        group, self._waiting = self._waiting, []
        self._busy = True
        job = self._threads.start(_publish_all, [item for item, _ in group], durable=True)

        def finish(job: asyncio.Future[None]) -> None:
            self._busy = False
            failure = None if job.cancelled() else job.exception()
            for _, done in group:
                if failure is not None:
                    done.set_exception(failure)
                elif job.cancelled():
                    done.cancel()
                else:
                    done.set_result(None)
            if self._waiting:
                self._start_group()

        job.add_done_callback(finish)

    async def sweep(self, directory: Path) -> None:
        """Remove part files that a killed process left, once per directory; younger ones may be in use."""
        if directory in self._swept:
            return
        self._swept.add(directory)
        await self._threads.run(_sweep, directory, time.time() - _ORPHAN_AGE)


def _sweep(directory: Path, before: float) -> None:
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _PART_NAME.fullmatch(entry.name):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        os.unlink(entry.path)


class PartFile:
    """One file that is being written; ends in `commit` or in `discard`."""

    def __init__(self, disk: Disk, threads: Threads, final: Path, *, overwrite: bool) -> None:
        self._disk = disk
        self._threads = threads
        self._final = final
        self._overwrite = overwrite
        self._part: Path | None = None
        self._fd = -1
        self._batch: list[bytes] = []
        self._batch_size = 0
        self._job: asyncio.Future[None] | None = None
        self._digest = hashlib.sha256()
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
            self._open()
            if self._batch_size >= _BATCH:
                await self._store_batch()

    async def commit(self) -> str:
        """Give the file its final name, with everything that was written.

        Returns:
            The sha256 of its bytes, in hexadecimal.

        Raises:
            DiskError: it could not be stored; the final path is what it was before.
            DestinationError: the file had been made by somebody else in the meantime.
        """
        self._open()
        if self.size < _SMALL:
            with _disk_errors(self._final):
                _store(self._fd, self._digest, self._batch)
        else:
            await self._store_batch()
            await self._stored()
        if self._part is None:
            raise AssertionError("an open part file has a path")
        item = _Publication(fd=self._fd, part=self._part, final=self._final, overwrite=self._overwrite)
        self._fd = -1
        await self._disk.publish(item)
        self._part = None
        return self._digest.hexdigest()

    async def discard(self) -> None:
        """Leave nothing behind; also after a commit, which it does not touch."""
        try:
            if self._job is not None:
                await wait_for_end(self._job)
                self._job.exception()  # why it is discarded is known already
        finally:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            if self._part is not None:
                self._part.unlink(missing_ok=True)
                self._part = None

    def _open(self) -> None:
        if self._fd >= 0:
            return
        self._part = _beside(self._final)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with _disk_errors(self._final):
            self._fd = os.open(self._part, flags, 0o600)

    async def _store_batch(self) -> None:
        await self._stored()
        batch, self._batch, self._batch_size = self._batch, [], 0
        self._job = self._threads.start(_store, self._fd, self._digest, batch)

    async def _stored(self) -> None:
        """Wait for the batch that is under way."""
        job = self._job
        if job is None:
            return
        await wait_for_end(job)
        self._job = None
        with _disk_errors(self._final):
            job.result()


def _beside(final: Path) -> Path:
    """Make up a name in the same directory that no other writer makes up."""
    stem = final.name.encode("utf-8", "surrogateescape")[:_PART_STEM_BYTES].decode("utf-8", "ignore")
    return final.with_name(f".{stem}.{secrets.token_hex(6)}.part")


def _store(fd: int, digest: hashlib._Hash, pieces: Iterable[bytes]) -> None:
    """Hash and write; a short write goes on where it stopped."""
    for piece in pieces:
        digest.update(piece)
        left = memoryview(piece)
        while left:
            left = left[os.write(fd, left) :]


@contextmanager
def _disk_errors(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _disk_error(error, final) from error


def _disk_error(error: OSError, final: Path) -> OmarError:
    if isinstance(error, FileExistsError):
        return DestinationError(f"{final} was made by somebody else in the meantime: choose another name")
    reason = os.strerror(error.errno) if error.errno is not None else str(error)
    return DiskError(f"{final} could not be written ({reason}): make room or mend the disk, then try again", errno=error.errno)
