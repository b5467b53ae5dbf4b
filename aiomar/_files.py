"""The seam to the file system: every call that stores a download, or reads what is submitted, and may fail.

`FileSystem` holds the very functions of `os`, so that going through it costs no call more; tests hand in others, which
fail, or keep a record of what a power loss would leave.  One of the calls Python does not have: bring a whole file
system to the disk.  A thread that syncs sixty small files one by one needs the interpreter's lock sixty times, and each
time the loop waits for it; one call for all of them needs it once.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

import attrs

_NUMBER = re.compile(r"[0-9]+")
_TELLS_ERRORS = (5, 8)
_Path = str | os.PathLike[str]


def sync_file_system(fd: int) -> bool:
    """Sync the file system that a file is on.

    Args:
        fd: open on the file.

    Returns:
        Whether everything that was written before is on the disk now; `False` where there is no such call, or when it
        failed, which does not tell for which file.
    """
    syncfs = _function()
    return syncfs is not None and syncfs(fd) == 0


def tells_errors(release: str) -> bool:
    """Whether a Linux of this release says when something could not be written; before 5.8 the call always succeeds."""
    return tuple(int(part) for part in _NUMBER.findall(release)[:2]) >= _TELLS_ERRORS


@functools.cache
def _function() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux") or not tells_errors(os.uname().release):
        return None
    try:
        function: Callable[[int], int] = ctypes.CDLL(None).syncfs
    except (AttributeError, OSError):
        return None
    return function


@attrs.frozen(kw_only=True)
class FileSystem:
    """The calls, each with the signature and the errors of the one in `os` that it is named after."""

    open: Callable[..., int] = os.open
    read: Callable[[int, int], bytes] = os.read
    write: Callable[[int, bytes | memoryview], int] = os.write
    fstat: Callable[[int], os.stat_result] = os.fstat
    fsync: Callable[[int], None] = os.fsync
    sync_all: Callable[[int], bool] = sync_file_system
    """See `sync_file_system`; never raises."""
    close: Callable[[int], None] = os.close
    link: Callable[..., None] = os.link
    replace: Callable[[_Path, _Path], None] = os.replace
    unlink: Callable[[_Path], None] = os.unlink
    scandir: Callable[[_Path], AbstractContextManager[Iterator[os.DirEntry[str]]]] = os.scandir


REAL_FILES: Final = FileSystem()
"""What is used where nothing else is handed in."""


def sync_directory(directory: _Path, files: FileSystem) -> None:
    """Make the names in a directory durable, where the system can.

    Raises:
        OSError: it could not be synced.
    """
    if sys.platform == "win32":  # which does not open directories
        return
    fd = files.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        files.fsync(fd)
    except OSError as error:
        # Some file systems cannot sync a directory at all; there is nothing more to be had from them.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        files.close(fd)
