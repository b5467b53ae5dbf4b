"""What the files of a directory hold: the first pass over them, which keeps where data are and not what they are."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import attrs

from aiomar.errors import DiskError, FormatError
from aiomar.protocol import Selection
from aiomar.report._data import DataRequest
from aiomar.report._days import DayCounts, Days
from aiomar.report._pieces import Key, Piece, PieceReader
from aiomar.report._spans import Span, merged, touching, uncovered

_NUMBERS = 4  # begin, end, step and file of a span


@attrs.frozen
class Grid:
    """The minutes at which intervals begin: those of one length that begin so many minutes after a multiple of it."""

    step: int
    phase: int


@attrs.frozen
class Layer:
    """What counts of the intervals of one grid: each that begins in one of these spans."""

    grid: Grid
    kept: list[Span]
    """Everything that no shorter intervals stand for."""
    twice: list[Span]
    """What is there more than once, on this grid or on another one as well."""
    clash: list[Span]
    """What longer intervals are there for as well: neither can be held against the other."""
    mixed: list[Span]
    """Where copies on this grid settle nothing, because of a clash or of shorter intervals."""


@attrs.define(eq=False)
class Found:
    """What was found of one channel."""

    key: Key
    unit_code: str | None
    label: str
    step: int
    """Minutes of an interval, as the first piece had it."""
    estimated: DayCounts = attrs.field(factory=lambda: DayCounts("I"))
    flagged: DayCounts = attrs.field(factory=lambda: DayCounts("I"))
    """Of all copies, until `compare_copies` has put them right."""
    conflicts: DayCounts = attrs.field(factory=DayCounts)
    _spans: array[int] = attrs.field(factory=lambda: array("q"))

    def add(self, begin: int, end: int, step: int, file: int) -> None:
        """Add where a piece lies."""
        if self._spans and self._spans[-3:] == array("q", [begin, step, file]):
            self._spans[-3] = end
        else:
            self._spans.extend((begin, end, step, file))

    def spans(self) -> Iterator[tuple[int, int, int, int]]:
        """Give begin, end, step and file of every span."""
        numbers = iter(self._spans)
        return zip(numbers, numbers, numbers, numbers, strict=True)

    def grids(self) -> dict[Grid, tuple[list[Span], list[Span]]]:
        """Give, grid by grid, what is there, and what is there more than once."""
        spans: dict[Grid, list[Span]] = {}
        for begin, end, step, _ in self.spans():
            spans.setdefault(Grid(step, begin % step), []).append((begin, end))
        return {grid: merged(sorted(spans[grid])) for grid in sorted(spans, key=attrs.astuple)}

    def layers(self) -> list[Layer]:
        """Give, grid by grid and the shorter intervals first, what counts, so that no time counts twice."""
        grids = self.grids()
        layers: list[Layer] = []
        cover: list[Span] = []
        for place, (grid, (once, twice)) in enumerate(grids.items(), 1):
            longer, _ = merged(sorted(span for spans, _ in list(grids.values())[place:] for span in spans))
            kept = [free for span in once for free in uncovered(*span, cover)]
            clash, _ = merged(sorted(_clashes(grid, kept, longer)))
            again = [free for span in twice for free in uncovered(*span, cover)]
            mixed, _ = merged(sorted([*cover, *clash]))
            layers.append(Layer(grid, kept, merged(sorted([*again, *clash]))[0], clash, mixed))
            cover, _ = merged(sorted([*cover, *once]))
        return layers


def _clashes(grid: Grid, kept: list[Span], longer: list[Span]) -> Iterator[Span]:
    """Give the time of a grid's intervals that longer ones cover too, from the beginning of the first of them."""
    for begin, end in kept:
        for first, behind in touching(begin, end, longer):
            aligned = first - (first - grid.phase) % grid.step
            yield max(begin, aligned), min(end, behind)


@attrs.define(eq=False)
class Inventory:
    """What was found in all files."""

    channels: dict[Key, Found] = attrs.field(factory=dict)
    recorders: dict[Selection, set[str]] = attrs.field(factory=dict)
    """The meters that files of a selection hold."""
    paths: list[Path] = attrs.field(factory=list)
    """Every file, by the number that spans have."""
    unreadable: dict[int, str] = attrs.field(factory=dict)
    """Files that cannot be read, and why."""
    gone: set[int] = attrs.field(factory=set)
    """Those of them that are not there, although a catalogue says that they were saved."""


@attrs.frozen
class _Place:
    """Where a piece lies, and what it is marked with, until the rest of its file turns out to be good."""

    found: Found
    begin: int
    end: int
    step: int
    estimated: DayCounts | None
    flagged: DayCounts | None

    def settle(self, file: int) -> None:
        """Count it."""
        self.found.add(self.begin, self.end, self.step, file)
        for counts, more in ((self.found.estimated, self.estimated), (self.found.flagged, self.flagged)):
            if more is not None:
                counts.take(more)


def take_inventory(requests: tuple[DataRequest, ...], reader: PieceReader, days: Days) -> Inventory:
    """Read every file once; one that breaks further on counts for nothing, but for the channels that it named."""
    inventory = Inventory()
    for request in requests:
        if request.path is None:
            continue
        number = len(inventory.paths)
        inventory.paths.append(request.path)
        places: list[_Place] = []
        try:
            places.extend(_place(inventory, request.selection, piece, days) for piece in reader.read(request.path))
        except (FormatError, DiskError) as error:
            inventory.unreadable[number] = str(error)
            if request.selection is not None and isinstance(error.__cause__, FileNotFoundError):
                inventory.unreadable[number] = f"{request.path} is gone: run the range again to fetch it"
                inventory.gone.add(number)
            continue
        for place in places:
            place.settle(number)
    return inventory


def _place(inventory: Inventory, selection: Selection | None, piece: Piece, days: Days) -> _Place:
    if not days.holds(piece.begin, piece.end):
        raise FormatError(
            f"a channel has intervals before 1970 or after 2099 ({piece.where}): fetch it again, or ask who made it",
            where=piece.where,
        )
    key = piece.key
    found = inventory.channels.get(key)
    if found is None:
        found = inventory.channels[key] = Found(key, piece.unit_code, piece.label, piece.step)
    if selection is not None:
        inventory.recorders.setdefault(selection, set()).add(key.recorder_id)
    estimated, flagged = (_counted(marks, piece, days) for marks in (piece.estimated, piece.flagged))
    return _Place(found, piece.begin, piece.end, piece.step, estimated, flagged)


def _counted(marks: bytes, piece: Piece, days: Days) -> DayCounts | None:
    if not marks:
        return None
    counts = DayCounts()
    days.count_marks(counts, marks, piece.begin, piece.step)
    return counts
