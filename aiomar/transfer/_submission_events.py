"""The events of what is submitted: uploads, what is told of them afterwards, and outboxes; see `Event`."""

from __future__ import annotations

from pathlib import Path

import attrs

from aiomar.errors import OmarError
from aiomar.protocol import UploadReceipt


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
class UploadStopped:
    """An upload was cancelled before anybody knew what the server says of it."""

    source: Path
    in_doubt: bool
    """Whether the server may have taken it; otherwise it has not."""
    ledger_id: str | None
    """`None` if the ledger has no word of it."""


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


@attrs.frozen
class OutboxSent:
    """A file of an outbox was taken and moved to ``sent/``, its receipt beside it."""

    source: Path
    target: Path | None
    """Where it is now; `None` if somebody removed it, or put another one in its place, which is a new file."""
    receipt: UploadReceipt
    """Without `file_id` and `saved_name` if a person said that it was taken, and not with which id."""


@attrs.frozen
class OutboxRefused:
    """A file of an outbox breaks a rule, was refused, or was taken before; it moved to ``refused/``."""

    source: Path
    target: Path
    error: OmarError


@attrs.frozen
class OutboxPassedOver:
    """A file of an outbox cannot be read; it stays there and is tried again later, without another event."""

    source: Path
    error: OmarError


@attrs.frozen
class OutboxWaiting:
    """An outbox sends nothing for the time being: told once, until something has been sent again."""

    directory: Path
    error: OmarError
    """Why; an `OutcomeUnknownError` names in `ledger_id` what has to be confirmed or resolved."""
    wait: float
    """Seconds until it tries, or looks, for the next time."""
