"""Giving a finished part file its final name: synced, renamed, and undone when its caller goes away.

A publication is one small story with three ends: `settle` (the new file stays), `undo` (the old state comes back), or
an error that is kept in it, so that one bad file of a group never touches the others.  Everything here blocks and runs
in a thread when files are to be durable.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from aiomar.errors import DestinationError, DiskError, OmarError

_PART_NAME = re.compile(r"\..*\.[0-9a-f]{12}\.part", re.DOTALL)
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
# Leaves room for dots, random part and suffix within the 255 bytes that file systems allow.
_PART_STEM_BYTES = 200


@attrs.define(eq=False)
class Publication:
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
            previous = beside(self.final)
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


def publish_all(group: Sequence[Publication], *, durable: bool) -> None:
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


def sweep_parts(directory: Path, before: float) -> None:
    """Remove part files that were last written before a moment (seconds since the epoch)."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _PART_NAME.fullmatch(entry.name):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        Path(entry.path).unlink()


def beside(final: Path) -> Path:
    """Make up a name in the same directory that no other writer makes up."""
    stem = final.name.encode("utf-8", "surrogateescape")[:_PART_STEM_BYTES].decode("utf-8", "ignore")
    return final.with_name(f".{stem}.{secrets.token_hex(6)}.part")


@contextmanager
def disk_errors(final: Path) -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, final) from error


def disk_error(error: OSError, final: Path) -> OmarError:
    """Give our error for one of the system's."""
    if isinstance(error, FileExistsError):
        return DestinationError(f"{final} was made by somebody else in the meantime: choose another name")
    reason = os.strerror(error.errno) if error.errno is not None else str(error)
    return DiskError(
        f"{final} could not be written ({reason}): make room or mend the disk, then try again", errno=error.errno
    )
