"""Where a file is written: under a path, which shows the old content or the whole new one, or into an open file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aiomar._beside import new_file
from aiomar._types import PathLike
from aiomar.errors import DiskError, UsageError

Write = Callable[[bytes], None]


@contextmanager
def written(target: PathLike | BinaryIO) -> Iterator[Write]:
    """Open a target; give the function that writes the next piece.

    Args:
        target: a path is given its new content when the block ends without an exception, and after one it is what it
            was.  A binary file is written from where it stands and not closed.

    Raises:
        DestinationError: there can be no file at the path.
        DiskError: the operating system refuses to write.
        UsageError: it is neither a path nor a binary file to write to.
    """
    if isinstance(target, str | os.PathLike):
        with new_file(Path(target), overwrite=True) as write:
            yield write
    elif callable(getattr(target, "write", None)):
        yield lambda piece: _write_into(target, piece)
        if callable(getattr(target, "flush", None)):
            # What it still holds back: a full disk is known here and not when it is closed.
            with _errors_of(target):
                target.flush()
    else:
        raise UsageError(f"a {type(target).__name__} is no place for a file: give a path or a binary file")


def _write_into(file: BinaryIO, piece: bytes) -> None:
    rest: bytes | memoryview = piece
    while rest:
        with _errors_of(file):
            taken: object = file.write(rest)
        if not isinstance(taken, int) or taken < 1:
            raise DiskError(
                f"{_name(file)} takes no more bytes for now: open it so that writing waits", errno=errno.EAGAIN
            )
        rest = memoryview(rest)[taken:]


@contextmanager
def _errors_of(file: BinaryIO) -> Iterator[None]:
    """Turn errors of an open file into ours."""
    try:
        yield
    except (TypeError, ValueError) as error:  # text, open for reading only, or closed
        raise UsageError(f"{_name(file)} cannot be written to: open it with 'wb', and close it afterwards") from error
    except OSError as error:
        raise DiskError(
            f"{_name(file)} could not be written ({_reason(error)}): make room or mend the disk, then try again",
            errno=error.errno,
        ) from error


def _name(file: BinaryIO) -> str:
    name: object = getattr(file, "name", None)
    return name if isinstance(name, str) else "the file"


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
