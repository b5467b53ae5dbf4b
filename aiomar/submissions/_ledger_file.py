"""The file that a ledger is: where it stands, how it is opened, and what is said when it cannot be used.

One folder for each environment and certificate holder, because that is what may have one upload in flight and what a
double submission would be double of; a renewed certificate has the same holder.

SQLite with a rollback journal that is cut to nothing at each commit (``TRUNCATE``), and ``synchronous = FULL``.  That
journal is what makes FULL mean it: the cut is synced too, so that a power loss cannot bring the journal back and with
it roll back a commit that was reported, as it can where the journal is deleted.  A write-ahead log would be as durable
and faster; but two commits for each upload are few, and without it one file is the whole truth whenever nobody writes:
it can be copied as proof, and read where nothing may be written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_state_path

from aiomar._database import RefusedDatabaseError, connected, is_file, is_made, make_file, make_tables, trouble
from aiomar._files import FileSystem, sync_directory
from aiomar._types import PathLike
from aiomar.errors import ConfigError, DiskError, OmarError
from aiomar.submissions._ledger_rows import SCHEMA

_FOLDER = "submissions"
_NAME = "ledger.sqlite3"
_LOCK = "lock"
_UNSAFE = re.compile(r"[^a-z0-9.-]")
_LONGEST_NAME = 60
_HASH_DIGITS = 16
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""What the disk says that it may not say for ever; another place is not what is needed then."""


def ledger_directory(state_dir: PathLike | None, upload_origin: str, holder: str) -> Path:
    """Give the folder of the ledger for an environment and a certificate holder.

    Args:
        state_dir: where aiomar keeps its records; `None` for the platform's place.
        upload_origin: of the environment.
        holder: a digest of what stays when a certificate is renewed, in hexadecimal.
    """
    name = _UNSAFE.sub("_", upload_origin.lower().removeprefix("https://"))[:_LONGEST_NAME]
    digest = hashlib.sha256(f"{upload_origin}\n{holder}".encode()).hexdigest()[:_HASH_DIGITS]
    return _ledgers(state_dir) / f"{name}-{digest}"


def ledger_directories(state_dir: PathLike | None) -> list[Path]:
    """Give the folders of all ledgers that there are.

    Raises:
        ConfigError: the state directory cannot be read.
    """
    place = _ledgers(state_dir)
    try:
        return sorted(folder for folder in place.iterdir() if (folder / _NAME).exists())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unusable(place, error.strerror, error.errno) from error


def lock_path(directory: Path) -> Path:
    """Give the lock that who submits for this ledger holds alone."""
    return directory / _LOCK


def connect(directory: Path, files: FileSystem) -> sqlite3.Connection:
    """Open the ledger of a folder, making both when missing.

    Raises:
        ConfigError: it cannot be used, is damaged, somebody else's, or of a newer version.
        DiskError: the disk is full or fails.
    """
    path = directory / _NAME
    try:
        _make_folder(directory, files)
        if not is_file(path):
            try:
                make_file(path)
            except FileExistsError:  # another process was faster
                is_file(path)
            sync_directory(directory, files)
        with connected(path) as connection:
            made = is_made(connection, SCHEMA)
            connection.execute("PRAGMA journal_mode = TRUNCATE").close()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # on macOS a sync ends in the drive's cache otherwise
            if not made:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # so that pruning gives room back
                make_tables(connection, SCHEMA)
            return connection
    except RefusedDatabaseError as error:
        raise _refused(path, error) from error
    except sqlite3.Error as error:
        if trouble(error).kind == "damaged":
            raise ConfigError(_damaged(path, error)) from error
        raise _unusable(path, error, trouble(error).errno) from error
    except OSError as error:
        raise _unusable(path, error.strerror, error.errno) from error


@contextmanager
def translated(directory: Path) -> Iterator[None]:
    """Make one of our errors from SQLite's, in the middle of the work."""
    try:
        yield
    except sqlite3.Error as error:
        found = trouble(error)
        if found.kind == "damaged":
            raise damaged(directory, error) from error
        advice = (
            "close the program that has it open, then try again"
            if found.kind == "busy"
            else "see to its rights, to room and to the disk, then try again"
        )
        raise DiskError(f"{directory / _NAME} could not be used ({error}): {advice}", errno=found.errno) from error


def damaged(directory: Path, reason: object) -> DiskError:
    """Say that a ledger cannot be read, and what to do."""
    return DiskError(_damaged(directory / _NAME, reason), errno=None)


def make_directory(directory: Path, files: FileSystem) -> None:
    """Make a directory for its owner's eyes only, if it is not there; it is durable then.

    Raises:
        OSError: it cannot be made, or something else is there.
    """
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        if not stat.S_ISDIR(directory.lstat().st_mode):
            raise
    else:
        sync_directory(directory.parent, files)


def _make_folder(directory: Path, files: FileSystem) -> None:
    if not directory.parent.is_dir():
        _make_folder(directory.parent, files)
    make_directory(directory, files)


def state_directory(state_dir: PathLike | None) -> Path:
    """Give the place of aiomar's own records.

    Args:
        state_dir: as configured; `None` for the platform's place.
    """
    state = user_state_path("aiomar", appauthor=False) if state_dir is None else Path(os.fspath(state_dir))
    return state.absolute()


def _ledgers(state_dir: PathLike | None) -> Path:
    return state_directory(state_dir) / _FOLDER


def _unusable(path: Path, reason: object, number: int | None) -> OmarError:
    if number in _PASSING:
        return DiskError(
            f"{path} cannot be written ({reason}), and no file is submitted without a record: make room or mend the "
            "disk, then try again",
            errno=number,
        )
    return ConfigError(
        f"{path} cannot be used ({reason}), and no file is submitted without a record: see to its rights, to room on "
        "its disk and to programs that have it open, or set state_dir to another directory"
    )


def _refused(path: Path, error: RefusedDatabaseError) -> ConfigError:
    texts = {
        "not_a_file": f"{path} is not a file: remove it, or set state_dir to another directory",
        "foreign": f"{path} is not a ledger of aiomar: move it away, or set state_dir to another directory",
        "newer": f"{path} was written by a newer version of aiomar: update aiomar",
        "damaged": _damaged(path, error),
    }
    return ConfigError(texts[error.problem])


def _damaged(path: Path, reason: object) -> str:
    return (
        f"{path} is damaged ({reason}): keep it, it is proof of what was submitted; move it aside with the files whose "
        "names begin like its own, and the next upload begins a new ledger that does not know what the old one held"
    )
