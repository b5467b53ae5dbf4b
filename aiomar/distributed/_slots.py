"""How many downloads may be under way over the whole cluster: files on shared storage that are locked, one for each.

Limits of single tasks multiply; places in one list do not.  Who downloads holds as many locks as it has connections, so
the sum cannot exceed the number of files, whoever runs how many ranges.  The kernel gives a lock back when its process
dies and at no other time: a worker that stalls, or has lost its scheduler and goes on, still counts.  A semaphore of
the scheduler with leases that time out could not promise either.

Who waits holds the turn, a lock in front of the others, so whoever comes later waits behind it and nobody holds half of
what it needs: after the first slot only what is free is taken.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from aiomar._config import OmarConfig
from aiomar._process_lock import LockHeldError, ProcessLock, acquire
from aiomar.errors import ConfigError

_Taken = TypeVar("_Taken", ProcessLock, list[ProcessLock])
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
_DIGITS = 16


def shared_directory(config: OmarConfig) -> Path:
    """Give the directory of records that all workers share.

    Raises:
        ConfigError: the configuration names none, and each machine would keep records of its own.
    """
    if config.state_dir is None:
        raise ConfigError(
            "a cluster keeps one record for all its workers, and no place is given for it: set state_dir "
            "(AIOMAR_STATE_DIR) to a directory on storage that they share"
        )
    return Path(config.state_dir)


def slots_directory(config: OmarConfig) -> Path:
    """Give the directory of the slots for the server of a configuration.

    Raises:
        ConfigError: see `shared_directory`.
    """
    origin = str(config.environment.download_origin)
    return shared_directory(config) / "slots" / hashlib.sha256(origin.encode()).hexdigest()[:_DIGITS]


@asynccontextmanager
async def slots(directory: Path, *, most: int, wanted: int, patience: float) -> AsyncIterator[int]:
    """Hold slots inside, one at least.  The files are locked in the loop: nothing else runs in it yet.

    Args:
        directory: see `slots_directory`; made when missing.
        most: how many slots there are.
        wanted: how many to take.
        patience: seconds to wait for the first.

    Yields:
        How many it has.

    Raises:
        LockHeldError: none became free.
        ConfigError: the directory cannot be used.
    """
    until = asyncio.get_running_loop().time() + patience
    with ExitStack() as stack:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # noqa: ASYNC240 - see above
            with await patiently(lambda: acquire(directory / "turn", alone=True), until):
                taken = await patiently(lambda: _take(directory, most, wanted), until)
        except OSError as error:
            raise ConfigError(
                f"{directory} cannot be locked ({error.strerror}): change its rights, or set state_dir to a directory "
                "on shared storage that has locks"
            ) from error
        for lock in taken:
            stack.enter_context(lock)
        yield len(taken)


async def patiently(attempt: Callable[[], _Taken], until: float) -> _Taken:
    """Try for a lock until it is there.

    Args:
        attempt: tries once.
        until: when to give up, on the loop's clock.

    Raises:
        LockHeldError: somebody else holds it.
    """
    pause = _FIRST_PAUSE
    while True:
        try:
            return attempt()
        except LockHeldError:
            if asyncio.get_running_loop().time() >= until:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _take(directory: Path, most: int, wanted: int) -> list[ProcessLock]:
    """Lock what is free, up to what is wanted.

    Raises:
        LockHeldError: nothing is.
    """
    taken: list[ProcessLock] = []
    held: LockHeldError | None = None
    for number in range(most):
        if len(taken) == wanted:
            break
        try:
            taken.append(acquire(directory / f"{number:04}", alone=True))
        except LockHeldError as error:
            held = error
    if held is not None and not taken:
        raise held
    return taken
