"""Files that give what they hold a little at a time, or make it while they are read."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Sequence


class Short(io.BytesIO):
    """A file that gives less than it is asked for.

    Args:
        content: of the file.
        sizes: how many bytes it gives at most each time, over and over.
    """

    def __init__(self, content: bytes, sizes: Sequence[int] = (1,)) -> None:
        super().__init__(content)
        self._sizes = itertools.cycle(sizes)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a little."""
        return super().read(min(next(self._sizes), size or 0))


class Made(io.RawIOBase):
    """A file whose pieces are made while it is read, and given a few bytes too few at a time.

    Args:
        pieces: one after the other; none of them is kept.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces = iter(pieces)
        self._held = b""
        self.given = 0
        """Bytes so far."""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read almost as much as asked for."""
        while len(self._held) < size and (piece := next(self._pieces, b"")):
            self._held += piece
        enough = max(1, size - 7)
        given, self._held = self._held[:enough], self._held[enough:]
        self.given += len(given)
        return given
