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
from aiomar._retry import Retries
from aiomar._session import Session
from aiomar.errors import ExchangeError, OmarError
from aiomar.protocol import Environment, FileFormat, Selection, Span, TimeType, build_download
from aiomar.transfer import (
    Body,
    BodyRules,
    Disk,
    DownloadFailed,
    DownloadFinished,
    DownloadProgress,
    DownloadRetrying,
    DownloadStarted,
    Event,
    FailedDownload,
    Job,
    Limiter,
    Note,
    Notebook,
    PartFile,
    SavedFile,
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
class Order:
    """What the files of a call have in common that go to disk."""

    wanted: Wanted
    directory: Path
    """As the caller gave it."""
    real: str
    """Its one true name, see `real_directory`."""
    overwrite: bool
    notebook: Notebook | None = None
    """For a range; single downloads are not noted."""


@attrs.frozen(kw_only=True)
class Downloader:
    """Carries out downloads for a client.

    Args:
        environment: where to.
        session: logs in and asks.
        disk: where files go.
        limiter: how many downloads are under way at once.
        retries: what is repeated, and the clock.
        operations: bounds each download with its retries, and ends it when the client closes.
        rules: size and rate of bodies.
        notify: tells the observer; `None` if there is none, so that nothing is counted for nobody.
    """

    environment: Environment
    session: Session
    disk: Disk
    limiter: Limiter
    retries: Retries
    operations: Operations
    rules: BodyRules
    notify: Callable[[Event], None] | None

    async def save(self, job: Job, order: Order) -> SavedFile | FailedDownload:
        """Download one file to its final path; a failure is an outcome like any other, a cancellation is not."""
        started = self.retries.waiting.clock()
        attempts = 0
        existed = False
        path = order.directory / job.name
        final = f"{order.real}{os.sep}{job.name}"

        async def once(number: int) -> SavedFile:
            nonlocal attempts
            attempts = number
            part = self.disk.part(
                final,
                overwrite=order.overwrite,
                existed=existed,
                in_range=order.notebook is not None,
            )
            return await self._store(job, order, path, part, number)

        if self.notify:
            self.notify(DownloadStarted(job.selection, job.span.start, job.span.end, path))
        try:
            hold(final)
            try:
                existed = check_final(final, overwrite=order.overwrite)
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
                file_format=order.wanted.file_format,
                time_type=order.wanted.time_type,
                error=error,
                attempts=attempts,
            )
        if self.notify:
            self.notify(DownloadFinished(file, self.retries.waiting.clock() - started, attempts))
        return file

    @asynccontextmanager
    async def stream(self, selection: Selection, span: Span, wanted: Wanted) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open one download for reading; repeats end where the first piece is handed out."""

        async def once(_: int) -> tuple[Exchange, Body]:
            place = await self.limiter.enter()
            try:
                exchange, body, waited_s = await self._open(selection, span, wanted)
            except BaseException as error:
                self._give_back(place, error)
                raise
            self.limiter.went_well(place, waited_s)
            return exchange, body

        async with self.operations.limit():
            exchange, body = await self._repeat(once, selection, span)
            try:
                yield aiter(body)
            finally:
                exchange.close()
                self.limiter.leave()

    def _give_back(self, place: int, error: BaseException) -> None:
        """Give a place back after a failure, from which the limiter learns."""
        if isinstance(error, ExchangeError):
            self.limiter.went_badly(place, error)
        self.limiter.leave()

    async def _repeat(self, once: Callable[[int], Awaitable[_T]], selection: Selection, span: Span) -> _T:
        def on_retry(error: ExchangeError, number: int, wait: float) -> None:
            if self.notify:
                self.notify(DownloadRetrying(selection, span.start, span.end, error, number, wait))

        return await self.retries.run(once, seconds=self.operations.seconds, on_retry=on_retry)

    async def _open(self, selection: Selection, span: Span, wanted: Wanted) -> tuple[Exchange, Body, float]:
        """Ask; give the answer's exchange, its body, and the seconds that the server took to answer."""
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
        return answer.exchange, body, answer.waited_s

    async def _store(self, job: Job, order: Order, path: Path, part: PartFile, attempts: int) -> SavedFile:
        """One attempt: ask, judge, store, prove, publish; its place is free again while the disk is waited for."""
        try:
            body = await self._receive(job, order.wanted, path, part)
            fetched_at = dt.datetime.now(dt.UTC)
            file = SavedFile(
                path,
                part.size,
                await part.finish(),
                job.selection,
                job.span.start,
                job.span.end,
                order.wanted.file_format,
                order.wanted.time_type,
                fetched_at,
                body.completeness,
            )
            book = order.notebook
            await part.publish(None if book is None else Note(book, job.name, file, attempts))
        except BaseException:
            await part.discard()
            raise
        return file

    async def _receive(self, job: Job, wanted: Wanted, path: Path, part: PartFile) -> Body:
        """Take a place, ask, and store every piece."""
        place = await self.limiter.enter()
        try:
            exchange, body, waited_s = await self._open(job.selection, job.span, wanted)
            try:
                while piece := await body.read():
                    await part.write(piece)
                    if self.notify:
                        self.notify(DownloadProgress(path, body.received, body.expected))
            finally:
                exchange.close()
        except BaseException as error:
            self._give_back(place, error)
            raise
        self.limiter.went_well(place, waited_s)
        self.limiter.leave()
        return body
