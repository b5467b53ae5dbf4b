"""The rows of a catalogue: what goes in, what comes out, and the statements for both.

Plain words, so that an engineer with the sqlite3 shell can read them.
"""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs

from aiomar.protocol import FileFormat, Group, Meter, Selection, TimeType
from aiomar.transfer._plan import Job
from aiomar.transfer._results import Completeness, FailedDownload, SavedFile

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[object]]
"""In SQL, with its parameters."""
CHUNK = 500
"""Names or ids in one statement; every SQLite takes so many parameters."""
_LONGEST_ERROR = 500
_COMPLETENESS: Mapping[str, Completeness] = {
    "length": "length",
    "chunked": "chunked",
    "content": "content",
    "unverified": "unverified",
}
_FORMATS = {kind.value.lower(): kind for kind in FileFormat}
_CLOCKS = {kind.value.lower(): kind for kind in TimeType}
_KINDS: Mapping[str, type[Meter | Group]] = {"meter": Meter, "group": Group}

_RECORD = """
INSERT INTO files (name, origin, kind, selection, first_day, last_day, format, clock,
                   size, mtime_ns, sha256, completeness, fetched_at, attempts)
VALUES {rows}
ON CONFLICT (name) DO UPDATE SET
    origin = excluded.origin, kind = excluded.kind, selection = excluded.selection, first_day = excluded.first_day,
    last_day = excluded.last_day, format = excluded.format, clock = excluded.clock, size = excluded.size,
    mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256, completeness = excluded.completeness,
    fetched_at = excluded.fetched_at, attempts = excluded.attempts, last_error = NULL, failed_at = NULL
"""
RECORD_CHUNK = 64
"""Files in one statement: every SQLite takes so many parameters."""
# A failure says nothing about the file that an earlier success left, nor where that one came from.
RECORD_FAILURE = """
INSERT INTO files (name, origin, kind, selection, first_day, last_day, format, clock, attempts, last_error, failed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    origin = iif(size IS NULL, excluded.origin, origin), attempts = excluded.attempts,
    last_error = excluded.last_error, failed_at = excluded.failed_at
"""
FORGET = """
UPDATE files SET size = NULL, mtime_ns = NULL, sha256 = NULL, completeness = NULL, fetched_at = NULL WHERE name = ?
"""
KNOWN = """
SELECT name, size, mtime_ns, sha256, completeness, fetched_at, kind, selection, first_day, last_day FROM files
WHERE size IS NOT NULL AND origin = ? AND format = ? AND clock = ? AND name IN
"""
_FILES = """
SELECT id, name, size, sha256, kind, selection, first_day, last_day, format, clock, fetched_at, completeness FROM files
"""
FILES_BY_ID = f"{_FILES} WHERE size IS NOT NULL AND id IN"
FILES_AFTER = f"{_FILES} WHERE size IS NOT NULL AND id > ? ORDER BY id LIMIT {CHUNK}"
IDS = "SELECT name, id FROM files WHERE size IS NOT NULL AND name IN"
KINDS = "SELECT format, clock, count(*), count(size) FROM files GROUP BY format, clock"
_REQUESTS = "SELECT id, name, kind, selection, first_day, last_day, size IS NOT NULL, last_error FROM files"
REQUESTS_AFTER = f"{_REQUESTS} WHERE format = ? AND clock = ? AND id > ? ORDER BY id LIMIT {CHUNK}"


@attrs.frozen(kw_only=True)
class Terms:
    """What all files of a range have in common."""

    origin: str
    """Of the downloads, as `Environment.download_origin` writes it."""
    file_format: FileFormat
    time_type: TimeType
    words: tuple[str, str, str] = attrs.field(init=False, repr=False, eq=False)
    """Origin, format and clock as rows have them."""

    @words.default
    def _words(self) -> tuple[str, str, str]:
        return self.origin, self.file_format.value.lower(), self.time_type.value.lower()


@attrs.frozen(slots=False)  # made faster that way
class SavedRow:
    """A file that is durable under its final name."""

    name: str
    file: SavedFile
    terms: Terms
    mtime_ns: int
    """As `os.stat` gives it for the final path."""
    attempts: int


@attrs.frozen
class FailedRow:
    """A file that could not be fetched; what is there of it stays what it was."""

    name: str
    failure: FailedDownload
    terms: Terms
    failed_at: dt.datetime
    """Aware."""


@attrs.frozen(kw_only=True)
class CataloguedRequest:
    """One file that a range asked for, fetched or not."""

    name: str
    selection: Selection
    start: dt.date
    end: dt.date
    fetched: bool
    """Whether it came; it may have gone from the disk since."""
    error: str | None
    """Why it did not come; `None` also where nobody knows."""


@lru_cache(maxsize=RECORD_CHUNK)
def _record(rows: int) -> str:
    """Give the statement that writes so many rows.

    One statement for all of them, because a thread gives the interpreter's lock back and forth at every step of SQLite,
    and the loop waits for it.
    """
    return _RECORD.format(rows=", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * rows))


def record_statements(saved: Sequence[SavedRow]) -> list[Statement]:
    """Give the statements that write rows, for `Catalogue.write`."""
    chunks = [saved[first : first + RECORD_CHUNK] for first in range(0, len(saved), RECORD_CHUNK)]
    return [(_record(len(chunk)), [value for row in chunk for value in saved_values(row)]) for chunk in chunks]


def saved_values(row: SavedRow) -> Row:
    """Give the parameters of one row of a statement that writes some."""
    file = row.file
    return (
        *_request(row.name, file, row.terms),
        file.size,
        row.mtime_ns,
        file.sha256,
        file.completeness,
        _moment(file.fetched_at),
        row.attempts,
    )


def failed_values(row: FailedRow) -> Row:
    """Give the parameters of `RECORD_FAILURE`."""
    failure = row.failure
    error = str(failure.error)[:_LONGEST_ERROR].encode("utf-8", "replace").decode()
    return (*_request(row.name, failure, row.terms), failure.attempts, error, _moment(row.failed_at))


def _request(name: str, outcome: SavedFile | FailedDownload, terms: Terms) -> Row:
    selection = outcome.selection
    origin, file_format, clock = terms.words
    return name, origin, selection.kind, selection.id, _day(outcome.start), _day(outcome.end), file_format, clock


@lru_cache(maxsize=1024)  # a range has few days and many selections
def _day(day: dt.date) -> str:
    return day.isoformat()


def _moment(moment: dt.datetime) -> str:
    utc = moment if moment.tzinfo is dt.UTC else moment.astimezone(dt.UTC)
    return utc.isoformat("T", "microseconds")


def known_file(row: Row, job: Job, terms: Terms, directory: Path) -> SavedFile | None:
    """Make a file to be reused from a row of `KNOWN`; `None` if the row is for another request.

    Raises:
        ValueError, KeyError, TypeError: the row holds what no version of aiomar wrote.
    """
    name, size, _, sha256, completeness, fetched_at, kind, identifier, start, end = row
    selection, span = job.selection, job.span
    if identifier != selection.id or kind != selection.kind or start != _day(span.start) or end != _day(span.end):
        return None
    return SavedFile(
        directory / name,
        size,
        sha256,
        selection,
        span.start,
        span.end,
        terms.file_format,
        terms.time_type,
        dt.datetime.fromisoformat(fetched_at),
        _COMPLETENESS[completeness],
        True,  # noqa: FBT003 # reused; everything by position, which is faster
    )


def recorded_file(row: Row, directory: Path, *, reused: bool) -> SavedFile:
    """Make a file from a row of `FILES_BY_ID` or `FILES_AFTER`.

    Raises:
        ValueError, KeyError, TypeError: the row holds what no version of aiomar wrote.
    """
    _, name, size, sha256, kind, identifier, start, end, file_format, clock, fetched_at, completeness = row
    return SavedFile(
        directory / name,
        size,
        sha256,
        _KINDS[kind](identifier),
        dt.date.fromisoformat(start),
        dt.date.fromisoformat(end),
        _FORMATS[file_format],
        _CLOCKS[clock],
        dt.datetime.fromisoformat(fetched_at),
        _COMPLETENESS[completeness],
        reused,
    )


def catalogued_request(row: Row) -> CataloguedRequest:
    """Make a request from a row of `REQUESTS_AFTER`.

    Raises:
        ValueError, KeyError, TypeError: the row holds what no version of aiomar wrote.
    """
    _, name, kind, identifier, start, end, fetched, error = row
    return CataloguedRequest(
        name=name,
        selection=_KINDS[kind](identifier),
        start=dt.date.fromisoformat(start),
        end=dt.date.fromisoformat(end),
        fetched=bool(fetched),
        error=None if fetched else error,
    )


def kinds(rows: Sequence[Row]) -> dict[tuple[FileFormat, TimeType], tuple[int, int]]:
    """Give formats and clocks from the rows of `KINDS`, each with its number of requests and of files.

    Raises:
        ValueError, KeyError, TypeError: a row holds what no version of aiomar wrote.
    """
    return {(_FORMATS[row[0]], _CLOCKS[row[1]]): (row[2], row[3]) for row in rows}


def stands(path: str, size: int, mtime_ns: int) -> bool:
    """Whether a file is there as its row says, not looked for through a link."""
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 # a Path costs more than the look
    except OSError:
        return False
    return found.st_size == size and found.st_mtime_ns == mtime_ns and stat.S_ISREG(found.st_mode)
