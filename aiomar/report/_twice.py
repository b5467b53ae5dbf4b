"""Intervals that are there more than once: do the copies say the same?

A second pass over the files that overlap, and only where they do.  Of each overlap the first copy is kept, and every
other one is held against it, all bytes at once; only where they differ is there a look at single intervals.  What is
kept at a time is bounded: overlaps are taken in batches, meter by meter, so that a file is rarely read again.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from aiomar.errors import DiskError, FormatError
from aiomar.report._days import DayCounts, Days
from aiomar.report._found import Found, Grid, Inventory
from aiomar.report._pieces import Key, Piece, PieceReader
from aiomar.report._spans import Span, touching

_MOST = 2_000_000
"""Intervals that are kept at a time, with some 15 bytes each."""


def compare_copies(inventory: Inventory, reader: PieceReader, days: Days, *, most: int = _MOST) -> None:
    """Find the intervals whose copies differ, and count marks once that several copies have.

    Args:
        inventory: what was found; its conflicts and marks are put right.
        reader: reads the files again.
        days: of the clock.
        most: intervals to be kept at a time.
    """
    for batch in _batches(inventory, most):
        files = {file for overlaps in batch.values() for overlap in overlaps for file in overlap.files}
        for file in sorted(files):
            try:
                for piece in reader.read(inventory.paths[file]):
                    for overlap in batch.get(piece.key, ()):
                        overlap.hold_against(piece, days)
            except (FormatError, DiskError) as error:  # it was good a moment ago
                inventory.unreadable[file] = str(error)
        for overlaps in batch.values():
            for overlap in overlaps:
                overlap.settle(days)


def _batches(inventory: Inventory, most: int) -> Iterator[dict[Key, list[_Overlap]]]:
    batch: dict[Key, list[_Overlap]] = {}
    kept = 0
    for key in sorted(inventory.channels):
        overlaps = list(_overlaps(inventory.channels[key]))
        if overlaps:
            batch[key] = overlaps
            kept += sum(overlap.count for overlap in overlaps)
        if kept >= most:
            yield batch
            batch, kept = {}, 0
    if batch:
        yield batch


def _overlaps(found: Found) -> Iterator[_Overlap]:
    grids = found.grids()
    files = {(grid, span): set[int]() for grid, (_, twice) in grids.items() for span in twice}
    if not files:
        return
    mixed = {layer.grid: layer.mixed for layer in found.layers()}
    for begin, end, step, file in found.spans():
        grid = Grid(step, begin % step)
        for span in touching(begin, end, grids[grid][1]):
            files[grid, span].add(file)
    for (grid, span), some in files.items():
        yield _Overlap(found, grid, span, some, list(touching(*span, mixed[grid])))


class _Overlap:
    """A run of intervals that are there more than once."""

    def __init__(self, found: Found, grid: Grid, span: Span, files: set[int], mixed: list[Span]) -> None:
        self._found = found
        self._mixed = mixed
        self._grid = grid
        self._begin, self._end = span
        self.files = files
        self.count = (self._end - self._begin) // grid.step
        self._content = bytearray()
        self._known = bytearray(self.count)
        self._differ = bytearray(self.count)
        self._estimated = _Marks(bytearray(self.count), found.estimated)
        self._flagged = _Marks(bytearray(self.count), found.flagged)

    def hold_against(self, piece: Piece, days: Days) -> None:
        """Keep the intervals of a piece that are new, and compare the others."""
        step = self._grid.step
        begin, end = max(self._begin, piece.begin), min(self._end, piece.end)
        if begin >= end or Grid(piece.step, piece.begin % piece.step) != self._grid:
            return
        here = slice((begin - self._begin) // step, (end - self._begin) // step)
        there = slice((begin - piece.begin) // step, (end - piece.begin) // step)
        self._compare(piece, here, there)
        self._estimated.add(piece.estimated[there], here, days, begin, step)
        self._flagged.add(piece.flagged[there], here, days, begin, step)

    def _compare(self, piece: Piece, here: slice, there: slice) -> None:
        content = piece.content()
        width = len(content) // piece.count
        if not self._content:
            self._content = bytearray(width * self.count)
        known, new = self._known[here], content[there.start * width : there.stop * width]
        place = slice(here.start * width, here.stop * width)
        if 1 not in known:
            self._content[place] = new
        elif 0 in known or self._content[place] != new:
            for number, is_known in enumerate(known):
                slot = new[number * width : (number + 1) * width]
                at = slice(place.start + number * width, place.start + (number + 1) * width)
                if not is_known:
                    self._content[at] = slot
                elif self._content[at] != slot:
                    self._differ[here.start + number] = 1
        self._known[here] = b"\1" * len(known)

    def settle(self, days: Days) -> None:
        """Write down what came out, but for intervals that count as a conflict anyhow, or not at all."""
        for begin, end in self._mixed:
            first, behind = (max(0, -((self._begin - minute) // self._grid.step)) for minute in (begin, end))
            self._differ[first:behind] = bytes(len(self._differ[first:behind]))
        days.count_marks(self._found.conflicts, bytes(self._differ), self._begin, self._grid.step)


@attrs.frozen
class _Marks:
    """Which intervals are marked so far; what several copies mark counts once."""

    _marks: bytearray
    _counts: DayCounts

    def add(self, marks: bytes, here: slice, days: Days, begin: int, step: int) -> None:
        if 1 not in marks:
            return
        old, new = int.from_bytes(self._marks[here]), int.from_bytes(marks)
        again = DayCounts()
        days.count_marks(again, (old & new).to_bytes(len(marks)), begin, step)
        self._counts.take(again, -1)
        self._marks[here] = (old | new).to_bytes(len(marks))
