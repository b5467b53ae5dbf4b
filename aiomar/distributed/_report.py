"""What became of a range over a cluster: numbers, and the first failures; never a list as long as the range."""

from __future__ import annotations

import attrs

from aiomar.errors import PartialDownloadError
from aiomar.transfer import FailedDownload, SavedFile

MOST_FAILURES = 1_000
"""Failures that a report holds; every one is noted in the catalogue of its directory."""


@attrs.frozen(kw_only=True)
class DistributedReport:
    """What became of a range over a cluster, or what has until now.

    The files themselves are told by the catalogues of the directories, see `shard_directories`.
    """

    files: int
    """How many files are there now, reused ones among them."""
    reused: int
    """How many of them were already there and were not fetched again."""
    bytes: int
    """Bytes of the files that were fetched."""
    failed: int
    """How many downloads failed."""
    failures: tuple[FailedDownload, ...] = attrs.field(repr=lambda failures: f"<{len(failures)}>")
    """The first thousand of them."""
    elapsed: float
    """Seconds."""

    def raise_for_failures(self) -> None:
        """Do nothing if every file is there.

        Raises:
            PartialDownloadError: if one or more failed; it carries this report.
        """
        if not self.failed:
            return
        first = self.failures[0]
        raise PartialDownloadError(
            f"{self.failed} of {self.failed + self.files} downloads failed, the first ({first.selection.kind} "
            f"{first.selection.id!a:.80}, {first.start} to {first.end}) because: {first.error}; see .report.failures "
            "for the rest, then run the range again",
            report=self,  # type: ignore[arg-type] # a report of the same purpose; the error never looks into it
        ) from first.error


@attrs.define(kw_only=True)
class Tally:
    """A report in the making."""

    files: int = 0
    reused: int = 0
    bytes: int = 0
    failed: int = 0
    failures: list[FailedDownload] = attrs.field(factory=list)

    def note(self, outcome: SavedFile | FailedDownload) -> None:
        """Count one download."""
        if isinstance(outcome, FailedDownload):
            self.failed += 1
            self._keep([outcome])
            return
        self.files += 1
        self.reused += outcome.reused
        self.bytes += 0 if outcome.reused else outcome.size

    def add(self, other: Tally) -> None:
        """Count what another one has counted."""
        self.files += other.files
        self.reused += other.reused
        self.bytes += other.bytes
        self.failed += other.failed
        self._keep(other.failures)

    def report(self, elapsed: float) -> DistributedReport:
        """Give what has been counted."""
        return DistributedReport(
            files=self.files,
            reused=self.reused,
            bytes=self.bytes,
            failed=self.failed,
            failures=tuple(self.failures),
            elapsed=elapsed,
        )

    def _keep(self, failures: list[FailedDownload]) -> None:
        self.failures += failures[: MOST_FAILURES - len(self.failures)]
