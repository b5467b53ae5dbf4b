"""Where the files of an outbox go: ``sent/`` or ``refused/``, each with its paper beside it.

The paper is written first, whole and synced, in the outbox's own folder; then the file is renamed, which happens or
does not.  What was renamed is read once more: the name may have got another content since the old one was sent, and
that goes back to the outbox as the new file it is.  Only then does the paper get its place beside its file.  So a paper
that is still in the folder says that this was not done to its end, and whoever looks next does it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import attrs

from aiomar._beside import failing
from aiomar._files import FileSystem, sync_directory
from aiomar.errors import DestinationError, SourceError
from aiomar.submissions import read_again
from aiomar.transfer import FOLDER

Tray = Literal["sent", "refused"]
PAPERS: Mapping[Tray, str] = {"sent": ".receipt.json", "refused": ".reason.json"}
"""What a paper's name adds to that of its file."""
_GIVEN_BACK = "new"
"""Goes into the name of what is given back to an outbox that has something of its name again."""
_LONG = 200
"""Bytes of a name that leave no room for what a paper's name adds."""
_KEPT = 40
"""Characters that are kept of such a name."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@attrs.frozen(kw_only=True)
class Shelf:
    """The trays of one outbox; whoever uses it holds the outbox alone.

    Args:
        directory: the outbox.
        files: the file system.
    """

    directory: Path
    files: FileSystem

    def make(self) -> None:
        """Make what is missing below the outbox.  Blocks.

        Raises:
            DestinationError: the outbox is not there or not writable, or something else is in the way.
            DiskError: it could not be written.
        """
        if not self.directory.is_dir():
            raise DestinationError(f"{self.directory} is not a directory: make it first, or name another outbox")
        for path in (self.directory, *(self.directory / name for name in (FOLDER, *PAPERS))):
            with failing(path):
                path.mkdir(mode=0o700, exist_ok=True)
                if path.is_symlink() or path.stat().st_dev != self.directory.stat().st_dev:
                    raise DestinationError(
                        f"{path} is a link or on another file system, where nothing can be moved to in one step: make "
                        "it a directory of the outbox"
                    )
                if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                    raise DestinationError(f"{path} is not readable and writable: change its rights")

    def finish(self) -> None:
        """Do to its end what a killed process, or a disk that failed, left half done.  Blocks.

        Raises:
            DestinationError: the outbox cannot be written to.
            DiskError: the operating system refuses.
        """
        folder, papers = self.directory / FOLDER, list[Path]()
        # Without its folder the outbox is gone, too, which is told by whoever looks for files there.
        with failing(folder), suppress(FileNotFoundError), self.files.scandir(folder) as entries:
            papers += (folder / entry.name for entry in entries if entry.name.endswith(tuple(PAPERS.values())))
        for paper in papers:
            with failing(paper):
                self._finish(paper)

    def has(self, name: str, ledger_id: str) -> bool:
        """Whether the file of a submission was moved to ``sent/``.  Blocks."""
        for target in _names(self.directory / "sent", name, ledger_id):
            note = _read(_paper_of(target, "sent"))
            if note is not None and note.get("ledger_id") == ledger_id:
                return True
            if note is None and not os.path.lexists(target):
                break
        return False

    def put(self, source: Path, tray: Tray, note: Mapping[str, object], *, tag: str) -> Path | None:
        """Move a file into a tray, its paper beside it.  Blocks.

        Args:
            source: the file, in the outbox.
            tray: which.
            note: what to write down; with ``sha256`` and ``size``, the file must be that.
            tag: goes into the name where the file's own is taken.

        Returns:
            Where it is; `None` if it is gone, or is another one now, which stays in the outbox.

        Raises:
            DestinationError: the tray cannot be written to.
            DiskError: the operating system refuses.
        """
        target = next(
            path
            for path in _names(self.directory / tray, source.name, tag)
            if not os.path.lexists(path) and not os.path.lexists(_paper_of(path, tray))
        )
        with failing(target):
            target.parent.mkdir(mode=0o700, exist_ok=True)  # somebody may have put the whole tray into an archive
            paper = self._write(_paper_of(target, tray).name, note)
            try:
                self.files.replace(source, target)
            except FileNotFoundError:
                if tray == "sent":  # a receipt tells of what was taken, whether its file is there or not
                    self.files.replace(paper, _paper_of(target, tray))
            return self._finish(paper)

    def _write(self, name: str, note: Mapping[str, object]) -> Path:
        """Write a paper whole into the outbox's own folder."""
        paper = self.directory / FOLDER / name
        paper.unlink(missing_ok=True)
        fd = self.files.open(paper, _NEW, 0o600)
        try:
            rest = memoryview(json.dumps(note, indent=2).encode("ascii") + b"\n")
            while rest:
                rest = rest[self.files.write(fd, rest) :]
            self.files.fsync(fd)
        finally:
            self.files.close(fd)
        sync_directory(paper.parent, self.files)
        return paper

    def _finish(self, paper: Path) -> Path | None:
        """Put a paper beside its file; without one there, or with another one, it goes away.

        Returns:
            Where the file is; `None` if it is not in the tray.
        """
        tray = next(tray for tray, ending in PAPERS.items() if paper.name.endswith(ending))
        target = self.directory / tray / paper.name.removesuffix(PAPERS[tray])
        note = _parsed(paper.read_bytes()) if os.path.lexists(target) else None
        if note is None:
            with suppress(FileNotFoundError):
                self.files.unlink(paper)
            return None
        still = _is_still(target, note)
        if still:
            self.files.replace(paper, _paper_of(target, tray))
        else:
            name = Path(str(note.get("file", target.name))).name  # a paper that is not ours leads nowhere else
            back = _names(self.directory, name, _GIVEN_BACK)
            self.files.replace(target, next(path for path in back if not os.path.lexists(path)))
            self.files.unlink(paper)
        sync_directory(target.parent, self.files)
        sync_directory(self.directory, self.files)
        return target if still else None


def _names(directory: Path, name: str, tag: str) -> Iterator[Path]:
    suffix = Path(name).suffix
    stem = name.removesuffix(suffix)
    if len(os.fsencode(name)) <= _LONG:
        yield directory / name
    else:
        stem, suffix = name[:_KEPT], ""
    yield directory / f"{stem}.{tag}{suffix}"
    yield from (directory / f"{stem}.{tag}-{number}{suffix}" for number in itertools.count(2))


def _paper_of(target: Path, tray: Tray) -> Path:
    return target.with_name(target.name + PAPERS[tray])


def _read(paper: Path) -> dict[str, object] | None:
    """Read a paper; `None` if there is none that we wrote."""
    try:
        return _parsed(paper.read_bytes())
    except OSError:
        return None


def _parsed(content: bytes) -> dict[str, object] | None:
    try:
        note = json.loads(content)
    except ValueError:
        return None
    return note if isinstance(note, dict) else None


def _is_still(path: Path, note: Mapping[str, object]) -> bool:
    """Whether a file is what its paper speaks of, as far as that can be told."""
    sha256, size = note.get("sha256"), note.get("size")
    if not isinstance(size, int):
        return True
    try:
        content = read_again(path, size)
    except SourceError:
        return False
    return hashlib.sha256(content).hexdigest() == sha256
