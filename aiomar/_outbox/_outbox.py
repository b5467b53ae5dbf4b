"""The outbox: one look, or a service that looks until it is stopped.

One file at a time, and after each a new look: the oldest comes first, whatever has come in the meantime.  A stop does
not tear an upload apart, which would leave its outcome unknown: the file that is under way gets a while to arrive and
to be moved.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import attrs

from aiomar._checks import number
from aiomar._client import OmarClient
from aiomar._outbox._folder import Folder, Lying
from aiomar._outbox._line import Line
from aiomar._outbox._patience import Patience
from aiomar._outbox._shelf import Shelf
from aiomar._outbox._watch import check_watchfiles, watched
from aiomar._outbox._work import Work
from aiomar._process_lock import LockHeldError, ProcessLock, acquire
from aiomar._types import PathLike
from aiomar.errors import ConfigError, DestinationError, OmarError, OutcomeUnknownError, SourceError, UsageError
from aiomar.protocol import UploadReceipt
from aiomar.transfer import FOLDER, FailedUpload, UploadReport

_log = logging.getLogger("aiomar")
_LOCK = "outbox.lock"


def _named(directory: PathLike) -> Path:
    """Take a name, but none that is empty: to `Path` that is the working directory, whose files nobody meant."""
    if not os.fspath(directory):
        raise ConfigError("the directory of an Outbox is empty: name it, with '.' if the working directory is meant")
    return Path(directory)


@attrs.frozen
class Outbox:
    """A directory whose files are submitted as they appear: one at a time, oldest first, each once.

    Each file moves to ``sent/`` with its receipt beside it, or to ``refused/`` with the reason.  The ledger decides
    what is sent: whatever ends this process, at any instant, no file is lost and none is submitted twice.

    ::

        async with aiomar.OmarClient(config) as client:
            await aiomar.Outbox(client, "outbox").run()

    Args:
        client: submits; it stays open as long as the outbox works.
        directory: the outbox; it must exist.  Hidden files, directories, and names that end in ``~``, ``.tmp``,
            ``.part`` and the like are left alone.
        settle: seconds that size and time of a file must have stood still before it is taken.
        rescan: seconds between looks when the system tells of no change, as on a network file system.

    Raises:
        ConfigError: one of these cannot be used.
    """

    client: OmarClient
    directory: Path = attrs.field(converter=_named)
    settle: float = attrs.field(default=2.0, validator=number(), kw_only=True)
    rescan: float = attrs.field(default=60.0, validator=number(above=0.0), kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.client, OmarClient):
            raise ConfigError(f"Outbox needs an OmarClient, not {type(self.client).__name__}")

    async def once(self) -> UploadReport:
        """Submit what lies in the outbox now, and stop.

        Looks, waits for `settle` seconds, and submits what has stood still.  What is still being written stays for
        the next time, as does what comes later.  The first trouble that is not a file's own ends it: a server out of
        reach, a login that is refused, an outcome that is unknown, from now or from earlier.

        Returns:
            The receipts; the files that were refused or could not be read, and the trouble if there was one; what was
            left and may be sent the next time.  Nothing of it is raised: `UploadReport.raise_for_failures` does that.

        Raises:
            DestinationError: the outbox cannot be used, or another process serves it.
            UsageError: the certificate is out of date, the ledger cannot be used, or the client is closed.
        """
        receipts: list[UploadReceipt] = []
        failures: list[FailedUpload] = []
        async with self._opened() as work:
            await work.next()
            waiting = set(work.folder.lying)
            if waiting:
                await work.rest(self.settle)
            while (lying := await work.next(waiting)) is not None:
                try:
                    outcome = await work.serve(lying)
                except SourceError as error:
                    news = await work.pass_over(lying, error)
                    outcome = FailedUpload(lying.path, error) if news else None
                except UsageError:
                    raise
                except OmarError as error:
                    failures.append(_failure(lying.path, error))
                    waiting.discard(failures[-1].source)
                    break
                waiting.discard(lying.path)
                if isinstance(outcome, UploadReceipt):
                    receipts.append(outcome)
                elif outcome is not None:
                    failures.append(outcome)
            left = [path for path in work.folder.lying if path in waiting]
        return UploadReport(tuple(receipts), tuple(failures), tuple(left))

    async def run(self) -> NoReturn:
        """Submit files as they appear, until cancelled.

        A cancellation counts when the file that is under way has arrived and was moved, or after 20 seconds.

        While the server or the network is away, the disk is full or another process submits, it waits with growing
        pauses, up to five minutes.  An outcome that is unknown stops the line, and it goes on by itself once that
        submission is confirmed or resolved.  `OutboxWaiting` and the log tell of both.

        Raises:
            ConfigError: watchfiles is missing (extra ``outbox``), or the ledger cannot be used.
            DestinationError: the outbox cannot be used, or another process serves it.
            SessionError: the login was refused.
            CertificateRejectedError: one side does not accept the other's certificate.
            UsageError: the certificate is out of date, or the client is closed.
            OmarError: any other trouble that will not mend itself.
        """
        check_watchfiles()
        async with self._opened() as work, watched(work.folder.directory) as news:
            patience = Patience()
            while True:
                try:
                    lying = await work.next()
                    if lying is not None:
                        await _served(work, lying)
                        patience.renew()
                except OmarError as error:
                    wait = patience.next_wait(error)
                    if patience.is_news(error):
                        work.tell(error, wait)
                    await work.rest(wait)
                else:
                    if lying is None:
                        await work.wait_for(news)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Work]:
        """Hold the outbox."""
        parts = self.client._ready()  # noqa: SLF001 - an outbox is a part of the client, for those who want one
        uploader = parts.uploader
        directory = Path(await parts.threads.run(os.path.realpath, self.directory))
        shelf = Shelf(directory=directory, files=uploader.files)
        await parts.threads.run(shelf.make)
        hold = _Hold(directory)
        try:
            await parts.threads.run(hold.take)
            yield Work(
                folder=Folder(directory=directory, files=uploader.files, settle=self.settle),
                line=Line(
                    client=self.client,
                    turn=uploader.turn,
                    threads=parts.threads,
                    limits=uploader.limits,
                    shelf=shelf,
                    notify=uploader.notify,
                ),
                threads=parts.threads,
                operations=parts.operations,
                notify=uploader.notify,
                clock=parts.downloader.retries.waiting.clock,
                rescan=self.rescan,
            )
        finally:
            hold.release()


@attrs.define
class _Hold:
    """The one right to serve an outbox; kept here, as a caller that is cancelled while it is taken would lose it."""

    directory: Path
    lock: ProcessLock | None = None

    def take(self) -> None:
        """Take it, or say who has it.  Blocks, though not for long.

        Raises:
            DestinationError: somebody has it, or the file system has no locks.
        """
        try:
            self.lock = acquire(self.directory / FOLDER / _LOCK, alone=True)
        except LockHeldError as error:
            raise DestinationError(
                f"{self.directory} is served by {error.holder} already: one process is enough for an outbox"
            ) from error
        except OSError as error:
            raise DestinationError(
                f"{self.directory} cannot be locked ({error.strerror}), and two processes must not serve it at once: "
                "put the outbox on a file system that has locks"
            ) from error

    def release(self) -> None:
        """Give it back, if it was taken."""
        if self.lock is not None:
            self.lock.release()


async def _served(work: Work, lying: Lying) -> None:
    try:
        await work.serve(lying)
    except SourceError as error:
        if await work.pass_over(lying, error):
            _log.warning("%s", error)


def _failure(path: Path, error: OmarError) -> FailedUpload:
    """Say which file is in trouble: the one that was tried, or an earlier one whose outcome is unknown."""
    source = error.facts.get("source", path) if isinstance(error, OutcomeUnknownError) else path
    return FailedUpload(Path(str(source)), error)
