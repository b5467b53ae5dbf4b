"""Giving a finished part file its final name: synced, renamed, noted, and undone when its caller goes away.

A publication is one small story with three ends: `settle` (the new file stays), `undo` (the old state comes back), or
an error that is kept in it, so that one bad file of a group never touches the others.  The catalogue comes last, when
file and directory are synced: after a crash or a power loss it may know too little, and never too much.  Everything
here blocks; `_groups.py` says what runs where.  Paths are text here: making a `Path` for every step costs more than the
step.
"""

from __future__ import annotations

import errno
import os
import random
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from aiomar._files import REAL_FILES, FileSystem, sync_directory
from aiomar.errors import DestinationError, DiskError, OmarError
from aiomar.transfer._catalogue import Catalogue
from aiomar.transfer._catalogue_rows import SavedRow, Statement, Terms, record_statements
from aiomar.transfer._results import SavedFile

PART_NAME = re.compile(r"\..*\.[0-9a-f]{12}(\.range)?\.part", re.DOTALL)
"""As `beside` makes them up; the group tells those of ranges."""
# From so many files on, one call for their file system costs less than one for each; it syncs what others wrote, too.
_MANY = 4
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
# Leaves room for dots, random part and suffix within the 255 bytes that file systems allow, whatever the characters.
_PART_STEM_LENGTH = 60
# Of our own, as a program may set the common one back; nothing secret, only never the same twice, nor in a fork.
_marks = random.Random()  # noqa: S311 - see above
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_marks.seed)


@attrs.frozen
class Notebook:
    """Where the files of a range are noted, and what they have in common."""

    catalogue: Catalogue
    terms: Terms


@attrs.frozen
class Note:
    """What a catalogue is to say of a file once it stands."""

    book: Notebook
    name: str
    file: SavedFile
    attempts: int


@attrs.define(eq=False)
class Publication:
    """One part file on its way to its final name.

    Args:
        fd: open on the part file; closed here.
        part: its path.
        final: the final path.
        overwrite: whether an old file may be replaced.
        existed: whether there was an old file when the download began.
        note: for the catalogue; `None` where none is kept.
        files: the file system.
    """

    fd: int
    part: str
    final: str
    overwrite: bool
    existed: bool
    note: Note | None = None
    files: FileSystem = REAL_FILES
    previous: str | None = None
    moved: bool = False
    published: bool = False
    changed_ns: int = 0
    error: OSError | OmarError | None = None

    def move(self) -> None:
        """Close the part file and give it its final name; an old file stays reachable until `settle` or `undo`."""
        self.moved = True
        try:
            try:
                self.changed_ns = self.files.fstat(self.fd).st_mtime_ns
            finally:
                self.files.close(self.fd)
            if self.error is None:
                self._rename()
        except OSError as error:
            self.error = self.error or error

    def _rename(self) -> None:
        if not self.overwrite:
            # Unlike a rename a link fails if somebody has made the file in the meantime.
            if self._link(self.part, self.final):
                self.published = True
                self.files.unlink(self.part)
                return
            if os.path.lexists(self.final):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        elif self.existed:
            previous = beside(self.final, in_range=self.note is not None)
            with suppress(FileNotFoundError):
                self.previous = previous if self._link(self.final, previous) else None
        self.files.replace(self.part, self.final)
        self.published = True

    def _link(self, source: str, target: str) -> bool:
        """Make a hard link; `False` where the file system has none."""
        try:
            self.files.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_LINKS:
                return False
            raise
        return True

    def settle(self) -> None:
        """Let go of the old file."""
        if self.previous is not None:
            with suppress(OSError):
                self.files.unlink(self.previous)

    def undo(self) -> None:
        """Make the final path what it was before, and let the catalogue say nothing about it."""
        if self.published and self.note is not None:
            with suppress(OmarError):  # a row that stays is found out by the file's time of change
                self.note.book.catalogue.forget([self.note.name])
        with suppress(OSError):
            if not self.published:
                self.settle()
            elif self.previous is not None:
                self.files.replace(self.previous, self.final)
            elif not self.existed:
                self.files.unlink(self.final)


@attrs.define
class Together:
    """Files of one directory whose notes go into one catalogue, on their way together.

    Between the steps that wait for the disk everything is made ready, so that a thread has next to nothing to do in
    Python.

    Args:
        directory: theirs.
        catalogue: notes them; `None` where none is kept.
    """

    directory: str
    catalogue: Catalogue | None
    items: list[Publication] = attrs.field(factory=list)
    _statements: Sequence[Statement] = ()

    def sync(self) -> None:
        """Bring the content of the files to the disk: of many files together, else one by one.  Blocks."""
        if len(self.items) >= _MANY and self.items[0].files.sync_all(self.items[0].fd):
            return
        for item in self.items:
            try:
                item.files.fsync(item.fd)
            except OSError as error:
                item.error = error

    def move(self, seconds: float) -> bool:
        """Close files and give them their final names, but not for longer than this; whether all are done."""
        end = time.perf_counter() + seconds
        for item in self.items:
            if not item.moved:
                item.move()
                if time.perf_counter() > end:
                    return item is self.items[-1]
        return True

    def prepare(self) -> None:
        """Make ready what is written into the catalogue."""
        if self.catalogue is not None:
            self._statements = record_statements(
                [
                    SavedRow(item.note.name, item.note.file, item.note.book.terms, item.changed_ns, item.note.attempts)
                    for item in self.items
                    if item.note is not None and item.error is None
                ]
            )

    def complete(self, *, durable: bool) -> None:
        """Sync the directory and note the files.  Blocks."""
        try:
            if durable:
                sync_directory(self.directory, self.items[0].files)
            if self.catalogue is not None:
                self.catalogue.write(self._statements)
        except (OSError, OmarError) as error:
            for item in self.items:
                item.error = item.error or error


def arrange(items: Sequence[Publication]) -> list[Together]:
    """Put files together that go together; nearly always all of them."""
    found: dict[tuple[str, Catalogue | None], Together] = {}
    for item in items:
        key = os.path.dirname(item.final), None if item.note is None else item.note.book.catalogue
        together = found.get(key)
        if together is None:
            together = found[key] = Together(*key)
        together.items.append(item)
    return list(found.values())


def abandon(group: Sequence[Publication]) -> None:
    """Close a group of files that nobody will publish any more."""
    for item in group:
        if not item.moved:
            item.moved = True
            with suppress(OSError):
                item.files.close(item.fd)
        item.error = item.error or OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))


def sweep_parts(directory: Path, before: float, *, ranges: bool, files: FileSystem) -> None:
    """Remove part files that a killed process left.

    Args:
        directory: where they are.
        before: seconds since the epoch; those that were last written later may be in use.
        ranges: also all part files of ranges, of whatever age; only for who holds the directory against other ranges.
        files: the file system.
    """
    with suppress(OSError), files.scandir(directory) as entries:
        for entry in entries:
            if found := PART_NAME.fullmatch(entry.name):
                with suppress(OSError):
                    if (ranges and found[1]) or entry.stat(follow_symlinks=False).st_mtime < before:
                        files.unlink(entry.path)


def beside(final: str, *, in_range: bool = False) -> str:
    """Make up a name in the same directory that no other writer makes up."""
    directory, _, name = final.rpartition(os.sep)
    if len(name) > _PART_STEM_LENGTH:
        name = name.encode("utf-8", "surrogateescape")[:_PART_STEM_LENGTH].decode("utf-8", "ignore")
    return f"{directory}{os.sep}.{name}.{_marks.getrandbits(48):012x}{'.range' if in_range else ''}.part"


def disk_error(error: OSError | OmarError, final: str) -> OmarError:
    """Give our error for one of the system's."""
    if isinstance(error, OmarError):
        return error
    if isinstance(error, FileExistsError):
        return DestinationError(f"{final} was made by somebody else in the meantime: choose another name")
    reason = os.strerror(error.errno) if error.errno is not None else str(error)
    return DiskError(
        f"{final} could not be written ({reason}): make room or mend the disk, then try again", errno=error.errno
    )
