"""Files that tell of every piece that is read of them: for progress, and for whoever wants to see the bytes too."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG

from aiomar import SourceError
from aiomar.formats._source import not_opened, path_shown

Tap = Callable[[bytes], object]
"""Takes every piece; what it raises ends the reading."""


class Tapped(io.BufferedReader):
    """A binary file for reading that tells of its pieces.

    Args:
        raw: the file; it is closed with this one.
        tap: takes the pieces.
    """

    def __init__(self, raw: io.FileIO | io.BytesIO, tap: Tap) -> None:
        super().__init__(raw)
        self._tap = tap

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as many bytes as asked for, or less at the end."""
        piece = super().read(size)
        self._tap(piece)
        return piece


def tapped(path: Path, tap: Tap) -> Tapped:
    """Open a file.

    Args:
        path: where it is.
        tap: takes the pieces.

    Raises:
        SourceError: it is missing, is not a file or cannot be opened.
    """
    try:
        # Looked at first: opening a pipe would wait for whoever writes to it.
        if not S_ISREG(path.stat().st_mode):
            raise SourceError(f"{path} is not a file: give a data file")
        return Tapped(path.open("rb", buffering=0), tap)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise SourceError(not_opened(path_shown(path), error)) from error
