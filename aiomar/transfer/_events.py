"""What a client tells its observer: frozen events, one class each; those of submissions stand beside.

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
from aiomar.protocol import FileFormat, Selection, TimeType
from aiomar.transfer._results import SavedFile
from aiomar.transfer._submission_events import (
    ConfirmationPending,
    OutboxPassedOver,
    OutboxRefused,
    OutboxSent,
    OutboxWaiting,
    SubmissionNotRecorded,
    UploadFailed,
    UploadFinished,
    UploadRetrying,
    UploadStarted,
    UploadStopped,
)

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
class LoginFailed:
    """No session could be opened, and it is not tried again by itself."""

    environment: str
    error: OmarError
    elapsed: float
    """Seconds that it took, repeats included."""


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
    """A range of downloads is over: every file is there or was given up."""

    files: int
    """Reused ones among them."""
    failures: int
    bytes: int
    """Of the files that were fetched."""
    elapsed: float
    reused: int = 0
    into: Path = attrs.field(kw_only=True)
    """As in its `RangeStarted`; a directory has one range at a time."""


@attrs.frozen
class RangeStopped:
    """A range of downloads ended before its time: cancelled, left by its caller, or broken off by an error."""

    files: int
    """Those that its caller had got, reused ones among them."""
    failures: int
    bytes: int
    elapsed: float
    reused: int
    into: Path
    error: OmarError | None
    """What broke it off; `None` for a cancellation, a loop that was left, or an error that is not aiomar's."""


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
    file_format: FileFormat
    time_type: TimeType


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
    file_format: FileFormat
    time_type: TimeType


@attrs.frozen
class DownloadStopped:
    """A download ended without a result, by a cancellation; its final path is what it was before, or is complete."""

    selection: Selection
    start: dt.date
    end: dt.date
    path: Path
    attempts: int
    """Begun ones."""
    file_format: FileFormat
    time_type: TimeType


Event = (
    LoggedIn
    | LoginRetrying
    | LoginFailed
    | CertificateExpiring
    | SessionEnded
    | RangeStarted
    | RangeFinished
    | RangeStopped
    | LimitChanged
    | DownloadsPaused
    | DownloadReused
    | DownloadStarted
    | DownloadProgress
    | DownloadRetrying
    | DownloadFinished
    | DownloadFailed
    | DownloadStopped
    | UploadStarted
    | UploadRetrying
    | UploadFinished
    | UploadFailed
    | UploadStopped
    | SubmissionNotRecorded
    | ConfirmationPending
    | OutboxSent
    | OutboxRefused
    | OutboxPassedOver
    | OutboxWaiting
)
"""Everything that an observer may be called with."""

Observer = Callable[[Event], object]
"""Any callable that takes one event.

It runs in the event loop and must not block; what it returns is ignored, and what it raises is logged and never breaks
a transfer.
"""
