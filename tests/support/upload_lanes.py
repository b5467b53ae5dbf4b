"""Uploads by the thousand: a lane is a server, a ledger and clients of it, on which round follows round.

A round draws a trouble, lets one to three tasks upload at once, and notes what each was told.  Lanes run beside one
another in one loop, so that the few waits of a round cost no time.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs

from aiomar import (
    Event,
    OmarClient,
    OmarConfig,
    OmarError,
    SubmissionNotRecorded,
    SubmissionRecord,
    Submissions,
    UploadReceipt,
    UploadStarted,
)
from aiomar._assembly import Effects, assemble
from aiomar.testing import OmarServer, Upload
from tests.support.answers import Taking
from tests.support.disturbed import Tripwire, failing_sockets
from tests.support.history import Entry, entry_of
from tests.support.killing import quiet
from tests.support.upload_troubles import Trouble, draw

_ENOUGH = 3
"""So many failures in a row, and a client is exchanged: its breaker may have opened."""


@attrs.frozen
class File:
    """A source."""

    path: Path
    sha256: str


@attrs.define
class Lane:
    """A server, a ledger and their clients.

    Args:
        server: running.
        config: of the clients.
        directory: for the sources; it exists.
        rng: chance.
        hasty: whether `config` gives up soon.
        sockets: whether sockets fail, too.
    """

    server: OmarServer
    config: OmarConfig
    directory: Path
    rng: random.Random
    hasty: bool
    sockets: bool
    entries: list[Entry] = attrs.field(factory=list)
    tried: Counter[str] = attrs.field(factory=Counter)
    """What befell calls on this side: the caller's blows and failing sockets, by name."""
    unrecorded: list[SubmissionNotRecorded] = attrs.field(factory=list)
    on_start: list[Callable[[], object]] = attrs.field(factory=list)
    """Called when an upload begins in earnest; each once."""
    _files: list[File] = attrs.field(factory=list)
    _clients: list[OmarClient] = attrs.field(factory=list)
    _wire: Tripwire = attrs.field(factory=Tripwire)
    _failures: int = 0

    async def run(self, enough: Callable[[], bool]) -> None:
        """Go on until it is enough, then leave and let the server come to rest."""
        while not enough():
            await self._round()
        await self.leave()
        await quiet(self.server)

    @property
    def uploads(self) -> list[Upload]:
        """What the server has."""
        return list(self.server.uploads)

    @property
    def records(self) -> list[SubmissionRecord]:
        """What the ledger says."""
        return list(Submissions(self.config.state_dir).records())

    def _observe(self, event: Event) -> None:
        if isinstance(event, UploadStarted) and self.on_start:
            self.on_start.pop()()
        elif isinstance(event, SubmissionNotRecorded):
            self.unrecorded.append(event)

    def _client(self) -> OmarClient:
        """Give the client, or sometimes the other one of the same ledger."""
        while len(self._clients) < 2:
            client = OmarClient(self.config, observer=self._observe)
            effects = Effects(socket_factory=failing_sockets(self._wire) if self.sockets else None)
            client._parts = assemble(self.config, client._context, self._observe, effects)
            self._clients.append(client)
        return self._clients[self.rng.random() < 0.05]

    async def leave(self) -> None:
        """Close the clients; the next ones are made when they are wanted."""
        clients, self._clients = self._clients, []
        for client in clients:
            await client.aclose()

    def _file(self) -> File:
        """Give a new file, or one that was there before."""
        if self._files and self.rng.random() < 0.15:
            return self.rng.choice(self._files[-20:])
        number = len(self._files)
        # The server takes no .txt, of which the client has been told otherwise.
        path = self.directory / f"meter{number}.{'txt' if self.rng.random() < 0.03 else 'csv'}"
        content = f"id,value\r\n{number},{self.rng.random()}\r\n".encode() * self.rng.choice((1, 1, 1, 50, 2_000))
        path.write_bytes(content)
        self._files.append(File(path, hashlib.sha256(content).hexdigest()))
        return self._files[-1]

    async def _round(self) -> None:
        rng = self.rng
        trouble = draw(rng, hasty=self.hasty, sockets=self.sockets)
        files = [self._file() for _ in range(rng.choices((1, 2, 3), (70, 20, 10))[0])]
        if len(files) == 3:
            files[1] = files[0]  # twice at the same time
        self.server.script(*trouble.faults)
        if trouble.calls is not None:
            self._wire.arm(trouble.calls + 1, lasting=rng.random() < 0.2)
        calls = [asyncio.create_task(self._upload(self._client(), file, resend=rng.random() < 0.03)) for file in files]
        blow = _Blow(self, trouble, rng.choice(calls), rng.uniform(0.0, 0.012 if trouble.moment == "any" else 0.004))
        await asyncio.wait(calls)
        await blow.end()
        if blow.landed:
            self.tried[trouble.name] += 1
        self.tried.update(f"socket: {name}" for name, _ in self._wire.failed)
        self._wire.arm()
        if self._failures >= _ENOUGH:
            await self.leave()
            self._failures = 0

    async def _upload(self, client: OmarClient, file: File, *, resend: bool) -> None:
        """Upload, and note what came of it."""
        end: UploadReceipt | BaseException
        try:
            end = await client.upload(file.path, resend=resend)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever comes is written down
            end = error
        self.entries.append(entry_of(file.sha256, end, resend=resend))
        self._failures = 0 if isinstance(end, UploadReceipt) else self._failures + isinstance(end, OmarError)


class _Blow:
    """What the caller does in the middle of a call.

    Args:
        lane: where.
        trouble: what, and when.
        call: to whom.
        seconds: how long after the moment.
    """

    def __init__(self, lane: Lane, trouble: Trouble, call: asyncio.Task[None], seconds: float) -> None:
        self._lane = lane
        self._trouble = trouble
        self._call = call
        self._seconds = seconds
        self._timers: list[asyncio.TimerHandle] = []
        self._closing: list[asyncio.Task[None]] = []
        self.landed = False
        if trouble.blow is None:
            return
        if trouble.moment == "any":
            self._wait()
        elif trouble.moment == "started":
            lane.on_start.append(self._wait)
        else:
            lane.server.script(Taking(tell=self._wait, seconds=0.002))

    def _wait(self) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(self._seconds, self._strike))

    def _strike(self) -> None:
        if self._call.done():
            return
        self.landed = True
        if self._trouble.blow == "cancel":
            self._call.cancel()
        else:
            self._closing.append(asyncio.create_task(self._lane.leave()))

    async def end(self) -> None:
        """Let it be over."""
        self._lane.on_start.clear()
        for timer in self._timers:
            timer.cancel()
        if self._closing:
            await asyncio.wait(self._closing)
