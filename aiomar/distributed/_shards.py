"""What a worker is given at a time: selections, by the directory that each belongs to."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

import attrs

from aiomar.protocol import Selection
from aiomar.transfer import shard_name

Bundle: TypeAlias = Mapping[str, tuple[Selection, ...]]
"""What a worker is given: selections by the name of their directory."""

_FILES_TOGETHER = 2_000
"""Files of a bundle at most: minutes of work, beside which the login and a repeat after a crash are little."""


@attrs.define
class Backlog:
    """The selections that wait, by directory; a directory that is under way is given to nobody else.

    Args:
        files_each: how many files a selection has.
    """

    files_each: int
    _waiting: dict[str, deque[Selection]] = attrs.field(factory=dict, init=False)
    _busy: set[str] = attrs.field(factory=set, init=False)

    @property
    def count(self) -> int:
        """How many selections wait."""
        return sum(map(len, self._waiting.values()))

    def add(self, selections: Iterable[Selection]) -> None:
        """Let selections wait."""
        for selection in selections:
            self._waiting.setdefault(shard_name(selection), deque()).append(selection)

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
