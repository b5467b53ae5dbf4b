"""One process at a time: a lock that the kernel frees when its holder dies, and a note that says who holds it.

Within one process a lock is shared and counted, because what it guards is safe between threads; who needs it for
itself asks for that.  The note stands beside the lock file and not in it: older versions of filelock empty the file
of a lock that they only try to get.
"""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs
from filelock import FileLock, Timeout

_LONGEST_WORD = 80
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class LockHeldError(Exception):
    """Somebody else holds the lock.  Internal: callers make an error of the tree from it.

    Attributes:
        holder: words for people: ``"process 123 (aiomar) on host alpha since 2026-01-31T08:00:00+00:00"``.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(f"held by {holder}")
        self.holder = holder


_Key = tuple[int, str]


@attrs.define(eq=False)
class _Held:
    file: FileLock
    alone: bool
    users: int = 1


_guard = threading.Lock()
# By process id too: a forked child inherits this table, but not the right to what its parent holds.
_held: dict[_Key, _Held] = {}


@attrs.define(eq=False)
class ProcessLock:
    """A share in a lock that this process holds; `release` or the end of ``with`` gives it back.

    Attributes:
        first: whether nobody else in this process had a share when it was taken.
    """

    _key: _Key | None
    first: bool

    def release(self) -> None:
        """Give the share back; the last one frees the lock.  A second call does nothing."""
        with _guard:
            key, self._key = self._key, None
            if key is None:
                return
            held = _held[key]
            held.users -= 1
            if not held.users:
                del _held[key]
                with suppress(OSError):
                    _note(Path(key[1])).unlink()
                held.file.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def acquire(path: Path, *, alone: bool = False) -> ProcessLock:
    """Take a lock, or a share in it where this process holds it already.

    Args:
        path: the lock file, which is made when missing and stays; its directory must exist.
        alone: share it with nobody, not even in this process.

    Raises:
        LockHeldError: somebody else holds it.
        OSError: the file cannot be made, or its file system has no locks.
    """
    key = os.getpid(), str(path.parent.resolve() / path.name)  # the file itself is never looked for through a link
    lock = _take(key, alone=alone)
    if lock is None:
        raise LockHeldError(_holder(Path(key[1])))
    return lock


def _take(key: _Key, *, alone: bool) -> ProcessLock | None:
    with _guard:
        held = _held.get(key)
        if held is not None:
            if alone or held.alone:
                return None
            held.users += 1
            return ProcessLock(key, first=False)
        # A lock that exists as long as its file does would outlive a killed holder: rather none than that one.
        file = FileLock(key[1], mode=0o600, thread_local=False, fallback_to_soft=False)
        try:
            file.acquire(blocking=False)
        except Timeout:
            return None
        except NotImplementedError as error:  # how older versions of filelock say it
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
        _held[key] = _Held(file, alone)
        with suppress(OSError):  # a courtesy to others, not part of the lock
            _write_note(_note(Path(key[1])))
        return ProcessLock(key, first=True)


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.holder.json")


def _write_note(note: Path) -> None:
    facts = {
        "pid": os.getpid(),
        "program": Path(sys.argv[0]).name,
        "host": socket.gethostname(),
        "since": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    note.unlink(missing_ok=True)
    with os.fdopen(os.open(note, _NEW_FILE, 0o600), "w", encoding="utf-8") as file:
        json.dump(facts, file)


def _holder(path: Path) -> str:
    """Say who holds a lock; the note is somebody else's, so nothing in it is taken for granted."""
    try:
        facts = json.loads(_note(path).read_bytes())
        pid, program, host, since = (_word(facts[key]) for key in ("pid", "program", "host", "since"))
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    if (pid, host) == (str(os.getpid()), socket.gethostname()):
        return "this process itself"
    return f"process {pid} ({program}) on host {host} since {since}"


def _word(value: object) -> str:
    return "".join(character for character in str(value)[:_LONGEST_WORD] if character.isprintable())
