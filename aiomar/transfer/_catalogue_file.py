"""The file that a catalogue is: where it stands, how it is opened, and what is said when it cannot be used.

SQLite in WAL mode, because a killed process then leaves a database that the next one just opens.  Three decisions:

* Who writes holds the directory's process lock; who reads does not, and leaves no trace: a database that nobody has
  open is read as a file that cannot change, and its stamp tells when it did after all.
* Whether a file is ours and whole is asked of SQLite and never read past it: closing a second descriptor of a
  database drops the locks that this process has on it.
* Damage is found when SQLite finds it.  Reading everything at every start would cost more than fetching a few files
  again, and `aiomar verify` does it when asked.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from aiomar._process_lock import LockHeldError, ProcessLock, acquire
from aiomar.errors import DestinationError, DiskError

FOLDER = ".aiomar"
_NAME = "catalogue.sqlite3"
_LOCK = "lock"
_SIDES = ("-wal", "-shm", "-journal")
_APPLICATION = 0x4F4D4152  # "OMAR"
_VERSION = 1
# Seconds that a statement waits for a lock of another connection: another client, or an engineer's shell.
_BUSY_S = 5.0
_COLUMNS = {
    "files": (
        "id, name, origin, kind, selection, first_day, last_day, format, clock, "
        "size, mtime_ns, sha256, completeness, fetched_at, attempts, last_error, failed_at"
    ),
    "history": "name, sha256, size, completeness, fetched_at, replaced_at",
}
_TABLES = (
    """
CREATE TABLE files ( -- one row per file name; size and what follows is NULL while only failures are known
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    origin       TEXT NOT NULL, -- https://host[:port] that it came from
    kind         TEXT NOT NULL, -- meter or group
    selection    TEXT NOT NULL, -- its id
    first_day    TEXT NOT NULL,
    last_day     TEXT NOT NULL,
    format       TEXT NOT NULL, -- csv or mdef
    clock        TEXT NOT NULL, -- pst or dst
    size         INTEGER,       -- bytes
    mtime_ns     INTEGER,
    sha256       TEXT,
    completeness TEXT,          -- length, chunked, content or unverified
    fetched_at   TEXT,          -- UTC
    attempts     INTEGER NOT NULL,
    last_error   TEXT,
    failed_at    TEXT           -- UTC
)""",
    """
CREATE TABLE history ( -- what stood under a name before a fetch brought something else
    name         TEXT NOT NULL,
    sha256       TEXT NOT NULL,
    size         INTEGER NOT NULL,
    completeness TEXT NOT NULL,
    fetched_at   TEXT NOT NULL,
    replaced_at  TEXT NOT NULL
)""",
    "CREATE INDEX history_by_name ON history (name)",
    """
CREATE TRIGGER file_replaced AFTER UPDATE OF sha256 ON files WHEN old.sha256 <> new.sha256 BEGIN
    INSERT INTO history VALUES (
        old.name, old.sha256, old.size, old.completeness, old.fetched_at, new.fetched_at
    );
END""",
)
# SQLite's reasons, without what it knows beyond them, that the system has a number for.
_NUMBERS = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO, sqlite3.SQLITE_READONLY: errno.EROFS}
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_opening = threading.Lock()


def catalogue_path(directory: Path) -> Path:
    """Give the path of a directory's catalogue."""
    return directory / FOLDER / _NAME


def lock_directory(directory: Path, *, alone: bool = False) -> ProcessLock:
    """Take a directory for this process, making the folder of its catalogue.

    Raises:
        DestinationError: another process holds it, or it cannot be written.
    """
    folder = directory / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise DestinationError(f"{folder} is not a directory: remove it or choose another destination")
        return acquire(folder / _LOCK, alone=alone)
    except LockHeldError as error:
        raise DestinationError(
            f"{directory} is in use by {error.holder}: wait until it has ended, or choose another directory"
        ) from error
    except OSError as error:
        raise DestinationError(
            f"{directory} cannot be used ({error.strerror}): change its rights or choose another destination"
        ) from error


def connect_to_write(directory: Path) -> sqlite3.Connection:
    """Open the catalogue of a directory that this process holds, making it when missing.

    Raises:
        DestinationError: it is damaged, somebody else's, or of a newer version.
    """
    path = catalogue_path(directory)
    with _opening, _while_opening(directory):
        if not _is_file(path):  # for our eyes only; SQLite gives its side files the same rights
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with _closed_on_error(_connect(path)) as connection:
            if not _is_ours(connection, directory):
                _make_tables(connection)
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            # Without WAL, which some file systems refuse, only FULL keeps a database whole through a power loss.
            connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")
            return connection


def connect_to_read(directory: Path) -> tuple[sqlite3.Connection, Stamp | None] | None:
    """Open the catalogue of a directory for looking only; `None` if there is none.

    Returns:
        The connection, and the file's stamp if nobody had it open: then it is read as a file that cannot change, and
        what was read holds as long as `read_stamp` gives the same.

    Raises:
        DestinationError: it is damaged, somebody else's, or of a newer version.
    """
    path = catalogue_path(directory)
    with _while_opening(directory):
        if not _is_file(path):
            return None
        stamp = read_stamp(directory)
        # What a killed process left half written has to be rolled back first, by whoever comes next.
        mode = "rw" if _beside(path, "-journal").exists() else "ro"
        place = f"{path.absolute().as_uri()}?mode={mode}{'' if stamp.in_use else '&immutable=1'}"
        with _closed_on_error(_connect(place, uri=True)) as connection:
            if _is_ours(connection, directory):
                return connection, None if stamp.in_use else stamp
            connection.close()
            return None


class Stamp(NamedTuple):
    """What changes when a writer comes to a catalogue that is being read."""

    in_use: bool
    mtime_ns: int
    size: int
    inode: int


def read_stamp(directory: Path) -> Stamp:
    """Give the stamp of a catalogue as it is now; zeros if it is gone."""
    path = catalogue_path(directory)
    in_use = any(_beside(path, side).exists() for side in ("-wal", "-journal"))
    try:
        found = path.stat()
    except OSError:
        return Stamp(in_use=False, mtime_ns=0, size=0, inode=0)
    return Stamp(in_use, found.st_mtime_ns, found.st_size, found.st_ino)


def move_aside(directory: Path, now: dt.datetime) -> Path | None:
    """Give a catalogue and its side files another name, whatever their state; `None` if there is none."""
    path = catalogue_path(directory)
    if not _is_file(path):
        return None
    aside = path.with_name(f"{_NAME}.damaged-{now:%Y%m%dT%H%M%S.%fZ}")
    # The side files first: a new database must never find an old log under its name.
    for side in (*_SIDES, ""):
        with suppress(FileNotFoundError):
            _beside(path, side).rename(_beside(aside, side))
    return aside


@contextmanager
def translated(directory: Path) -> Iterator[None]:
    """Make one of our errors from SQLite's, in the middle of the work."""
    try:
        yield
    except sqlite3.Error as error:
        path = catalogue_path(directory)
        reason = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if reason in _DAMAGE:
            advice = f"run 'aiomar verify {directory} --rebuild' to make it anew from the files"
        elif reason in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            advice = "close the program that has it open, then try again"
        else:
            advice = "make room or mend the disk, then try again"
        raise DiskError(f"{path} could not be used ({error}): {advice}", errno=_NUMBERS.get(reason)) from error


@contextmanager
def _while_opening(directory: Path) -> Iterator[None]:
    """Make one of our errors from SQLite's and the system's, before the work begins."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise damaged(directory, error) from error
        reason = error.strerror if isinstance(error, OSError) else error
        raise DestinationError(
            f"{catalogue_path(directory)} cannot be opened ({reason}): change its rights or choose another destination"
        ) from error


def damaged(directory: Path, reason: object) -> DestinationError:
    """Say that a catalogue cannot be read, and what helps."""
    return DestinationError(
        f"{catalogue_path(directory)} is damaged ({reason}): run 'aiomar verify {directory} --rebuild' to make it anew "
        "from the files"
    )


def gone(directory: Path) -> DestinationError:
    """Say that a catalogue is not there any more."""
    return DestinationError(f"the catalogue of {directory} is gone: run the range again")


def _beside(path: Path, side: str) -> Path:
    return path.with_name(path.name + side)


def _is_file(path: Path) -> bool:
    """Whether there is a catalogue, which is never looked for through a link."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(mode):
        raise DestinationError(f"{path} is not a file: remove it or choose another destination")
    return True


def _connect(place: Path | str, *, uri: bool = False) -> sqlite3.Connection:
    # Threads take turns; who uses the connection sees to that.
    return sqlite3.connect(place, uri=uri, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _is_ours(connection: sqlite3.Connection, directory: Path) -> bool:
    """Whether a database is a catalogue of ours; `False` if nothing was ever put into it.

    Raises:
        DestinationError: it is damaged, somebody else's, or of a newer version.
    """
    path = catalogue_path(directory)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not application and not version and not tables:
        return False
    if application != _APPLICATION:
        raise DestinationError(
            f"{path} is not a catalogue of aiomar: choose another destination, or run 'aiomar verify {directory} "
            "--rebuild' to put it aside"
        )
    if version > _VERSION:
        raise DestinationError(
            f"{path} was written by a newer version of aiomar: update aiomar, or run 'aiomar verify {directory} "
            "--rebuild' to make it anew from the files"
        )
    try:
        for table, columns in _COLUMNS.items():
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 1").close()  # noqa: S608 # our own words
    except sqlite3.OperationalError as error:
        raise damaged(directory, error) from error
    return True


def _make_tables(connection: sqlite3.Connection) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            cursor.execute(statement.strip())
        cursor.execute(f"PRAGMA application_id = {_APPLICATION}")
        cursor.execute(f"PRAGMA user_version = {_VERSION}")
        cursor.execute("COMMIT")
