"""Carrying one file to the server and writing down what became of it (SUB 3.2, 3.3).

An upload is a story that the ledger tells.  Its intent is written before the first byte leaves, and what became of it
before anybody is told; whatever ends this process in between leaves an intent without an end, which is found at the
next start and called unknown.

The phase decides what a failure means.  Before a byte of the request may have left it is an ordinary `ExchangeError`,
and where no connection could be made it is tried again; after that the outcome is unknown unless the answer says what
happened.  The one answer after which a file is sent a second time is the login page, which says that it was not taken,
and only if the new login shows that the session had really ended.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from aiomar._operations import Operations
from aiomar._retry import GivenUpError, Retries, unwrapped
from aiomar._session import Lease, Session
from aiomar._threads import Threads
from aiomar.errors import (
    DeadlineError,
    ExchangeError,
    LoginError,
    OmarError,
    OutcomeUnknownError,
    ReceiptMismatchError,
    UsageError,
)
from aiomar.protocol import PAGE_LIMIT, Environment, ReceiptFacts, UploadReceipt, build_upload, printable
from aiomar.submissions import (
    Ending,
    Ledger,
    LoginInstead,
    Sender,
    Submission,
    SubmissionState,
    ending_of,
    fragments_of,
    judge_upload,
    unknown,
)
from aiomar.transfer import Event, InDoubt, SubmissionNotRecorded, UploadRetrying
from aiomar.transport import Trace, Transport

_log = logging.getLogger("aiomar")


@attrs.define(kw_only=True)
class Case:
    """One upload under way, and how far it has come."""

    source: Path
    submission: Submission
    ledger: Ledger
    started: dt.datetime
    trace: Trace = attrs.field(factory=Trace)
    """A fresh one says that nothing is under way, or that the answer was understood."""
    status: int | None = None
    page: bytearray = attrs.field(factory=bytearray, repr=False)
    """What has come of the answer's page."""
    not_taken: bool = False
    """Whether an answer says that the server did not take the file."""
    receipt: UploadReceipt | None = None
    final: OmarError | None = None
    """What it came to otherwise, once that is written down."""
    unrecorded: SubmissionNotRecorded | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether a byte may have left and nothing says what the server did with it."""
        return self.trace.phase != "connect"


@attrs.frozen(kw_only=True)
class Courier:
    """Sends files for a client, for whoever has the turn.

    Args:
        environment: where to.
        sender: who submits, for the ledger.
        session: logs in.
        transport: sends.
        threads: where pages are read and the ledger is written.
        retries: repeats a connection that could not be made.
        operations: bounds each upload with its login, and ends it when the client closes.
        notify: tells the observer.
        wall_clock: seconds since the epoch.
    """

    environment: Environment
    sender: Sender
    session: Session
    transport: Transport
    threads: Threads
    retries: Retries
    operations: Operations
    notify: Callable[[Event], None]
    wall_clock: Callable[[], float] = time.time

    def now(self) -> dt.datetime:
        """Give the time, aware, in UTC."""
        return dt.datetime.fromtimestamp(self.wall_clock(), dt.UTC)

    async def deliver(self, case: Case) -> UploadReceipt:
        """Send a file and note what became of it.

        Raises:
            OmarError: see `OmarClient.upload`.
        """
        try:
            with self.operations.limit():
                return await self._recorded(case)
        except (DeadlineError, UsageError) as error:
            # The operation may have been stopped from outside; what it had come to is known.
            if case.receipt is not None:
                return case.receipt
            if case.final is not None and case.final is not error:
                raise case.final from error
            raise
        except asyncio.CancelledError as error:
            if case.receipt is not None:
                error.add_note(f"{case.submission.name!a} was taken with file id {case.receipt.file_id}")
            elif case.in_doubt:
                ledger_id = case.submission.ledger_id
                error.add_note(f"{case.submission.name!a} was being sent and may have been taken: see {ledger_id}")
            raise
        finally:
            if case.unrecorded is not None:
                self.notify(case.unrecorded)

    async def _recorded(self, case: Case) -> UploadReceipt:
        """Submit, and let nobody know how it ended before the ledger does."""
        try:
            facts = await self._submit(case)
        except (Exception, asyncio.CancelledError) as error:
            # Also what nobody thought of: a mistake of ours does not tell what the server did with the file.
            final = await self.threads.run(self._conclude, case, error)
            if final is error:
                raise
            raise final from error
        case.receipt = UploadReceipt(
            file_id=facts.file_id,
            source_name=facts.source_name,
            saved_name=printable(facts.saved_name),
            size=facts.size,
            sha256=case.submission.sha256,
            submitted_at=case.started,
            ledger_id=case.submission.ledger_id,
        )
        ending = Ending(SubmissionState.ACCEPTED, file_id=facts.file_id, saved_name=case.receipt.saved_name)
        await self.threads.run(self._record, case, ending)
        return case.receipt

    async def _submit(self, case: Case) -> ReceiptFacts:
        with unwrapped():
            lease = await self.session.lease()
            await self.threads.run(self._intend, case)
            result = await self._send(case, lease)
            if isinstance(result, LoginInstead):
                case.not_taken = True
                self.session.end(lease)
                fresh = await self.session.lease()
                if fresh.cookie == lease.cookie:
                    raise unknown(
                        case.submission,
                        "page",
                        "the server answered with a login page, but the session had not ended: it is the same again",
                    )
                result = await self._send(case, fresh)
        if isinstance(result, LoginInstead):
            result = LoginError(
                "the server asks for a login again right after a fresh one, so the file was not taken: check the "
                "account"
            )
        if isinstance(result, ReceiptFacts):
            return result
        case.not_taken = not isinstance(result, InDoubt)
        raise result

    def _intend(self, case: Case) -> None:
        """Write the intent; in the case before anything can be lost by a cancellation.  Blocks."""
        ledger_id = case.ledger.intend(case.submission, case.source.absolute(), self.sender, case.started)
        case.submission = attrs.evolve(case.submission, ledger_id=ledger_id)

    async def _send(self, case: Case, lease: Lease) -> ReceiptFacts | LoginInstead | OmarError:
        """Send the file; again only while no connection can be made."""

        async def attempt(_: int) -> ReceiptFacts | LoginInstead | OmarError:
            try:
                return await self._send_once(case, lease)
            except ExchangeError as error:
                if case.in_doubt:
                    raise GivenUpError(error) from None  # or the error would be its own cause
                raise

        def on_retry(error: ExchangeError, number: int, wait: float) -> None:
            self.notify(UploadRetrying(case.source, error, number, wait))

        return await self.retries.run(attempt, seconds=self.operations.seconds, on_retry=on_retry)

    async def _send_once(self, case: Case, lease: Lease) -> ReceiptFacts | LoginInstead | OmarError:
        """Send the file and read what became of it."""
        submission = case.submission
        case.trace, case.status = Trace(), None
        case.page.clear()
        request = lease.apply(build_upload(self.environment, submission.name, submission.content))
        with self.session.breaker.guard(request.origin):
            exchange = await self.transport.send(request, case.trace, own_connection=True)
        case.status = exchange.head.status
        try:
            while len(case.page) <= PAGE_LIMIT and (piece := await exchange.read()):
                case.page += piece
        finally:
            exchange.close()
        page = bytes(case.page[: PAGE_LIMIT + 1])
        try:
            result = await self.threads.read_page(judge_upload, submission, exchange.head, page, now=self.wall_clock())
        except TimeoutError as error:
            raise unknown(submission, "page", "the answer takes too long to read", {"status": case.status}) from error
        case.trace = Trace()
        return result

    def _conclude(self, case: Case, error: BaseException) -> BaseException:
        """Say what an error means, and write it down.  Blocks.

        Returns:
            What to raise: the error itself, or what it comes to.
        """
        final = error
        if case.in_doubt and not isinstance(error, OutcomeUnknownError):
            final = self._in_doubt(case, error)
        if isinstance(final, InDoubt):
            self._keep_answer(case, final)
        self._record(case, ending_of(final, not_taken=case.not_taken))
        if isinstance(final, OmarError):
            case.final = final
        return error if isinstance(error, asyncio.CancelledError) else final

    def _in_doubt(self, case: Case, error: BaseException) -> OutcomeUnknownError:
        """Make an unknown outcome from what went wrong after the first byte; parses a page.  Blocks."""
        if isinstance(error, asyncio.CancelledError):
            cause = "it was given up while it was under way"
        else:
            # Without the advice behind the colon: "try again" is the one thing not to do here.
            cause = str(error).rpartition(": ")[0] if isinstance(error, OmarError) else type(error).__name__
        facts: dict[str, object] = {} if case.status is None else {"status": case.status}
        facts |= fragments_of(bytes(case.page), case.submission)
        return unknown(case.submission, case.trace.phase, cause, facts)

    def _keep_answer(self, case: Case, error: InDoubt) -> None:
        """Add to an error's facts when it was, and where the answer's page is kept for people to look at."""
        ledger_id = case.submission.ledger_id
        error.facts |= {"started": case.started.isoformat(), "ended": self.now().isoformat()}
        if isinstance(error, ReceiptMismatchError):  # the other has it as an attribute
            error.facts["ledger_id"] = ledger_id
        if ledger_id is None or not case.page:
            return
        try:
            error.facts["answer_page"] = str(case.ledger.keep_answer(ledger_id, bytes(case.page[:PAGE_LIMIT])))
        except OmarError as trouble:
            _log.warning("the page that answered %s could not be kept: %s", ledger_id, trouble)

    def _record(self, case: Case, ending: Ending) -> None:
        """Write down how it ended; the ending stands also if that fails.  Blocks."""
        ledger_id = case.submission.ledger_id
        if ledger_id is None:
            return
        try:
            case.ledger.end(ledger_id, ending, self.now())
        except OmarError as error:
            # There it is still being sent, which the next upload takes for unknown: it asks too much, not too little.
            case.unrecorded = SubmissionNotRecorded(ledger_id, ending.state.value, error)
            _log.error("%s is %s, but that could not be recorded: %s", ledger_id, ending.state.value, error)
