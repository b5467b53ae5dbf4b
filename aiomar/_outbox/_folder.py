"""What lies in an outbox: which files are meant, which have stopped growing, and which comes first.

Nobody tells when a file is whole.  Whoever can writes it under a hidden or temporary name and renames it; for all
others a file counts as whole when size and time stood still for a while, by a clock that never steps back.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs

from aiomar._files import FileSystem
from aiomar.errors import DestinationError, DiskError

_UNFINISHED = (".crdownload", ".filepart", ".part", ".partial", ".swp", ".temp", ".tmp", "~")
_HIDDEN = (".", "~")
_MISTAKES = {errno.EACCES, errno.ENOENT, errno.ENOTDIR, errno.EPERM}


@attrs.frozen(kw_only=True)
class Lying:
    """A file as it lies in the outbox; equal to an earlier look at it if it did not change in between."""

    path: Path
    size: int
    """Bytes."""
    modified: int
    """Nanoseconds since the epoch."""
    inode: int
    changed: float = attrs.field(eq=False)
    """Seconds since the epoch: when it last got its name, its rights or its content, where the system knows."""
    plain: bool
    """Whether it is a file, and not a link, a pipe or the like."""


@attrs.define(kw_only=True)
class Folder:
    """The files of an outbox, over several looks.

    Args:
        directory: the outbox.
        files: the file system.
        settle: seconds that a file must have stood still.
    """

    directory: Path
    files: FileSystem
    settle: float
    _seen: dict[Path, tuple[Lying, float]] = attrs.field(factory=dict, init=False)
    """Each file with the time since when it is as it is."""
    _aside: dict[Path, tuple[Lying, float]] = attrs.field(factory=dict, init=False)
    """Files that cannot be submitted as they are, with the time until which they are left alone."""

    def look(self, now: float) -> list[Lying]:
        """Look, and give what has stood still for long enough, oldest first.  Blocks.

        Args:
            now: seconds, never stepping back.

        Raises:
            DestinationError: the outbox is gone, or may not be read.
            DiskError: it could not be read.
        """
        seen: dict[Path, tuple[Lying, float]] = {}
        for lying in self._all():
            before = self._seen.get(lying.path)
            seen[lying.path] = before if before is not None and before[0] == lying else (lying, now)
        self._seen = seen
        self._aside = {path: aside for path, aside in self._aside.items() if path in seen}
        quiet = [lying for lying, since in seen.values() if now - since >= self.settle and not self._left(lying, now)]
        return sorted(quiet, key=lambda lying: (lying.modified, lying.path.name))

    @property
    def lying(self) -> list[Path]:
        """Everything that the last look saw, by name."""
        return sorted(self._seen)

    def due(self, now: float) -> float | None:
        """Give the seconds until the next file will have stood still for long enough; `None` if there is none."""
        waits = [since + self.settle - now for lying, since in self._seen.values() if not self._left(lying, now)]
        return max(0.0, min(waits)) if waits else None

    def set_aside(self, lying: Lying, until: float) -> bool:
        """Leave a file alone for a time, or until it changes.

        Returns:
            Whether that is news.
        """
        before = self._aside.get(lying.path)
        self._aside[lying.path] = (lying, until)
        return before is None or before[0] != lying

    def _left(self, lying: Lying, now: float) -> bool:
        aside = self._aside.get(lying.path)
        return aside is not None and aside[0] == lying and now < aside[1]

    def _all(self) -> Iterator[Lying]:
        try:
            with self.files.scandir(self.directory) as entries:
                for entry in entries:
                    if is_meant(entry.name) and (lying := _lying(self.directory / entry.name)):
                        yield lying
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, type(error).__name__)
            if error.errno in _MISTAKES:
                raise DestinationError(
                    f"the outbox {self.directory} cannot be read ({name}): check that it is there, and its rights"
                ) from error
            raise DiskError(
                f"the outbox {self.directory} could not be read ({name}): mend the disk", errno=error.errno
            ) from error


def is_meant(name: str) -> bool:
    """Whether a name is one to submit, and not that of a hidden file or of one that is still being written."""
    return not name.startswith(_HIDDEN) and not name.lower().endswith(_UNFINISHED)


def _lying(path: Path) -> Lying | None:
    """Look at one file; `None` for a directory, and for what is gone."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        return None
    return Lying(
        path=path,
        size=found.st_size,
        modified=found.st_mtime_ns,
        inode=found.st_ino,
        # On Windows it is the time of creation, which a file keeps when it is moved here.
        changed=found.st_ctime if os.name == "posix" else float("inf"),
        plain=stat.S_ISREG(found.st_mode),
    )
