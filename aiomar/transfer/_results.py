"""What downloads and uploads end in: values for callers, without behaviour beyond `raise_for_failures`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from aiomar.errors import (
    OmarError,
    OutcomeUnknownError,
    PartialDownloadError,
    PartialUploadError,
    ReceiptMismatchError,
)
from aiomar.protocol import FileFormat, Selection, TimeType, UploadReceipt

Completeness = Literal["length", "chunked", "content", "unverified"]
"""What proves that a body is whole: its announced length, its chunks, its content, or nothing."""
InDoubt: TypeAlias = OutcomeUnknownError | ReceiptMismatchError
"""How an upload ends whose file may have been taken: somebody has to find out before it, or another one, is sent."""


def _count(values: Sequence[object]) -> str:
    return f"<{len(values)}>"


@attrs.frozen
class SavedFile:
    """One data file on disk, complete (DL 3.3)."""

    path: Path
    size: int
    """Bytes."""
    sha256: str
    """Of the file's bytes, in hexadecimal."""
    selection: Selection
    start: dt.date
    end: dt.date
    file_format: FileFormat
    time_type: TimeType
    fetched_at: dt.datetime
    """Aware, UTC: when the last byte had come."""
    completeness: Completeness
    reused: bool = False
    """Whether it was already there and was not fetched again."""


@attrs.frozen
class FailedDownload:
    """One download that did not succeed; its final path is what it was before."""

    selection: Selection
    start: dt.date
    end: dt.date
    file_format: FileFormat
    time_type: TimeType
    error: OmarError
    attempts: int
    """How often it was tried; 0 when it failed before anything was sent."""


@attrs.frozen
class DownloadJob:
    """One file of a plan."""

    selection: Selection
    start: dt.date
    end: dt.date
    path: Path
    reused: bool = False
    """Whether it is already there and need not be fetched."""


@attrs.frozen
class RangePlan:
    """What a range would do; nothing was sent and nothing was written."""

    jobs: Sequence[DownloadJob]

    @property
    def requests(self) -> int:
        """How many downloads would be sent."""
        return len(self.jobs) - self.reused

    @property
    def reused(self) -> int:
        """How many files are already there."""
        return sum(job.reused for job in self.jobs)


def _count_reused(report: RangeReport) -> int:
    return sum(file.reused for file in report.files)


def _sum_fetched(report: RangeReport) -> int:
    return sum(file.size for file in report.files if not file.reused)


@attrs.frozen
class RangeReport:
    """What became of a range."""

    # Their text may be as long as the range, and asyncio prints results in unexpected places.
    files: Sequence[SavedFile] = attrs.field(repr=_count)
    """What is there now; of very many files, a sequence over the catalogue, in which every look reads from disk."""
    failures: Sequence[FailedDownload] = attrs.field(repr=_count)
    elapsed: float
    """Seconds."""
    reused: int = attrs.field(default=attrs.Factory(_count_reused, takes_self=True), kw_only=True)
    """How many files were already there and were not fetched again."""
    bytes: int = attrs.field(default=attrs.Factory(_sum_fetched, takes_self=True), kw_only=True)
    """Bytes of the files that were fetched."""

    def raise_for_failures(self) -> None:
        """Do nothing if every file is there.

        Raises:
            PartialDownloadError: if one or more failed; it carries this report.
        """
        if self.failures:
            first = self.failures[0]
            raise PartialDownloadError(
                f"{len(self.failures)} of {len(self.failures) + len(self.files)} downloads failed, the first "
                f"({first.selection.kind} {first.selection.id!a:.80}, {first.start} to {first.end}) because: "
                f"{first.error}; see .report.failures for the rest",
                report=self,
            ) from first.error


@attrs.frozen
class FailedUpload:
    """One file that was not accepted, or whose outcome is not known (`OutcomeUnknownError`)."""

    source: Path
    error: OmarError


@attrs.frozen
class UploadReport:
    """What became of several files."""

    receipts: Sequence[UploadReceipt]
    failures: Sequence[FailedUpload]
    not_sent: Sequence[Path]
    """Files that were held back: another one broke a rule before sending, or an unknown outcome stopped the rest."""

    def raise_for_failures(self) -> None:
        """Do nothing if every file was accepted.

        Raises:
            PartialUploadError: if one or more were not; it carries this report.
        """
        if not self.failures and not self.not_sent:
            return
        unknown = sum(isinstance(failure.error, InDoubt) for failure in self.failures)
        first = self.failures[0].error if self.failures else None
        raise PartialUploadError(
            f"{len(self.receipts)} files were accepted, {len(self.failures) - unknown} failed, {unknown} ended unknown "
            f"and {len(self.not_sent)} were not sent" + (f"; the first failure: {first}" if first else ""),
            report=self,
        ) from first
