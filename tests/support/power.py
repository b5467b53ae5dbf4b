"""A file system that remembers what a power loss could leave behind, at each moment.

POSIX promises little: what was written is on the disk when the file was synced, and a name is when its directory was;
anything else may be there or not, in any order and independent of each other.  `Journal` notes what is done to a
directory.  Replayed, it gives a `Disk` for each moment: for a name the file that it surely leads to and those that
changes not yet synced may have led it to, for a file how much of it is safe.  As names and files are independent of
each other, looking at each name with each file that it may lead to is looking at every disk that there can be.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import attrs

from aiomar._files import FileSystem
from aiomar.transfer import Catalogue
from aiomar.transfer._catalogue_rows import Statement

_SYNC_S = 0.0005
"""How long a disk takes, so that other threads get on meanwhile, as they do with a real one."""
_CLAIMS = "SELECT name, size, mtime_ns, sha256 FROM files WHERE size IS NOT NULL"


@attrs.define(eq=False)
class File:
    """A file, whatever it is called; what is in it comes from a replay."""

    content: bytes = b""
    safe: int = 0
    """How many bytes of it are surely on the disk."""
    mtime_ns: int = 0
    _lengths: list[tuple[int, int]] = attrs.field(factory=list)

    def write(self, moment: int, data: bytes) -> None:
        """Add to it."""
        self.content += data
        self._lengths.append((moment, len(self.content)))

    def sync(self, before: int) -> None:
        """Let what was written before a moment be safe."""
        self.safe = max([self.safe, *(length for moment, length in self._lengths if moment < before)])

    def after_loss(self, rng: random.Random) -> bytes:
        """Give what a power loss may make of it: what is not safe is there, gone, half gone, or zeros."""
        rest = self.content[self.safe :]
        return self.content[: self.safe] + rng.choice([rest, b"", rest[: len(rest) // 2], bytes(len(rest))])


@attrs.frozen
class Claim:
    """What a row of the catalogue says."""

    size: int
    mtime_ns: int
    sha256: str


@attrs.frozen
class Step:
    """One thing that was done.

    Attributes:
        kind: ``"name"`` leads `name` to `file`, or nowhere; ``"commit"`` is the catalogue's; ``"told"``: the caller
            knows that `name` is saved.
        began: the number of steps that were done when it began; a sync is good for those.
    """

    kind: Literal["name", "write", "look", "sync", "sync directory", "sync all", "commit", "told"]
    began: int
    name: str = ""
    file: File | None = None
    data: bytes = b""
    mtime_ns: int = 0
    statements: Sequence[Statement] = ()
    claims: dict[str, Claim] = attrs.field(factory=dict)


@attrs.define
class Disk:
    """What a power loss at one moment could leave."""

    sure: dict[str, File | None] = attrs.field(factory=dict)
    maybe: dict[str, list[tuple[int, File | None]]] = attrs.field(factory=dict)
    told: set[str] = attrs.field(factory=set)
    claims: dict[str, Claim] = attrs.field(factory=dict)
    """The catalogue's."""
    commits: list[Sequence[Statement]] = attrs.field(factory=list)
    """What made it so."""

    def leads(self, name: str) -> list[File | None]:
        """Give the files that a name may lead to; `None` for no file."""
        return [self.sure.get(name), *(file for _, file in self.maybe.get(name, ()))]

    @property
    def names(self) -> list[str]:
        """Every name that there was, in some order that is always the same."""
        return sorted({*self.sure, *self.maybe})

    def take(self, moment: int, step: Step) -> None:
        """Go on by a step."""
        match step:
            case Step(kind="name"):
                self.maybe.setdefault(step.name, []).append((moment, step.file))
            case Step(kind="write", file=File() as file):
                file.write(moment, step.data)
            case Step(kind="look", file=File() as file):
                file.mtime_ns = step.mtime_ns
            case Step(kind="sync", file=File() as file):
                file.sync(step.began)
            case Step(kind="sync directory"):
                self._sync_names(step.began)
            case Step(kind="sync all"):
                for file in {file for name in self.names for file in self.leads(name) if file}:
                    file.sync(step.began)
                self._sync_names(step.began)
            case Step(kind="commit"):
                self.claims = step.claims
                self.commits.append(step.statements)
            case Step(kind="told"):
                self.told.add(step.name)

    def _sync_names(self, before: int) -> None:
        for name, changes in self.maybe.items():
            for moment, file in changes:
                if moment < before:
                    self.sure[name] = file
            changes[:] = [change for change in changes if change[0] >= before]

    def lay_out(self, directory: Path, rng: random.Random) -> None:
        """Make one of the disks that there can be, by chance, with a catalogue of everything that was committed."""
        directory.mkdir()
        for name in self.names:
            if file := rng.choice(self.leads(name)):
                (directory / name).write_bytes(file.after_loss(rng))
                os.utime(directory / name, ns=(file.mtime_ns, file.mtime_ns))
        with Catalogue.open(directory) as catalogue:
            for statements in self.commits:
                catalogue.write(statements)


@attrs.define
class Journal:
    """Notes what is done to one directory, by whichever thread."""

    directory: Path
    _steps: list[Step] = attrs.field(factory=list)
    _files: dict[str, File] = attrs.field(factory=dict)
    _open: dict[int, File | None] = attrs.field(factory=dict)
    turn: threading.RLock = attrs.field(factory=threading.RLock)

    def __len__(self) -> int:
        """Give the number of steps so far."""
        return len(self._steps)

    def replay(self) -> Iterator[Disk]:
        """Give what a power loss could leave after each step; the disk and its files go on with the next one."""
        disk = Disk()
        for moment, step in enumerate(self._steps):
            disk.take(moment, step)
            yield disk

    def had(self, name: str, content: bytes) -> int:
        """Let a file be there from the beginning, surely; give its time of change."""
        path = self.directory / name
        path.write_bytes(content)
        mtime_ns = path.stat().st_mtime_ns
        file = self._lead(str(path), File())
        self._note(Step("write", 0, file=file, data=content))
        self._note(Step("look", 0, file=file, mtime_ns=mtime_ns))
        self._note(Step("sync all", len(self._steps)))
        return mtime_ns

    def told(self, name: str) -> None:
        """Note that the caller was told that a file is saved."""
        self._note(Step("told", 0, name))

    def committed(self, statements: Sequence[Statement], claims: dict[str, Claim]) -> None:
        """Note that the catalogue has changed."""
        self._note(Step("commit", 0, statements=statements, claims=claims))

    def _note(self, step: Step) -> None:
        with self.turn:
            self._steps.append(step)

    def _lead(self, path: str, file: File | None) -> File | None:
        place, _, name = path.rpartition(os.sep)
        assert place == str(self.directory)
        with self.turn:
            self._files.pop(path, None)
            if file is not None:
                self._files[path] = file
            self._steps.append(Step("name", 0, name, file))
        return file

    def _sync(self, kind: Literal["sync", "sync directory", "sync all"], file: File | None = None) -> None:
        began = len(self._steps)
        time.sleep(_SYNC_S)
        self._note(Step(kind, began, file=file))

    def files(self) -> FileSystem:
        """Give the file system that is noted; nothing waits for the disk of this machine."""
        real = FileSystem()

        def open_(path: str, flags: int, mode: int = 0o777) -> int:
            with self.turn:
                fd = real.open(path, flags, mode)
                self._open[fd] = self._lead(path, File()) if flags & os.O_CREAT else None
                return fd

        def write(fd: int, data: bytes | memoryview) -> int:
            with self.turn:
                written = real.write(fd, data)
                self._note(Step("write", 0, file=self._open[fd], data=bytes(data[:written])))
                return written

        def fstat(fd: int) -> os.stat_result:
            with self.turn:
                found = real.fstat(fd)
                self._note(Step("look", 0, file=self._open[fd], mtime_ns=found.st_mtime_ns))
                return found

        def fsync(fd: int) -> None:
            file = self._open[fd]
            self._sync("sync" if file else "sync directory", file)

        def sync_all(_: int) -> bool:
            self._sync("sync all")
            return True

        def close(fd: int) -> None:
            with self.turn:
                del self._open[fd]
                real.close(fd)

        def link(source: str, target: str, *, follow_symlinks: bool) -> None:
            with self.turn:
                real.link(source, target, follow_symlinks=follow_symlinks)
                self._lead(target, self._files[source])

        def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
            with self.turn:
                real.replace(source, target)
                self._lead(os.fspath(target), self._files[os.fspath(source)])
                self._lead(os.fspath(source), None)

        def unlink(path: str | os.PathLike[str]) -> None:
            with self.turn:
                real.unlink(path)
                self._lead(os.fspath(path), None)

        return FileSystem(
            open=open_,
            write=write,
            fstat=fstat,
            fsync=fsync,
            sync_all=sync_all,
            close=close,
            link=link,
            replace=replace,
            unlink=unlink,
        )


class NotedCatalogue(Catalogue):
    """A catalogue whose commits go into a journal; that a commit is whole or not there is SQLite's promise."""

    journal: Journal

    def write(self, statements: Iterable[Statement]) -> None:
        """Write, with nothing else noted in the meantime."""
        todo = list(statements)
        with self.journal.turn:
            super().write(todo)
            claims = {name: Claim(*rest) for name, *rest in self._connection.rows(_CLAIMS, ())}
            self.journal.committed(todo, claims)
