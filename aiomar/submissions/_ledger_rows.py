"""The tables of a ledger, and the way from values to rows and back.

Words are plain and times are UTC text, for whoever opens a ledger with the `sqlite3` shell.  What must never change is
held by triggers, so that no code can forget to hold it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiomar._database import Schema
from aiomar.submissions._judge import Submission
from aiomar.submissions._records import Ending, Sender, SubmissionChange, SubmissionRecord, SubmissionState

Row = tuple[Any, ...]
_LONGEST_TEXT = 1000
_INTENT = "id, source, name, size, sha256, environment, upload_origin, subject, fingerprint, submitted_at"
_OUTCOME = "state, ended_at, file_id, saved_name, reason, phase, facts"
SCHEMA = Schema(
    application=0x4F4D414C,  # "OMAL"
    version=1,
    columns={
        "submissions": f"number, {_INTENT}, {_OUTCOME}",
        "contents": "number, deflated",
        "changes": "number, at, state, by, note",
    },
    statements=(
        """
CREATE TABLE submissions ( -- one row per intent; what follows submitted_at is what became of it
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL UNIQUE,
    state         TEXT NOT NULL CHECK (state IN ('sending', 'accepted', 'rejected', 'unknown', 'not_sent')),
    source        ANY NOT NULL,  -- path; bytes if it is not text
    name          TEXT NOT NULL, -- as sent
    size          INTEGER NOT NULL, -- bytes
    sha256        TEXT NOT NULL,
    environment   TEXT NOT NULL,
    upload_origin TEXT NOT NULL, -- https://host[:port]
    subject       TEXT NOT NULL, -- of the client certificate
    fingerprint   TEXT NOT NULL,
    submitted_at  TEXT NOT NULL, -- UTC
    ended_at      TEXT,          -- UTC
    file_id       TEXT,
    saved_name    TEXT,
    reason        TEXT,
    phase         TEXT,
    facts         TEXT NOT NULL  -- JSON
)""",
        "CREATE INDEX submissions_by_content ON submissions (sha256)",
        "CREATE INDEX submissions_by_state ON submissions (state)",
        "CREATE INDEX submissions_by_file_id ON submissions (file_id)",
        """
CREATE TABLE contents ( -- what was sent, as long as it is kept
    number   INTEGER PRIMARY KEY REFERENCES submissions,
    deflated BLOB NOT NULL -- zlib
)""",
        """
CREATE TABLE changes ( -- every state that a submission ever had; only ever added to
    number INTEGER NOT NULL REFERENCES submissions,
    at     TEXT NOT NULL, -- UTC
    state  TEXT NOT NULL,
    by     TEXT NOT NULL, -- aiomar, confirm or resolve
    note   TEXT
)""",
        "CREATE INDEX changes_by_number ON changes (number)",
        """
CREATE TRIGGER change_stays BEFORE UPDATE ON changes BEGIN
    SELECT raise(ABORT, 'the journal of a submission is only ever added to');
END""",
        """
CREATE TRIGGER change_remains BEFORE DELETE ON changes BEGIN
    SELECT raise(ABORT, 'the journal of a submission is only ever added to');
END""",
        f"""
CREATE TRIGGER intent_stays BEFORE UPDATE OF number, {_INTENT} ON submissions BEGIN
    SELECT raise(ABORT, 'what was submitted never changes');
END""",
        """
CREATE TRIGGER intent_remains BEFORE DELETE ON submissions BEGIN
    SELECT raise(ABORT, 'what was submitted never changes');
END""",
    ),
)

SELECT = f"SELECT number, {_INTENT}, {_OUTCOME}, number IN (SELECT number FROM contents) FROM submissions "  # noqa: S608 # our own words
"""Begins every statement whose rows `record_from` understands."""

INTEND = f"INSERT INTO submissions ({_INTENT}, state, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'sending', '{{}}')"  # noqa: S608 # our own words
KEEP = "INSERT INTO contents VALUES (?, ?)"
CHANGE = "INSERT INTO changes SELECT number, ?, ?, ?, ? FROM submissions WHERE id = ?"
END = (
    "UPDATE submissions SET state = ?, ended_at = ?, file_id = coalesce(?, file_id), "
    "saved_name = coalesce(?, saved_name), reason = ?, phase = ?, facts = ? WHERE id = ?"
)

ENDED_BEFORE = "state IN ('accepted', 'rejected', 'not_sent') AND ended_at < ?"
_PRUNABLE = f"FROM contents WHERE number IN (SELECT number FROM submissions WHERE {ENDED_BEFORE})"  # noqa: S608 # our own words
WEIGH = f"SELECT count(*), coalesce(sum(length(deflated)), 0) {_PRUNABLE}"
LET_GO = f"DELETE {_PRUNABLE}"


def intent_values(ledger_id: str, submission: Submission, source: Path, sender: Sender, now: dt.datetime) -> Row:
    """Give the values of `INTEND`."""
    return (
        ledger_id,
        _path_value(source),
        submission.name,
        len(submission.content),
        submission.sha256,
        shown(sender.environment),
        sender.upload_origin,
        shown(sender.subject),
        sender.fingerprint,
        time_text(now),
    )


def end_values(old: SubmissionRecord, end: Ending, now: dt.datetime) -> Row:
    """Give the values of `END`."""
    facts = json.dumps({**old.facts, **end.facts}, default=str)
    texts = [text if text is None else shown(text) for text in (end.file_id, end.saved_name, end.reason, end.phase)]
    return (end.state.value, time_text(now), *texts, facts, old.id)


def change_values(ledger_id: str, end: Ending, now: dt.datetime) -> Row:
    """Give the values of `CHANGE`."""
    note = end.note or end.reason
    return time_text(now), end.state.value, end.by, note and shown(note), ledger_id


def record_from(row: Row) -> SubmissionRecord:
    """Make a record from a row of `SELECT`.

    Raises:
        ValueError, TypeError: it holds what no version of aiomar wrote.
    """
    intent, outcome, kept = row[1:11], row[11:18], row[18]
    ledger_id, source, name, size, sha256, environment, upload_origin, subject, fingerprint, submitted_at = intent
    state, ended_at, file_id, saved_name, reason, phase, facts = outcome
    return SubmissionRecord(
        id=ledger_id,
        state=SubmissionState(state),
        source=Path(os.fsdecode(source)),
        name=name,
        size=size,
        sha256=sha256,
        environment=environment,
        upload_origin=upload_origin,
        subject=subject,
        fingerprint=fingerprint,
        submitted_at=_time(submitted_at),
        ended_at=None if ended_at is None else _time(ended_at),
        file_id=file_id,
        saved_name=saved_name,
        reason=reason,
        phase=phase,
        facts=dict(json.loads(facts)),
        content_kept=bool(kept),
    )


def changes_from(rows: Iterable[Row]) -> list[SubmissionChange]:
    """Make journal lines from rows of time, state, author and note.

    Raises:
        ValueError, TypeError: one holds what no version of aiomar wrote.
    """
    return [
        SubmissionChange(at=_time(at), state=SubmissionState(state), by=by, note=note) for at, state, by, note in rows
    ]


def time_text(time: dt.datetime) -> str:
    """Give a time as text that sorts by time."""
    return time.astimezone(dt.UTC).isoformat(timespec="microseconds")


def shown(text: str) -> str:
    """Make words fit for a terminal: one line, bounded, and whatever does not print escaped."""
    line = " ".join(text.split())
    line = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 3]}..."


def _time(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time.astimezone(dt.UTC)


def _path_value(path: Path) -> str | bytes:
    """Give a path as text; as bytes where it has some that are no text, which SQLite would refuse."""
    text = os.fspath(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(path)
    return text
