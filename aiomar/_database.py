"""What the SQLite files of aiomar have in common: how one is made and known for ours, and what its errors mean.

Which rooms have one, what is in it and what to tell people when it cannot be used is theirs to say.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import attrs

# Seconds that a statement waits for a lock of another connection: another process, or an engineer's shell.
_BUSY_S = 5.0
# SQLite's reasons, without what it knows beyond them, that the system has a number for.
_NUMBERS = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO, sqlite3.SQLITE_READONLY: errno.EROFS}
_KINDS: dict[int, Literal["damaged", "busy"]] = {
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
}


# In one statement: between two of them another process may make the database, and half of it would look like another's.
_STATE = """
SELECT (SELECT count(*) FROM sqlite_master WHERE type = 'table'),
       (SELECT application_id FROM pragma_application_id),
       (SELECT user_version FROM pragma_user_version)
"""


@attrs.frozen(kw_only=True)
class Schema:
    """What a database of ours looks like.

    Args:
        application: its number in ``PRAGMA application_id``.
        version: its number in ``PRAGMA user_version``.
        statements: that make it.
        columns: of each table, for a look whether they are all there.
    """

    application: int
    version: int
    statements: tuple[str, ...]
    columns: Mapping[str, str]


class RefusedDatabaseError(Exception):
    """A file is not a database that this version can use.  Internal: callers make an error of the tree from it.

    Attributes:
        problem: ``"not_a_file"``, ``"foreign"``, ``"newer"`` or ``"damaged"``.
    """

    def __init__(self, problem: Literal["not_a_file", "foreign", "newer", "damaged"], reason: object = "") -> None:
        super().__init__(str(reason))
        self.problem = problem


@attrs.frozen
class Trouble:
    """What an error of SQLite means.

    Attributes:
        kind: the file is damaged, somebody else has it, or the disk does not do what it should.
        errno: the system's number for it, where there is one.
    """

    kind: Literal["damaged", "busy", "disk"]
    errno: int | None


def trouble(error: sqlite3.Error) -> Trouble:
    """Say what an error of SQLite means."""
    reason = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return Trouble(_KINDS.get(reason, "disk"), _NUMBERS.get(reason))


def is_file(path: Path) -> bool:
    """Whether there is a file of a name, which is never looked for through a link.

    Raises:
        RefusedDatabaseError: there is something else.
        OSError: it cannot be seen.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(mode):
        raise RefusedDatabaseError("not_a_file")
    return True


def make_file(path: Path) -> None:
    """Make the empty file of a database for its owner's eyes only; SQLite gives its side files the same rights.

    Raises:
        OSError: it cannot be made, or is there.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def connected(place: Path | str, *, uri: bool = False) -> Iterator[sqlite3.Connection]:
    """Connect, for a body that prepares the connection and keeps it; closed if that fails.

    Threads take turns with it; who uses it sees to that.
    """
    connection = sqlite3.connect(place, uri=uri, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def is_made(connection: sqlite3.Connection, schema: Schema) -> bool:
    """Whether a database is one of ours; `False` if nothing was ever put into it.

    Raises:
        RefusedDatabaseError: it is damaged, somebody else's, or of a newer version.
        sqlite3.Error: it cannot be read.
    """
    tables, application, version = connection.execute(_STATE).fetchone()
    if not application and not version and not tables:
        return False
    if application != schema.application:
        raise RefusedDatabaseError("foreign")
    if version > schema.version:
        raise RefusedDatabaseError("newer")
    try:
        for table, columns in schema.columns.items():
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 1").close()  # noqa: S608 # our own words
    except sqlite3.OperationalError as error:
        raise RefusedDatabaseError("damaged", error) from error
    return True


def make_tables(connection: sqlite3.Connection, schema: Schema) -> None:
    """Make the tables of an empty database, unless another process was faster."""
    with transaction(connection):
        if is_made(connection, schema):
            return
        for statement in schema.statements:
            connection.execute(statement.strip())
        connection.execute(f"PRAGMA application_id = {schema.application}")
        connection.execute(f"PRAGMA user_version = {schema.version}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do everything in the body, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite takes back some failed transactions by itself
            connection.execute("ROLLBACK")
        raise
