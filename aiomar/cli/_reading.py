"""Commands that read files: in a thread, with progress on a terminal, and interrupted at the next piece."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from aiomar._threads import Threads
from aiomar.cli._output import Output
from aiomar.cli._progress import displayed
from aiomar.cli._tally import Tally

_T = TypeVar("_T")
_PATIENCE = 5.0  # seconds for the disk to give the piece that is being read


async def in_thread(out: Output, tally: Tally, read: Callable[[Callable[[int], None]], _T]) -> _T:
    """Read files in a thread; an interruption ends it at its next piece.

    Args:
        out: where progress is shown.
        tally: what is counted; its bytes are counted here.
        read: does the work; it is given what it has to tell the bytes of every piece to.
    """
    leave = threading.Event()
    threads = Threads(1)
    with displayed(out, tally, out.command) as lines:

        def progress(size: int) -> None:
            if leave.is_set():
                raise _LeftError
            tally.bytes += size
            if lines is not None:
                lines.tick()

        future = threads.start(read, progress)
        try:
            return await asyncio.shield(future)
        finally:
            leave.set()
            await asyncio.wait([future], timeout=_PATIENCE)
            if future.done():
                future.exception()  # looked at, so that asyncio does not complain about it
            threads.close()


class _LeftError(Exception):
    """Nobody waits for the result any more."""
