"""One download from request to file: session, body, disk, retries and deadlines joined together."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import attrs

from aiomar._operations import Operations
from aiomar._retry import Waiting, with_retries
from aiomar._session import Session
from aiomar.errors import ExchangeError, OmarError
from aiomar.protocol import Environment, FileFormat, Selection, Span, TimeType, build_download
from aiomar.transfer import (
    Body,
    BodyRules,
    Catalogue,
    Completeness,
    Disk,
    DownloadFailed,
    DownloadFinished,
    DownloadProgress,
    DownloadRetrying,
    DownloadStarted,
    Entry,
    Event,
    FailedDownload,
    Job,
    Limiter,
    Note,
    PartFile,
    RetryBudget,
    RetryPolicy,
    SavedFile,
    SavedRow,
    Terms,
    check_final,
    hold,
    let_go,
)
from aiomar.transport import Exchange

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Wanted:
    """What every file of a call has in common."""

    file_format: FileFormat
    time_type: TimeType
    allow_unverified: bool


@attrs.frozen(kw_only=True)
class Destination:
    """Where the files of a call go."""

    directory: Path
    """As the caller gave it."""
    real: str
    """Its one true name, see `real_directory`."""
    overwrite: bool
    catalogue: Catalogue | None = None
    """Notes each file; `None` for a single download."""


@attrs.frozen(kw_only=True)
class Downloader:
    """Carries out downloads for a client.

    Args:
        environment: where to.
        session: logs in and asks.
        disk: where files go.
        limiter: how many downloads are under way at once.
        policy: what is repeated.
        budget: pays for repeats.
        waiting: clock and random numbers.
        operations: bounds each download with its retries, and ends it when the client closes.
        rules: size and rate of bodies.
        notify: tells the observer; `None` if there is none, so that nothing is counted for nobody.
    """

    environment: Environment
    session: Session
    disk: Disk
    limiter: Limiter
    policy: RetryPolicy
    budget: RetryBudget
    waiting: Waiting
    operations: Operations
    rules: BodyRules
    notify: Callable[[Event], None] | None

    async def save(self, job: Job, wanted: Wanted, destination: Destination) -> SavedFile | FailedDownload:
        """Download one file to its final path; a failure is an outcome like any other, a cancellation is not."""
        started = self.waiting.clock()
        attempts = 0
        existed = False
        path = destination.directory / job.name
        final = f"{destination.real}{os.sep}{job.name}"

        async def once(number: int) -> SavedFile:
            nonlocal attempts
            attempts = number
            part = self.disk.part(
                final,
                overwrite=destination.overwrite,
                existed=existed,
                in_range=destination.catalogue is not None,
            )
            return await self._store(job, wanted, path, part, destination.catalogue, number)

        if self.notify:
            self.notify(DownloadStarted(job.selection, job.span.start, job.span.end, path))
        try:
            hold(final)
            try:
                existed = check_final(final, overwrite=destination.overwrite)
                async with self.operations.limit():
                    file = await self._repeat(once, job.selection, job.span)
            finally:
                let_go(final)
        except OmarError as error:
            if self.notify:
                self.notify(DownloadFailed(job.selection, job.span.start, job.span.end, path, error, attempts))
            return FailedDownload(
                selection=job.selection,
                start=job.span.start,
                end=job.span.end,
                file_format=wanted.file_format,
                time_type=wanted.time_type,
                error=error,
                attempts=attempts,
            )
        if self.notify:
            self.notify(DownloadFinished(file, self.waiting.clock() - started, attempts))
        return file

    @asynccontextmanager
    async def stream(self, selection: Selection, span: Span, wanted: Wanted) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open one download for reading; repeats end where the first piece is handed out."""

        async def once(_: int) -> tuple[Exchange, Body]:
            return await self._open(selection, span, wanted)

        async with self.operations.limit():
            await self.limiter.enter()
            try:
                exchange, body = await self._repeat(once, selection, span)
                try:
                    yield aiter(body)
                finally:
                    exchange.close()
            finally:
                self.limiter.leave()

    async def _repeat(self, once: Callable[[int], Awaitable[_T]], selection: Selection, span: Span) -> _T:
        def on_retry(error: ExchangeError, number: int, wait: float) -> None:
            if self.notify:
                self.notify(DownloadRetrying(selection, span.start, span.end, error, number, wait))

        seconds = self.operations.seconds
        deadline = None if seconds is None else self.waiting.clock() + seconds
        return await with_retries(
            once, policy=self.policy, budget=self.budget, waiting=self.waiting, deadline=deadline, on_retry=on_retry
        )

    async def _open(self, selection: Selection, span: Span, wanted: Wanted) -> tuple[Exchange, Body]:
        request = build_download(
            self.environment, selection, span, file_format=wanted.file_format, time_type=wanted.time_type
        )
        answer = await self.session.ask(request)
        try:
            body = Body(
                answer.exchange.head,
                answer.beginning,
                sniffer=answer.sniffer,
                read=answer.exchange.read,
                file_format=wanted.file_format,
                allow_unverified=wanted.allow_unverified,
                rules=self.rules,
            )
        except BaseException:
            answer.exchange.close()
            raise
        return answer.exchange, body

    async def _store(
        self, job: Job, wanted: Wanted, path: Path, part: PartFile, catalogue: Catalogue | None, attempts: int
    ) -> SavedFile:
        """One attempt: ask, judge, store, prove, publish; its place is free again while the disk is waited for."""
        try:
            body = await self._receive(job, wanted, path, part)
            fetched_at = dt.datetime.now(dt.UTC)
            note = catalogue and self._note(catalogue, job, wanted, body.completeness, fetched_at, attempts)
            sha256 = await part.commit(note)
        except BaseException:
            await part.discard()
            raise
        return SavedFile(
            path=path,
            size=part.size,
            sha256=sha256,
            selection=job.selection,
            start=job.span.start,
            end=job.span.end,
            file_format=wanted.file_format,
            time_type=wanted.time_type,
            fetched_at=fetched_at,
            completeness=body.completeness,
        )

    def _note(
        self,
        catalogue: Catalogue,
        job: Job,
        wanted: Wanted,
        completeness: Completeness,
        fetched_at: dt.datetime,
        attempts: int,
    ) -> Callable[[str, int], Note]:
        """Give what makes the catalogue's note of a file as soon as its hash is known."""
        terms = Terms(
            origin=str(self.environment.download_origin), file_format=wanted.file_format, time_type=wanted.time_type
        )
        entry = Entry(job.name, job.selection, job.span.start, job.span.end)

        def note(sha256: str, size: int) -> Note:
            def row(changed_ns: int) -> SavedRow:
                return SavedRow(
                    entry=entry,
                    terms=terms,
                    size=size,
                    mtime_ns=changed_ns,
                    sha256=sha256,
                    completeness=completeness,
                    fetched_at=fetched_at,
                    attempts=attempts,
                )

            return Note(catalogue, row)

        return note

    async def _receive(self, job: Job, wanted: Wanted, path: Path, part: PartFile) -> Body:
        """Take a place, ask, and store every piece."""
        await self.limiter.enter()
        try:
            exchange, body = await self._open(job.selection, job.span, wanted)
            try:
                while piece := await body.read():
                    await part.write(piece)
                    if self.notify:
                        self.notify(DownloadProgress(path, body.received, body.expected))
            finally:
                exchange.close()
        finally:
            self.limiter.leave()
        return body
