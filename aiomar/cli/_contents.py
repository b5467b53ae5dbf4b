"""What there is to say of a data file without showing a value of it.

Each file is read as a stream, twice if it is MDEF (by the gates, and for what it holds) or CSV with a layout; what is
kept of it has a bound, whatever its size.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from aiomar import FileFormat, TimeType
from aiomar.cli._contents_csv import CsvFacts, LayoutFacts, form_of, series_of
from aiomar.cli._contents_mdef import MdefFacts, look_into_mdef
from aiomar.cli._tap import tapped
from aiomar.formats import CsvLayout, Kind, sniff
from aiomar.protocol import PAGE_LIMIT, page_words

STRANGE: Final = {
    Kind.EMPTY: "there is nothing in it",
    Kind.PAGE: "it is a page and no data",
    Kind.UNKNOWN: "it begins neither as MDEF nor as CSV does",
}
"""Kinds of files that hold no data, in words."""
_MIXED_UP: Final = {
    (Kind.MDEF, FileFormat.CSV.suffix): "it holds MDEF, which .dat is taken to stand for and not .csv",
    (Kind.CSV, FileFormat.MDEF.suffix): "it holds CSV, and .dat is taken to stand for MDEF",
}


@attrs.frozen(kw_only=True)
class FileFacts:
    """One file."""

    path: Path
    kind: Kind
    """By its first bytes."""
    size: int
    """Bytes."""
    words: str | None = None
    """The beginning of what a page says, printable; of no other file."""
    mixed_up: str | None = None
    """What to say where the name stands for another kind."""
    mdef: MdefFacts | None = None
    """For a file that begins as MDEF does, or is called so (.dat) and begins as nothing else does."""
    csv: CsvFacts | None = None
    layout: LayoutFacts | None = None

    @property
    def good(self) -> bool:
        """Whether it is a data file, and can be read to its end."""
        parts = (self.mdef, self.csv, self.layout)
        readable = self.kind not in STRANGE and all(part is None or part.error is None for part in parts)
        return readable and not (self.mdef and any(finding.severity == "error" for finding in self.mdef.findings))


def mixed_up(kind: Kind, name: str) -> str | None:
    """Say that a file holds something else than its name stands for, if it does."""
    return next(
        (words for (held, suffix), words in _MIXED_UP.items() if kind is held and name.lower().endswith(suffix)), None
    )


def look_into(
    path: Path, *, clock: TimeType | None, layout: CsvLayout | None, progress: Callable[[int], object]
) -> FileFacts:
    """Say what is in a file.  Blocks; runs in a thread.

    Args:
        path: where it is.
        clock: the clock that it is said to be written by; needed with a layout.
        layout: what the columns of CSV mean.
        progress: is told the size of every piece that is read.

    Raises:
        SourceError: it cannot be opened.
        DiskError: the operating system refuses to read.
    """

    def tap(piece: bytes) -> None:
        progress(len(piece))

    with tapped(path, tap) as file:
        first, size = file.read(PAGE_LIMIT), os.fstat(file.fileno()).st_size
    kind = sniff(first)
    facts = FileFacts(path=path, kind=kind, size=size, mixed_up=mixed_up(kind, path.name))
    match kind:
        case Kind.PAGE:
            words = page_words(first)
            return attrs.evolve(facts, words=words.title or words.excerpt)
        case Kind.CSV:
            header = None if layout is None else layout.header
            csv = form_of(lambda tap: tapped(path, tap), str(path), header=header, progress=progress)
            facts = attrs.evolve(facts, csv=csv)
            if layout is not None and clock is not None:
                with tapped(path, tap) as file:
                    facts = attrs.evolve(facts, layout=series_of(file, str(path), layout, clock))
            return facts
        case Kind.EMPTY:
            return facts
        case Kind.MDEF | Kind.UNKNOWN:
            named_so = kind is Kind.MDEF or path.suffix.lower() == ".dat"
            mdef = look_into_mdef(path, size, clock=clock, progress=progress) if named_so else None
            return attrs.evolve(facts, mdef=mdef)
