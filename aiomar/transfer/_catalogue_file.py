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
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from aiomar._database import RefusedDatabaseError, Schema, connected, is_file, is_made, make_file, make_tables, trouble
from aiomar._process_lock import LockHeldError, ProcessLock, acquire
from aiomar.errors import DestinationError, DiskError

FOLDER = ".aiomar"
_NAME = "catalogue.sqlite3"
_LOCK = "lock"
_SIDES = ("-wal", "-shm", "-journal")
_SCHEMA = Schema(
    application=0x4F4D4152,  # "OMAR"
    version=1,
    columns={
        "files": (
            "id, name, origin, kind, selection, first_day, last_day, format, clock, "
            "size, mtime_ns, sha256, completeness, fetched_at, attempts, last_error, failed_at"
        ),
        "history": "name, sha256, size, completeness, fetched_at, replaced_at",
    },
    statements=(
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
    ),
)
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
        if not is_file(path):
            make_file(path)
        with connected(path) as connection:
            if not is_made(connection, _SCHEMA):
                make_tables(connection, _SCHEMA)
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
        if not is_file(path):
            return None
        stamp = read_stamp(directory)
        # What a killed process left half written has to be rolled back first, by whoever comes next.
        mode = "rw" if _beside(path, "-journal").exists() else "ro"
        place = f"{path.absolute().as_uri()}?mode={mode}{'' if stamp.in_use else '&immutable=1'}"
        with connected(place, uri=True) as connection:
            if is_made(connection, _SCHEMA):
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
    with _while_opening(directory):
        if not is_file(path):
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
        found = trouble(error)
        if found.kind == "damaged":
            advice = f"run 'aiomar verify {directory} --rebuild' to make it anew from the files"
        elif found.kind == "busy":
            advice = "close the program that has it open, then try again"
        else:
            advice = "make room or mend the disk, then try again"
        raise DiskError(f"{path} could not be used ({error}): {advice}", errno=found.errno) from error


@contextmanager
def _while_opening(directory: Path) -> Iterator[None]:
    """Make one of our errors from SQLite's and the system's, before the work begins."""
    try:
        yield
    except RefusedDatabaseError as error:
        raise _refused(directory, error) from error
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, sqlite3.Error) and trouble(error).kind == "damaged":
            raise damaged(directory, error) from error
        reason = error.strerror if isinstance(error, OSError) else error
        raise DestinationError(
            f"{catalogue_path(directory)} cannot be opened ({reason}): change its rights or choose another destination"
        ) from error


def _refused(directory: Path, error: RefusedDatabaseError) -> DestinationError:
    path = catalogue_path(directory)
    if error.problem == "damaged":
        return damaged(directory, error)
    return DestinationError(
        {
            "not_a_file": f"{path} is not a file: remove it or choose another destination",
            "foreign": f"{path} is not a catalogue of aiomar: choose another destination, or run 'aiomar verify "
            f"{directory} --rebuild' to put it aside",
            "newer": f"{path} was written by a newer version of aiomar: update aiomar, or run 'aiomar verify "
            f"{directory} --rebuild' to make it anew from the files",
        }[error.problem]
    )


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
