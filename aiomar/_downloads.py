"""One download from request to file: session, body, disk, retries and deadlines joined together."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from aiomar._operations import Operations
from aiomar._retry import Retries
from aiomar._session import DataAnswer, Session
from aiomar.errors import ExchangeError, OmarError
from aiomar.protocol import Environment, FileFormat, HttpRequest, Selection, Span, TimeType, build_download
from aiomar.transfer import (
    Body,
    BodyRules,
    Disk,
    DownloadFailed,
    DownloadFinished,
    DownloadProgress,
    DownloadRetrying,
    DownloadStarted,
    DownloadStopped,
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
        wall_clock: seconds since the epoch.
    """

    environment: Environment
    session: Session
    disk: Disk
    limiter: Limiter
    retries: Retries
    operations: Operations
    rules: BodyRules
    notify: Callable[[Event], None] | None
    wall_clock: Callable[[], float] = time.time

    async def save(self, job: Job, order: Order) -> SavedFile | FailedDownload:
        """Download one file to its final path; a failure is an outcome like any other, a cancellation is not."""
        started = self.retries.waiting.clock()
        saving = _Saving(self, job, order)
        saving.tell_start()
        try:
            hold(saving.final)
            try:
                saving.existed = check_final(saving.final, overwrite=order.overwrite)
                with self.operations.limit():
                    file = await self.retries.run(
                        saving.attempt, seconds=self.operations.seconds, on_retry=saving.tell_retry
                    )
            finally:
                let_go(saving.final)
        except OmarError as error:
            return saving.failed(error)
        except BaseException:
            saving.tell_stop()
            raise
        if self.notify:
            self.notify(DownloadFinished(file, self.retries.waiting.clock() - started, saving.attempts))
        return file

    @asynccontextmanager
    async def stream(self, selection: Selection, span: Span, wanted: Wanted) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open one download for reading; repeats end where the first piece is handed out."""

        async def once(_: int) -> tuple[Exchange, Body]:
            place = await self.limiter.enter()
            try:
                answer = await self.session.ask(self.request(selection, span, wanted))
                body = self.body(answer, wanted)
            except BaseException as error:
                self.give_back(place, error)
                raise
            self.limiter.went_well(place, answer.waited_s)
            return answer.exchange, body

        def on_retry(error: ExchangeError, number: int, wait: float) -> None:
            if self.notify:
                self.notify(DownloadRetrying(selection, span.start, span.end, error, number, wait))

        with self.operations.limit():
            exchange, body = await self.retries.run(once, seconds=self.operations.seconds, on_retry=on_retry)
            try:
                yield aiter(body)
            finally:
                exchange.close()
                self.limiter.leave()

    def request(self, selection: Selection, span: Span, wanted: Wanted) -> HttpRequest:
        """Give the request for a file (DL 3.1)."""
        return build_download(
            self.environment, selection, span, file_format=wanted.file_format, time_type=wanted.time_type
        )

    def body(self, answer: DataAnswer, wanted: Wanted) -> Body:
        """Give the body of an answer; whoever cannot have it closes the answer."""
        try:
            return Body(
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

    def give_back(self, place: int, error: BaseException) -> None:
        """Give a place back after a failure, from which the limiter learns."""
        if isinstance(error, ExchangeError):
            self.limiter.went_badly(place, error)
        self.limiter.leave()


class _Saving:
    """One file on its way to the disk, over all its attempts."""

    __slots__ = ("_by", "_job", "_order", "attempts", "existed", "final", "path")

    def __init__(self, by: Downloader, job: Job, order: Order) -> None:
        self._by = by
        self._job = job
        self._order = order
        self.path = order.directory / job.name
        self.final = f"{order.real}{os.sep}{job.name}"
        self.existed = False
        self.attempts = 0

    async def attempt(self, number: int) -> SavedFile:
        """Ask, judge, store, prove, publish; the place is free again while the disk is waited for."""
        self.attempts = number
        order, job = self._order, self._job
        wanted, book = order.wanted, order.notebook
        part = self._by.disk.part(
            self.final, overwrite=order.overwrite, existed=self.existed, in_range=book is not None
        )
        try:
            body = await self._receive(part)
            fetched_at = dt.datetime.fromtimestamp(self._by.wall_clock(), dt.UTC)
            file = SavedFile(
                self.path,
                part.size,
                await part.finish(),
                job.selection,
                job.span.start,
                job.span.end,
                wanted.file_format,
                wanted.time_type,
                fetched_at,
                body.completeness,
            )
            await part.publish(None if book is None else Note(book, job.name, file, number))
        except BaseException:
            await part.discard()
            raise
        return file

    async def _receive(self, part: PartFile) -> Body:
        """Take a place, ask, and store every piece."""
        by, wanted = self._by, self._order.wanted
        place = await by.limiter.enter()
        try:
            answer = await by.session.ask(by.request(self._job.selection, self._job.span, wanted))
            body = by.body(answer, wanted)
            piece = b""
            try:
                while piece := await body.read():
                    await part.write(piece)
                    if by.notify:
                        by.notify(DownloadProgress(self.path, body.received, body.expected))
            finally:
                del piece  # no traceback that prints local variables shall show data
                answer.exchange.close()
        except BaseException as error:
            by.give_back(place, error)
            raise
        by.limiter.went_well(place, answer.waited_s)
        by.limiter.leave()
        return body

    def tell_start(self) -> None:
        """Tell the observer that the download begins."""
        if self._by.notify:
            self._by.notify(DownloadStarted(*self._which, self.path, *self._how))

    def tell_retry(self, error: ExchangeError, number: int, wait: float) -> None:
        """Tell the observer that the next attempt follows."""
        if self._by.notify:
            self._by.notify(DownloadRetrying(*self._which, error, number, wait))

    def tell_stop(self) -> None:
        """Tell the observer that nothing comes of the download."""
        if self._by.notify:
            self._by.notify(DownloadStopped(*self._which, self.path, self.attempts, *self._how))

    def failed(self, error: OmarError) -> FailedDownload:
        """Give the outcome of a download that was given up, and tell the observer."""
        if self._by.notify:
            self._by.notify(DownloadFailed(*self._which, self.path, error, self.attempts, *self._how))
        return FailedDownload(*self._which, *self._how, error, self.attempts)

    @property
    def _which(self) -> tuple[Selection, dt.date, dt.date]:
        return self._job.selection, self._job.span.start, self._job.span.end

    @property
    def _how(self) -> tuple[FileFormat, TimeType]:
        return self._order.wanted.file_format, self._order.wanted.time_type
