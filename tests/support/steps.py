"""Cancelling at every moment there is: counts the steps of all tasks of a client, and cancels one task after a step.

Between two steps of tasks nothing of the client runs in the loop, so whoever tries every step has tried every moment at
which a cancellation can come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs

_T = TypeVar("_T")
_OTHERS = ("/testing/", "web_protocol")


@attrs.define
class Steps:
    """Counts steps.

    Attributes:
        count: how many there were since it was armed.
        hits: how often the task was cancelled, and had not ended then.
    """

    count: int = 0
    hits: int = 0
    late: bool = False
    """Whether a cancellation comes a turn of the loop later, when what the step brought about has begun to run."""
    _at: frozenset[int] = frozenset()
    _call: Coroutine[Any, Any, Any] | None = None
    """Not begun yet, so nothing counts before its first step."""
    _task: asyncio.Task[Any] | None = None

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the steps of tasks that are made inside, but not those of the embedded server."""
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(self._make)
        try:
            yield
        finally:
            loop.set_task_factory(before)

    def _make(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Any,  # noqa: ANN401 - whatever the loop was given
        **how: Any,  # noqa: ANN401 - name and context, by version
    ) -> asyncio.Task[Any]:
        code = getattr(coroutine, "cr_code", None)
        if code is None or any(other in code.co_filename for other in _OTHERS):
            return asyncio.Task(coroutine, loop=loop, **how)
        return asyncio.Task(_Counted(coroutine, self), loop=loop, **how)

    async def run(self, call: Coroutine[Any, Any, _T], *at: int) -> asyncio.Task[_T]:
        """Run a call in a task and cancel it after these steps, numbered from 1; give the task, which is done."""
        self.count = self.hits = 0
        self._at, self._call = frozenset(at), call
        self._task = asyncio.create_task(call)
        try:
            async with asyncio.timeout(30):
                await asyncio.wait([self._task])
        finally:
            self._at = frozenset()
        return self._task

    def passed(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Count a step."""
        if coroutine is self._call:
            self._call = None
        if self._call is not None:
            return
        self.count += 1
        if self.count in self._at:
            if self.late:
                asyncio.get_running_loop().call_soon(self._cancel)
            else:
                self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self.hits += self._task.cancel()


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine that tells of each of its steps."""

    def __init__(self, inner: Coroutine[Any, Any, Any], steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    def send(self, value: Any, /) -> Any:  # noqa: ANN401 - the coroutine's
        result = self._inner.send(value)
        self._steps.passed(self._inner)
        return result

    def throw(self, *error: Any) -> Any:  # noqa: ANN401 - the coroutine's
        result = self._inner.throw(*error)
        self._steps.passed(self._inner)
        return result

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)  # what it runs, for those who look at tasks
