"""The files of a very large range: a sequence over the catalogue instead of a list in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from aiomar.transfer._catalogue import Catalogue
from aiomar.transfer._catalogue_file import gone
from aiomar.transfer._catalogue_rows import CHUNK
from aiomar.transfer._results import SavedFile


class CatalogueFiles(Sequence[SavedFile]):
    """Files by their rows, nine bytes each; every look reads the rows as they are then.

    A look blocks for the time of a look into a small database; who walks over many does that in a thread.

    Args:
        directory: of the files.
        ids: of their rows, ``array("q")``.
        reused: for each, whether it was already there.

    Raises:
        DestinationError: (from every look) a row or the catalogue is gone, or cannot be used.
        DiskError: (from every look) the catalogue cannot be read.
    """

    def __init__(self, directory: Path, ids: array[int], reused: bytearray) -> None:
        self._directory = directory
        self._ids = ids
        self._reused = reused

    @property
    def reused(self) -> int:
        """How many were already there; asks no row."""
        return sum(self._reused)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> SavedFile: ...

    @overload
    def __getitem__(self, index: slice) -> list[SavedFile]: ...

    def __getitem__(self, index: int | slice) -> SavedFile | list[SavedFile]:
        if isinstance(index, slice):
            return self._look(self._ids[index], self._reused[index])
        return self._look([self._ids[index]], [self._reused[index]])[0]

    def __iter__(self) -> Iterator[SavedFile]:
        for first in range(0, len(self), CHUNK):
            yield from self[first : first + CHUNK]

    def __repr__(self) -> str:
        return f"<{len(self)}>"

    def _look(self, ids: Sequence[int], reused: Sequence[int]) -> list[SavedFile]:
        if not ids:
            return []
        catalogue = Catalogue.read(self._directory)
        if catalogue is None:
            raise gone(self._directory)
        with catalogue:
            return catalogue.files(ids, reused)
