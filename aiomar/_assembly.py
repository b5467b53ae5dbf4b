"""Making the parts of a client in its event loop, and taking them apart again.

Every collaborator with an effect is made here, once, with its real default; tests hand in others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import attrs

from aiomar._config import OmarConfig
from aiomar._downloads import Destination, Downloader, Wanted
from aiomar._operations import Operations
from aiomar._retry import Waiting, with_retries
from aiomar._session import Session
from aiomar._threads import Threads
from aiomar._uploads import Uploader
from aiomar._version import __version__
from aiomar.errors import ExchangeError, UsageError
from aiomar.protocol import SessionCookie, build_login
from aiomar.transfer import (
    BodyRules,
    Disk,
    Event,
    FailedDownload,
    Job,
    Limiter,
    LoggedIn,
    LoginRetrying,
    Observer,
    RangeFinished,
    RangeRequest,
    RangeStarted,
    SavedFile,
    Selections,
    SessionEnded,
    plan_jobs,
    real_directory,
    run_jobs,
)
from aiomar.transport import AiohttpTransport, LeanTransport, ThreadsResolver, Transport, Wiring, lean_is_usable

_log = logging.getLogger("aiomar")
_THREADS = 4
# More workers than places: while some wait for a disk or for their next attempt, the others use the network.
_WORKERS_PER_PLACE = 2
# How long closing waits for ranges; they end within a few turns of the loop unless a disk hangs.
_PATIENCE = 5.0


def assemble(config: OmarConfig, context: ssl.SSLContext, observer: Observer | None) -> Parts:
    """Make the parts of a client; must be called inside the loop that will use them."""
    waiting = Waiting()
    threads = Threads(_THREADS)
    notify = _notifier(observer)
    transport = _transport(config, context, threads)
    session = _session(config, transport, waiting, notify)
    operations = Operations(config.timeouts.operation)
    disk = Disk(threads, durable=config.durable)
    downloader = Downloader(
        environment=config.environment,
        session=session,
        disk=disk,
        limiter=Limiter(config.concurrency),
        policy=config.retry,
        waiting=waiting,
        operations=operations,
        rules=BodyRules(largest=config.max_download_bytes, minimum_rate=config.timeouts.minimum_rate),
        notify=notify if observer else None,
    )
    uploader = Uploader(
        environment=config.environment,
        session=session,
        transport=transport,
        threads=threads,
        limits=config.limits,
        operations=operations,
        notify=notify,
    )
    return Parts(
        workers=config.concurrency * _WORKERS_PER_PLACE,
        operations=operations,
        threads=threads,
        transport=transport,
        session=session,
        disk=disk,
        downloader=downloader,
        uploader=uploader,
        notify=notify,
    )


def _transport(config: OmarConfig, context: ssl.SSLContext, threads: Threads) -> Transport:
    """Take the short way unless a proxy, or an aiohttp that has changed inside, asks for the long one."""
    wiring = Wiring(
        context=context,
        timeouts=config.timeouts,
        user_agent=config.user_agent or f"aiomar/{__version__}",
        server_hostname=config.trust.server_hostname,
        resolver=ThreadsResolver(threads),
    )
    if config.proxy is None and lean_is_usable():
        return LeanTransport(wiring)
    return AiohttpTransport(wiring, proxy=config.proxy)


def _session(config: OmarConfig, transport: Transport, waiting: Waiting, notify: Callable[[Event], None]) -> Session:
    return Session(
        transport=transport,
        login_request=build_login(config.environment),
        cookie_style=config.environment.cookie_style,
        max_age=config.max_session_age,
        login_attempt=_login_attempt(config, waiting, notify),
        on_ended=lambda: notify(SessionEnded(config.environment.name)),
    )


def _notifier(observer: Observer | None) -> Callable[[Event], None]:
    def notify(event: Event) -> None:
        if observer is None:
            return
        try:
            observer(event)
        except Exception:  # noqa: BLE001 - an observer must never break a transfer, whatever it raises
            _log.exception("the observer failed on %s; the transfer goes on", type(event).__name__)

    return notify


def _login_attempt(
    config: OmarConfig, waiting: Waiting, notify: Callable[[Event], None]
) -> Callable[[Callable[[], Awaitable[SessionCookie]]], Awaitable[SessionCookie]]:
    """Give what runs one login: the certificate's dates first, then the policy's repeats."""
    logins = 0

    async def log_in(ask: Callable[[], Awaitable[SessionCookie]]) -> SessionCookie:
        nonlocal logins
        config.identity.ensure_valid()
        started = waiting.clock()

        async def once(_: int) -> SessionCookie:
            return await ask()

        def on_retry(error: ExchangeError, number: int, wait: float) -> None:
            notify(LoginRetrying(error, number, wait))

        operation = config.timeouts.operation
        deadline = None if operation is None else started + operation
        cookie = await with_retries(once, policy=config.retry, waiting=waiting, deadline=deadline, on_retry=on_retry)
        notify(LoggedIn(config.environment.name, waiting.clock() - started, renewed=logins > 0))
        logins += 1
        return cookie

    return log_in


@attrs.define(kw_only=True)
class Parts:
    """Everything that lives as long as an open client."""

    workers: int
    operations: Operations
    threads: Threads
    transport: Transport
    session: Session
    disk: Disk
    downloader: Downloader
    uploader: Uploader
    notify: Callable[[Event], None]
    _ranges: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop, init=False)
    _process: int = attrs.field(factory=os.getpid, init=False)

    def check_home(self) -> None:
        """Hold the client to its loop and its process.

        Raises:
            UsageError: a fork or another loop uses it; sockets and sessions cannot be shared like that.
        """
        if self._process != os.getpid() or self._loop is not asyncio.get_running_loop():
            raise UsageError("the client belongs to another process or event loop: make one client for each")

    async def prepare(self, directory: Path) -> None:
        """Make a directory ready for downloads.

        Raises:
            UsageError: the client is closed.
        """
        async with self.operations.limit():
            await self.disk.sweep(directory)

    async def iterate(
        self, selections: Selections, request: RangeRequest, directory: Path, *, allow_unverified: bool
    ) -> AsyncGenerator[SavedFile | FailedDownload]:
        """Carry out a range, giving each outcome as it comes."""
        started = time.monotonic()
        files = failures = size = 0
        wanted = Wanted(file_format=request.file_format, time_type=request.time_type, allow_unverified=allow_unverified)
        destination = Destination(directory=directory, real=real_directory(directory), overwrite=True)

        async def fetch(job: Job) -> SavedFile | FailedDownload:
            return await self.downloader.save(job, wanted, destination)

        def own(task: asyncio.Task[None]) -> None:
            self._ranges.add(task)
            task.add_done_callback(self._ranges.discard)

        await self.prepare(directory)
        self.notify(
            RangeStarted(request.span.start, request.span.end, request.file_format, request.time_type, directory)
        )
        jobs = plan_jobs(selections, request)
        async with aclosing(jobs), aclosing(run_jobs(jobs, fetch, workers=self.workers, own=own)) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, SavedFile):
                    files += 1
                    size += outcome.size
                else:
                    failures += 1
                yield outcome
        self.notify(RangeFinished(files, failures, size, time.monotonic() - started))

    async def aclose(self) -> None:
        """End ranges, operations and logins, close connections, let the threads go; also when cancelled on the way."""
        self.operations.close()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.threads.aclose)
            stack.push_async_callback(self.transport.aclose)
            stack.push_async_callback(self.session.aclose)
            stack.push_async_callback(self.operations.aclose)
            for task in self._ranges:
                task.cancel()
            if self._ranges:
                await asyncio.wait(self._ranges, timeout=_PATIENCE)
