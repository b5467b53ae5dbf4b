"""A server on a loop of its own, in a thread: for code without a loop, and for loops that the server must not share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from aiomar.testing._server import OmarServer


@contextlib.contextmanager
def in_thread(server: OmarServer) -> Iterator[OmarServer]:
    """Give a server a loop of its own, in a thread.

    ::

        with in_thread(OmarServer()) as server:
            subprocess.run(["aiomar", "check"], env=os.environ | server.environ("."), check=True)

    For what has no loop: synchronous tests, scripts, and programs that are started as a process of their own.  The same
    server comes back, and all of it may be used from any thread.  Inside a coroutine it works as well, but entering and
    leaving block the caller's loop for some milliseconds; there ``async with OmarServer()`` is the natural form.

    Args:
        server: one that is not running.

    Raises:
        UnusedFaultError: on exit without another exception, if a scripted fault never fired.
        OSError: on entry, if a port is taken.
    """
    up: Future[None] = Future()
    over: Future[None] = Future()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="omar-server") as thread:
        life = thread.submit(lambda: asyncio.run(_live(server, up, over)))
        try:
            wait((up, life), return_when=FIRST_COMPLETED)
            if life.done():
                life.result()  # raises why it could not start
            yield server
        finally:
            over.set_result(None)
        life.result()  # not reached with an exception from above, which says more than a fault that never fired


async def _live(server: OmarServer, up: Future[None], over: Future[None]) -> None:
    async with server:
        up.set_result(None)
        await asyncio.wrap_future(over)
