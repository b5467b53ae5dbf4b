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

Source = PathLike | bytes | bytearray | memoryview | BinaryIO
"""A path, the bytes themselves, or a binary file, which is read from where it stands and not closed."""

# Non-blocking, so that a pipe without a writer is refused and not waited for.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_LONGEST_SHOWN = 200
"""Characters of a path in messages."""
_RIGHTS = (", as its rights do not allow it", "change them, or ask who owns it")
_REASONS = {
    errno.EACCES: _RIGHTS,
    errno.EISDIR: (", as it is a directory", "name a file"),
    errno.ELOOP: (", as its links lead in a circle", "mend the links, or name another file"),
    errno.ENAMETOOLONG: (", as its name is too long", "check the path"),
    errno.ENOENT: (", as there is no such file", "check the path"),
    errno.ENOTDIR: (", as there is no such file", "check the path"),
    errno.EPERM: _RIGHTS,
}
"""Why a file cannot be opened, and what to do."""
_NO_REASON = ("", "check the path and its rights")


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
            except UnicodeDecodeError as error:
                raise UsageError(f"reading {self.name} gives text and not bytes: open it with 'rb'") from error
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

    def ends(self, first: int, last: int) -> tuple[int, bytes, bytes]:
        """Look at the beginning and the end; the source is left where it stands.

        Args:
            first: how many of the first bytes to give.
            last: how many of the last.

        Returns:
            How many bytes there are from where the source stands, and the first and the last of them.

        Raises:
            DiskError: the operating system refuses to read.
            UsageError: it is no binary file that one can go to and fro in.
        """
        try:
            here = self._file.tell()
            beginning = self.read(first)
            length = max(0, self._file.seek(0, os.SEEK_END) - here)
            self._file.seek(here + max(0, length - last))
            end = self.read(last)
            self._file.seek(here)
        except (AttributeError, ValueError) as error:  # ValueError: closed, or no way to go to and fro
            raise UsageError(
                f"{self.name} cannot be read from its end: give a path, bytes or a seekable file"
            ) from error
        except OSError as error:
            raise DiskError(
                f"{self.name} cannot be read ({reason_of(error)}): check the disk", errno=error.errno
            ) from error
        return length, beginning, end


@contextmanager
def opened(source: Source, name: str | None) -> Iterator[OpenSource]:
    """Open a source; what was opened here is closed again.

    Args:
        source: see `Source`.
        name: what to call it in messages; `None` for its path.

    Raises:
        FormatError: there is no file at the path, or it cannot be opened.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
        yield OpenSource(name or "the content", len(content), io.BytesIO(content))
    elif isinstance(source, str | os.PathLike):
        shown = name or path_shown(source)
        with _open(source, shown) as file:
            yield OpenSource(shown, os.fstat(file.fileno()).st_size, file)
    elif callable(getattr(source, "read", None)):
        yield OpenSource(name or name_of(source), None, source)
    else:
        raise UsageError(f"a {type(source).__name__} is no data file: give a path, bytes or a binary file")


def _open(path: PathLike, shown: str) -> BinaryIO:
    try:
        number = os.open(path, _READ)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FormatError(not_opened(shown, error), where=shown) from error
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)  # before it is a file: of a directory none can be made
        what = "a directory" if stat.S_ISDIR(mode) else "not a file"
        raise FormatError(f"{shown} is {what}: give a data file", where=shown)
    return os.fdopen(number, "rb")


def path_shown(path: PathLike) -> str:
    """Give a path for messages: an empty one in quotes, a long one cut."""
    text = str(os.fspath(path))
    return (text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…") or "''"


def not_opened(shown: str, error: OSError | ValueError) -> str:
    """Say why a file cannot be opened, and what to do."""
    why, to_do = _REASONS.get(getattr(error, "errno", None) or 0, _NO_REASON)
    return f"{shown} cannot be opened{why} ({reason_of(error)}): {to_do}"


def size_of(path: PathLike) -> int:
    """Give the bytes of a file, for progress; 0 where there is none, which is for its reader to tell."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - the path is text or a path
    except (OSError, ValueError):
        return 0


def name_of(file: BinaryIO) -> str:
    """Name an open file in messages."""
    name: object = getattr(file, "name", None)
    return name if isinstance(name, str) else "the file"


def reason_of(error: OSError | ValueError) -> str:
    """Name what the operating system says, by its constant."""
    return errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
