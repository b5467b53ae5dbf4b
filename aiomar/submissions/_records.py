"""What the ledger tells of submissions: values, and the rule how one state may follow another."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import attrs

from aiomar.protocol import UploadReceipt

By = Literal["aiomar", "confirm", "resolve"]
"""Who wrote a change: the upload itself, a look at the server's data, or a person."""


class SubmissionState(enum.Enum):
    """What is known of a submission."""

    SENDING = "sending"
    """The intent is written; bytes may be on their way."""
    ACCEPTED = "accepted"
    """The server took it (SUB 3.3.1), which is not to say that its values are loaded (SUB 3.4)."""
    REJECTED = "rejected"
    """The server did not take it (SUB 3.3.2)."""
    UNKNOWN = "unknown"
    """It may or may not have been taken."""
    NOT_SENT = "not_sent"
    """No byte of it left this machine."""


@attrs.frozen(kw_only=True)
class SubmissionRecord:
    """One submission, as the ledger has it."""

    id: str
    """Begins with the time of the intent, so that ids sort by time."""
    state: SubmissionState
    source: Path
    """The file, absolute."""
    name: str
    """The name that was sent."""
    size: int
    """Bytes."""
    sha256: str
    """Of the bytes that were sent, in hexadecimal."""
    environment: str
    """Name of the environment."""
    upload_origin: str
    """``https://host[:port]``."""
    subject: str
    """Of the client certificate."""
    fingerprint: str
    """SHA-256 of the client certificate, in hexadecimal."""
    submitted_at: dt.datetime
    """Aware, UTC: when the intent was written, before the first byte left."""
    ended_at: dt.datetime | None
    """Aware, UTC: when the state became what it is; `None` while it is being sent."""
    file_id: str | None
    """From the receipt, or from the person who resolved it."""
    saved_name: str | None
    """The name under which the server keeps the file.  Data, never a path."""
    reason: str | None
    """Why it was rejected, is unknown, or was not sent."""
    phase: str | None
    """Of an unknown one: how far the exchange had come (``"request"``, ``"response"`` or ``"page"``)."""
    facts: Mapping[str, object]
    """What else is known, by name: the status, what could be read of the answer, where its page is kept."""
    content_kept: bool
    """Whether the ledger still has the bytes."""

    def receipt(self) -> UploadReceipt:
        """Give the receipt of what was accepted; what a person resolved may have no file id, which is ``""`` then."""
        return UploadReceipt(
            file_id=self.file_id or "",
            source_name=self.name,
            saved_name=self.saved_name or "",
            size=self.size,
            sha256=self.sha256,
            submitted_at=self.submitted_at,
            ledger_id=self.id,
        )


@attrs.frozen(kw_only=True)
class SubmissionChange:
    """One line of a submission's journal, to which lines are only ever added."""

    at: dt.datetime
    """Aware, UTC."""
    state: SubmissionState
    """What it became, or stayed."""
    by: str
    """``"aiomar"``, ``"confirm"`` or ``"resolve"``."""
    note: str | None
    """Why, in words."""


@attrs.frozen
class Ending:
    """What became of a submission, or what was found out about it later.

    Args:
        state: in a word.
        file_id: of the receipt; the one that is recorded stays if none is given.
        saved_name: of the receipt; likewise.
        reason: why it was rejected, is unknown or was not sent.
        phase: of an unknown one: how far the exchange had come.
        facts: added to those that are recorded.
        by: who says so.
        note: for the journal; the reason, if none is given.
    """

    state: SubmissionState
    file_id: str | None = attrs.field(default=None, kw_only=True)
    saved_name: str | None = attrs.field(default=None, kw_only=True)
    reason: str | None = attrs.field(default=None, kw_only=True)
    phase: str | None = attrs.field(default=None, kw_only=True)
    facts: Mapping[str, object] = attrs.field(default=MappingProxyType({}), kw_only=True)
    by: By = attrs.field(default="aiomar", kw_only=True)
    note: str | None = attrs.field(default=None, kw_only=True)


@attrs.frozen(kw_only=True)
class Sender:
    """Who submits, and where to."""

    environment: str
    upload_origin: str
    subject: str
    fingerprint: str


@attrs.frozen(kw_only=True)
class Pruned:
    """What a pruning let go of."""

    submissions: int
    """Whose content is gone; their records stay."""
    bytes: int
    """That the contents took in the ledger, compressed."""


_ENDS = frozenset(SubmissionState) - {SubmissionState.SENDING}
_LOOKED_UP = frozenset({SubmissionState.ACCEPTED, SubmissionState.REJECTED})
_AFTER: Mapping[tuple[SubmissionState, bool], frozenset[SubmissionState]] = {
    (SubmissionState.SENDING, False): _ENDS,
    (SubmissionState.UNKNOWN, True): _LOOKED_UP,
    # The data of an accepted file were found: a line in the journal, and nothing else.
    (SubmissionState.ACCEPTED, True): frozenset({SubmissionState.ACCEPTED}),
}


def may_become(old: SubmissionState, new: SubmissionState, by: By) -> bool:
    """Whether one state may follow another: an end is an end, and what is unknown somebody has to look up."""
    if old is SubmissionState.ACCEPTED and by == "resolve":
        return False
    return new in _AFTER.get((old, by != "aiomar"), frozenset())
