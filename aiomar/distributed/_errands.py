"""What runs on a worker: each function is a task of Dask, in a thread with a loop of its own.

Tasks give errors as values and raise none of ours: Dask would log what it was called with and pickle a traceback.  Dask
cannot stop a thread either, so a task looks by itself whether it is still wanted, and ends when it is not.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import attrs
from distributed import Status, get_worker

from aiomar._client import OmarClient
from aiomar._process_lock import LockHeldError, acquire
from aiomar.distributed._reference import ConfigReference
from aiomar.distributed._report import Tally
from aiomar.distributed._shards import Bundle
from aiomar.distributed._slots import slots, slots_directory
from aiomar.errors import DestinationError, OmarError
from aiomar.protocol import Selection
from aiomar.transfer import RangeRequest, check_directory

_T = TypeVar("_T")
_LOOK = 0.5
"""Seconds between two looks whether a task is still wanted."""
_DIRECTORIES = 4
"""Directories that a task works on at once, so that small ones leave no connection idle."""
_LOCKS = ".aiomar"
"""The folder below the destination where it is told by locks who has which of its directories."""
_OVER = frozenset({"cancelled", "released", "forgotten"})
_WORKING = frozenset({Status.running, Status.paused, Status.closing_gracefully})


@attrs.frozen(kw_only=True)
class Errand:
    """What a worker is asked to fetch."""

    reference: ConfigReference
    request: RangeRequest
    into: str
    bundle: Bundle
    wanted: int
    """How many connections it may have, if so many are free."""
    most: int
    """How many the cluster may have."""
    patience: float
    """Seconds to wait for a connection while others have them all."""


@attrs.frozen(kw_only=True)
class Fetched:
    """What came of an errand."""

    tally: Tally
    left: tuple[str, ...]
    """Directories that could not be begun, because somebody else has them, or all connections."""
    holder: str | None
    """Who, in words."""


@attrs.frozen(kw_only=True)
class Refused:
    """Why an errand could not be done at all."""

    error: OmarError
    host: str

    @classmethod
    def here(cls, error: OmarError) -> Refused:
        """Say why, without the frames that lead to it: they are of no use elsewhere."""
        return cls(error=error.with_traceback(None), host=socket.gethostname())


def fetch(errand: Errand) -> Fetched | Refused:
    """Do an errand; runs on a worker."""
    try:
        return run_while_wanted(_fetch(errand))
    except LockHeldError as error:
        return Fetched(tally=Tally(), left=tuple(errand.bundle), holder=error.holder)
    except OmarError as error:
        return Refused.here(error)


async def _fetch(errand: Errand) -> Fetched:
    config = errand.reference.resolve()
    directory = slots_directory(config)
    check_directory(errand.into, make=True)
    # The client is closed before its slots are given back: until then its connections are open.
    async with (
        slots(directory, most=errand.most, wanted=errand.wanted, patience=errand.patience) as places,
        OmarClient(attrs.evolve(config, concurrency=places)) as client,
    ):
        return await _Round(client, errand).run(min(places, _DIRECTORIES))


@attrs.define
class _Round:
    """The directories of an errand, some at a time."""

    client: OmarClient
    errand: Errand
    tally: Tally = attrs.field(factory=Tally, init=False)
    left: list[str] = attrs.field(factory=list, init=False)
    holder: str | None = attrs.field(default=None, init=False)

    async def run(self, together: int) -> Fetched:
        """Fetch all of them that nobody else has."""
        locks = Path(self.errand.into) / _LOCKS
        locks.mkdir(mode=0o700, exist_ok=True)
        shards = iter(self.errand.bundle.items())
        lanes = [asyncio.ensure_future(self._lane(shards, locks)) for _ in range(together)]
        try:
            for lane in asyncio.as_completed(lanes):
                await lane
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
        return Fetched(tally=self.tally, left=tuple(self.left), holder=self.holder)

    async def _lane(self, shards: Iterator[tuple[str, tuple[Selection, ...]]], locks: Path) -> None:
        for name, selections in shards:
            try:
                # Within a process a catalogue is shared; a task that nobody wants any more may still be in it.
                with acquire(locks / name, alone=True):
                    await self._shard(selections, Path(self.errand.into) / name)
            except LockHeldError as error:
                self._leave(name, error)
            except DestinationError as error:
                if not isinstance(error.__cause__, LockHeldError):
                    raise
                self._leave(name, error.__cause__)

    def _leave(self, name: str, error: LockHeldError) -> None:
        self.left.append(name)
        self.holder = error.holder

    async def _shard(self, selections: tuple[Selection, ...], directory: Path) -> None:
        request = self.errand.request
        days = request.span.start, request.span.end
        others: dict[str, Any] = {
            "into": directory,
            "file_format": request.file_format,
            "time_type": request.time_type,
            "days_per_file": request.days_per_file,
            "resume": request.resume,
            "max_age": request.max_age,
            "allow_unverified": request.allow_unverified,
        }
        plan = await self.client.plan_range(selections, *days, **others)
        if not plan.requests:
            self.tally.add(Tally(files=plan.reused, reused=plan.reused))
            return
        # First: without a session every single file would fail, and the next worker's would too.
        await self.client.login()
        async with aclosing(self.client.iter_range(selections, *days, **others)) as outcomes:
            async for outcome in outcomes:
                self.tally.note(outcome)


def run_while_wanted(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine in this thread until it ends, or until the cluster has no use for it.

    Raises:
        NotWantedError: the task was cancelled, its driver is gone, or the worker closes.
    """
    return asyncio.run(_watched(work, _watch()))


class NotWantedError(Exception):
    """Nobody waits for this task.  Internal: nobody sees it either."""


async def _watched(work: Coroutine[Any, Any, _T], wanted: Callable[[], bool]) -> _T:
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK)
            if not task.done() and not wanted():
                raise NotWantedError("cancelled by the cluster")
    finally:
        task.cancel()
        await asyncio.wait({task})
    return task.result()


def _watch() -> Callable[[], bool]:
    """Give what tells whether the task of this thread is still wanted."""
    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state not in _OVER and worker.status in _WORKING

    return wanted
