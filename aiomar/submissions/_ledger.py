"""What was submitted, by whom, and what became of it: the record that must be there whatever crashes.

An intent is committed and synced, with the bytes that will be sent, before the first of them leaves; an intent without
an end was cut off by a crash, and whoever holds the lock next calls it unknown.  Who submits holds the lock of the
folder; readers, and people who resolve, need none: every change is one transaction.
"""

from __future__ import annotations

import datetime as dt
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from aiomar._database import transaction
from aiomar._files import REAL_FILES, FileSystem
from aiomar.errors import UsageError
from aiomar.submissions._answers import remove_answers, write_answer
from aiomar.submissions._judge import Submission
from aiomar.submissions._ledger_file import connect
from aiomar.submissions._ledger_reading import LedgerReading
from aiomar.submissions._ledger_rows import (
    CHANGE,
    END,
    ENDED_BEFORE,
    INTEND,
    KEEP,
    LET_GO,
    WEIGH,
    change_values,
    end_values,
    intent_values,
    time_text,
)
from aiomar.submissions._records import Ending, Pruned, Sender, SubmissionRecord, SubmissionState, may_become


class Ledger(LedgerReading):
    """The ledger of one environment and certificate holder; made by `open`, ended by `close` or the end of ``with``."""

    @classmethod
    def open(cls, directory: Path, files: FileSystem = REAL_FILES) -> Self:
        """Open the ledger of a folder, making what is missing.

        Args:
            directory: see `ledger_directory`.
            files: the file system, for what SQLite does not write itself.

        Raises:
            ConfigError: it cannot be used, is damaged, somebody else's, or of a newer version.
        """
        return cls(directory, connect(directory, files), files)

    def intend(self, submission: Submission, source: Path, sender: Sender, now: dt.datetime) -> str:
        """Record that a file is about to be sent; it is on the disk when this returns.

        Args:
            submission: what will be sent; its bytes are kept too.
            source: the file.
            sender: who, and where to.
            now: aware.

        Returns:
            The id of the submission.

        Raises:
            DiskError: it could not be written, so nothing may be sent.
        """
        ledger_id = f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        deflated = zlib.compress(submission.content)
        begun = Ending(SubmissionState.SENDING)
        with self._writing() as execute:
            number = execute(INTEND, intent_values(ledger_id, submission, source, sender, now)).lastrowid
            execute(KEEP, (number, deflated))
            execute(CHANGE, change_values(ledger_id, begun, now))
        return ledger_id

    def end(self, ledger_id: str, end: Ending, now: dt.datetime) -> None:
        """Record what became of a submission, or what was found out about it later.

        Args:
            ledger_id: of the submission.
            end: what it is now.
            now: aware.

        Raises:
            UsageError: there is no such submission, or it is not in a state that this may follow.
            DiskError: it could not be written.
        """
        with self._writing():
            self._end(self._one(ledger_id), end, now)

    def settle_leftovers(self, now: dt.datetime) -> list[SubmissionRecord]:
        """Call every submission unknown whose sender ended without an end; only for who holds the lock.

        Returns:
            Those submissions, as they are now.

        Raises:
            DiskError: it could not be written.
        """
        if not next(self.records({SubmissionState.SENDING}), None):
            return []
        end = Ending(
            SubmissionState.UNKNOWN,
            reason="the process that sent it ended before the answer was recorded",
            phase="request",
        )
        with self._writing():
            left = [self._record(row) for row in self._rows("WHERE state = 'sending' ORDER BY number")]
            for old in left:
                self._end(old, end, now)
            return [self._one(old.id) for old in left]

    def prune(self, before: dt.datetime) -> Pruned:
        """Let go of the contents and answers of submissions that ended before a time; their records stay.

        Those that are unknown or under way keep everything.

        Args:
            before: aware.

        Raises:
            DiskError: it could not be written.
        """
        limit = time_text(before)
        with self._writing() as execute:
            count, size = execute(WEIGH, (limit,)).fetchone()
            execute(LET_GO, (limit,))
        with self._reading():
            # As a script, which runs it to its end: it is done in many steps, and `execute` takes the first.
            self._connection.executescript("PRAGMA incremental_vacuum").close()
        remove_answers(
            self._directory, lambda ledger_id: bool(self._first(f"WHERE id = ? AND {ENDED_BEFORE}", ledger_id, limit))
        )
        return Pruned(submissions=count, bytes=size)

    def keep_answer(self, ledger_id: str, page: bytes) -> Path:
        """Keep the server's answer to a submission, for a person to look at; it is on the disk when this returns.

        Returns:
            Where it is.

        Raises:
            UsageError: there is no such submission.
            DiskError: it could not be written, or one is kept already.
        """
        self.record(ledger_id)
        return write_answer(self._directory, ledger_id, page, self._files)

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        with self._reading(), transaction(self._connection):
            yield self._connection.execute

    def _end(self, old: SubmissionRecord, end: Ending, now: dt.datetime) -> None:
        """Write what became of a submission, within a transaction; the one place that says what may follow what."""
        if not may_become(old.state, end.state, end.by):
            raise UsageError(
                f"submission {old.id} is {old.state.value!r} and cannot be made {end.state.value!r} by {end.by!r}: "
                f"look at it with 'aiomar submissions show {old.id}'"
            )
        if end.state is not old.state:
            self._connection.execute(END, end_values(old, end, now))
        self._connection.execute(CHANGE, change_values(old.id, end, now))
