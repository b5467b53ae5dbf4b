"""Submitting files: rules first, then the turn, then the ledger's word, then one file after the other (SUB 3.1–3.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from aiomar._courier import Case, Courier
from aiomar._files import REAL_FILES, FileSystem
from aiomar._operations import Operations
from aiomar._threads import Threads
from aiomar._types import PathLike
from aiomar._upload_turn import UploadTurn
from aiomar.errors import OmarError, OutcomeUnknownError, UploadBlockedError, UsageError
from aiomar.protocol import UploadLimits, UploadReceipt
from aiomar.submissions import Ledger, Submission, SubmissionState, read_source
from aiomar.transfer import (
    Event,
    FailedUpload,
    InDoubt,
    UploadFailed,
    UploadFinished,
    UploadReport,
    UploadStarted,
    UploadStopped,
)


@attrs.frozen(kw_only=True)
class Uploader:
    """Submits files for a client.

    Args:
        courier: carries a file to the server.
        turn: lets one upload after the other have the ledger.
        threads: where sources are read and the ledger is asked.
        limits: what a file must keep to.
        operations: bounds what is done here, and ends it when the client closes.
        notify: tells the observer.
        files: the file system.
    """

    courier: Courier
    turn: UploadTurn
    threads: Threads
    limits: UploadLimits
    operations: Operations
    notify: Callable[[Event], None]
    files: FileSystem = REAL_FILES

    async def upload(self, source: PathLike, name: str | None, *, resend: bool) -> UploadReceipt:
        """Submit one file.

        Raises:
            OmarError: see `OmarClient.upload`.
        """
        submission = await self._read(source, name)
        path = Path(source)
        async with self.turn.take() as ledger:
            if not resend:
                await self._check_ledger(ledger, submission)
            started = time.monotonic()
            self.notify(UploadStarted(path, submission.name, len(submission.content)))
            case = Case(source=path, submission=submission, ledger=ledger, started=self.turn.now())
            try:
                receipt = await self.courier.deliver(case)
            except OmarError as error:
                self.notify(UploadFailed(path, error))
                raise
            except BaseException:
                self.notify(_end_of(case, time.monotonic() - started))
                raise
            self.notify(UploadFinished(receipt, time.monotonic() - started))
            return receipt

    async def check(self, source: PathLike, name: str | None, *, resend: bool) -> None:
        """Find out whether `upload` would send a file.

        Raises:
            OmarError: why not; see `OmarClient.check_upload`.
        """
        submission = await self._read(source, name)
        if not resend:
            await self._check_ledger(await self.turn.look(), submission)

    async def upload_all(self, sources: Iterable[PathLike], *, raise_errors: bool, resend: bool) -> UploadReport:
        """Submit several files, one after the other; every rule is checked before the first is sent."""
        good: list[Path] = []
        failures: list[FailedUpload] = []
        for source in sources:
            try:
                await self._read(source, None)
                good.append(Path(source))
            except UsageError as error:
                failures.append(FailedUpload(Path(source), error))
        if failures and raise_errors:
            return UploadReport((), tuple(failures), tuple(good))
        receipts: list[UploadReceipt] = []
        waiting = list(good)
        while waiting:
            source = waiting.pop(0)
            try:
                receipts.append(await self.upload(source, None, resend=resend))
            except OmarError as error:
                failures.append(FailedUpload(source, error))
                if isinstance(error, InDoubt):
                    break
        return UploadReport(tuple(receipts), tuple(failures), tuple(waiting))

    async def _read(self, source: PathLike, name: str | None) -> Submission:
        with self.operations.limit():
            return await self.threads.run(read_source, source, name, self.limits, self.files)

    async def _check_ledger(self, ledger: Ledger, submission: Submission) -> None:
        with self.operations.limit():
            found = await self.threads.run(ledger.blocking, submission.sha256)
        if found is None:
            return
        when = f"on {found.submitted_at:%Y-%m-%d %H:%M} UTC as {found.name!a} (submission {found.id})"
        if found.state is SubmissionState.ACCEPTED:
            file_id = f"with file id {found.file_id}" if found.file_id else "with a file id that nobody knows"
            words = f"the same content was taken {when} {file_id}: pass resend=True (--resend) to submit it again"
        else:
            words = (
                f"the same content was sent {when} and nobody knows what became of it: run 'aiomar submissions confirm "
                f"{found.id} --meter …' first, or pass resend=True (--resend) to submit it again"
            )
        raise UploadBlockedError(words, ledger_id=found.id)


def _end_of(case: Case, elapsed: float) -> Event:
    """Tell what an upload has come to that was cancelled, maybe at its very end."""
    if case.receipt is not None:
        return UploadFinished(case.receipt, elapsed)
    if case.final is not None and not isinstance(case.final, OutcomeUnknownError):
        return UploadFailed(case.source, case.final)
    return UploadStopped(case.source, case.in_doubt, case.submission.ledger_id)
