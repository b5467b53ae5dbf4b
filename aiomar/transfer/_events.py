"""What a client tells its observer: frozen events, one class each.

An observer is the only listener there is; progress bars, logs and metrics are observers, and nothing in the client
knows any of them.  Times are seconds on a clock that never steps back; sizes are bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import attrs

from aiomar.errors import OmarError
from aiomar.protocol import FileFormat, Selection, TimeType, UploadReceipt
from aiomar.transfer._results import SavedFile

LimitReason = Literal["busy", "timeout", "latency", "room"]
"""Why a limit changed: refusals of a busy server, silence, answers that come later and later, or none of them."""


@attrs.frozen
class LoggedIn:
    """A session was opened (SUB 3.1.1.2)."""

    environment: str
    elapsed: float
    """Seconds that the login took."""
    renewed: bool
    """Whether it replaces a session that had ended."""


@attrs.frozen
class LoginRetrying:
    """A login failed and will be tried again."""

    error: OmarError
    attempt: int
    wait: float
    """Seconds until the next attempt."""


@attrs.frozen
class CertificateExpiring:
    """The client certificate has 30 days or fewer left (SUB/DL 1.2.3): told at a login, at most once a day."""

    subject: str
    not_after: dt.datetime
    """The last moment at which it is valid (aware, UTC)."""
    days_left: int
    """Whole days."""


@attrs.frozen
class SessionEnded:
    """The server answered with its login page, or pointed to it: the session is over."""

    environment: str


@attrs.frozen
class RangeStarted:
    """A range of downloads begins; how many there will be is not known, as selections are consumed lazily."""

    start: dt.date
    end: dt.date
    file_format: FileFormat
    time_type: TimeType
    into: Path


@attrs.frozen
class RangeFinished:
    """A range of downloads is over."""

    files: int
    """Reused ones among them."""
    failures: int
    bytes: int
    """Of the files that were fetched."""
    elapsed: float
    reused: int = 0


@attrs.frozen
class LimitChanged:
    """The number of downloads that may be under way at once was adapted to what the server bears."""

    limit: int
    most: int
    """What the configuration allows."""
    reason: LimitReason


@attrs.frozen
class DownloadsPaused:
    """The server asked to be left alone for a while (``Retry-After``); no download begins before that."""

    wait: float
    """Seconds."""


@attrs.frozen
class DownloadReused:
    """A file is there already and stands; it is not fetched again."""

    file: SavedFile


@attrs.frozen
class DownloadStarted:
    """A download begins."""

    selection: Selection
    start: dt.date
    end: dt.date
    path: Path


@attrs.frozen
class DownloadProgress:
    """More bytes of a download came."""

    path: Path
    received: int
    """Bytes so far in this attempt."""
    expected: int | None
    """Bytes announced by the server; `None` when it announced none."""


@attrs.frozen
class DownloadRetrying:
    """A download failed and will be tried again."""

    selection: Selection
    start: dt.date
    end: dt.date
    error: OmarError
    attempt: int
    """The attempt that failed, from 1."""
    wait: float
    """Seconds until the next attempt."""


@attrs.frozen
class DownloadFinished:
    """A file is complete and under its final name."""

    file: SavedFile
    elapsed: float
    attempts: int


@attrs.frozen
class DownloadFailed:
    """A download was given up; its final path is what it was before."""

    selection: Selection
    start: dt.date
    end: dt.date
    path: Path
    error: OmarError
    attempts: int


@attrs.frozen
class UploadStarted:
    """A file is about to be sent (SUB 3.2)."""

    source: Path
    name: str
    size: int


@attrs.frozen
class UploadRetrying:
    """No connection could be made for a file, so not a byte of it has left; it is tried again."""

    source: Path
    error: OmarError
    attempt: int
    """The attempt that failed, from 1."""
    wait: float
    """Seconds until the next attempt."""


@attrs.frozen
class UploadFinished:
    """The server took a file."""

    receipt: UploadReceipt
    elapsed: float


@attrs.frozen
class UploadFailed:
    """A file was not accepted, or what became of it is not known (`OutcomeUnknownError`)."""

    source: Path
    error: OmarError


@attrs.frozen
class SubmissionNotRecorded:
    """What became of a file could not be written into the ledger, which goes on to hold it as unknown."""

    ledger_id: str
    state: str
    """What should have been written: ``"accepted"``, ``"rejected"``, ``"unknown"`` or ``"not_sent"``."""
    error: OmarError


@attrs.frozen
class ConfirmationPending:
    """What was submitted does not show yet in what can be downloaded (SUB/DL 3.4); it is looked for again."""

    ledger_id: str | None
    found: int
    """Intervals or rows of the submission that show."""
    expected: int
    """All of them."""
    wait: float
    """Seconds until the next look."""
    error: OmarError | None
    """Why this look saw nothing; `None` if it did."""


Event = (
    LoggedIn
    | LoginRetrying
    | CertificateExpiring
    | SessionEnded
    | RangeStarted
    | RangeFinished
    | LimitChanged
    | DownloadsPaused
    | DownloadReused
    | DownloadStarted
    | DownloadProgress
    | DownloadRetrying
    | DownloadFinished
    | DownloadFailed
    | UploadStarted
    | UploadRetrying
    | UploadFinished
    | UploadFailed
    | SubmissionNotRecorded
    | ConfirmationPending
)
"""Everything that an observer may be called with."""

Observer = Callable[[Event], object]
"""Any callable that takes one event.

It runs in the event loop and must not block; what it returns is ignored, and what it raises is logged and never breaks
a transfer.
"""
