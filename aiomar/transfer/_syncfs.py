"""The one system call that Python does not have: bring a whole file system to the disk.

A thread that syncs sixty small files one by one needs the interpreter's lock sixty times, and each time the loop waits
for it; one call for all of them needs it once.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import sys
from collections.abc import Callable

_NUMBER = re.compile(r"[0-9]+")
_TELLS_ERRORS = (5, 8)


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
