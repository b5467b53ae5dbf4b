"""What is on disk: one row per file of a range, by which a later run knows what it need not fetch again.

A row is written only after its file is durable under its final name, so a crash repeats work and never claims it.
Everything here blocks and runs in a worker thread.  Reading is built for ranges of a hundred thousand files: a few
hundred names a statement, one `os.stat` a file, values made by position.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from aiomar._process_lock import ProcessLock
from aiomar.errors import DestinationError
from aiomar.protocol import FileFormat, TimeType
from aiomar.transfer._catalogue_connection import CatalogueConnection
from aiomar.transfer._catalogue_file import damaged, lock_directory
from aiomar.transfer._catalogue_rows import (
    CHUNK,
    FILES_AFTER,
    FILES_BY_ID,
    FORGET,
    IDS,
    KINDS,
    KNOWN,
    RECORD_FAILURE,
    REQUESTS_AFTER,
    CataloguedRequest,
    FailedRow,
    Row,
    SavedRow,
    Statement,
    Terms,
    catalogued_request,
    failed_values,
    kinds,
    known_file,
    record_statements,
    recorded_file,
    stands,
)
from aiomar.transfer._plan import Job
from aiomar.transfer._results import SavedFile

_T = TypeVar("_T")
_NO_TIME = dt.timedelta()


class Catalogue:
    """The catalogue of one directory; made by `open` or `read`, ended by `close` or the end of ``with``."""

    def __init__(self, directory: Path, connection: CatalogueConnection, *, lock: ProcessLock | None) -> None:
        self._directory = directory
        self._connection = connection
        self._lock = lock

    @property
    def first(self) -> bool:
        """Whether no other range of this process had the directory when this one began."""
        return self._lock is not None and self._lock.first

    @classmethod
    def open(cls, directory: Path, *, lock: ProcessLock | None = None) -> Self:
        """Open for writing, making what is missing; holds the directory for this process until `close`.

        Args:
            directory: of the files; it must exist.
            lock: its lock, where the caller has it already; given back by `close`.

        Raises:
            DestinationError: another process holds the directory, or the catalogue cannot be used.
        """
        lock = lock or lock_directory(directory)
        try:
            return cls(directory, CatalogueConnection.to_write(directory), lock=lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """Open for looking only, also while another process writes; `None` if there is no catalogue.

        Raises:
            DestinationError: the catalogue cannot be used.
        """
        connection = CatalogueConnection.to_read(directory)
        return cls(directory, connection, lock=None) if connection else None

    def known(
        self,
        jobs: Sequence[Job],
        terms: Terms,
        *,
        max_age: dt.timedelta | None,
        allow_unverified: bool,
        now: dt.datetime,
    ) -> list[SavedFile | None]:
        """Find the files that need not be fetched again: their row matches the request, and size and mtime stand.

        Args:
            jobs: what is asked for.
            terms: what it has in common.
            max_age: how long ago a file may have been fetched; also never in the future then.
            allow_unverified: take files whose completeness nothing proves.
            now: aware.

        Raises:
            DestinationError: the catalogue is damaged.
            DiskError: it cannot be read.
        """
        beginning = f"{self._directory}{os.sep}"
        found: list[SavedFile | None] = []
        for chunk in _chunks(jobs):
            rows = self._select(KNOWN, [job.name for job in chunk], *terms.words)
            by_name = {row[0]: row for row in rows}
            with self._understood():
                for job in chunk:
                    row = by_name.get(job.name)
                    file = known_file(row, job, terms, self._directory) if row else None
                    good = (
                        row
                        and file
                        and (allow_unverified or file.completeness != "unverified")
                        and (max_age is None or _NO_TIME <= now - file.fetched_at <= max_age)
                        and stands(beginning + job.name, row[1], row[2])
                    )
                    found.append(file if good else None)
        return found

    def record(self, saved: Sequence[SavedRow]) -> None:
        """Write rows for files that are durable, all or none; what another content replaces goes into the history.

        Raises:
            DiskError: they could not be written.
        """
        self.write(record_statements(saved))

    def record_failures(self, failed: Sequence[FailedRow]) -> None:
        """Note failures, all or none; what a row says about a file that is there stays.

        Raises:
            DiskError: they could not be written.
        """
        self.write((RECORD_FAILURE, failed_values(row)) for row in failed)

    def forget(self, names: Sequence[str]) -> None:
        """Take back what rows say about files whose commit was undone; they count as not fetched.

        Raises:
            DiskError: it could not be written.
        """
        self.write((FORGET, (name,)) for name in names)

    def write(self, statements: Iterable[Statement]) -> None:
        """Execute statements that change rows, all or none.

        Raises:
            DiskError: they could not be written.
        """
        self._connection.write(list(statements))

    def ids(self, names: Sequence[str]) -> list[int]:
        """Give the row ids of files.

        Raises:
            DestinationError: the catalogue has no file of one of the names.
            DiskError: it cannot be read.
        """
        return [self._there(found, name) for name, found in self._ids(names)]

    def missing(self, names: Sequence[str]) -> list[str]:
        """Give those of the names that the catalogue has no file of.

        Raises:
            DiskError: it cannot be read.
        """
        return [name for name, found in self._ids(names) if found is None]

    def files(self, ids: Sequence[int], reused: Sequence[int]) -> list[SavedFile]:
        """Give files as their rows are now.

        Args:
            ids: of their rows.
            reused: for each, whether it is to be called reused.

        Raises:
            DestinationError: one of them is gone, or the catalogue is damaged.
            DiskError: it cannot be read.
        """
        files: list[SavedFile] = []
        for number, chunk in enumerate(_chunks(ids)):
            rows = {row[0]: row for row in self._select(FILES_BY_ID, chunk)}
            first = number * CHUNK
            with self._understood():
                for key, mark in zip(chunk, reused[first : first + CHUNK], strict=True):
                    files.append(
                        recorded_file(self._there(rows.get(key), f"row {key}"), self._directory, reused=bool(mark))
                    )
        return files

    def all_files(self) -> Iterator[SavedFile]:
        """Give every file that the catalogue claims, in the order in which they first came.

        Raises:
            DestinationError: the catalogue is damaged.
            DiskError: it cannot be read.
        """
        for rows in self._after(FILES_AFTER):
            with self._understood():
                files = [recorded_file(row, self._directory, reused=False) for row in rows]
            yield from files

    def kinds(self) -> dict[tuple[FileFormat, TimeType], tuple[int, int]]:
        """Give the formats and clocks of all requests, each with its number of requests and of files; see `all_files`.

        Raises:
            DestinationError, DiskError: likewise.
        """
        rows = self._connection.rows(KINDS, ())
        with self._understood():
            return kinds(rows)

    def requests(self, file_format: FileFormat, time_type: TimeType) -> Iterator[CataloguedRequest]:
        """Give every request of a format and a clock, also those that failed; see `all_files`.

        Raises:
            DestinationError, DiskError: likewise.
        """
        for rows in self._after(REQUESTS_AFTER, file_format.value.lower(), time_type.value.lower()):
            with self._understood():
                requests = [catalogued_request(row) for row in rows]
            yield from requests

    def close(self) -> None:
        """End it and let the directory go; SQLite brings its log home."""
        try:
            self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ids(self, names: Sequence[str]) -> Iterator[tuple[str, int | None]]:
        for chunk in _chunks(names):
            found: dict[str, int] = dict(self._select(IDS, chunk))
            for name in chunk:
                yield name, found.get(name)

    def _there(self, found: _T | None, what: str) -> _T:
        if found is None:
            raise DestinationError(
                f"the catalogue of {self._directory} has no file for {what} any more: run the range again"
            )
        return found

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Say that a row holds what no version of aiomar wrote."""
        try:
            yield
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self._directory, f"a row cannot be understood: {error}") from error

    def _select(self, statement: str, keys: Sequence[object], *before: object) -> list[Row]:
        return self._connection.rows(f"{statement} ({','.join('?' * len(keys))})", [*before, *keys])

    def _after(self, statement: str, *before: object) -> Iterator[list[Row]]:
        """Give all rows of a statement that begins behind an id, which comes first in a row, and has an end."""
        last = 0
        while rows := self._connection.rows(statement, [*before, last]):
            last = rows[-1][0]
            yield rows


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (values[first : first + CHUNK] for first in range(0, len(values), CHUNK))
