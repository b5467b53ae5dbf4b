"""Where a data file comes from: a path, bytes, or a binary file that is open already."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import attrs

from aiomar._types import PathLike
from aiomar.errors import DiskError, FormatError, UsageError

Source = PathLike | bytes | BinaryIO
"""A path, the bytes themselves, or a binary file, which is read from where it stands and not closed."""

# Non-blocking, so that a pipe without a writer is refused and not waited for.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


@attrs.frozen
class OpenSource:
    """A source that can be read."""

    name: str
    """For messages."""
    size: int | None
    """Bytes; `None` where that is not known beforehand."""
    _file: BinaryIO

    def read(self, size: int) -> bytes:
        """Read as many bytes as asked for, or less at the very end.

        Raises:
            DiskError: the operating system refuses to read on.
            UsageError: it is no binary file.
        """
        pieces, missing = [], size
        while missing:
            try:
                piece: object = self._file.read(missing)
            except ValueError as error:  # closed, or open for writing only
                raise UsageError(f"{self.name} cannot be read: open it with 'rb', and close it afterwards") from error
            except OSError as error:
                raise DiskError(
                    f"{self.name} cannot be read any further ({reason_of(error)}): check the disk", errno=error.errno
                ) from error
            if not isinstance(piece, bytes):
                raise UsageError(f"reading {self.name} gives {type(piece).__name__} and not bytes: open it with 'rb'")
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self, size: int) -> tuple[int, bytes]:
        """Look at the end; the source is left where it stands.

        Args:
            size: how many of the last bytes to give.

        Returns:
            How many bytes there are from where the source stands, and the last of them.

        Raises:
            DiskError: the operating system refuses to read.
            UsageError: it is no binary file that one can go to and fro in.
        """
        try:
            here = self._file.tell()
            length = max(0, self._file.seek(0, os.SEEK_END) - here)
            self._file.seek(here + max(0, length - size))
            last = self.read(size)
            self._file.seek(here)
        except (AttributeError, ValueError) as error:  # ValueError: closed, or no way to go to and fro
            raise UsageError(
                f"{self.name} cannot be read from its end: give a path, bytes or a seekable file"
            ) from error
        except OSError as error:
            raise DiskError(
                f"{self.name} cannot be read ({reason_of(error)}): check the disk", errno=error.errno
            ) from error
        return length, last


@contextmanager
def opened(source: Source, name: str | None) -> Iterator[OpenSource]:
    """Open a source; what was opened here is closed again.

    Args:
        source: see `Source`.
        name: what to call it in messages; `None` for its path.

    Raises:
        FormatError: there is no file at the path, or it cannot be opened.
    """
    if isinstance(source, bytes):
        yield OpenSource(name or "the content", len(source), io.BytesIO(source))
    elif isinstance(source, str | os.PathLike):
        shown = name or str(os.fspath(source))
        with _open(source, shown) as file:
            yield OpenSource(shown, os.fstat(file.fileno()).st_size, file)
    elif callable(getattr(source, "read", None)):
        yield OpenSource(name or name_of(source), None, source)
    else:
        raise UsageError(f"a {type(source).__name__} is no data file: give a path, bytes or a binary file")


def _open(path: PathLike, shown: str) -> BinaryIO:
    try:
        file = os.fdopen(os.open(path, _READ), "rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FormatError(
            f"{shown} cannot be opened ({reason_of(error)}): check the path and its rights", where=shown
        ) from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FormatError(f"{shown} is not a file: give a data file", where=shown)
    return file


def name_of(file: BinaryIO) -> str:
    """Name an open file in messages."""
    name: object = getattr(file, "name", None)
    return name if isinstance(name, str) else "the file"


def reason_of(error: OSError | ValueError) -> str:
    """Name what the operating system says, by its constant."""
    return errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
