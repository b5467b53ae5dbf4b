"""Where a download may go: checked before anything is sent, and held by one download at a time."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from aiomar._types import PathLike
from aiomar.errors import DestinationError

# Paths belong to the process, not to a client: two clients must not write one file at the same time either.
_in_use: set[str] = set()
# A path that is surely not too long for any file system.
_SHORT = 128


def check_directory(into: PathLike, *, make: bool) -> Path:
    """Give the directory for downloads; only its last component is made.

    Args:
        into: the directory.
        make: make it when it is missing; otherwise only look.

    Raises:
        DestinationError: its parent is missing, it is a file, or it is not writable.
    """
    directory = Path(os.fspath(into))
    try:
        if not directory.is_dir():
            # Asked again: another process may have made it in between.
            if os.path.lexists(directory) and not directory.is_dir():
                raise DestinationError(f"{directory} is not a directory: choose another destination")
            if not directory.absolute().parent.is_dir():
                raise DestinationError(f"the parent directory of {directory} does not exist: make it first")
            if not make:
                return directory
            directory.mkdir(mode=0o700, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise DestinationError(f"{directory} is not writable: change its rights or choose another destination")
    except (OSError, ValueError) as error:
        raise DestinationError(f"{directory} cannot be used ({_reason(error)}): choose another destination") from error
    return directory


def check_final(path: str, *, overwrite: bool) -> bool:
    """Hold a final path to what may be replaced.

    Returns:
        Whether there is a file.

    Raises:
        DestinationError: it is a symbolic link or no file, or exists and may not be replaced, or its name is too long.
    """
    if not os.access(path, os.F_OK, follow_symlinks=False) and len(path) < _SHORT:
        return False  # nothing is there, found out without the price of an exception
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise DestinationError(f"{path} cannot be used ({_reason(error)}): choose another name") from error
    if stat.S_ISLNK(found.st_mode):
        raise DestinationError(f"{path} is a symbolic link, which is never followed: remove it or choose another name")
    if not stat.S_ISREG(found.st_mode):
        raise DestinationError(f"{path} exists and is not a file: choose another name")
    if not overwrite:
        raise DestinationError(f"{path} exists already: pass overwrite=True or choose another name")
    return True


def hold(path: str) -> None:
    """Hold a final path for one download; `let_go` follows.

    Args:
        path: below a directory as `real_directory` gives it.

    Raises:
        DestinationError: another download of this process holds it.
    """
    key = os.path.normcase(path)
    if key in _in_use:
        raise DestinationError(f"another download to {path} is under way: wait for it or choose another name")
    _in_use.add(key)


def let_go(path: str) -> None:
    """Let go of a final path."""
    _in_use.discard(os.path.normcase(path))


def real_directory(directory: Path) -> str:
    """Give a directory's one true name, by which two ways to it are known to be the same; asked once per call."""
    return os.path.realpath(directory)


def _reason(error: OSError | ValueError) -> str:
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(error)) if isinstance(number, int) else str(error)
