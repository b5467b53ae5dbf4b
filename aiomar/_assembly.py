"""Making the parts of a client in its event loop, and taking them apart again.

Every collaborator with an effect is made here, once, with its real default; tests hand in others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import attrs

from aiomar._breaker import Breaker
from aiomar._config import OmarConfig
from aiomar._confirm import Confirmer
from aiomar._courier import Courier
from aiomar._downloads import Downloader
from aiomar._files import REAL_FILES, FileSystem
from aiomar._login import Login
from aiomar._operations import Operations
from aiomar._ranges import Ranges
from aiomar._retry import Retries, Waiting
from aiomar._session import Session
from aiomar._threads import Threads
from aiomar._upload_turn import UploadTurn
from aiomar._uploads import Uploader
from aiomar._version import __version__
from aiomar.errors import UsageError
from aiomar.submissions import Sender, ledger_directory
from aiomar.transfer import (
    BodyRules,
    Disk,
    Event,
    Limiter,
    Observer,
    SessionEnded,
)
from aiomar.transport import SocketFactory, ThreadsResolver, Transport, Wiring, make_transport

_log = logging.getLogger("aiomar")
_THREADS = 4


@attrs.frozen(kw_only=True)
class Effects:
    """What a client does to the machine and takes from it; tests hand in others.

    Attributes:
        files: stores downloads, reads what is submitted.
        waiting: chance and the clock of repeats and breaker.
        wall_clock: seconds since the epoch.
        socket_factory: makes the sockets of connections; `None` for plain ones.
    """

    files: FileSystem = REAL_FILES
    waiting: Waiting = attrs.field(factory=Waiting)
    wall_clock: Callable[[], float] = time.time
    socket_factory: SocketFactory | None = None


_REAL = Effects()


@attrs.frozen(kw_only=True)
class _Ground:
    """What downloads and uploads stand on together."""

    config: OmarConfig
    effects: Effects
    retries: Retries
    threads: Threads
    transport: Transport
    session: Session
    operations: Operations
    notify: Callable[[Event], None]


def assemble(config: OmarConfig, context: ssl.SSLContext, observer: Observer | None, effects: Effects = _REAL) -> Parts:
    """Make the parts of a client; must be called inside the loop that will use them."""
    retries = Retries(config.retry, effects.waiting)
    threads = Threads(_THREADS)
    notify = _notifier(observer)
    transport = _transport(config, context, threads, effects)
    ground = _Ground(
        config=config,
        effects=effects,
        retries=retries,
        threads=threads,
        transport=transport,
        session=_session(config, transport, threads, retries, notify, effects),
        operations=Operations(config.timeouts.operation),
        notify=notify,
    )
    disk = Disk(threads, durable=config.durable, files=effects.files)
    downloader = _downloader(ground, disk, notify if observer else None)  # nothing is counted for nobody
    uploader = _uploader(ground)
    return Parts(
        operations=ground.operations,
        threads=threads,
        transport=transport,
        session=ground.session,
        disk=disk,
        downloader=downloader,
        ranges=Ranges(config.concurrency, downloader, threads),
        uploader=uploader,
        confirmer=Confirmer(
            turn=uploader.turn, downloader=downloader, threads=threads, operations=ground.operations, notify=notify
        ),
    )


def _downloader(ground: _Ground, disk: Disk, notify: Callable[[Event], None] | None) -> Downloader:
    config = ground.config
    return Downloader(
        environment=config.environment,
        session=ground.session,
        disk=disk,
        limiter=Limiter(config.concurrency, retry_after_cap=config.retry.retry_after_cap, notify=notify),
        retries=ground.retries,
        operations=ground.operations,
        rules=BodyRules(largest=config.max_download_bytes, minimum_rate=config.timeouts.minimum_rate),
        notify=notify,
        wall_clock=ground.effects.wall_clock,
    )


def _uploader(ground: _Ground) -> Uploader:
    environment, identity = ground.config.environment, ground.config.identity
    courier = Courier(
        environment=environment,
        sender=Sender(
            environment=environment.name,
            upload_origin=environment.upload_origin,
            subject=identity.subject,
            fingerprint=identity.fingerprint,
        ),
        session=ground.session,
        transport=ground.transport,
        threads=ground.threads,
        retries=ground.retries,
        operations=ground.operations,
        notify=ground.notify,
        wall_clock=ground.effects.wall_clock,
    )
    turn = UploadTurn(
        directory=ledger_directory(ground.config.state_dir, environment.upload_origin, identity.holder),
        threads=ground.threads,
        operations=ground.operations,
        files=ground.effects.files,
        wall_clock=ground.effects.wall_clock,
    )
    return Uploader(
        courier=courier,
        turn=turn,
        threads=ground.threads,
        limits=ground.config.limits,
        operations=ground.operations,
        notify=ground.notify,
        files=ground.effects.files,
    )


def _transport(config: OmarConfig, context: ssl.SSLContext, threads: Threads, effects: Effects) -> Transport:
    wiring = Wiring(
        context=context,
        timeouts=config.timeouts,
        user_agent=config.user_agent or f"aiomar/{__version__}",
        server_hostname=config.trust.server_hostname,
        resolver=ThreadsResolver(threads),
        socket_factory=effects.socket_factory,
    )
    return make_transport(wiring, proxy=config.proxy, lean=config.lean)


def _session(  # noqa: PLR0917 - all of it is made just before
    config: OmarConfig,
    transport: Transport,
    threads: Threads,
    retries: Retries,
    notify: Callable[[Event], None],
    effects: Effects,
) -> Session:
    breaker = Breaker(retries.waiting.clock)
    login = Login(
        environment=config.environment,
        identity=config.identity,
        transport=transport,
        retries=retries,
        seconds=config.timeouts.operation,
        breaker=breaker,
        notify=notify,
        wall_clock=effects.wall_clock,
    )
    return Session(
        transport=transport,
        login=login,
        threads=threads,
        breaker=breaker,
        budget=retries.budget,
        cookie_style=config.environment.cookie_style,
        max_age=config.max_session_age,
        on_ended=lambda: notify(SessionEnded(config.environment.name)),
        wall_clock=effects.wall_clock,
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


@attrs.define(kw_only=True)
class Parts:
    """Everything that lives as long as an open client."""

    operations: Operations
    threads: Threads
    transport: Transport
    session: Session
    disk: Disk
    downloader: Downloader
    ranges: Ranges
    uploader: Uploader
    confirmer: Confirmer
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
        with self.operations.limit():
            await self.disk.sweep(directory)

    async def aclose(self) -> None:
        """End ranges, operations and logins, close connections, let the threads go; also when cancelled on the way."""
        self.operations.close()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.threads.aclose)
            stack.push_async_callback(self.uploader.turn.aclose)
            stack.push_async_callback(self.disk.aclose)
            stack.push_async_callback(self.transport.aclose)
            stack.push_async_callback(self.session.aclose)
            stack.push_async_callback(self.operations.aclose)
            stack.push_async_callback(self.ranges.aclose)
            self.downloader.limiter.close()
