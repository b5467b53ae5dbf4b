"""Processes that upload to one server under one ledger and are killed, and the books that must balance afterwards.

A kill comes at a chosen moment and a random time after it, so that every stretch of an upload is met on a fast machine
and on a busy one: the times are those that the last uploads took.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import attrs

from aiomar import Submissions, SubmissionState
from aiomar.submissions import Ledger, ledger_directory
from aiomar.testing import OmarServer
from tests.client.helpers import until
from tests.support.answers import Taking
from tests.support.uploading import Child, Errand

_WORK = 0.02
"""Seconds that the server takes where it is caught at work."""
Moment = Literal["start", "upload", "work", "answer"]
MOMENTS: tuple[Moment, ...] = ("start", "upload", "work", "answer")
STATES = (
    "before the intent",
    "intended, nothing taken",
    "while the server worked",
    "answered, not recorded",
)
"""What a kill must have left behind at least once; "recorded, not told" is too short to be met for certain."""


@attrs.define
class Times:
    """What the last uploads took, in seconds."""

    start: float = 0.1
    """From the start of a process to its first intent."""
    upload: float = 0.05
    record: float = 0.02
    """From the server's decision to the receipt in the caller's hands."""


@attrs.define
class Books:
    """What server, ledger and callers say of the same files."""

    server: OmarServer
    ledger: Ledger
    receipts: dict[str, str] = attrs.field(factory=dict)
    """File ids that a process reported, by name."""

    def lost(self) -> list[str]:
        """Name the receipts that the ledger does not have, or that are not the server's."""
        truth = {(upload.name, upload.file_id) for upload in self.server.uploads if upload.accepted}
        kept = {(record.name, record.file_id) for record in self.ledger.records({SubmissionState.ACCEPTED})}
        return [f"{receipt} is lost" for receipt in self.receipts.items() if receipt not in truth & kept]

    def doubled(self) -> list[str]:
        """Name the contents that came to the server more than once."""
        came = Counter(upload.sha256 for upload in self.server.uploads)
        return [f"{sha256} came {count} times" for sha256, count in came.items() if count > 1]

    def lies(self) -> list[str]:
        """Name what the ledger says wrongly: of each content at most one submission may have been taken."""
        taken = {upload.sha256: upload.file_id for upload in self.server.uploads if upload.accepted}
        held: Counter[str] = Counter()
        found = []
        for record in self.ledger.records():
            file_id = taken.get(record.sha256)
            held[record.sha256] += record.state in {SubmissionState.ACCEPTED, SubmissionState.UNKNOWN}
            if record.state is SubmissionState.SENDING:
                found.append(f"{record.id} has no end")
            if record.state is SubmissionState.ACCEPTED and record.file_id != file_id:
                found.append(f"{record.id} is called accepted with {record.file_id}, but the server has {file_id}")
        found += [f"{sha256} is at the server and nobody knows" for sha256 in taken if held[sha256] != 1]
        return found + [f"{sha256} was sent {count} times" for sha256, count in held.items() if count > 1]


@contextmanager
def opened_books(server: OmarServer, errand: Errand) -> Iterator[Books]:
    """Open the ledger that the children write, for looks between their lives."""
    holder = errand.config.identity.holder
    with Ledger.open(ledger_directory(errand.state_dir, errand.upload_origin, holder)) as ledger:
        yield Books(server, ledger)


async def quiet(server: OmarServer) -> None:
    """Wait until the server has done with everything that came; it knows no more of the dead than of the living."""
    await until(lambda: not any(port.open_connections for port in server._ports.values()))


@attrs.define
class Hunt:
    """Lives of one process after the other, each killed.

    Args:
        books: what happened.
        errand: what the processes do, without files.
        directory: for the files.
        rng: chance.
    """

    books: Books
    errand: Errand
    directory: Path
    rng: random.Random
    times: Times = attrs.field(factory=Times)
    seen: Counter[str] = attrs.field(factory=Counter)
    """What kills left behind."""
    sources: list[Path] = attrs.field(factory=list)
    _tried: tuple[Path, ...] = ()
    _known: set[str] = attrs.field(factory=set)

    def source(self) -> Path:
        """Make a file that nobody else has."""
        path = self.directory / f"file{len(self.sources)}.csv"
        path.write_text(f"id,value\r\n{len(self.sources)},{self.rng.random()}\r\n")
        self.sources.append(path)
        return path

    def child(self, *sources: Path) -> Child:
        """Start a process that uploads some files."""
        return Child(attrs.evolve(self.errand, sources=sources, lean=self.rng.random() < 0.5))

    async def end(self, child: Child) -> int:
        """Wait for a process to end and take its receipts."""
        code = await child.end()
        for word in child.words:
            if word.what == "accepted":
                assert word.file_id is not None
                self.books.receipts[word.name] = word.file_id
        return code

    async def measure(self) -> None:
        """Let a process live, and see how long it takes."""
        clock = asyncio.get_running_loop().time
        decided: list[float] = []
        self.books.server.script(Taking(tell=lambda: decided.append(clock())))
        begun = clock()
        child = self.child(self.source())
        await child.until(lambda: bool(child.said("started")))
        started = clock()
        await child.until(lambda: bool(child.said("accepted")))
        ended = clock()
        assert await self.end(child) == 0
        self.times = Times(started - begun, ended - started, ended - decided[0])

    async def kill(self) -> bool:
        """Let a process try the last one's files and two new ones, and kill it; say whether it still lived."""
        moment = self.rng.choice(MOMENTS)
        clock = asyncio.get_running_loop().time
        fresh = (self.source(), self.source())
        decided = asyncio.Event()
        if moment in {"work", "answer"}:
            wait = _WORK if moment == "work" else 0.0
            self.books.server.script(Taking(tell=decided.set, seconds=wait))
        child = self.child(*self._tried, *fresh)
        self._tried = fresh
        if moment == "upload":
            number = self.rng.choice((1, 2))
            await child.until(lambda: len(child.said("started")) >= number)
        elif moment != "start":
            async with asyncio.timeout(60):
                await decided.wait()
        span = {
            "start": 1.2 * self.times.start,
            "upload": 1.5 * self.times.upload,
            "work": _WORK,
            "answer": 1.2 * self.times.record,
        }[moment]
        since = clock()
        await asyncio.sleep(self.rng.uniform(0.0, span))
        worked = moment == "work" and clock() < since + _WORK
        child.kill()
        killed = await self.end(child) == -signal.SIGKILL
        await quiet(self.books.server)
        if killed:
            self.seen[self._left(child, worked=worked)] += 1
        if self.rng.random() < 0.2:
            # Somebody looks in the meantime, and settles what the next upload would settle.
            await asyncio.to_thread(lambda: list(Submissions(self.errand.state_dir).records()))
        return killed

    def _left(self, child: Child, *, worked: bool) -> str:
        """Say what a killed process left behind."""
        # One of an earlier life is still there if this one was too short to settle it.
        sending = [row for row in self.books.ledger.records({SubmissionState.SENDING}) if row.id not in self._known]
        if sending:
            self._known.add(sending[0].id)
            if sending[0].sha256 not in {upload.sha256 for upload in self.books.server.uploads}:
                return "intended, nothing taken"
            return "while the server worked" if worked else "answered, not recorded"
        if child.words and child.words[-1].what == "started":
            recorded = {record.name for record in self.books.ledger.records({SubmissionState.ACCEPTED})}
            if child.words[-1].name in recorded:
                return "recorded, not told"
        return "before the intent"

    async def try_all_again(self) -> None:
        """Let one process try every file there ever was, none of them on purpose a second time."""
        child = self.child(*self.sources)
        assert await self.end(child) == 0
        assert len(child.said("accepted")) + len(child.said("blocked")) == len(self.sources)
