"""One file's turn: what the ledger says of it, the upload, and where it goes then.

The ledger decides.  A content that it has as taken is never sent again.  If that was this very file, sent from where it
lies by a process that ended before it was moved, it goes to ``sent/`` now.  If not, somebody wants the same content
submitted a second time, which he has to say himself: it goes to ``refused/``.  What tells the two apart is the receipt,
which a file that was moved has in ``sent/``, and the time at which the file came to lie there, which is before its
submission only if it is the same.  Where neither is certain the file is refused: that neither loses nor doubles it.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from aiomar._client import OmarClient
from aiomar._outbox._folder import Lying
from aiomar._outbox._shelf import Shelf, Tray
from aiomar._threads import Threads
from aiomar._upload_turn import UploadTurn
from aiomar.errors import (
    Hint,
    LimitError,
    OmarError,
    OutcomeUnknownError,
    SourceError,
    StatusError,
    SubmissionRejectedError,
    UploadBlockedError,
)
from aiomar.protocol import UploadLimits, UploadReceipt
from aiomar.submissions import Ledger, SubmissionRecord, SubmissionState, read_source
from aiomar.transfer import Event, FailedUpload, OutboxRefused, OutboxSent

_IN_DOUBT = frozenset({SubmissionState.UNKNOWN, SubmissionState.SENDING})
_OF_THE_SITE = frozenset({401, 403, 404, 405, 410})
"""Statuses that may be about a file; about two of them in a row they are about the site."""


@attrs.define(kw_only=True)
class Line:
    """Submits the files of an outbox, one after the other.

    Args:
        client: sends.
        turn: gives the ledger.
        threads: where disks are waited for.
        limits: what a file must keep to.
        shelf: where files go.
        notify: tells the observer.
    """

    client: OmarClient
    turn: UploadTurn
    threads: Threads
    limits: UploadLimits
    shelf: Shelf
    notify: Callable[[Event], None]
    _refused_with: int | None = attrs.field(default=None, init=False)
    """The HTTP status by which the last file that was sent was refused."""

    async def serve(self, lying: Lying) -> UploadReceipt | FailedUpload | None:
        """Do what can be done for one file.

        Returns:
            Its receipt; why it was refused; or nothing if it is gone or is another one now.

        Raises:
            SourceError: it cannot be read, and stays where it is.
            OutcomeUnknownError: it, or another file of the outbox, may or may not have been taken.
            OmarError: it stays where it is, and so do all others.
        """
        ledger = await self.turn.look()
        await self.threads.run(self._check_line, ledger)
        if not lying.plain:
            raise SourceError(f"{lying.path} is not a file, and links are never followed: put the file itself there")
        try:
            submission = await self.threads.run(read_source, lying.path, None, self.limits, self.shelf.files)
        except LimitError as error:
            return await self._refuse(lying.path, error, {})
        facts = {"size": len(submission.content), "sha256": submission.sha256}
        found = await self.threads.run(ledger.blocking, submission.sha256)
        if found is not None:
            return await self._settle(lying, found, facts)
        # Before the upload, so that what the server says to a login is not taken for its word on the file.
        await self.client.login()
        return await self._send(lying.path, facts)

    async def _send(self, path: Path, facts: Mapping[str, object]) -> UploadReceipt | FailedUpload | None:
        before, self._refused_with = self._refused_with, None
        try:
            receipt = await self.client.upload(path)
        except SubmissionRejectedError as error:
            return await self._refuse(path, error, facts)
        except LimitError as error:
            return await self._refuse(path, error, {})
        except StatusError as error:
            if error.hint is Hint.RETRY:
                raise
            self._refused_with = error.status
            if error.status == before and before in _OF_THE_SITE:
                words = f"the server says so to one file after the other, so nothing else is sent for now: {error}"
                raise StatusError(words, status=before, hint=Hint.RETRY) from error
            return await self._refuse(path, error, facts)
        return await self._keep(path, receipt)

    def _check_line(self, ledger: Ledger) -> None:
        """Do nothing unless something of this outbox is in doubt.  Blocks."""
        for record in ledger.records(_IN_DOUBT):
            if self._is_from_here(record.source):
                raise in_doubt(record)

    def _is_from_here(self, source: Path) -> bool:
        return os.path.realpath(source.parent) == os.path.realpath(self.shelf.directory)

    async def _settle(
        self, lying: Lying, found: SubmissionRecord, facts: Mapping[str, object]
    ) -> UploadReceipt | FailedUpload | None:
        """Do what follows from what the ledger has of a content."""
        if found.state in _IN_DOUBT:
            raise in_doubt(found)
        if await self.threads.run(self._was_sent_from_there, lying, found):
            return await self._keep(lying.path, found.receipt())
        error = UploadBlockedError(
            f"the same content was taken on {found.submitted_at:%Y-%m-%d %H:%M} UTC as {found.name!a} with file id "
            f"{found.file_id or 'unknown'} (submission {found.id}), so it was not sent again: to submit it once more, "
            "run 'aiomar upload --resend' with the file",
            ledger_id=found.id,
        )
        return await self._refuse(lying.path, error, facts)

    def _was_sent_from_there(self, lying: Lying, found: SubmissionRecord) -> bool:
        """Whether a submission was of this very file, which was not moved afterwards.  Blocks."""
        return (
            found.source.name == lying.path.name
            and self._is_from_here(found.source)
            and lying.changed < found.submitted_at.timestamp()
            and not self.shelf.has(lying.path.name, found.id)
        )

    async def _keep(self, path: Path, receipt: UploadReceipt) -> UploadReceipt:
        paper = {"file": path.name, **attrs.asdict(receipt), "submitted_at": receipt.submitted_at.isoformat()}
        target = await self._put(path, "sent", paper, receipt.ledger_id or receipt.file_id)
        self.notify(OutboxSent(path, target, receipt))
        return receipt

    async def _refuse(self, path: Path, error: OmarError, facts: Mapping[str, object]) -> FailedUpload | None:
        now = self.turn.now()
        ledger_id = getattr(error, "ledger_id", None)
        paper = {
            "file": path.name,
            "error": type(error).__name__,
            "reason": str(error),
            "refused_at": now.isoformat(timespec="seconds"),
            "ledger_id": ledger_id,
            **facts,
        }
        target = await self._put(path, "refused", paper, f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}")
        if target is None:
            return None
        self.notify(OutboxRefused(path, target, error))
        return FailedUpload(path, error)

    async def _put(self, path: Path, tray: Tray, paper: Mapping[str, object], tag: str) -> Path | None:
        return await self.threads.run(self.shelf.put, path, tray, paper, tag=tag)


def in_doubt(record: SubmissionRecord) -> OutcomeUnknownError:
    """Say what an outbox waits for."""
    return OutcomeUnknownError(
        f"{record.name!a}, submitted on {record.submitted_at:%Y-%m-%d %H:%M} UTC, may or may not have been taken, and "
        f"nothing else is sent before that is known: run 'aiomar submissions confirm {record.id} --meter …', or write "
        f"down what you find out with 'aiomar submissions resolve {record.id}'",
        phase=record.phase or "request",
        facts={"name": record.name, "size": record.size, "sha256": record.sha256, "source": str(record.source)},
        ledger_id=record.id,
    )
