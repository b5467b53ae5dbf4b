"""What is under way in the tasks of a client's callers: each bounded in time, all ended when the client closes.

All operations of a client may take equally long, so their deadlines come in the order in which they began: one timer,
for the oldest, is enough for any number of them.  A timer for each costs more than hashing a small file.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType

from aiomar.errors import DeadlineError, UsageError

# How long `aclose` waits for what it ended; only a disk that hangs needs more than a few turns of the loop.
_PATIENCE = 5.0
# Those that are due so soon (seconds) end with the one that is due: else the next in line begins only to be stopped.
_TOGETHER = 0.01


class Operations:
    """The operations of one client.

    Args:
        seconds: how long one download or upload may take with its retries and logins; `None` for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._under_way: dict[Operation, None] = {}  # in the order in which they began
        self._alarm: asyncio.TimerHandle | None = None
        self._one_less = asyncio.Event()
        self._closed = False

    def limit(self, *, timed: bool = True) -> Operation:
        """Carry out one operation, as ``with operations.limit()``.

        Args:
            timed: `False` for a rest between operations, which may take as long as it likes.

        Raises:
            DeadlineError: phase ``"operation"``.
            UsageError: the client is closed, or was closed in the meantime.
        """
        self.check()
        return Operation(self, timed=timed)

    def begin(self, operation: Operation) -> None:
        """Note an operation of the running task."""
        self._under_way[operation] = None
        if self.seconds is not None and operation.timed:
            loop = asyncio.get_running_loop()
            operation.deadline = loop.time() + self.seconds
            if self._alarm is None:
                self._alarm = loop.call_at(operation.deadline, self._watch)
            elif self._alarm.when() > operation.deadline:
                self._alarm.cancel()
                self._alarm = loop.call_at(operation.deadline, self._watch)

    def end(self, operation: Operation) -> None:
        """Forget an operation."""
        del self._under_way[operation]
        if self._closed:
            self._one_less.set()

    def check(self) -> None:
        """Do nothing while the client is open.

        Raises:
            UsageError: it is closed.
        """
        if self._closed:
            raise UsageError("the client was closed before this had ended: keep it open until everything is done")

    def _watch(self) -> None:
        """Stop what has taken too long, and wake up again for the oldest of the others."""
        self._alarm = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for operation in self._under_way:
            if not operation.timed:
                continue
            if operation.deadline > now + _TOGETHER:
                self._alarm = loop.call_at(operation.deadline, self._watch)
                return
            operation.stop()

    def close(self) -> None:
        """Let nothing begin any more."""
        self._closed = True

    async def aclose(self) -> None:
        """End what is under way and wait for it, save what the calling task itself is in the middle of."""
        self.close()
        me = asyncio.current_task()
        others = {operation for operation in self._under_way if operation.task is not me}
        for operation in others:
            operation.stop()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    while others & self._under_way.keys():
                        self._one_less.clear()
                        await self._one_less.wait()
        finally:
            if self._alarm is not None:
                self._alarm.cancel()


class Operation:
    """One operation under way."""

    __slots__ = ("_cancelling", "_operations", "_stopped", "deadline", "task", "timed")

    def __init__(self, operations: Operations, *, timed: bool) -> None:
        self._operations = operations
        self.timed = timed
        self._stopped = False
        self._cancelling = 0
        self.task: asyncio.Task[object] | None = None
        self.deadline = float("inf")

    def stop(self) -> None:
        """Let it end as one that took too long, unless that has been said already."""
        if not self._stopped and self.task is not None:
            self._stopped = True
            self.task.cancel()

    def __enter__(self) -> None:
        self.task = asyncio.current_task()
        if self.task is None:
            raise RuntimeError("an operation needs a task to run in")
        self._cancelling = self.task.cancelling()
        self._operations.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        operations = self._operations
        operations.end(self)
        # As `asyncio.timeout` does it: our own cancellation is taken back, and only then is it known to be ours alone.
        if not self._stopped or self.task is None or self.task.uncancel() > self._cancelling:
            return
        if kind is None or not issubclass(kind, asyncio.CancelledError):
            return
        operations.check()
        raise DeadlineError(
            f"not done within {operations.seconds:g} s, retries included: try again later, or raise Timeouts.operation",
            phase="operation",
        ) from error
