"""Whether what is on disk is what the catalogue says, and making the catalogue anew from the files.

Both read every byte, so they run when somebody asks, in a thread, and hold the directory meanwhile: a range that
replaces files under them would make them lie.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import Literal

import attrs

from aiomar._types import PathLike
from aiomar.errors import DestinationError
from aiomar.protocol import Environment, FileFormat, content_check
from aiomar.transfer._catalogue import Catalogue
from aiomar.transfer._catalogue_file import FOLDER, lock_directory, move_aside
from aiomar.transfer._catalogue_names import read_name
from aiomar.transfer._catalogue_rows import CHUNK, SavedRow
from aiomar.transfer._publish import PART_NAME
from aiomar.transfer._results import SavedFile
from aiomar.transfer._shards import shards_of

FileProblem = Literal["missing", "changed", "damaged", "not_recorded", "leftover"]
"""What is wrong with a file, in one word for code; a leftover is no fault."""

Progress = Callable[[int], object]
"""Told the number of bytes after every piece that was read."""

_PIECE = 1 << 20
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@attrs.frozen(kw_only=True)
class CheckedFile:
    """One file of a directory, held against the catalogue."""

    path: Path
    problem: FileProblem | None
    """`None`: it is what the catalogue says.  ``"missing"``, ``"changed"`` (size or hash differ), ``"damaged"`` (it is
    what was saved, but its content is not whole), ``"not_recorded"`` (the catalogue has no file of that name), or
    ``"leftover"`` (the part file of a killed process)."""
    words: str
    """What it is and what to do, for people."""

    @property
    def good(self) -> bool:
        """Whether nobody needs to do anything."""
        return self.problem in {None, "leftover"}


@attrs.frozen(kw_only=True)
class RebuiltCatalogue:
    """What a new catalogue was made from."""

    files: int
    """How many files it has."""
    unverified: int
    """How many of them their content does not prove whole; a range fetches those again."""
    aside: Path | None
    """Where the old catalogue is now; `None` if there was none."""


@attrs.frozen
class _Content:
    size: int
    mtime_ns: int
    sha256: str
    whole: bool


def verify_directory(directory: PathLike, *, progress: Progress | None = None) -> Generator[CheckedFile]:
    """Read every file that the catalogue of a directory claims and say what is wrong, then name what it does not know.

    Where a cluster downloaded to, the directories below are read, one after the other; the words begin with ``3f/``
    then.  Blocks; nothing is changed.

    Args:
        directory: where a range was downloaded to.
        progress: told how far it is, in bytes.

    Yields:
        Every file, the good ones too.

    Raises:
        DestinationError: there is no catalogue, it cannot be used, or a process downloads to the directory.
        DiskError: the catalogue cannot be read.
    """
    place = Path(os.fspath(directory))
    shards = shards_of(place)
    for shard in shards:
        with closing(_verified(shard, Catalogue.read(shard), progress or _nobody)) as files:
            for file in files:
                yield attrs.evolve(file, words=f"{shard.name}/{file.words}")
    if shards:
        return
    catalogue = Catalogue.read(place)
    if catalogue is None:
        raise DestinationError(
            f"{place} has no catalogue: name a directory that a range was downloaded to, or run "
            f"'aiomar verify {place} --rebuild' to make one from its files"
        )
    yield from _verified(place, catalogue, progress or _nobody)


def rebuild_catalogue(
    directory: PathLike, environment: Environment, *, progress: Progress | None = None
) -> RebuiltCatalogue:
    """Make the catalogue of a directory anew from the files whose names are those of a range.

    An old catalogue, in whatever state, is kept under another name.  Blocks; no data file is changed.

    Args:
        directory: where a range was downloaded to.
        environment: where the files came from; no file tells.
        progress: told how far it is, in bytes.

    Raises:
        DestinationError: a process downloads to the directory, it cannot be written, or it is not one destination but
            has those of a cluster below it.
        DiskError: the new catalogue cannot be written.
    """
    place = Path(os.fspath(directory))
    if shards := shards_of(place):
        raise DestinationError(
            f"{place} has catalogues in the directories below it, each of its own: name the one to be made anew, as in "
            f"'aiomar verify {shards[0]} --rebuild'"
        )
    with lock_directory(place, alone=True) as lock:
        try:
            aside = move_aside(place, dt.datetime.now(dt.UTC))
        except OSError as error:
            raise DestinationError(
                f"the catalogue of {place} cannot be put aside ({error.strerror}): change the rights of its directory"
            ) from error
        files = unverified = 0
        rows = _rows(place, str(environment.download_origin), progress or _nobody)
        with Catalogue.open(place, lock=lock) as catalogue:
            while chunk := list(islice(rows, CHUNK)):
                catalogue.record(chunk)
                files += len(chunk)
                unverified += sum(row.file.completeness == "unverified" for row in chunk)
        return RebuiltCatalogue(files=files, unverified=unverified, aside=aside)


def _nobody(_size: int) -> None:
    """Take progress that nobody asked for."""


def _undisturbed(place: Path) -> AbstractContextManager[object]:
    """Hold a directory; one that cannot be written needs no holding."""
    return lock_directory(place, alone=True) if os.access(place / FOLDER, os.W_OK) else nullcontext()


def _verified(place: Path, catalogue: Catalogue | None, progress: Progress) -> Generator[CheckedFile]:
    """Hold the files of one destination against its catalogue; of one that lost it, every file is unknown."""
    with catalogue or nullcontext(), _undisturbed(place):
        if catalogue is not None:
            for file in catalogue.all_files():
                yield _check(file, progress)
        yield from _strangers(place, catalogue)


def _check(file: SavedFile, progress: Progress) -> CheckedFile:
    """Hold one file against its row."""
    again = "remove it, then run the range again"
    problem: FileProblem | None = "changed"
    try:
        content = _read(file.path, file.file_format, progress)
    except FileNotFoundError:
        problem, words = "missing", "is gone: run the range again to fetch it"
    except OSError as error:
        words = f"cannot be read ({error.strerror}): {again}"
    else:
        if content is None:
            words = f"is not a file any more: {again}"
        elif content.size != file.size:
            words = f"has {content.size} bytes and not {file.size}: {again}"
        elif content.sha256 != file.sha256:
            words = f"has other content than was saved: {again}"
        elif content.whole:
            problem, words = None, "is what was saved"
        elif file.completeness == "content":
            problem, words = "damaged", f"is what was saved and yet not whole: {again}"
        else:
            problem, words = None, f"is what was saved; its content alone does not prove it whole ({file.completeness})"
    return CheckedFile(path=file.path, problem=problem, words=f"{file.path.name} {words}")


def _strangers(place: Path, catalogue: Catalogue | None) -> Iterator[CheckedFile]:
    """Name the data files that no row claims, and part files."""
    with os.scandir(place) as entries:
        names = (entry.name for entry in entries)
        while chunk := list(islice(names, CHUNK)):
            for name in chunk:
                if PART_NAME.fullmatch(name):
                    words = f"{name} was left by a process that was killed: the next range removes it"
                    yield CheckedFile(path=place / name, problem="leftover", words=words)
            data = [name for name in chunk if read_name(name, "")]
            for name in data if catalogue is None else catalogue.missing(data):
                words = f"{name} is in no row of the catalogue: the next range that asks for it replaces it"
                yield CheckedFile(path=place / name, problem="not_recorded", words=words)


def _rows(place: Path, origin: str, progress: Progress) -> Iterator[SavedRow]:
    """Make rows from the files that are there; one that cannot be read is left to be fetched again."""
    with os.scandir(place) as entries:
        for item in entries:
            request = read_name(item.name, origin)
            if request is None:
                continue
            job, terms = request
            try:
                content = _read(place / item.name, terms.file_format, progress)
            except OSError:
                continue
            if content is not None:
                file = SavedFile(
                    path=place / item.name,
                    size=content.size,
                    sha256=content.sha256,
                    selection=job.selection,
                    start=job.span.start,
                    end=job.span.end,
                    file_format=terms.file_format,
                    time_type=terms.time_type,
                    fetched_at=dt.datetime.fromtimestamp(content.mtime_ns / 1e9, dt.UTC),
                    completeness="content" if content.whole else "unverified",
                )
                yield SavedRow(item.name, file, terms, content.mtime_ns, attempts=0)


def _read(path: Path, file_format: FileFormat, progress: Progress) -> _Content | None:
    """Hash and judge a file piece by piece; `None` for what is no file.

    Raises:
        OSError: it cannot be read, or is a link.
    """
    digest, check, size = hashlib.sha256(), content_check(file_format), 0
    fd = os.open(path, _READ)
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return None
        while piece := os.read(fd, _PIECE):
            digest.update(piece)
            check.feed(piece)
            size += len(piece)
            progress(len(piece))
    finally:
        os.close(fd)
    return _Content(size, facts.st_mtime_ns, digest.hexdigest(), check.whole())
