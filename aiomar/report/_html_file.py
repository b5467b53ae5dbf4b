"""A page that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable

from aiomar._types import PathLike
from aiomar.errors import DestinationError
from aiomar.formats._target import written

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
    if not overwrite and os.path.lexists(target):
        raise DestinationError(f"{os.fspath(target)} exists already: give another name, or let it be overwritten")
    with written(target) as write:
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
