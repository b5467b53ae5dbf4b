"""Confirming: what was submitted is looked for in what can be downloaded, until it shows (SUB/DL 3.4).

The documents speak of about an hour until submitted data are loaded, and of more when the server is busy.  So the
pauses between looks grow, and a look that sees nothing, for whatever reason that may pass, is only a look.  Nothing is
ever sent again from here.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import io
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, cast

import attrs

from aiomar._downloads import Downloader, Wanted
from aiomar._operations import Operations
from aiomar._threads import Threads
from aiomar._types import PathLike
from aiomar._upload_turn import UploadTurn
from aiomar.errors import (
    CertificateRejectedError,
    DiskError,
    FormatError,
    OmarError,
    ResponseError,
    SourceError,
    TransportError,
    UsageError,
)
from aiomar.protocol import Selection, Span, UploadReceipt
from aiomar.submissions import (
    Comparison,
    Confirmation,
    Ending,
    Ledger,
    SubmissionRecord,
    SubmissionState,
    compare,
    read_again,
)
from aiomar.transfer import ConfirmationPending, Event

_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 900.0
_MOST_BYTES = 64 * 1024 * 1024  # of a download are compared in memory; more of it goes into a temporary file
_MAY_BE_CONFIRMED = frozenset({SubmissionState.UNKNOWN, SubmissionState.ACCEPTED})


@attrs.frozen(kw_only=True)
class Question:
    """What is to be looked for, and where."""

    receipt: UploadReceipt | str
    selection: Selection
    span: Span
    wanted: Wanted
    source: PathLike | None
    timeout: dt.timedelta


@attrs.frozen(kw_only=True)
class _Submitted:
    """What was submitted."""

    record: SubmissionRecord | None
    name: str
    sha256: str
    content: bytes = attrs.field(repr=False)

    @property
    def ledger_id(self) -> str | None:
        return None if self.record is None else self.record.id


@attrs.frozen(kw_only=True)
class Confirmer:
    """Confirms submissions for a client.

    Args:
        turn: gives the ledger.
        downloader: fetches, and has the clock.
        threads: where contents are compared.
        operations: bounds each look, and ends looks and pauses when the client closes.
        notify: tells the observer.
    """

    turn: UploadTurn
    downloader: Downloader
    threads: Threads
    operations: Operations
    notify: Callable[[Event], None]

    async def confirm(self, question: Question) -> Confirmation:
        """Look until all of it shows, or time is over.

        Raises:
            OmarError: see `OmarClient.confirm`.
        """
        clock = self.downloader.retries.waiting.clock
        began = clock()
        ledger = await self.turn.look()
        with self.operations.limit():
            submitted = await self.threads.run(_find, ledger, question)
            # Also finds out, before anything is asked, whether it is of the format that is asked for.
            latest = await self.threads.run(_nothing_of, submitted.content, question.wanted)
        looks, pause, error = 0, _FIRST_PAUSE, None
        while True:
            looks += 1
            try:
                latest, error = await self._look(submitted, question), None
            except (TransportError, ResponseError, FormatError) as trouble:
                if isinstance(trouble, CertificateRejectedError) and trouble.certain:
                    raise
                error = trouble
            left = question.timeout.total_seconds() - (clock() - began)
            if latest.complete or left <= 0:
                break
            wait = min(pause, left)
            self.notify(ConfirmationPending(submitted.ledger_id, latest.found, latest.expected, wait, error))
            with self.operations.limit(timed=False):
                await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if latest.complete and submitted.record is not None and submitted.record.state in _MAY_BE_CONFIRMED:
            await self.threads.run(self._write_down, ledger, submitted.record, question)
        return _verdict(submitted, question, latest, looks=looks, error=error, elapsed=clock() - began)

    async def _look(self, submitted: _Submitted, question: Question) -> Comparison:
        """Download the span once, into memory or a file without a name, and compare."""
        stream = self.downloader.stream(question.selection, question.span, question.wanted)
        with tempfile.SpooledTemporaryFile(_MOST_BYTES) as file:
            try:
                async with stream as body:
                    async for piece in body:
                        await self.threads.run(file.write, piece)
                with self.operations.limit():
                    return await self.threads.run(_compare, submitted.content, cast("BinaryIO", file), question.wanted)
            except OSError as error:
                raise DiskError(
                    f"what was downloaded could not be kept for a comparison ({error.strerror}): make room in "
                    f"{tempfile.gettempdir()}, then try again",
                    errno=error.errno,
                ) from error

    def _write_down(self, ledger: Ledger, record: SubmissionRecord, question: Question) -> None:
        """Tell the ledger: what was unknown is accepted, and what was accepted is loaded.  Blocks."""
        span = question.span
        note = (
            f"all of it shows in the download of {question.selection.kind} {question.selection.id!a}, {span.start} to "
            f"{span.end}, as {question.wanted.file_format.value}"
        )
        with suppress(UsageError):  # somebody has resolved it in the meantime
            ledger.end(record.id, Ending(SubmissionState.ACCEPTED, by="confirm", note=note), self.turn.now())


def _find(ledger: Ledger, question: Question) -> _Submitted:
    """Find what was submitted: the ledger's copy, or the file as it was.  Blocks."""
    receipt = question.receipt
    record: SubmissionRecord | None
    if isinstance(receipt, UploadReceipt):
        record = _record_of(ledger, receipt)
        name, size, sha256 = receipt.source_name, receipt.size, receipt.sha256
    else:
        record = ledger.record(receipt)
        name, size, sha256 = record.name, record.size, record.sha256
    if record is not None and record.state is SubmissionState.SENDING:
        raise UsageError(f"{record.id} is being sent right now: wait until that has ended")
    if question.source is None:
        content = None if record is None else ledger.content(record.id)
        if content is None:
            raise SourceError(f"the ledger has no copy of {name!a}: give the file as it was submitted with source=")
    else:
        content = read_again(question.source, size)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SourceError(f"{question.source or name} is not what was submitted: its hash is another one")
    return _Submitted(record=record, name=name, sha256=sha256, content=content)


def _record_of(ledger: Ledger, receipt: UploadReceipt) -> SubmissionRecord | None:
    if receipt.ledger_id is not None:
        try:
            return ledger.record(receipt.ledger_id)
        except UsageError:  # of another ledger; the receipt says all that is needed
            return None
    found = ledger.by_file_id(receipt.file_id)
    return found if found is not None and found.sha256 == receipt.sha256 else None


def _nothing_of(content: bytes, wanted: Wanted) -> Comparison:
    """Say that nothing shows yet; what was submitted is read on the way.  Blocks.

    Raises:
        FormatError: it is not of the format that is to be downloaded.
    """
    whole = compare(content, io.BytesIO(content), file_format=wanted.file_format, clock=wanted.time_type)
    return attrs.evolve(whole, found=0, missing_count=whole.expected)


def _compare(content: bytes, file: BinaryIO, wanted: Wanted) -> Comparison:
    file.seek(0)
    return compare(content, file, file_format=wanted.file_format, clock=wanted.time_type)


def _verdict(
    submitted: _Submitted,
    question: Question,
    latest: Comparison,
    *,
    looks: int,
    error: OmarError | None,
    elapsed: float,
) -> Confirmation:
    return Confirmation(
        confirmed=latest.complete,
        ledger_id=submitted.ledger_id,
        name=submitted.name,
        sha256=submitted.sha256,
        selection=question.selection,
        start=question.span.start,
        end=question.span.end,
        file_format=question.wanted.file_format,
        time_type=question.wanted.time_type,
        expected=latest.expected,
        found=latest.found,
        missing_count=latest.missing_count,
        different_count=latest.different_count,
        missing=latest.missing,
        different=latest.different,
        looks=looks,
        error=error,
        elapsed=elapsed,
    )
