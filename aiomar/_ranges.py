"""A range from its plan to its report: what is there already, what is fetched, and who holds the directory meanwhile.

The catalogue of the directory is open, and its lock held, for as long as the range is under way.  Jobs are looked up in
it in batches before they reach the workers: a file that stands costs no worker, no place and no request.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from pathlib import Path
from typing import TypeAlias, TypeVar

import attrs

from aiomar._downloads import Downloader, Order, Wanted
from aiomar._threads import Threads, to_the_end
from aiomar.errors import DiskError
from aiomar.protocol import Span, file_name
from aiomar.transfer import (
    Batch,
    Catalogue,
    CatalogueFiles,
    DownloadJob,
    DownloadReused,
    Event,
    FailedDownload,
    FailedRow,
    Job,
    Notebook,
    Plan,
    RangePlan,
    RangeReport,
    RangeRequest,
    RangeStarted,
    Run,
    SavedFile,
    Selections,
    Tally,
    Terms,
    real_directory,
)

Outcome: TypeAlias = SavedFile | FailedDownload
_Opened = TypeVar("_Opened", Catalogue, Catalogue | None)

_log = logging.getLogger("aiomar")
# More workers than places: while some wait for a disk or for their next attempt, the others use the network.
# Each holds a descriptor while it waits for the disk, and some systems allow 256 of them.
_WORKERS_PER_PLACE = 4
_MOST_MORE = 48
# Jobs that are looked up together while all of them turn out to be there.
_MOST_TOGETHER = 1024
# Files of a report that are kept in memory; of so many or more the report is a sequence over the catalogue.
_FEW = 8192
_FAILURES_TOGETHER = 64
# How long closing waits for ranges; they end within a few turns of the loop unless a disk hangs.
_PATIENCE = 5.0


@attrs.define
class Ranges:
    """Carries out ranges for a client.

    Args:
        places: downloads under way at once.
        downloader: fetches single files.
        threads: where the catalogue is waited for.
    """

    places: int
    downloader: Downloader
    threads: Threads
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)
    _catalogues: set[Catalogue] = attrs.field(factory=set, init=False)

    async def iterate(self, selections: Selections, request: RangeRequest, directory: Path) -> AsyncGenerator[Outcome]:
        """Carry out a range, giving each outcome as it comes."""
        async with (
            self._held(directory) as catalogue,
            aclosing(self._outcomes(selections, request, directory, catalogue)) as outcomes,
        ):
            async for outcome in outcomes:
                yield outcome

    async def report(self, selections: Selections, request: RangeRequest, directory: Path) -> RangeReport:
        """Carry out a range and say what became of it."""
        started = time.monotonic()
        few: list[SavedFile] = []
        ids, marks = array("q"), bytearray()
        failures: list[FailedDownload] = []
        size = 0
        async with (
            self._held(directory) as catalogue,
            aclosing(self._outcomes(selections, request, directory, catalogue)) as outcomes,
        ):
            async for outcome in outcomes:
                if isinstance(outcome, FailedDownload):
                    failures.append(outcome)
                    continue
                few.append(outcome)
                size += 0 if outcome.reused else outcome.size
                if len(few) == _FEW:
                    await self._put_away(catalogue, few, ids, marks)
            if ids:
                await self._put_away(catalogue, few, ids, marks)
        elapsed = time.monotonic() - started
        if not ids:
            return RangeReport(tuple(few), tuple(failures), elapsed)
        many = CatalogueFiles(directory, ids, marks)
        return RangeReport(many, tuple(failures), elapsed, reused=many.reused, bytes=size)

    async def _put_away(self, catalogue: Catalogue, few: list[SavedFile], ids: array[int], marks: bytearray) -> None:
        """Let go of files that the catalogue can give again."""
        ids.extend(await self.threads.run(catalogue.ids, [file.path.name for file in few]))
        marks.extend(file.reused for file in few)
        few.clear()

    async def plan(self, selections: Selections, request: RangeRequest, directory: Path) -> RangePlan:
        """Say what a range would do; nothing is sent and nothing is written."""
        jobs: list[DownloadJob] = []
        with closing(Plan(selections, request)) as plan:
            catalogue = await self._open(Catalogue.read, directory)
            try:
                while some := await plan.take(_MOST_TOGETHER):
                    known = await self._known(catalogue, some, request)
                    jobs += [
                        DownloadJob(
                            job.selection, job.span.start, job.span.end, directory / job.name, reused=file is not None
                        )
                        for job, file in zip(some, known, strict=True)
                    ]
            finally:
                if catalogue is not None:
                    await self.threads.run(catalogue.close)
        return RangePlan(tuple(jobs))

    async def aclose(self) -> None:
        """End the ranges that are under way and let their directories go."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)
        for catalogue in self._catalogues.copy():
            await self._let_go(catalogue)

    @asynccontextmanager
    async def _held(self, directory: Path) -> AsyncIterator[Catalogue]:
        """Hold a directory against other processes, with its catalogue open."""
        operations = self.downloader.operations
        with operations.limit():  # closing the client waits for it
            catalogue = await self._open(Catalogue.open, directory)
            self._catalogues.add(catalogue)
            try:
                await self.downloader.disk.sweep(directory, ranges=catalogue.first)
                operations.check()
            except BaseException:
                await self._let_go(catalogue)
                raise
        try:
            yield catalogue
        finally:
            await self._let_go(catalogue)

    async def _open(self, way: Callable[[Path], _Opened], directory: Path) -> _Opened:
        """Open a catalogue in a thread; one that comes when its caller was cancelled meanwhile is closed again."""
        opening = self.threads.start(way, directory)
        try:
            return await to_the_end(opening)
        except asyncio.CancelledError:
            if opening.exception() is None and (catalogue := opening.result()) is not None:
                await self.threads.run(catalogue.close)
            raise

    async def _let_go(self, catalogue: Catalogue) -> None:
        if catalogue in self._catalogues:
            self._catalogues.discard(catalogue)
            await self.threads.run(catalogue.close)

    async def _outcomes(
        self, selections: Selections, request: RangeRequest, directory: Path, catalogue: Catalogue
    ) -> AsyncGenerator[Outcome]:
        tally, terms, span = Tally(directory), self._terms(request), request.span
        failed: list[FailedDownload] = []
        self._tell(RangeStarted(span.start, span.end, request.file_format, request.time_type, directory))
        try:
            with closing(Plan(selections, request)) as plan:
                run = Run(
                    self._taker(plan, request, catalogue),
                    self._fetcher(request, directory, catalogue),
                    workers=self._workers,
                )
                async with aclosing(run.outcomes(self._own)) as outcomes:
                    async for outcome in outcomes:
                        tally.add(outcome)
                        if isinstance(outcome, FailedDownload):
                            failed.append(outcome)
                            if len(failed) == _FAILURES_TOGETHER:
                                await self._note(catalogue, terms, failed)
                        yield outcome
                    self.downloader.operations.check()  # else the catalogue is closed, and what failed did so for that
                    await self._note(catalogue, terms, failed)
        except BaseException as error:
            self._tell(tally.stopped(error))
            raise
        self._tell(tally.finished())

    def _taker(
        self, plan: Plan, request: RangeRequest, catalogue: Catalogue
    ) -> Callable[[], Awaitable[Batch[Job, Outcome] | None]]:
        """Give what takes jobs from the plan and sorts out those whose file is there already."""
        few = self._workers
        together = few

        async def take() -> Batch[Job, Outcome] | None:
            nonlocal together
            jobs = await plan.take(together)
            if not jobs:
                return None
            known = await self._known(catalogue, jobs, request)
            done = [file for file in known if file is not None]
            if notify := self.downloader.notify:
                for file in done:
                    notify(DownloadReused(file))
            together = min(2 * together, _MOST_TOGETHER) if len(done) == len(jobs) else few
            return Batch(done, [job for job, file in zip(jobs, known, strict=True) if file is None])

        return take

    async def _known(
        self, catalogue: Catalogue | None, jobs: Sequence[Job], request: RangeRequest
    ) -> Sequence[SavedFile | None]:
        if catalogue is None or not request.resume:
            return [None] * len(jobs)
        return await self.threads.run(
            catalogue.known,
            jobs,
            self._terms(request),
            max_age=request.max_age,
            allow_unverified=request.allow_unverified,
            now=self._now(),
        )

    def _terms(self, request: RangeRequest) -> Terms:
        # Files of another origin are never reused: the data of a test environment are nobody's settlement data.
        origin = str(self.downloader.environment.download_origin)
        return Terms(origin=origin, file_format=request.file_format, time_type=request.time_type)

    def _fetcher(
        self, request: RangeRequest, directory: Path, catalogue: Catalogue
    ) -> Callable[[Job], Awaitable[Outcome]]:
        order = Order(
            wanted=Wanted(
                file_format=request.file_format,
                time_type=request.time_type,
                allow_unverified=request.allow_unverified,
            ),
            directory=directory,
            real=real_directory(directory),
            overwrite=True,
            notebook=Notebook(catalogue, self._terms(request)),
        )
        return lambda job: self.downloader.save(job, order)

    async def _note(self, catalogue: Catalogue, terms: Terms, failed: list[FailedDownload]) -> None:
        """Note failures; they are for people, so a catalogue that cannot take them does not end a range."""
        now = self._now()
        rows = [FailedRow(_name(failure), failure, terms, now) for failure in failed]
        failed.clear()
        try:
            await self.threads.run(catalogue.record_failures, rows)
        except DiskError:
            _log.warning("failures could not be noted in the catalogue; they are reported all the same", exc_info=True)

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.downloader.wall_clock(), dt.UTC)

    @property
    def _workers(self) -> int:
        return min(self.places * _WORKERS_PER_PLACE, self.places + _MOST_MORE)

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self, event: Event) -> None:
        if notify := self.downloader.notify:
            notify(event)


def _name(failure: FailedDownload) -> str:
    span = Span(failure.start, failure.end)
    return file_name(failure.selection, span, file_format=failure.file_format, time_type=failure.time_type)
