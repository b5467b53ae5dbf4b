"""Where the files of an outbox go: ``sent/`` or ``refused/``, each with its paper beside it.

The paper comes first, whole and synced; then the file is renamed, which happens or does not.  A process that is killed
in between leaves a paper without its file, and the next one writes it again.  What was renamed is read once more: the
name may have got another content since the old one was sent, and that goes back to the outbox as the new file it is.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping
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
_PART = "paper.part"
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

    def has(self, name: str, ledger_id: str) -> bool:
        """Whether the file of a submission came to ``sent/``, and is there.  Blocks."""
        for target in self._targets("sent", name, ledger_id):
            there, paper = os.path.lexists(target), _read(_paper_of(target, "sent"))
            if paper is not None and paper.get("ledger_id") == ledger_id:
                return there
            if not there and paper is None:
                break
        return False

    def put(self, source: Path, tray: Tray, paper: Mapping[str, object], *, tag: str) -> Path | None:
        """Move a file into a tray, its paper beside it.  Blocks.

        Args:
            source: the file, in the outbox.
            tray: which.
            paper: what to write down; with ``sha256`` and ``size``, the file must be that.
            tag: goes into the name where the file's own is taken.

        Returns:
            Where it is; `None` if it is gone, or is another one now, which stays in the outbox.

        Raises:
            DestinationError: the tray cannot be written to.
            DiskError: the operating system refuses.
        """
        target, note = self._free(source.name, tray, tag, paper)
        self._write(note, paper)
        with failing(target):
            try:
                self.files.replace(source, target)
            except FileNotFoundError:
                if tray == "refused":  # a receipt stays: it tells of what was taken
                    self.files.unlink(note)
                return None
            still = _is_still(target, paper)
            if not still:
                self._give_back(target, source, tag)
                self.files.unlink(note)
            sync_directory(target.parent, self.files)
            sync_directory(self.directory, self.files)
        return target if still else None

    def _targets(self, tray: Tray, name: str, tag: str) -> Iterator[Path]:
        """Give the paths that a file may have in a tray, the best first."""
        return _names(self.directory / tray, name, tag)

    def _free(self, name: str, tray: Tray, tag: str, paper: Mapping[str, object]) -> tuple[Path, Path]:
        """Find names that nothing has; a paper of the same submission was left by a killed process."""
        for target in self._targets(tray, name, tag):
            note = _paper_of(target, tray)
            found = _read(note)
            ours = not os.path.lexists(note) or (found is not None and found.get("ledger_id") == paper.get("ledger_id"))
            if ours and not os.path.lexists(target):
                return target, note
        raise AssertionError("the names have no end")

    def _write(self, note: Path, paper: Mapping[str, object]) -> None:
        """Write a paper whole, under a name of its own first."""
        part = self.directory / FOLDER / _PART
        with failing(note):
            note.parent.mkdir(mode=0o700, exist_ok=True)  # somebody may have put the whole tray into an archive
            part.unlink(missing_ok=True)
            fd = self.files.open(part, _NEW, 0o600)
            try:
                rest = memoryview(json.dumps(paper, indent=2).encode("ascii") + b"\n")
                while rest:
                    rest = rest[self.files.write(fd, rest) :]
                self.files.fsync(fd)
            finally:
                self.files.close(fd)
            self.files.replace(part, note)

    def _give_back(self, target: Path, source: Path, tag: str) -> None:
        """Return to the outbox what came there under the name of a file that was taken."""
        back = next(path for path in _names(self.directory, source.name, tag) if not os.path.lexists(path))
        self.files.replace(target, back)


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


def _read(note: Path) -> dict[str, object] | None:
    """Read a paper; `None` if there is none that we wrote."""
    try:
        paper = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return None
    return paper if isinstance(paper, dict) else None


def _is_still(path: Path, paper: Mapping[str, object]) -> bool:
    """Whether a file is what its paper speaks of, as far as that can be told."""
    sha256, size = paper.get("sha256"), paper.get("size")
    if not isinstance(size, int):
        return True
    try:
        content = read_again(path, size)
    except SourceError:
        return False
    return hashlib.sha256(content).hexdigest() == sha256
