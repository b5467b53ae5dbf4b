"""From a wish to jobs, lazily: one file per selection and span, each selection once."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Final, TypeGuard

import attrs

from aiomar.errors import ConfigError, DiskError, LimitError
from aiomar.protocol import (
    FileFormat,
    Group,
    Meter,
    Selection,
    Span,
    TimeType,
    check_days_per_file,
    selection_part,
    span_part,
    split,
)

_FEW = 10_000
_END: Final = object()
Selections = Selection | Iterable[Selection] | AsyncIterable[Selection]
"""One selection, or any number of them, consumed lazily."""


def check_kinds(file_format: object, time_type: object) -> None:
    """Hold format and clock to their types: both change the data silently, so neither is guessed (DL 3.1).

    Raises:
        ConfigError: for anything but a `FileFormat` and a `TimeType`.
    """
    if not isinstance(file_format, FileFormat):
        raise ConfigError(f"file_format must be FileFormat.CSV or FileFormat.MDEF, not {file_format!r:.60}")
    if not isinstance(time_type, TimeType):
        raise ConfigError(f"time_type must be TimeType.PST or TimeType.DST, not {time_type!r:.60}")


def check_selection(selection: object) -> Selection:
    """Hold a selection to its type.

    Raises:
        LimitError: rule ``"selection"``.
    """
    if not isinstance(selection, (Meter, Group)):
        raise LimitError(
            f"a selection must be a Meter or a Group, not {selection!r:.80}: write Meter('…') or Group('…')",
            rule="selection",
            value=selection,
            limit="Meter or Group",
        )
    return selection


@attrs.frozen(kw_only=True)
class RangeRequest:
    """What a caller of a range asks for, checked when it is made.

    Raises:
        LimitError: rule ``"range"``.
        ConfigError: for a wrong format or clock.
    """

    span: Span
    file_format: FileFormat
    time_type: TimeType
    days_per_file: int | None
    resume: bool
    max_age: dt.timedelta | None
    allow_unverified: bool

    def __attrs_post_init__(self) -> None:
        check_days_per_file(self.days_per_file)
        if self.max_age is not None and not isinstance(self.max_age, dt.timedelta):
            raise ConfigError(f"max_age must be a datetime.timedelta or None, not {self.max_age!r:.40}")
        check_kinds(self.file_format, self.time_type)

    def parts(self) -> list[tuple[Span, str]]:
        """Give the spans of the single files, each with the end of its file name; the same for every selection."""
        return [
            (span, span_part(span, file_format=self.file_format, time_type=self.time_type))
            for span in split(self.span, self.days_per_file)
        ]


@attrs.frozen(slots=False)  # made faster that way, and there are never many at once
class Job:
    """One file to fetch."""

    selection: Selection
    span: Span
    name: str


class Plan:
    """The jobs of a range, each once, in the order of the selections; none is made before somebody takes it.

    Args:
        selections: one selection, an iterable or an async iterable.
        request: what to fetch for each of them.
    """

    def __init__(self, selections: Selections, request: RangeRequest) -> None:
        self._parts = request.parts()
        self._seen = _Seen()
        self._ready: deque[Job] = deque()
        self._slow: AsyncIterator[object] | None = None
        self._quick: Iterator[object] = iter(())
        if isinstance(selections, AsyncIterable):
            self._slow = aiter(selections)
        else:
            self._quick = iter(selections if _is_many(selections) else (selections,))

    async def take(self, most: int) -> list[Job]:
        """Give the next jobs: at least one, at most so many; none when there are no more.

        An async iterable is asked for one selection at a time, as nobody knows how long it takes for the next.

        Raises:
            LimitError: rule ``"selection"``, for something that is no selection.
        """
        ready = self._ready
        if self._slow is None:
            while len(ready) < most and (item := next(self._quick, _END)) is not _END:
                self._expand(item)
        else:
            while not ready and (item := await anext(self._slow, _END)) is not _END:
                self._expand(item)
        return [ready.popleft() for _ in range(min(most, len(ready)))]

    def _expand(self, item: object) -> None:
        selection = check_selection(item)
        if self._seen.is_new(selection):
            beginning = selection_part(selection)
            self._ready.extend(Job(selection, span, beginning + end) for span, end in self._parts)

    def close(self) -> None:
        """Let go of what is known about the selections."""
        self._seen.close()


def _is_many(selections: object) -> TypeGuard[Iterable[object]]:
    return isinstance(selections, Iterable) and not isinstance(selections, (str, bytes))


class _Seen:
    """Which selections were met before, in memory that does not grow with their number.

    The first ones are kept in a set.  When they become many, all go into a nameless SQLite database, which lives in
    SQLite's page cache and goes to a temporary file when it outgrows that.
    """

    def __init__(self) -> None:
        self._few: set[str] = set()
        self._many: sqlite3.Connection | None = None

    def is_new(self, selection: Selection) -> bool:
        key = f"{selection.kind}:{selection.id}"
        if self._many is not None:
            return self._insert(self._many, [key]) == 1
        if key in self._few:
            return False
        self._few.add(key)
        if len(self._few) > _FEW:
            self._many = self._database()
            self._insert(self._many, self._few)
            self._few = set()
        return True

    @staticmethod
    def _database() -> sqlite3.Connection:
        database = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE seen (selection TEXT PRIMARY KEY) WITHOUT ROWID",
            "BEGIN",
        ):
            database.execute(statement).close()
        return database

    @staticmethod
    def _insert(database: sqlite3.Connection, keys: Iterable[str]) -> int:
        """Insert keys and count the new ones."""
        try:
            return database.executemany("INSERT OR IGNORE INTO seen VALUES (?)", ((key,) for key in keys)).rowcount
        except sqlite3.Error as error:
            raise DiskError(
                f"the selections of this range could not be kept in the temporary directory ({error}): make room there",
                errno=None,
            ) from error

    def close(self) -> None:
        if self._many is not None:
            self._many.close()
