"""The server's pages that nobody could read, kept beside the ledger for a person to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiomar._files import FileSystem, sync_directory
from aiomar.errors import DiskError
from aiomar.submissions._ledger_file import make_directory

_FOLDER = "answers"
_SUFFIX = ".html"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def write_answer(directory: Path, ledger_id: str, page: bytes, files: FileSystem) -> Path:
    """Write a page for its owner's eyes only; it is durable then.

    Args:
        directory: of the ledger.
        ledger_id: of the submission that it is the answer to.
        page: as it came.
        files: the file system.

    Raises:
        DiskError: it could not be written, or there is one.
    """
    folder = directory / _FOLDER
    path = folder / f"{ledger_id}{_SUFFIX}"
    try:
        make_directory(folder, files)
        fd = files.open(path, _NEW, 0o600)
        try:
            _write(fd, page, files)
        except BaseException:
            with suppress(OSError):
                files.unlink(path)
            raise
        sync_directory(folder, files)
    except OSError as error:
        raise DiskError(
            f"the server's answer could not be kept at {path} ({error.strerror}): make room or mend the disk",
            errno=error.errno,
        ) from error
    return path


def remove_answers(directory: Path, unwanted: Callable[[str], bool]) -> None:
    """Remove the pages of those submissions that are not wanted any more.

    Args:
        directory: of the ledger.
        unwanted: says so of an id.

    Raises:
        DiskError: one could not be removed.
    """
    try:
        for path in (directory / _FOLDER).glob(f"*{_SUFFIX}"):
            if unwanted(path.name.removesuffix(_SUFFIX)):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(
            f"{error.filename} could not be removed ({error.strerror}): try again", errno=error.errno
        ) from error


def _write(fd: int, page: bytes, files: FileSystem) -> None:
    try:
        rest = memoryview(page)
        while rest:
            rest = rest[files.write(fd, rest) :]
        files.fsync(fd)
    finally:
        files.close(fd)
