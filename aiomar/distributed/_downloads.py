"""A range over a cluster, from the driver's side: bundles of selections go out, numbers come back.

The driver holds some ten thousand selections at most and as many bundles as there are workers.  Neither files nor
certificate are of any interest to it, so it may run where neither is.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import attrs
from distributed import Client

from aiomar._checks import check_whole, raise_or_collect
from aiomar._types import PathLike
from aiomar.distributed._cluster import Cluster, ClusterError
from aiomar.distributed._errands import Errand, Fetched, Refused, fetch
from aiomar.distributed._reference import ConfigReference, check_reference
from aiomar.distributed._report import DistributedReport, Tally
from aiomar.distributed._shards import Backlog, Bundle
from aiomar.errors import DestinationError, ExchangeError, Hint
from aiomar.protocol import FileFormat, Span, TimeType
from aiomar.transfer import Job, Plan, RangeRequest, Selections

_log = logging.getLogger("aiomar")
_MOST_WAITING = 50_000
"""Selections in the driver's memory at most, some ten megabytes."""
_TOGETHER = 2_000
"""Selections that are taken from the caller at a time."""
_PATIENCE = 20.0
"""Seconds that a task waits on its worker for a connection; then it makes room there and comes again."""
_PAUSE = 1.0
"""Seconds until a directory that somebody else has, or a login that failed for a passing reason, is tried again."""
_NO_WORKERS = 60.0
"""Seconds that a cluster may have no workers at all: some start them only when there is work."""
_STRIKES = 5
"""Logins in a row that may fail for a passing reason, each after its own repeats."""


async def download_range(
    dask_client: Client,
    reference: ConfigReference,
    selections: Selections,
    start: dt.date,
    end: dt.date,
    *,
    file_format: FileFormat,
    time_type: TimeType,
    into: PathLike,
    days_per_file: int | None = None,
    resume: bool = True,
    max_age: dt.timedelta | None = None,
    errors: Literal["raise", "collect"] = "raise",
    allow_unverified: bool = False,
    concurrency: int = 8,
    progress: Callable[[DistributedReport], object] | None = None,
) -> DistributedReport:
    """Download a range of days for any number of selections over the workers of a Dask cluster.

    As `OmarClient.download_range`, save where told.  Each selection has a directory of its own below `into`, see
    `shard_directory`.  A worker that dies is replaced; what it had saved is not fetched again.  When the caller is
    cancelled, so are the tasks.

    Args:
        dask_client: a connected `distributed.Client`, synchronous or not; it stays open.
        reference: where the workers find the configuration; it must give a `state_dir` on storage that they share.
        selections: one selection, an iterable or an async iterable; consumed lazily, each fetched once.
        start: first day.
        end: last day; sent as given.
        file_format: CSV or MDEF.
        time_type: the clock.
        into: a directory on storage that the workers share, absolute; made when missing, its parent must exist.
        days_per_file: split the range into files of so many days, counted from `start`.
        resume: reuse files that the catalogues know and that stand as they say.
        max_age: do not reuse files that were fetched longer ago.
        errors: ``"raise"`` a `PartialDownloadError` when one failed, or ``"collect"`` failures in the report.
        allow_unverified: save bodies that nothing proves to be whole.
        concurrency: downloads under way at once over the whole cluster, at most; also of several ranges together.
        progress: told what has become of the range until now, whenever a part of it is done.

    Raises:
        UsageError: the range cannot be carried out, here or on a worker: a reference that cannot be read there, a
            destination that cannot be used.
        LoginError, CertificateRejectedError, TransportError: a worker could not log in.
        ClusterError: the cluster has no workers, or lost some again and again.
        PartialDownloadError: some downloads failed; the others are on disk.
    """
    raise_or_collect(errors)
    request = RangeRequest(
        span=Span(start, end),
        file_format=file_format,
        time_type=time_type,
        days_per_file=days_per_file,
        resume=resume,
        max_age=max_age,
        allow_unverified=allow_unverified,
    )
    drive = _Drive(
        reference=check_reference(reference),
        cluster=Cluster(dask_client),
        request=request,
        into=_absolute(into),
        most=check_whole("concurrency", concurrency),
        progress=progress,
    )
    report = await drive.run(selections)
    if errors == "raise":
        report.raise_for_failures()
    return report


def _absolute(into: PathLike) -> str:
    place = os.fspath(into)
    if not Path(place).is_absolute():
        raise DestinationError(f"{place!a:.200} is relative: give the whole path that it has on every worker")
    return place


@attrs.define(kw_only=True)
class _Drive:
    """One range under way."""

    cluster: Cluster
    reference: ConfigReference
    request: RangeRequest
    into: str
    most: int
    progress: Callable[[DistributedReport], object] | None
    no_workers: float = _NO_WORKERS
    _backlog: Backlog = attrs.field(init=False)
    _tally: Tally = attrs.field(factory=Tally, init=False)
    _started: float = attrs.field(factory=time.monotonic, init=False)
    _seen: float = attrs.field(factory=time.monotonic, init=False)
    """When there was a worker, last."""
    _strikes: int = attrs.field(default=0, init=False)

    async def run(self, selections: Selections) -> DistributedReport:
        """Carry the range out."""
        self._backlog = Backlog(len(self.request.parts()))
        with closing(Plan(selections, attrs.evolve(self.request, days_per_file=None))) as plan:
            sending: set[asyncio.Task[None]] = set()
            feeding: set[asyncio.Task[bool]] = set()
            more = True
            try:
                while True:
                    if more and not feeding and self._backlog.count < _MOST_WAITING:
                        feeding = {asyncio.ensure_future(self._feed(plan))}
                    wide = await self._wide()
                    while len(sending) < wide and (bundle := self._backlog.take(2 * wide)):
                        sending.add(asyncio.ensure_future(self._send(bundle, wide)))
                    if not sending and not feeding:
                        return self._report()
                    await asyncio.wait(
                        [*sending, *feeding], timeout=self.no_workers, return_when=asyncio.FIRST_COMPLETED
                    )
                    more = all(task.result() for task in feeding if task.done()) and more
                    feeding = {task for task in feeding if not task.done()}
                    for task in [task for task in sending if task.done()]:
                        sending.discard(task)
                        task.result()
            finally:
                await _ended([*sending, *feeding])

    async def _feed(self, plan: Plan) -> bool:
        """Let some selections wait; false when there are no more."""
        jobs: list[Job] = await plan.take(_TOGETHER)
        self._backlog.add(job.selection for job in jobs)
        return bool(jobs)

    async def _wide(self) -> int:
        """Say how many bundles may be under way: one for each worker, and no more than there are connections.

        Raises:
            ClusterError: there has been no worker for a while.
        """
        workers, now = len(await self.cluster.workers()), time.monotonic()
        if workers:
            self._seen = now
        elif now - self._seen >= self.no_workers:
            raise ClusterError(
                f"the cluster has had no workers for {self.no_workers:.0f} seconds: start some, then run it again"
            )
        return max(1, min(workers, self.most))

    async def _send(self, bundle: Bundle, wide: int) -> None:
        """Have a bundle fetched, and count what came of it."""
        outcome = await self.cluster.run(
            fetch,
            Errand(
                reference=self.reference,
                request=self.request,
                into=self.into,
                bundle=bundle,
                wanted=math.ceil(self.most / wide),
                most=self.most,
                patience=_PATIENCE,
            ),
        )
        if isinstance(outcome, Refused):
            self._bear(outcome)
            left: tuple[str, ...] = tuple(bundle)
        else:
            self._count(outcome)
            left = outcome.left
        self._backlog.end({name: some for name, some in bundle.items() if name not in left})
        if left:
            await asyncio.sleep(_PAUSE)
        self._backlog.end({name: bundle[name] for name in left}, left)

    def _count(self, outcome: Fetched) -> None:
        self._strikes = 0 if len(outcome.left) == 0 else self._strikes
        self._tally.add(outcome.tally)
        if outcome.left:
            _log.warning(
                "%d directories of %s have to wait; they, or all connections, are held by %s",
                len(outcome.left),
                self.into,
                outcome.holder,
            )
        if self.progress is not None:
            self.progress(self._report())

    def _bear(self, refused: Refused) -> None:
        """Let a passing trouble pass, unless there is nothing else.

        Raises:
            OmarError: it will not pass.
        """
        self._strikes += 1
        error = refused.error
        if not isinstance(error, ExchangeError) or error.hint is not Hint.RETRY or self._strikes >= _STRIKES:
            _log.error("a worker on %s could not begin: %s", refused.host, error)
            raise error
        _log.warning("a worker on %s could not log in and tries again: %s", refused.host, error)

    def _report(self) -> DistributedReport:
        return self._tally.report(time.monotonic() - self._started)


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
