"""A file or a directory that appears whole or not at all: written beside its name, synced, and renamed.

For what somebody asked to have under a name of his own: an MDEF file, a report, an export.  Downloads have a way of
their own, which is made for a hundred thousand files.  Everything here blocks.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from aiomar.errors import DestinationError, DiskError

_PART, _OLD = ".part", ".old"
_LONG = 200
"""Bytes of a name that leave no room for what a temporary one adds; a digest takes the place of such a name."""
_HOUR = 3600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_ELSEWHERE = {
    errno.EACCES: "its rights do not allow it",
    errno.EEXIST: "it exists",
    errno.EISDIR: "it is a directory",
    errno.ELOOP: "its links lead in a circle",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOENT: "there is no such directory",
    errno.ENOTDIR: "there is no such directory",
    errno.EPERM: "its rights do not allow it",
    errno.EROFS: "the file system is read-only",
}
"""What another target would help against; anything else is the disk's."""


@contextmanager
def new_file(target: Path, *, overwrite: bool) -> Iterator[Callable[[bytes], None]]:
    """Give what writes the next piece of a file; it has its name when the block has ended well.

    Args:
        target: the name; its directory must exist.
        overwrite: whether an existing file is replaced.

    Raises:
        DestinationError: there can be no such file.
        DiskError: the operating system refuses to write.
    """
    with beside(target, overwrite=overwrite) as part:
        with failing(target):
            file = create(part)

        def write(piece: bytes) -> None:
            with failing(target):
                file.write(piece)

        try:
            yield write
            with failing(target):
                file.flush()
                os.fsync(file.fileno())
        finally:
            with suppress(OSError):  # of what is still held back after a failure; after a sync there is nothing
                file.close()


@contextmanager
def beside(
    target: Path, *, overwrite: bool, directory: bool = False, ours: Callable[[str], object] | None = None
) -> Iterator[Path]:
    """Give a path to write to; what is there when the block has ended well gets the target's name.

    Whoever writes there syncs it.  What a killed process left of earlier ones goes away after an hour.

    Args:
        target: the name; its directory must exist.
        overwrite: whether what has the name already is replaced: a file in one step, whose permissions the new one
            keeps, a directory in two.
        directory: whether a directory is made, which the block fills.
        ours: whether a path in an existing directory may be thrown away with it; `None`: nothing may.

    Raises:
        DestinationError: nothing can be written there, or nothing may.
        DiskError: the operating system refuses.
    """
    with failing(target):
        _check(target, directory=directory, overwrite=overwrite, ours=ours)
        _sweep(target)
        part = target.with_name(f".{_stem(target)}.{secrets.token_hex(6)}{_PART}")
        if directory:
            part.mkdir(0o700)
    try:
        yield part
        with failing(target):
            _publish(part, target, directory=directory)
    except BaseException:
        _remove(part)
        raise


def create(path: Path) -> BinaryIO:
    """Open a new file to write to, for its owner alone, as meter data are nobody else's.

    Raises:
        OSError: there can be no such file, or there is one.
    """
    return os.fdopen(os.open(path, _NEW, 0o600), "wb")


@contextmanager
def failing(target: Path) -> Iterator[None]:
    """Turn what the operating system says about writing a target into our errors.

    Raises:
        DestinationError: another target would help.
        DiskError: it would not.
    """
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        if why := _ELSEWHERE.get(error.errno or 0):
            raise DestinationError(
                f"{target!s:.200} cannot be written, as {why} ({name}): name another target, or mend that"
            ) from error
        raise DiskError(
            f"{target} could not be written ({name}): make room or mend the disk, then try again", errno=error.errno
        ) from error


def _check(target: Path, *, directory: bool, overwrite: bool, ours: Callable[[str], object] | None) -> None:
    if not target.name:
        raise DestinationError(f"{target} is no name for a file or a directory: name another target")
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    except ValueError as error:  # a NUL in the path, or a character that no name can have
        raise DestinationError(f"{str(target)!a:.200} is no path: name another target") from error
    if stat.S_ISLNK(mode):
        raise DestinationError(
            f"{target} is a symbolic link, which is never followed: remove it or name another target"
        )
    if not overwrite:
        raise DestinationError(
            f"{target} exists: name another target, or say that it may be replaced (overwrite=True, --overwrite)"
        )
    if not (stat.S_ISDIR(mode) if directory else stat.S_ISREG(mode)):
        raise DestinationError(f"{target} exists and is no {'directory' if directory else 'file'}: name another target")
    if directory:
        found = (path.relative_to(target).as_posix() for path in target.rglob("*"))
        if stranger := next((name for name in found if ours is None or not ours(name)), None):
            raise DestinationError(f"{target} holds {stranger!a:.100}, which no export made: name another target")


def _sweep(target: Path) -> None:
    """Remove what a killed process left beside the target; what was touched within the hour may be in use."""
    before = time.time() - _HOUR
    for path in _siblings(target, _PART):
        with suppress(OSError):
            if max(each.lstat().st_mtime for each in (path, *path.rglob("*"))) < before:
                _remove(path)


def _stem(target: Path) -> str:
    name = os.fsencode(target.name)
    return target.name if len(name) <= _LONG else hashlib.sha256(name).hexdigest()[:32]


def _siblings(target: Path, ending: str) -> list[Path]:
    ours = re.compile(rf"\.{re.escape(_stem(target))}\.[0-9a-f]{{12}}{re.escape(ending)}")
    return [path for path in target.parent.iterdir() if ours.fullmatch(path.name)]


def _publish(part: Path, target: Path, *, directory: bool) -> None:
    old = part.with_suffix(_OLD)
    if directory and target.is_dir():
        # No call that every system has puts one full directory in the place of another.
        target.rename(old)
    if not directory:
        with suppress(FileNotFoundError):
            mode = target.lstat().st_mode
            if stat.S_ISREG(mode):
                part.chmod(mode & 0o777)
    try:
        part.replace(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    for path in _siblings(target, _OLD):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
