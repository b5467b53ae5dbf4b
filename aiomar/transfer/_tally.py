"""What a range has come to, for the event that ends it."""

from __future__ import annotations

import time
from pathlib import Path

import attrs

from aiomar.errors import OmarError
from aiomar.transfer._events import RangeFinished, RangeStopped
from aiomar.transfer._results import FailedDownload, SavedFile


@attrs.define
class Tally:
    """Counts the outcomes of a range, from its beginning.

    Args:
        into: its directory.
    """

    into: Path
    _files: int = attrs.field(default=0, init=False)
    _failures: int = attrs.field(default=0, init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _reused: int = attrs.field(default=0, init=False)
    _started: float = attrs.field(factory=time.monotonic, init=False)

    def add(self, outcome: SavedFile | FailedDownload) -> None:
        """Count one more."""
        if isinstance(outcome, FailedDownload):
            self._failures += 1
            return
        self._files += 1
        if outcome.reused:
            self._reused += 1
        else:
            self._bytes += outcome.size

    def finished(self) -> RangeFinished:
        """Give the event of an end that was reached."""
        return RangeFinished(self._files, self._failures, self._bytes, self._elapsed(), self._reused, into=self.into)

    def stopped(self, error: BaseException) -> RangeStopped:
        """Give the event of one that was not."""
        ours = error if isinstance(error, OmarError) else None
        return RangeStopped(
            self._files, self._failures, self._bytes, self._elapsed(), self._reused, into=self.into, error=ours
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self._started
