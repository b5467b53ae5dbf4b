"""Submitting files: one in flight, sent once, on a connection of its own, never again by itself (SUB 3.1–3.3).

The phase decides what a failure means.  Before a byte of the request may have left it is an ordinary `ExchangeError`;
after that the outcome is unknown unless the answer says what happened.  The one answer after which a file is sent a
second time is the login page, which says that it was not taken, and only if the new login shows that the session had
really ended.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from aiomar._login import read_page
from aiomar._operations import Operations
from aiomar._retry import unwrapped
from aiomar._session import Lease, Session
from aiomar._threads import Threads
from aiomar._types import PathLike
from aiomar.errors import LoginError, OmarError, OutcomeUnknownError, ReceiptMismatchError, UsageError
from aiomar.protocol import Environment, ReceiptFacts, UploadLimits, UploadReceipt, build_upload, printable
from aiomar.submissions import LoginInstead, Submission, judge_upload, read_source, unknown
from aiomar.transfer import Event, FailedUpload, UploadFailed, UploadFinished, UploadReport, UploadStarted
from aiomar.transport import Trace, Transport

# Reading a receipt takes a millisecond; a page built to be slow is given up.
_PAGE_SECONDS = 2.0


@attrs.define
class _Journey:
    """How far an upload has come; a fresh trace says that nothing is under way, or that the answer was understood."""

    trace: Trace = attrs.field(factory=Trace)


@attrs.frozen(kw_only=True)
class Uploader:
    """Submits files for a client.

    Args:
        environment: where to.
        session: logs in.
        transport: sends.
        threads: where sources and pages are read.
        limits: what a file must keep to.
        operations: bounds each upload with its login, and ends it when the client closes.
        notify: tells the observer.
        wall_clock: seconds since the epoch.
        turn: held while a file is under way.
    """

    environment: Environment
    session: Session
    transport: Transport
    threads: Threads
    limits: UploadLimits
    operations: Operations
    notify: Callable[[Event], None]
    wall_clock: Callable[[], float] = time.time
    turn: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def upload(self, source: PathLike, name: str | None) -> UploadReceipt:
        """Submit one file.

        Raises:
            OmarError: see `OmarClient.upload`.
        """
        submission = await self._read(source, name)
        async with self.turn:
            started = time.monotonic()
            submitted_at = dt.datetime.fromtimestamp(self.wall_clock(), dt.UTC)
            self.notify(UploadStarted(Path(source), submission.name, len(submission.content)))
            try:
                facts = await self._guarded(submission)
            except OmarError as error:
                self.notify(UploadFailed(Path(source), error))
                raise
            receipt = UploadReceipt(
                file_id=facts.file_id,
                source_name=facts.source_name,
                saved_name=printable(facts.saved_name),
                size=facts.size,
                sha256=submission.sha256,
                submitted_at=submitted_at,
            )
            self.notify(UploadFinished(receipt, time.monotonic() - started))
            return receipt

    async def upload_all(self, sources: Iterable[PathLike], *, raise_errors: bool) -> UploadReport:
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
                receipts.append(await self.upload(source, None))
            except OmarError as error:
                failures.append(FailedUpload(source, error))
                if isinstance(error, OutcomeUnknownError | ReceiptMismatchError):
                    break
        return UploadReport(tuple(receipts), tuple(failures), tuple(waiting))

    async def _read(self, source: PathLike, name: str | None) -> Submission:
        with self.operations.limit():
            return await self.threads.run(read_source, source, name, self.limits)

    async def _guarded(self, submission: Submission) -> ReceiptFacts:
        """Turn whatever goes wrong after the first byte into an unknown outcome."""
        journey = _Journey()
        try:
            with self.operations.limit():
                return await self._submit(submission, journey)
        except OutcomeUnknownError:
            raise
        except Exception as error:
            # Also what nobody thought of: a mistake of ours does not tell what the server did with the file.
            if journey.trace.phase == "connect":
                raise
            # Without the advice behind the colon: "try again" is the one thing not to do here.
            cause = str(error).rpartition(": ")[0] if isinstance(error, OmarError) else type(error).__name__
            raise unknown(submission, journey.trace.phase, cause) from error
        except asyncio.CancelledError as error:
            if journey.trace.phase != "connect":
                error.add_note(f"{submission.name!a} was being sent and may have been taken")
            raise

    async def _submit(self, submission: Submission, journey: _Journey) -> ReceiptFacts:
        with unwrapped():
            lease = await self.session.lease()
        result = await self._send(submission, lease, journey)
        if isinstance(result, ReceiptFacts):
            return result
        self.session.end(lease)
        with unwrapped():
            fresh = await self.session.lease()
        if fresh.cookie == lease.cookie:
            raise unknown(
                submission,
                "page",
                "the server answered with a login page, but the session had not ended: it is the same again",
            )
        if isinstance(again := await self._send(submission, fresh, journey), ReceiptFacts):
            return again
        raise LoginError(
            "the server asks for a login again right after a fresh one, so the file was not taken: check the account"
        )

    async def _send(self, submission: Submission, lease: Lease, journey: _Journey) -> ReceiptFacts | LoginInstead:
        """Send the file once and read what became of it."""
        journey.trace = Trace()
        request = lease.apply(build_upload(self.environment, submission.name, submission.content))
        with self.session.breaker.guard(request.origin):
            exchange = await self.transport.send(request, journey.trace, own_connection=True)
        head = exchange.head
        try:
            page = await read_page(exchange)
        finally:
            exchange.close()
        reading = self.threads.start(judge_upload, submission, head, page, now=self.wall_clock())
        try:
            async with asyncio.timeout(_PAGE_SECONDS):
                result = await reading
        except TimeoutError as error:
            raise unknown(submission, "page", "the answer takes too long to read", {"status": head.status}) from error
        journey.trace = Trace()
        if isinstance(result, OmarError):
            raise result
        return result
