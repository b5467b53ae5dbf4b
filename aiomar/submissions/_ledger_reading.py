"""Looking into a ledger: what its rows say, for who submits and for people who ask.

Everything here blocks and runs in a worker thread; one connection takes one thread at a time.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256 as hash_of
from pathlib import Path
from typing import Self

from aiomar._files import FileSystem
from aiomar.errors import UsageError
from aiomar.submissions._ledger_file import damaged, translated
from aiomar.submissions._ledger_rows import SELECT, Row, changes_from, record_from
from aiomar.submissions._records import SubmissionChange, SubmissionRecord, SubmissionState

_CHUNK = 100


class LedgerReading:
    """The half of a ledger that changes nothing."""

    def __init__(self, directory: Path, connection: sqlite3.Connection, files: FileSystem) -> None:
        self._directory = directory
        self._connection = connection
        self._files = files
        self._turn = threading.Lock()

    def blocking(self, sha256: str) -> SubmissionRecord | None:
        """Find the newest submission of a content that may have been taken: accepted, unknown, or without an end.

        Raises:
            DiskError: it could not be read.
        """
        return self._first(
            "WHERE sha256 = ? AND state IN ('accepted', 'unknown', 'sending') ORDER BY number DESC LIMIT 1", sha256
        )

    def by_file_id(self, file_id: str) -> SubmissionRecord | None:
        """Find the newest submission with a file id.

        Raises:
            DiskError: it could not be read.
        """
        return self._first("WHERE file_id = ? ORDER BY number DESC LIMIT 1", file_id)

    def record(self, ledger_id: str) -> SubmissionRecord:
        """Give a submission.

        Raises:
            UsageError: there is none with this id.
            DiskError: it could not be read.
        """
        with self._reading():
            return self._one(ledger_id)

    def records(self, states: Collection[SubmissionState] | None = None) -> Iterator[SubmissionRecord]:
        """Give all submissions, oldest first, a bounded number of them in memory.

        Args:
            states: only those that are in one of these.

        Raises:
            DiskError: they could not be read.
        """
        wanted = [state.value for state in (SubmissionState if states is None else states)]
        tail = f"WHERE number > ? AND state IN ({','.join('?' * len(wanted))}) ORDER BY number LIMIT {_CHUNK}"
        last = 0
        while True:
            with self._reading():
                rows = self._rows(tail, last, *wanted)
                found = [self._record(row) for row in rows]
            if not rows:
                return
            last = rows[-1][0]
            yield from found

    def changes(self, ledger_id: str) -> list[SubmissionChange]:
        """Give the journal of a submission, oldest first.

        Raises:
            UsageError: there is no such submission.
            DiskError: it could not be read.
        """
        with self._reading():
            self._one(ledger_id)
            rows = self._connection.execute(
                "SELECT at, state, by, note FROM changes "
                "WHERE number = (SELECT number FROM submissions WHERE id = ?) ORDER BY rowid",
                (ledger_id,),
            ).fetchall()
            with self._understood():
                return changes_from(rows)

    def content(self, ledger_id: str) -> bytes | None:
        """Give the bytes that were sent, proved by their hash; `None` if they were let go of.

        Raises:
            UsageError: there is no such submission.
            DiskError: they could not be read.
        """
        with self._reading():
            record = self._one(ledger_id)
            row = self._connection.execute(
                "SELECT deflated FROM contents WHERE number = (SELECT number FROM submissions WHERE id = ?)",
                (ledger_id,),
            ).fetchone()
        if row is None:
            return None
        with self._understood():
            content = zlib.decompress(row[0])
            if hash_of(content).hexdigest() != record.sha256:
                raise ValueError(f"the content of {ledger_id} has another hash")
            return content

    def close(self) -> None:
        """End it."""
        with self._turn:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._turn, translated(self._directory):
            yield

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Say that a row holds what no version of aiomar wrote."""
        try:
            yield
        except (ValueError, TypeError, zlib.error) as error:
            raise damaged(self._directory, f"a row cannot be understood: {error}") from error

    def _rows(self, tail: str, *parameters: object) -> list[Row]:
        return self._connection.execute(SELECT + tail, parameters).fetchall()

    def _record(self, row: Row) -> SubmissionRecord:
        with self._understood():
            return record_from(row)

    def _first(self, tail: str, *parameters: object) -> SubmissionRecord | None:
        with self._reading():
            rows = self._rows(tail, *parameters)
            return self._record(rows[0]) if rows else None

    def _one(self, ledger_id: str) -> SubmissionRecord:
        rows = self._rows("WHERE id = ?", ledger_id)
        if not rows:
            raise UsageError(f"no submission has the id {ledger_id!a:.80}: 'aiomar submissions list' shows them")
        return self._record(rows[0])
