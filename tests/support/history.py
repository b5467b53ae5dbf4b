"""What callers were told of their uploads, and whether server and ledger say the same.

The rule: who was told of a receipt has exactly one file at the server for it; who was told of a failure has none; who
was told that nobody knows has one or none.  Without ``resend`` no content is ever there twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

from aiomar import (
    OmarError,
    OutcomeUnknownError,
    ReceiptMismatchError,
    SubmissionRecord,
    SubmissionState,
    UploadBlockedError,
    UploadReceipt,
    errors,
)
from aiomar.testing import Upload

Told = Literal["ok", "fail", "blocked", "unknown", "foreign"]


@attrs.frozen(kw_only=True)
class Entry:
    """One call of `upload` and its end."""

    sha256: str
    resend: bool
    told: Told
    """``"foreign"``: what came out is nothing that a caller is promised."""
    kind: str
    """``"UploadReceipt"``, or the name of the exception."""
    file_id: str | None = None
    ledger_id: str | None = None


def entry_of(sha256: str, end: UploadReceipt | BaseException, *, resend: bool) -> Entry:
    """Read what a caller was told."""
    told: Told = "foreign"
    file_id: str | None = None
    ledger_id: str | None = getattr(end, "ledger_id", None)
    if isinstance(end, UploadReceipt):
        told, file_id = "ok", end.file_id
    elif isinstance(end, asyncio.CancelledError):
        told = "fail"
        for note in getattr(end, "__notes__", ()):
            words = note.split()
            if "was taken with file id" in note:
                told, file_id = "ok", words[-1]
            elif "may have been taken" in note:
                told, ledger_id = "unknown", words[-1]
    elif isinstance(end, OmarError) and getattr(errors, type(end).__name__, None) is type(end):
        told = "fail"
        if isinstance(end, OutcomeUnknownError | ReceiptMismatchError):
            told = "unknown"
        elif isinstance(end, UploadBlockedError) and end.ledger_id is not None:
            told = "blocked"
    kind = type(end).__name__
    return Entry(sha256=sha256, resend=resend, told=told, kind=kind, file_id=file_id, ledger_id=ledger_id)


@attrs.frozen
class Findings:
    """What is wrong, in words, by rule."""

    wrong_ok: list[str] = attrs.field(factory=list)
    """Told of a receipt that the server does not have."""
    wrong_fail: list[str] = attrs.field(factory=list)
    """At the server, and nobody was told that it may be."""
    doubled: list[str] = attrs.field(factory=list)
    ledger: list[str] = attrs.field(factory=list)
    """Not what the caller was told."""
    foreign: list[str] = attrs.field(factory=list)


def check(
    found: Findings, entries: Iterable[Entry], uploads: Iterable[Upload], records: Iterable[SubmissionRecord]
) -> None:
    """Hold a finished history to what the server has and to what the ledger says."""
    calls: defaultdict[str, list[Entry]] = defaultdict(list)
    stored: defaultdict[str, list[str | None]] = defaultdict(list)
    rows: defaultdict[str, list[SubmissionRecord]] = defaultdict(list)
    for entry in entries:
        calls[entry.sha256].append(entry)
    for upload in uploads:
        if upload.accepted:
            stored[upload.sha256].append(upload.file_id)
    for record in records:
        rows[record.sha256].append(record)
    for sha256 in calls.keys() | stored.keys() | rows.keys():
        _check_server(found, calls[sha256], stored[sha256], sha256)
        _check_ledger(found, calls[sha256], rows[sha256], sha256)


def _check_server(found: Findings, calls: Sequence[Entry], stored: Sequence[str | None], sha256: str) -> None:
    told = Counter(entry.told for entry in calls)
    words = f"{sha256[:8]}: {dict(told)} told by {[entry.kind for entry in calls]}, stored as {stored}"
    found.foreign.extend(f"{entry}" for entry in calls if entry.told == "foreign")
    if any(entry.told == "ok" and entry.file_id not in stored for entry in calls) or len(stored) < told["ok"]:
        found.wrong_ok.append(words)
    if len(stored) > told["ok"] + told["unknown"]:
        found.wrong_fail.append(words)
    if len(stored) > 1 + sum(entry.resend for entry in calls):
        found.doubled.append(words)


def _check_ledger(found: Findings, calls: Sequence[Entry], rows: Sequence[SubmissionRecord], sha256: str) -> None:
    told = Counter(entry.told for entry in calls)
    states = Counter(row.state for row in rows)
    by_id = {row.id: row for row in rows}
    good = (
        states[SubmissionState.ACCEPTED] == told["ok"]
        and states[SubmissionState.UNKNOWN] == told["unknown"]
        and states[SubmissionState.SENDING] == 0
        and len(rows) <= len(calls) - told["blocked"]
        # Blocked is only what somebody has been told of, or is in doubt about.
        and (told["ok"] + told["unknown"] > 0 or not told["blocked"])
    )
    wanted = {"ok": SubmissionState.ACCEPTED, "unknown": SubmissionState.UNKNOWN}
    for entry in calls:
        if entry.told in wanted and entry.ledger_id is not None:
            row = by_id.get(entry.ledger_id)
            good = good and row is not None and row.state is wanted[entry.told]
            good = good and (entry.told != "ok" or (row is not None and row.file_id == entry.file_id))
    if not good:
        found.ledger.append(
            f"{sha256[:8]}: {[entry.kind for entry in calls]} told, but {[row.state.value for row in rows]}"
        )
