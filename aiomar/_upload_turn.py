"""Whose turn it is to submit: one file at a time in a client, and for an environment and a certificate on a machine.

Within the client tasks wait for each other.  Between clients and processes a file lock decides, which the kernel frees
when its holder dies; it is tried again and again, as waiting for it inside the system could neither be cancelled nor
be told from a hang.  Who has the turn also has the ledger, and knows that whatever is still called "sending" in there
was left behind by a process that died.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from aiomar._files import REAL_FILES, FileSystem
from aiomar._operations import Operations
from aiomar._process_lock import LockHeldError, ProcessLock, acquire
from aiomar._threads import Threads
from aiomar.errors import ConfigError, DeadlineError, UploadBlockedError
from aiomar.submissions import Ledger, lock_path

_log = logging.getLogger("aiomar")
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


@attrs.define(kw_only=True)
class UploadTurn:
    """Lets one upload after the other have the ledger.

    Args:
        directory: of the ledger.
        threads: where locks and ledgers are waited for.
        operations: bounds the wait, and ends it when the client closes.
        files: the file system, for what SQLite does not write itself.
        wall_clock: seconds since the epoch.
    """

    directory: Path
    threads: Threads
    operations: Operations
    files: FileSystem = REAL_FILES
    wall_clock: Callable[[], float] = time.time
    _mine: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _opening: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _ledger: Ledger | None = attrs.field(default=None, init=False)

    async def ledger(self) -> Ledger:
        """Give the ledger, opened when it is first needed.

        Raises:
            ConfigError: it cannot be used.
        """
        async with self._opening:
            return await self.threads.run(self._open) if self._ledger is None else self._ledger

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Ledger]:
        """Have the turn inside, and the ledger, in which nothing is called "sending" at first.

        Raises:
            UploadBlockedError: somebody else has had it for as long as an operation may take.
            ConfigError: the ledger cannot be used.
        """
        async with self._mine:
            held = _Held(lock_path(self.directory))
            try:
                with self.operations.limit():
                    ledger = await self.ledger()
                    await self.threads.run(held.attempt)
                await self._wait_for(held)
                with self.operations.limit():
                    await self.threads.run(self._settle, ledger)
                yield ledger
            finally:
                held.release()

    def now(self) -> dt.datetime:
        """Give the time, aware, in UTC."""
        return dt.datetime.fromtimestamp(self.wall_clock(), dt.UTC)

    async def look(self) -> Ledger:
        """Give the ledger without having the turn; what a dead process left behind is settled if nobody has it."""
        with self.operations.limit():
            ledger = await self.ledger()
            await self.threads.run(self._settle_if_free, ledger)
        return ledger

    def _settle_if_free(self, ledger: Ledger) -> None:
        held = _Held(lock_path(self.directory))
        held.attempt()
        try:
            if held.lock is not None:
                self._settle(ledger)
        finally:
            held.release()

    def _settle(self, ledger: Ledger) -> None:
        """Call unknown what a dead process left behind, and say so: somebody has to find out.  Blocks."""
        for record in ledger.settle_leftovers(self.now()):
            _log.warning(
                "%a was being sent when its process ended and may have been taken: "
                "run 'aiomar submissions confirm %s --meter …'",
                record.name,
                record.id,
            )

    async def _wait_for(self, held: _Held) -> None:
        pause = _FIRST_PAUSE
        try:
            with self.operations.limit():
                while held.lock is None:
                    await asyncio.sleep(pause)
                    await self.threads.run(held.attempt)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except DeadlineError as error:
            raise UploadBlockedError(
                f"another upload for the same environment and certificate is under way in {held.holder}: wait until "
                "it has ended, then submit again"
            ) from error

    def _open(self) -> Ledger:
        # Kept here too: a caller that is cancelled in the meantime would lose it.
        self._ledger = Ledger.open(self.directory, self.files)
        return self._ledger

    async def aclose(self) -> None:
        """Close the ledger; no upload is under way any more."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            await self.threads.run(ledger.close)


@attrs.define
class _Held:
    """The machine's lock, from the first attempt to get it to its release."""

    path: Path
    lock: ProcessLock | None = None
    holder: str = ""

    def attempt(self) -> None:
        """Take it if it is free.  Blocks, though not for long.

        Raises:
            ConfigError: its file system has no locks, or the file cannot be made.
        """
        try:
            self.lock = acquire(self.path, alone=True)
        except LockHeldError as error:
            self.holder = error.holder
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be locked ({error.strerror}): change its rights or choose another state_dir"
            ) from error

    def release(self) -> None:
        """Give it back, if it was taken."""
        if self.lock is not None:
            self.lock.release()
