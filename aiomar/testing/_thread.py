"""A server on a loop of its own, in a thread: for code without a loop, and for loops that the server must not share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait

from aiomar.testing._server import OmarServer

_PATIENCE = 10.0
"""Seconds that the server gets to end; it needs some milliseconds unless something blocks its loop."""


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
        TimeoutError: on exit without another exception, if the server does not end.
    """
    up: Future[None] = Future()
    over: Future[None] = Future()
    life: Future[None] = Future()

    def live() -> None:
        try:
            life.set_result(asyncio.run(_live(server, up, over)))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised in the thread that waits
            life.set_exception(error)

    # A daemon: a program that ends without leaving this block (a notebook, say) must not wait for its server for ever.
    thread = threading.Thread(target=live, name="omar-server", daemon=True)
    thread.start()
    try:
        wait((up, life), return_when=FIRST_COMPLETED)
        if life.done():
            life.result()  # raises why it could not start
        yield server
    finally:
        over.set_result(None)
        thread.join(_PATIENCE)
    life.result(0)  # not reached with an exception from above, which says more than a fault that never fired


async def _live(server: OmarServer, up: Future[None], over: Future[None]) -> None:
    async with server:
        up.set_result(None)
        await asyncio.wrap_future(over)
