"""Which files of a directory belong together, what was asked for, and by which clock they are read.

The catalogue of a range knows all of it, also what did not come.  Where there is none, only the names of the files are
left: their endings tell the format, and the clock has to be given.  Nothing is guessed.

What a cluster downloaded is in many directories below one, and is read as one: first what all of their catalogues have,
by which format and clock are chosen, then the requests.  No two catalogues are open at once.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TypeAlias

import attrs

from aiomar._types import PathLike
from aiomar.errors import UsageError
from aiomar.protocol import FileFormat, Selection, TimeType
from aiomar.transfer import Catalogue, check_kinds, shards_of

_Kind: TypeAlias = tuple[FileFormat, TimeType]
_SUFFIXES = {kind.suffix: kind for kind in FileFormat}
_TO_DO = "name a directory of data files"
_ATTRIBUTE = re.compile(r"look at \.\w+(?:, then )?")
"""What an error tells programmers to look at; of one that was stored only the words are left."""


@attrs.frozen(kw_only=True)
class DataRequest:
    """One file that was asked for; without a catalogue, one file that is there."""

    path: Path | None
    """The file, which may have gone from the disk since; `None`: it never came."""
    selection: Selection | None
    """What it was asked for; `None` without a catalogue, as are both days."""
    start: dt.date | None
    end: dt.date | None
    error: str | None
    """Why it did not come; `None` also where nobody knows."""


@attrs.frozen(kw_only=True)
class DataDirectory:
    """Data files of one format and one clock, and what was asked for."""

    directory: Path
    clock: TimeType
    file_format: FileFormat
    requests: tuple[DataRequest, ...] = attrs.field(repr=lambda requests: f"<{len(requests)}>")
    """In the order in which they first came, directory by directory; without a catalogue sorted by name."""
    catalogued: bool
    """Whether a catalogue tells what was asked for."""
    left_out: int
    """Data files of the directory that are not among them."""
    left_out_words: str | None
    """Which those are and how to read them, for people; `None` when there are none."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of all requests that came."""
        return tuple(request.path for request in self.requests if request.path is not None)


def find_data(
    directory: PathLike,
    *,
    clock: TimeType | None = None,
    file_format: FileFormat | None = None,
    has_layout: bool = False,
) -> DataDirectory:
    """Find the data files of a directory, and what was asked for.  Blocks; no data file is opened.

    With a catalogue the files are those that it knows.  Without one they are those whose names end in ``.dat`` or
    ``.csv``, in any case, and do not begin with a dot.  Directories below are looked into only where a cluster
    downloaded to; they count as one.  Of both formats MDEF is taken, unless `file_format` says otherwise.

    Args:
        directory: where a range was downloaded to, or any directory of data files, or one data file.
        clock: the clock that the files were written by; `None` for the catalogue's.
        file_format: which files to take; `None` for those that are there.
        has_layout: whether somebody knows the columns of the CSV files.

    Raises:
        UsageError: there is nothing to be found, or clock or format would have to be guessed: no catalogue and no
            clock, a catalogue of both clocks or of another one, CSV files and no layout.
        DestinationError: the catalogue cannot be used.
        DiskError: the catalogue cannot be read.
    """
    check_kinds(file_format or FileFormat.MDEF, clock or TimeType.PST)
    if not os.fspath(directory):
        raise UsageError(f"'' is no path: {_TO_DO}")
    place = Path(os.fspath(directory))
    names, alone = _names(place)
    home = place.parent if alone else place
    homes = ([] if names else shards_of(place)) or [home]
    wish = _Wish(clock, file_format, has_layout, place, alone)
    stock = _take_stock(homes, names, alone=alone)
    return _catalogued(homes, names, wish, stock) if stock.files else _uncatalogued(home, names, wish)


@attrs.frozen
class _Wish:
    """What the caller says of the files."""

    clock: TimeType | None
    file_format: FileFormat | None
    has_layout: bool
    place: Path
    """Where they are, or the file that was named."""
    alone: bool
    """Whether one file was named."""

    def choose_format(self, present: Collection[FileFormat]) -> FileFormat:
        """Choose MDEF before CSV, of those that are there."""
        if not present:
            raise UsageError(f"{self.place} has no data files: {_TO_DO}")
        if self.file_format is not None and self.file_format not in present:
            others = " and ".join(sorted(kind.name for kind in present))
            has = f"is {others} and not" if self.alone else f"has {others} and no"
            raise UsageError(f"{self.place} {has} {self.file_format.name}: leave the format (--format) out")
        chosen = self.file_format or min(present, key=(FileFormat.MDEF, FileFormat.CSV).index)
        if chosen is FileFormat.CSV and not self.has_layout:
            what = f"{self.place} is" if self.alone else f"the data files of {self.place} are"
            raise UsageError(f"{what} CSV, whose layout is not public: name the columns in a layout (--layout)")
        return chosen

    def choose_clock(self, present: Collection[TimeType]) -> TimeType:
        """Choose the one clock of a catalogue, or that which is wanted."""
        names = " and ".join(sorted(clock.value for clock in present))
        if self.clock is None and len(present) > 1:
            raise UsageError(f"{self.place} has files of two clocks, {names}: say which one to read (--time)")
        if self.clock is not None and self.clock not in present:
            what = f"{self.place} was" if self.alone else f"the files of {self.place} were"
            raise UsageError(
                f"{what} fetched by the {names} clock and not by {self.clock.value}: leave the clock (--time) out"
            )
        return self.clock or next(iter(present))


def _names(place: Path) -> tuple[list[str], bool]:
    """Name the data files at a place, sorted, and tell whether the place is itself the only one."""
    try:
        if place.is_dir():
            with os.scandir(place) as entries:
                return sorted(entry.name for entry in entries if _format_of(entry.name)), False
        if place.exists():
            return [place.name], True
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise UsageError(f"{place} cannot be looked into ({reason}): {_TO_DO}") from error
    raise UsageError(f"there is nothing at {place}: {_TO_DO}")


def _format_of(name: str) -> FileFormat | None:
    return None if name.startswith(".") else _SUFFIXES.get(name[name.rfind(".") :].lower())


# --- With a catalogue -------------------------------------------------------------------------------------------------


@attrs.define
class _Stock:
    """What there is, in numbers."""

    files: Counter[_Kind] = attrs.field(factory=Counter)
    """Of every kind that was asked for, how many came; empty where no catalogue knows of anything."""
    strangers: int = 0
    """Data files that no catalogue knows."""


def _take_stock(homes: list[Path], names: list[str], *, alone: bool) -> _Stock:
    """Ask every catalogue what it has; of one file that was named only that."""
    stock = _Stock()
    for home in homes:
        there = names or _names(home)[0]
        catalogue = Catalogue.read(home)
        if catalogue is None:
            stock.strangers += len(there)
            continue
        with catalogue:
            strangers = catalogue.missing(there)
            kinds = {kind: files for kind, (_, files) in catalogue.kinds().items()}
            if alone:
                own = () if strangers else kinds
                kinds = {kind: 1 for kind in own if any(found.name in there for found in catalogue.requests(*kind))}
        stock.strangers += len(strangers)
        for kind, files in kinds.items():
            stock.files[kind] += files
    return stock


def _catalogued(homes: list[Path], names: list[str], wish: _Wish, stock: _Stock) -> DataDirectory:
    # The wanted clock first: of the other one's files the format is of no interest.
    formats = {kind for kind, clock in stock.files if wish.clock in {None, clock}} or {kind for kind, _ in stock.files}
    file_format = wish.choose_format(formats)
    clock = wish.choose_clock({clock for kind, clock in stock.files if kind is file_format})
    others = {kind: files for kind, files in stock.files.items() if files and kind != (file_format, clock)}
    words = [
        _other_kind(kind, others[kind], file_format)
        for kind in sorted(others, key=lambda kind: (kind[0].value, kind[1].value))
    ]
    if stock.strangers:
        words.append(f"{_files(stock.strangers)} that no range recorded")
    return DataDirectory(
        directory=wish.place.parent if wish.alone else wish.place,
        clock=clock,
        file_format=file_format,
        requests=tuple(_requests(homes, names if wish.alone else None, file_format, clock)),
        catalogued=True,
        left_out=sum(others.values()) + stock.strangers,
        left_out_words=", ".join(words) or None,
    )


def _requests(
    homes: list[Path], only: Collection[str] | None, file_format: FileFormat, clock: TimeType
) -> Iterator[DataRequest]:
    for home in homes:
        catalogue = Catalogue.read(home)
        if catalogue is None:
            continue
        with catalogue:
            for found in catalogue.requests(file_format, clock):
                if only is None or found.name in only:
                    yield DataRequest(
                        path=home / found.name if found.fetched else None,
                        selection=found.selection,
                        start=found.start,
                        end=found.end,
                        error=found.error,
                    )


def _other_kind(kind: tuple[FileFormat, TimeType], files: int, chosen: FileFormat) -> str:
    """Say which files were not chosen, and what chooses them."""
    file_format, clock = kind
    option = f"--time {clock.value.lower()}" if file_format is chosen else f"--format {file_format.name.lower()}"
    return f"{_files(files, file_format.name)} by the {clock.value} clock ({option})"


def _files(number: int, what: str = "") -> str:
    return " ".join(filter(None, [f"{number:,}", what, "file" if number == 1 else "files"]))


# --- Without one ------------------------------------------------------------------------------------------------------


def _uncatalogued(home: Path, names: list[str], wish: _Wish) -> DataDirectory:
    # A file that somebody names may have any ending; then what is said of it counts.
    by_format: dict[FileFormat, list[str]] = {}
    for name in names:
        by_format.setdefault(_format_of(name) or wish.file_format or FileFormat.MDEF, []).append(name)
    chosen = wish.choose_format(by_format)
    if wish.clock is None:
        whose = "its clock" if wish.alone else "the clock of its files"
        raise UsageError(f"{wish.place} has no catalogue that tells {whose}, and no file does: say which one (--time)")
    words = [
        f"{_files(len(others), kind.name)} (--format {kind.name.lower()})"
        for kind, others in by_format.items()
        if kind is not chosen
    ]
    return DataDirectory(
        directory=home,
        clock=wish.clock,
        file_format=chosen,
        requests=tuple(
            DataRequest(path=home / name, selection=None, start=None, end=None, error=None)
            for name in by_format[chosen]
        ),
        catalogued=False,
        left_out=len(names) - len(by_format[chosen]),
        left_out_words=", ".join(words) or None,
    )
