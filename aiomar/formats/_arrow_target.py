"""Where an export goes: written beside its name and renamed, so that the name is never half of anything."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiomar.errors import DestinationError, DiskError

_PART = ".part"
_OLD = ".old"
_HOUR = 3600
_KINDS = {False: "file", True: "directory"}
_OURS = re.compile(r"year=\d{4}/month=\d\d/part-\d+\.parquet|year=\d{4}/month=\d\d|year=\d{4}", re.ASCII)
_PLACE = {
    errno.ENOENT: "there is no such directory",
    errno.ENOTDIR: "there is no such directory",
    errno.EACCES: "the rights do not allow it",
    errno.EPERM: "the rights do not allow it",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its links lead in a circle",
}


@contextmanager
def beside(target: Path, *, directory: bool, overwrite: bool) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, what is there gets the target's name.

    Args:
        target: the name that it is to have.
        directory: whether a directory is made, which the block fills.
        overwrite: whether an existing target is replaced.

    Raises:
        DestinationError: the target exists, or nothing can be written there.
        DiskError: the operating system refuses.
    """
    with failing(target):
        _check(target, directory=directory, overwrite=overwrite)
        _sweep(target)
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_PART}")
        if directory:
            part.mkdir()
    try:
        yield part
        with failing(target):
            _publish(part, target, directory=directory)
    except BaseException:
        _remove(part)
        raise


@contextmanager
def failing(target: Path) -> Iterator[None]:
    """Turn what the operating system says about writing into our errors."""
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        if why := _PLACE.get(error.errno or 0):
            raise DestinationError(
                f"{target!s:.200} cannot be written, as {why} ({name}): name another target"
            ) from error
        raise DiskError(
            f"{target} cannot be written ({name}): check the disk, or name another target", errno=error.errno
        ) from error


def _check(target: Path, *, directory: bool, overwrite: bool) -> None:
    if not target.name or "\0" in str(target):
        raise DestinationError(f"{str(target)!a:.200} is no name for a file or a directory: name another target")
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise DestinationError(f"{target} exists: name another target, or allow that it is replaced")
    kind = stat.S_IFMT(target.lstat().st_mode)
    if kind != (stat.S_IFDIR if directory else stat.S_IFREG):
        raise DestinationError(f"{target} exists and is not a {_KINDS[directory]}: name another target")
    if directory and (stranger := _stranger(target)):
        raise DestinationError(
            f"{target} is not replaced, as it holds {stranger!a:.100}, which no export made: name another target"
        )


def _stranger(target: Path) -> str | None:
    """Find something in a directory that is no part of a data set of ours."""
    found = (path.relative_to(target).as_posix() for path in target.rglob("*"))
    return next((name for name in found if not _OURS.fullmatch(name)), None)


def _sweep(target: Path) -> None:
    """Remove what a killed process left beside the target; what was touched within the hour may be in use."""
    before = time.time() - _HOUR
    for path in _siblings(target, _PART):
        with suppress(OSError):
            if max(each.lstat().st_mtime for each in (path, *path.rglob("*"))) < before:
                _remove(path)


def _siblings(target: Path, ending: str) -> list[Path]:
    ours = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}{re.escape(ending)}")
    return [path for path in target.parent.iterdir() if ours.fullmatch(path.name)]


def _publish(part: Path, target: Path, *, directory: bool) -> None:
    if directory and target.is_dir():
        # No call that every system has puts one full directory in the place of another.
        target.rename(part.with_suffix(_OLD))
    part.replace(target)
    for path in _siblings(target, _OLD):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
