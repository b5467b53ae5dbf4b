"""Which directory a selection belongs to, and what a worker is given at a time.

A process has a destination to itself, so a destination for many processes is many: 256 directories, and a selection's
own is told by its hash.  The rule knows nothing of workers, so a range that is run again finds its files whatever has
become of the cluster.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import attrs

from aiomar._types import PathLike
from aiomar.errors import DestinationError
from aiomar.protocol import Selection

Bundle: TypeAlias = Mapping[str, tuple[Selection, ...]]
"""What a worker is given: selections by the name of their directory."""

_NAME = re.compile(r"[0-9a-f]{2}")
_FILES_TOGETHER = 2_000
"""Files of a bundle at most: minutes of work, beside which the login and a repeat after a crash are little."""


def shard_name(selection: Selection) -> str:
    """Give the name of the directory that a selection belongs to."""
    return hashlib.sha256(f"{selection.kind}:{selection.id}".encode()).hexdigest()[:2]


def shard_directory(into: PathLike, selection: Selection) -> Path:
    """Give the directory below `into` that has the files of a selection.

    Args:
        into: as for `download_range`.
        selection: a meter or a group.
    """
    return Path(os.fspath(into)) / shard_name(selection)


def shard_directories(into: PathLike) -> list[Path]:
    """Give the directories below `into` that have files, sorted; each is a destination with a catalogue of its own.

    Args:
        into: as for `download_range`.

    Raises:
        DestinationError: there is no such directory, or it cannot be read.
    """
    place = Path(os.fspath(into))
    try:
        return sorted(entry for entry in place.iterdir() if _NAME.fullmatch(entry.name) and entry.is_dir())
    except OSError as error:
        raise DestinationError(f"{place} cannot be looked into ({error.strerror}): name a destination") from error


@attrs.define
class Backlog:
    """The selections that wait, by directory; a directory that is under way is given to nobody else.

    Args:
        files_each: how many files a selection has.
    """

    files_each: int
    count: int = attrs.field(default=0, init=False)
    """How many selections wait."""
    _waiting: dict[str, deque[Selection]] = attrs.field(factory=dict, init=False)
    _busy: set[str] = attrs.field(factory=set, init=False)

    def add(self, selections: Iterable[Selection]) -> None:
        """Let selections wait."""
        for selection in selections:
            self._waiting.setdefault(shard_name(selection), deque()).append(selection)
            self.count += 1

    def take(self, parts: int) -> Bundle | None:
        """Give the next bundle, of the fullest directories; `None` while all that waits is under way elsewhere.

        Args:
            parts: into how many bundles at least the rest is to be divided, so that the last ones end together.
        """
        size = max(1, min(_FILES_TOGETHER // self.files_each, math.ceil(self.count / parts)))
        free = sorted((name for name in self._waiting if name not in self._busy), key=self._fullness)
        bundle: dict[str, tuple[Selection, ...]] = {}
        for name in reversed(free):
            waiting = self._waiting[name]
            bundle[name] = tuple(waiting.popleft() for _ in range(min(size, len(waiting))))
            if not waiting:
                del self._waiting[name]
            size -= len(bundle[name])
            if not size:
                break
        self._busy |= bundle.keys()
        self.count -= sum(map(len, bundle.values()))
        return bundle or None

    def end(self, bundle: Bundle, left: Collection[str] = ()) -> None:
        """Let the directories of a bundle go.

        Args:
            bundle: as it was given.
            left: the directories that could not be begun; their selections wait again.
        """
        self._busy -= bundle.keys()
        for name in left:
            self.add(bundle[name])

    def _fullness(self, name: str) -> int:
        return len(self._waiting[name])
