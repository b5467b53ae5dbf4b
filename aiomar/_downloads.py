"""One download from request to file: session, body, disk, retries and deadlines joined together."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import attrs

from aiomar._retry import Waiting, operation_limit, unwrapped, with_retries
from aiomar._session import DataAnswer, Session
from aiomar.errors import ExchangeError, OmarError
from aiomar.protocol import Environment, FileFormat, Selection, Span, TimeType, build_download
from aiomar.transfer import (
    Body,
    BodyRules,
    Disk,
    DownloadFailed,
    DownloadFinished,
    DownloadJob,
    DownloadProgress,
    DownloadRetrying,
    DownloadStarted,
    Event,
    FailedDownload,
    Limiter,
    RetryPolicy,
    SavedFile,
    check_final,
    held,
)

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Wanted:
    """What every file of a call has in common."""

    file_format: FileFormat
    time_type: TimeType
    allow_unverified: bool
    overwrite: bool = True


@attrs.frozen(kw_only=True)
class Downloader:
    """Carries out downloads for a client.

    Args:
        environment: where to.
        session: logs in and asks.
        disk: where files go.
        limiter: how many downloads are under way at once.
        policy: what is repeated.
        waiting: clock, sleep and random numbers.
        operation_seconds: how long one download may take with its retries; `None` for no limit.
        rules: size and rate of bodies.
        notify: tells the observer.
        observed: whether there is an observer, so that progress is not counted for nobody.
    """

    environment: Environment
    session: Session
    disk: Disk
    limiter: Limiter
    policy: RetryPolicy
    waiting: Waiting
    operation_seconds: float | None
    rules: BodyRules
    notify: Callable[[Event], None]
    observed: bool

    async def save(self, job: DownloadJob, wanted: Wanted) -> SavedFile | FailedDownload:
        """Download one file to its final path; a failure is an outcome like any other, a cancellation is not."""
        started = self.waiting.clock()
        attempts = 0

        async def once(number: int) -> SavedFile:
            nonlocal attempts
            attempts = number
            async with self.limiter:
                return await self._fetch(job, wanted)

        self.notify(DownloadStarted(job.selection, job.start, job.end, job.path))
        try:
            with held(job.path):
                check_final(job.path, overwrite=wanted.overwrite)
                async with operation_limit(self.operation_seconds):
                    file = await self._repeat(once, job.selection, Span(job.start, job.end))
        except OmarError as error:
            self.notify(DownloadFailed(job.selection, job.start, job.end, job.path, error, attempts))
            return FailedDownload(
                selection=job.selection,
                start=job.start,
                end=job.end,
                file_format=wanted.file_format,
                time_type=wanted.time_type,
                error=error,
                attempts=attempts,
            )
        self.notify(DownloadFinished(file, self.waiting.clock() - started, attempts))
        return file

    @asynccontextmanager
    async def stream(self, selection: Selection, span: Span, wanted: Wanted) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open one download for reading; repeats end where the first piece is handed out."""

        async def once(_: int) -> DataAnswer:
            return await self._ask(selection, span, wanted)

        async with operation_limit(self.operation_seconds), self.limiter:
            answer = await self._repeat(once, selection, span)
            try:
                yield aiter(self._body(answer, wanted))
            finally:
                await answer.aclose()

    async def _repeat(self, once: Callable[[int], Awaitable[_T]], selection: Selection, span: Span) -> _T:
        def on_retry(error: ExchangeError, number: int, wait: float) -> None:
            self.notify(DownloadRetrying(selection, span.start, span.end, error, number, wait))

        deadline = None if self.operation_seconds is None else self.waiting.clock() + self.operation_seconds
        with unwrapped():
            return await with_retries(
                once, policy=self.policy, waiting=self.waiting, deadline=deadline, on_retry=on_retry
            )

    async def _ask(self, selection: Selection, span: Span, wanted: Wanted) -> DataAnswer:
        request = build_download(
            self.environment, selection, span, file_format=wanted.file_format, time_type=wanted.time_type
        )
        return await self.session.ask(request)

    def _body(self, answer: DataAnswer, wanted: Wanted) -> Body:
        return Body(
            answer.exchange.head,
            answer.beginning,
            sniffer=answer.sniffer,
            read=answer.exchange.read,
            file_format=wanted.file_format,
            allow_unverified=wanted.allow_unverified,
            rules=self.rules,
        )

    async def _fetch(self, job: DownloadJob, wanted: Wanted) -> SavedFile:
        """One attempt: ask, judge, store, prove, publish, in that order."""
        answer = await self._ask(job.selection, Span(job.start, job.end), wanted)
        part = self.disk.part(job.path, overwrite=wanted.overwrite)
        try:
            body = self._body(answer, wanted)
            async for piece in body:
                await part.write(piece)
                if self.observed:
                    self.notify(DownloadProgress(job.path, body.received, body.expected))
            fetched_at = dt.datetime.now(dt.UTC)
            await answer.aclose()
            sha256 = await part.commit()
        finally:
            try:
                await part.discard()
            finally:
                await answer.aclose()
        return SavedFile(
            path=job.path,
            size=part.size,
            sha256=sha256,
            selection=job.selection,
            start=job.start,
            end=job.end,
            file_format=wanted.file_format,
            time_type=wanted.time_type,
            fetched_at=fetched_at,
            completeness=body.completeness,
        )
