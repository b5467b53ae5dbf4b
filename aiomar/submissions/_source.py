"""Reading a file to upload: once, whole, and checked before anything is sent (SUB 3.2.2)."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiomar._files import REAL_FILES, FileSystem
from aiomar._types import PathLike
from aiomar.errors import SourceError
from aiomar.protocol import UploadLimits
from aiomar.submissions._judge import Submission


def read_source(source: PathLike, name: str | None, limits: UploadLimits, files: FileSystem = REAL_FILES) -> Submission:
    """Read a file and hold it to the rules, on the name and the bytes as they will be sent.

    Blocks; runs in a thread.

    Args:
        source: the file.
        name: the name to send; `None` for the file's own.
        limits: the rules.
        files: the file system.

    Raises:
        SourceError: it is missing, is not a file or cannot be read.
        LimitError: the name or the size breaks a rule.
    """
    path = Path(os.fspath(source))
    sent_name = path.name if name is None else name
    with _opened(path, files) as (fd, size):
        limits.check_name(sent_name)
        limits.check_size(sent_name, size)
        content = _read(fd, limits.max_bytes + 1, files)
    limits.check_size(sent_name, len(content))
    return Submission(name=sent_name, content=content, sha256=hashlib.sha256(content).hexdigest())


def read_again(source: PathLike, size: int, files: FileSystem = REAL_FILES) -> bytes:
    """Read a file that is said to be what was submitted, up to one byte more than that had.

    Blocks; runs in a thread.

    Args:
        source: the file.
        size: of what was submitted, in bytes.
        files: the file system.

    Raises:
        SourceError: it is missing, is not a file or cannot be read.
    """
    with _opened(Path(os.fspath(source)), files) as (fd, _):
        return _read(fd, size + 1, files)


@contextmanager
def _opened(path: Path, files: FileSystem) -> Iterator[tuple[int, int]]:
    """Open a file for reading; give its descriptor, and its size in bytes."""
    try:
        # Non-blocking, so that a pipe without a writer is refused and not waited for.
        fd = files.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            facts = files.fstat(fd)
            if not stat.S_ISREG(facts.st_mode):
                raise SourceError(f"{path} is not a file: give a meter data file")
            yield fd, facts.st_size
        finally:
            files.close(fd)
    except (OSError, ValueError) as error:
        reason = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
        gone = isinstance(error, FileNotFoundError | NotADirectoryError)
        why, do = (", as there is no such file", "path") if gone else ("", "path and its rights")
        raise SourceError(f"{path} cannot be read{why} ({reason}): check the {do}") from error


def _read(fd: int, most: int, files: FileSystem) -> bytes:
    """Read a file to its end, but no more than so many bytes."""
    content = bytearray()
    while len(content) < most and (piece := files.read(fd, most - len(content))):
        content += piece
    return bytes(content)
