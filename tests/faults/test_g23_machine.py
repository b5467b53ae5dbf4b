"""G23: whatever is done in whatever order, the disk, the server's log and the client's answers tell the same story.

A state machine logs in, lets sessions expire, downloads, submits, cancels, cuts connections, closes and opens anew, all
of it under scripted faults, and looks at everything after each step.  One event loop is driven by hand, so that client
and server stand still while they are looked at.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Literal

import attrs
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import aiomar
from aiomar import (
    ClientIdentity,
    FailedDownload,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    OutcomeUnknownError,
    ReceiptMismatchError,
)
from aiomar.testing import Authority, Fault, OmarServer
from aiomar.testing._faults import FaultScript
from tests.client.helpers import (
    client_tasks,
    client_threads,
    data,
    descriptors,
    fetch,
    fetch_range,
    on_disk,
    until,
)
from tests.support.gates import Gate
from tests.support.stories import DOWNLOAD_FAULTS, LOGIN_FAULTS, UPLOAD_FAULTS, World

PARTS = 4
METERS = [Meter(str(number)) for number in range(1001, 1007)]
MOST_TURNS = 120
Outcome = Literal["ok", "fail", "unknown"]


class Machine(RuleBasedStateMachine):
    """One client after the other, one server, and a book of what the client said."""

    world: World
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.server = self.world.server
        self.server.clear()
        self.directory = Path(tempfile.mkdtemp(dir=self.world.directory))
        self.into = self.directory / "data"
        self.into.mkdir()
        self.book: dict[bytes, Outcome] = {}
        self.seen = self.refused = 0
        self.before = descriptors()
        self.client: OmarClient | None = None
        self.open()

    # --- What is done -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.client is None)
    @rule()
    def open(self) -> None:
        """Open a client, as after a restart: disk and ledger are what the last one left."""
        config = OmarConfig(
            self.world.identity,
            self.server.environment,
            trust=self.server.trust,
            state_dir=self.directory / "state",
            durable=False,
        )
        config = attrs.evolve(config, retry=attrs.evolve(config.retry, first_wait=0.0, longest_wait=0.0))
        self.client = OmarClient(config)
        self.world.steps["open"] += 1

    @property
    def ready(self) -> OmarClient:
        """The open client."""
        assert self.client is not None
        return self.client

    @precondition(lambda self: self.client is not None)
    @rule(fault=st.sampled_from(sorted(LOGIN_FAULTS)))
    def login(self, fault: str) -> None:
        """Log in, from scratch if the server has forgotten us."""
        self.do("login", LOGIN_FAULTS[fault], self.ready.login())

    @rule()
    def expire(self) -> None:
        """Let the server forget every session."""
        self.server.expire_sessions()

    @precondition(lambda self: self.client is not None)
    @rule(
        meter=st.sampled_from(METERS),
        file_format=st.sampled_from(FileFormat),
        fault=st.sampled_from(sorted(DOWNLOAD_FAULTS)),
        overwrite=st.booleans(),
    )
    def download(self, meter: Meter, file_format: FileFormat, fault: str, *, overwrite: bool) -> None:
        """Download one file."""
        call = fetch(self.ready, self.into, meter, file_format=file_format, overwrite=overwrite)
        self.do("download", DOWNLOAD_FAULTS[fault], call)

    @precondition(lambda self: self.client is not None)
    @rule(count=st.integers(1, len(METERS)), fault=st.sampled_from(sorted(DOWNLOAD_FAULTS)))
    def download_range(self, count: int, fault: str) -> None:
        """Download some files at once."""
        self.do("range", DOWNLOAD_FAULTS[fault], self.range(count))

    async def range(self, count: int) -> None:
        """Download a range and look at what is said to have failed."""
        report = await fetch_range(self.ready, METERS[:count], self.into / "range", errors="collect")
        assert len(report.files) + len(report.failures) == count
        for failure in report.failures:
            self.judge(failure)

    @precondition(lambda self: self.client is not None)
    @rule(fault=st.sampled_from(sorted(UPLOAD_FAULTS)), together=st.integers(1, 3))
    def upload(self, fault: str, together: int) -> None:
        """Submit one file, or a few at the same time."""
        self.do("upload", UPLOAD_FAULTS[fault], self.uploads(together))

    async def uploads(self, together: int) -> None:
        """Submit new files at once and write down what is said of each."""
        await asyncio.gather(*(self.submit() for _ in range(together)))

    async def submit(self) -> None:
        """Submit a file that nobody has seen before."""
        number = next(self.numbers)
        content = b"id,value\r\n%d,1\r\n" % number
        source = self.directory / f"file{number}.csv"
        source.write_bytes(content)
        self.book[content] = "unknown"  # whoever is cancelled is told nothing
        try:
            receipt = await self.ready.upload(source)
        except (OutcomeUnknownError, ReceiptMismatchError):
            pass
        except OmarError as error:
            self.book[content] = "fail"
            self.judge(error)
        else:
            self.book[content] = "ok"
            taken = [upload for upload in self.server.uploads if upload.content == content]
            assert [upload.file_id for upload in taken] == [receipt.file_id]

    @precondition(lambda self: self.client is not None)
    @rule(what=st.sampled_from(["download", "range", "upload", "login"]), turns=st.integers(0, MOST_TURNS))
    def cancel(self, what: str, turns: int) -> None:
        """Begin something and cancel it a little later."""
        calls: dict[str, Coroutine[object, object, object]] = {
            "download": fetch(self.ready, self.into, METERS[0], overwrite=True),
            "range": self.range(3),
            "upload": self.uploads(2),
            "login": self.ready.login(),
        }
        call = calls.pop(what)
        for other in calls.values():
            other.close()

        async def cancelled() -> None:
            task = asyncio.create_task(call)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                self.judge(error)

        self.do("cancel", None, cancelled())

    @rule()
    def cut(self) -> None:
        """Cut every connection on the server's side."""

        async def kill() -> None:
            for port in self.server._ports.values():
                port.cut()

        self.do("cut", None, kill())

    @precondition(lambda self: self.client is not None)
    @rule(turns=st.none() | st.integers(0, MOST_TURNS))
    def close(self, turns: int | None) -> None:
        """Close the client, idle or in the middle of much; nothing of it is left."""

        async def closing() -> None:
            calls = [] if turns is None else [self.range(6), self.uploads(2), fetch(self.ready, self.into, METERS[1])]
            tasks = [asyncio.create_task(call) for call in calls]
            for _ in range(turns or 0):
                await asyncio.sleep(0)
            await self.ready.aclose()
            if tasks:
                await asyncio.wait(tasks)
            for task in tasks:
                if (error := task.exception()) is not None:
                    self.judge(error)
            assert client_tasks() == []
            assert client_threads() == []
            await until(lambda: set(descriptors()) <= set(self.before))

        self.do("close", None, closing())
        self.client = None

    def do(self, name: str, fault: Fault | None, call: Coroutine[object, object, object]) -> None:
        """Carry out a step under a fault and judge what it raises."""
        if fault is not None:
            self.server.script(fault)
        before = len(self.server.requests)
        try:
            self.world.run(call)
        except OmarError as error:
            self.judge(error)
        self.world.steps[name] += 1
        self.world.fired[name] += any(record.fault is not None for record in self.server.requests[before:])
        self.server._faults = FaultScript()  # one that found nobody to hurt is not for the next step

    def judge(self, error: BaseException | FailedDownload) -> None:
        """Hold an error to the public tree."""
        error = error.error if isinstance(error, FailedDownload) else error
        assert isinstance(error, OmarError), repr(error)
        assert getattr(aiomar.errors, type(error).__name__) is type(error)
        assert str(error).isprintable()

    # --- What must be so ----------------------------------------------------------------------------------------------

    @invariant()
    def files_are_the_servers_bytes(self) -> None:
        """Every file has a final name and exactly what the server has for it."""
        formats = {file_format.suffix: file_format for file_format in FileFormat}
        for name, content in on_disk(self.into).items():
            path = Path(name)
            meter = Meter(path.stem.split("_")[0].removeprefix("meter-"))
            assert content == data(self.server, meter, formats[path.suffix]), name

    @invariant()
    def uploads_are_what_was_said(self) -> None:
        """Said to be taken: there once.  Said not to be: not there.  Unknown: once or not at all, and never twice."""
        there = Counter(upload.content for upload in self.server.uploads if upload.accepted)
        assert set(there) <= set(self.book)
        for content, outcome in self.book.items():
            allowed = {"ok": {1}, "fail": {0}, "unknown": {0, 1}}[outcome]
            assert there[content] in allowed, f"{content!r} is {outcome} and there {there[content]} times"
        assert self.server.max_concurrent_uploads <= 1

    def teardown(self) -> None:
        """Close what is still open, and look once more."""
        if self.client is not None:
            self.close(turns=None)
        self.files_are_the_servers_bytes()
        self.uploads_are_what_was_said()


@pytest.fixture
def world(omar_authority: Authority, omar_identity: ClientIdentity, tmp_path: Path) -> Iterator[World]:
    """Run a server in a loop that stands still between the steps."""
    with asyncio.Runner() as runner:
        server = OmarServer(authority=omar_authority)
        runner.run(server.__aenter__())
        try:
            yield World(runner, server, omar_identity, tmp_path)
        finally:
            server.clear()
            runner.run(server.__aexit__(None, None, None))


@pytest.mark.gate("G23", "G13")
@pytest.mark.parametrize("part", range(PARTS))
def test_the_story_is_the_same(part: int, gate: Gate, world: World) -> None:
    """No order of steps, faults, cancellations and closings makes disk, log and answers differ."""
    examples = gate.count(ci=100, long=2_000) // PARTS

    class Here(Machine):
        pass

    Here.world = world
    bound = settings(
        max_examples=examples,
        stateful_step_count=gate.count(ci=30, long=50),
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    seed(gate.rng.getrandbits(64))(Here)
    run_state_machine_as_test(Here, settings=bound)
    steps = sum(world.steps.values())
    gate.record(steps, 0, "steps of random stories; bad: disk, log and answers differ")
    gate.record(sum(world.fired.values()), 0, "faults that fired in them")
    assert min(world.steps[name] for name in ("login", "download", "range", "upload", "cancel", "cut", "close")) > 0
    assert min(world.fired[name] for name in ("download", "range", "upload")) > 0
