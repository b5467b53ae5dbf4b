"""Giving a finished part file its final name: synced, renamed, and undone when its caller goes away.

A publication is one small story with three ends: `settle` (the new file stays), `undo` (the old state comes back), or
an error that is kept in it, so that one bad file of a group never touches the others.  Everything here blocks and runs
in a thread when files are to be durable.  Paths are text here: making a `Path` for every step costs more than the step.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from aiomar.errors import DestinationError, DiskError, OmarError

_PART_NAME = re.compile(r"\..*\.[0-9a-f]{12}\.part", re.DOTALL)
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
# Leaves room for dots, random part and suffix within the 255 bytes that file systems allow, whatever the characters.
_PART_STEM_LENGTH = 60


@attrs.define(eq=False)
class Publication:
    """One part file on its way to its final name.

    Args:
        fd: open on the part file; closed here.
        part: its path.
        final: the final path.
        overwrite: whether an old file may be replaced.
        existed: whether there was an old file when the download began.
    """

    fd: int
    part: str
    final: str
    overwrite: bool
    existed: bool
    previous: str | None = None
    published: bool = False
    error: OSError | None = None

    def publish(self) -> None:
        """Move the part file to its final name; an old file stays reachable until `settle` or `undo`."""
        if not self.overwrite:
            # Unlike a rename a link fails if somebody has made the file in the meantime.
            if _link(self.part, self.final):
                self.published = True
                os.unlink(self.part)
                return
            if os.path.lexists(self.final):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        elif self.existed:
            previous = beside(self.final)
            with suppress(FileNotFoundError):
                self.previous = previous if _link(self.final, previous) else None
        os.replace(self.part, self.final)
        self.published = True

    def settle(self) -> None:
        """Let go of the old file."""
        if self.previous is not None:
            with suppress(OSError):
                os.unlink(self.previous)

    def undo(self) -> None:
        """Make the final path what it was before."""
        with suppress(OSError):
            if not self.published:
                self.settle()
            elif self.previous is not None:
                os.replace(self.previous, self.final)
            elif not self.existed:
                os.unlink(self.final)


def _link(source: str, target: str) -> bool:
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
    for directory in {os.path.dirname(item.final) for item in group if item.published}:
        try:
            _sync_directory(directory)
        except OSError as error:
            for item in group:
                if os.path.dirname(item.final) == directory:
                    item.error = item.error or error


def abandon(group: Sequence[Publication]) -> None:
    """Close a group of files that nobody will publish any more."""
    for item in group:
        os.close(item.fd)
        item.error = OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))


def _sync_directory(directory: str) -> None:
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
                        os.unlink(entry.path)


def beside(final: str) -> str:
    """Make up a name in the same directory that no other writer makes up."""
    directory, _, name = final.rpartition(os.sep)
    if len(name) > _PART_STEM_LENGTH:
        name = name.encode("utf-8", "surrogateescape")[:_PART_STEM_LENGTH].decode("utf-8", "ignore")
    return f"{directory}{os.sep}.{name}.{secrets.token_hex(6)}.part"


def disk_error(error: OSError, final: str) -> OmarError:
    """Give our error for one of the system's."""
    if isinstance(error, FileExistsError):
        return DestinationError(f"{final} was made by somebody else in the meantime: choose another name")
    reason = os.strerror(error.errno) if error.errno is not None else str(error)
    return DiskError(
        f"{final} could not be written ({reason}): make room or mend the disk, then try again", errno=error.errno
    )
