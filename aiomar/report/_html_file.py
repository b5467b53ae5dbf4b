"""A page that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aiomar._beside import new_file
from aiomar._types import PathLike

_GATHERED = 1 << 16
"""Characters that are written at once."""


def write_whole(target: PathLike, pieces: Iterable[str], *, overwrite: bool) -> None:
    """Write text piece by piece beside a path, and rename it when it is all there.

    Args:
        target: the final path; its directory must exist.
        pieces: of the text, made while they are written.
        overwrite: whether a file that is there already may be replaced.

    Raises:
        DestinationError: the path cannot be written, or there is something already.
        DiskError: the disk is full or broken.
    """
    with new_file(Path(target), overwrite=overwrite) as write:
        held: list[str] = []
        size = 0
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= _GATHERED:
                write(_encoded(held))
                held, size = [], 0
        write(_encoded(held))


def _encoded(pieces: Iterable[str]) -> bytes:
    return "".join(pieces).encode()
