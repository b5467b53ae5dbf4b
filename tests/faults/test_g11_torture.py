"""G11: the k-th call to the file system or the network fails, for every k; disk, errors and descriptors hold.

Each scenario runs again and again: first its first call fails, then its second, until a run comes to its end before its
turn.  Then the same with a failure that lasts, which also meets the tidying up, and with pairs of failures by chance.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import attrs
import pytest

from aiomar import (
    DiskError,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    RangeReport,
    SavedFile,
    TimeType,
)
from aiomar._assembly import Effects
from aiomar.testing import OmarServer
from aiomar.transfer import verify_directory
from aiomar.transfer._publish import PART_NAME
from tests.client.helpers import DAY, METER, Clock, data, fetch, fetch_range, on_disk
from tests.support.disturbed import (
    Tripwire,
    failing_files,
    failing_sockets,
    nothing_left,
    open_below,
    opened,
)
from tests.support.gates import Gate

MOST = 2_000
"""More calls than any scenario makes."""
LONG_ENOUGH = 100.0
"""Seconds after which the breaker lets a probe through."""
LARGE_END = DAY + dt.timedelta(days=600)
METERS = [Meter(str(number)) for number in range(1001, 1013)]
OLD = b"old"

Do = Callable[[OmarClient, Path], Awaitable[SavedFile | RangeReport]]


async def _small(client: OmarClient, into: Path) -> SavedFile:
    return await fetch(client, into, name="x", overwrite=(into / "x").exists())


async def _large(client: OmarClient, into: Path) -> SavedFile:
    return await client.download(
        METER,
        DAY,
        LARGE_END,
        file_format=FileFormat.MDEF,
        time_type=TimeType.PST,
        into=into,
        name="x",
        overwrite=(into / "x").exists(),
    )


async def _range(client: OmarClient, into: Path) -> RangeReport:
    return await fetch_range(client, METERS, into, errors="collect")


@attrs.frozen
class Scenario:
    """What is done, which files there were before, and which there are when it is well done."""

    do: Do
    old: frozenset[str]
    new: dict[str, bytes]

    @property
    def before(self) -> dict[str, bytes]:
        """The directory as it was."""
        return dict.fromkeys(self.old, OLD)

    def prepare(self, into: Path) -> Path:
        """Make the directory."""
        into.mkdir()
        for name in self.old:
            (into / name).write_bytes(OLD)
        return into


def _scenario(kind: str, server: OmarServer) -> Scenario:
    if kind == "range":
        names = {f"meter-{meter.id}_20260101_20260101_pst.csv": data(server, meter) for meter in METERS}
        return Scenario(_range, frozenset(list(names)[::2]), names)
    if kind.startswith("large"):
        body = server.data(METER, DAY, LARGE_END, file_format=FileFormat.MDEF, time_type=TimeType.PST)
        assert len(body) > 2 * 524_288, "several batches"
        return Scenario(_large, frozenset(), {"x": body})
    return Scenario(_small, frozenset({"x"} if "over" in kind else ()), {"x": data(server)})


@attrs.define
class Judge:
    """Holds what a disturbed run left behind to the promise, and keeps what broke it."""

    scenario: Scenario
    wire: Tripwire
    clock: Clock = attrs.field(factory=Clock)
    mended: bool = False
    """Whether a repeat makes good what failed once."""
    runs: int = 0
    bad: list[str] = attrs.field(factory=list)

    async def run(self, client: OmarClient, into: Path) -> bool:
        """Run the scenario with the armed failures, and once more without; whether a failure came.

        What is not an `OmarError` comes out, and fails the test.
        """
        outcome: SavedFile | RangeReport | OmarError
        try:
            outcome = await self.scenario.do(client, into)
        except OmarError as error:
            outcome = error
        self.wire.disarm()
        failed = tuple(self.wire.failed)
        self.runs += bool(failed)
        for complaint in self._complaints(into, outcome):
            self.bad.append(f"{failed}: {complaint}")
        self.clock.now += LONG_ENOUGH
        await self.scenario.do(client, into)
        found = on_disk(into)
        if {name: body for name, body in found.items() if not PART_NAME.fullmatch(name)} != self.scenario.new:
            self.bad.append(f"{failed}: the next run left {sorted(found)}")
        return bool(failed)

    def _complaints(self, into: Path, outcome: SavedFile | RangeReport | OmarError) -> Iterator[str]:
        yield from self._on_disk(into)
        yield from self._was_told(on_disk(into), outcome)
        if held := open_below(into):
            yield f"{held} are still open"
        if (into / ".aiomar" / "catalogue.sqlite3").exists():
            for file in verify_directory(into):
                if file.problem in {"missing", "changed", "damaged"}:
                    yield f"the catalogue claims {file.path.name}: {file.problem}"

    def _on_disk(self, into: Path) -> Iterator[str]:
        """Old or whole, and nothing else."""
        failed, old, found = self.wire.failed, self.scenario.before, on_disk(into)
        parts = [name for name in found if PART_NAME.fullmatch(name)]
        # A part file that cannot be removed stays; an old file that cannot be put back stays under its other name.
        if len(parts) > sum(call == "unlink" or (call == "replace" and len(failed) > 1) for call, _ in failed):
            yield f"left {parts} behind"
        for name in {*found, *old} - {*parts}:
            if found.get(name) not in {old.get(name), self.scenario.new.get(name)}:
                yield f"{name} is torn or gone"

    def _was_told(self, found: dict[str, bytes], outcome: SavedFile | RangeReport | OmarError) -> Iterator[str]:
        """What the caller hears is what is there."""
        failed, old = self.wire.failed, self.scenario.before
        done, undone = self._told(outcome)
        for name in done:
            if found.get(name) != self.scenario.new[name]:
                yield f"{name} was said to be saved"
        # Undoing needs the disk too: only who can undo gets the old state back.
        for name in undone if len(failed) == 1 else ():
            if found.get(name) != old.get(name):
                yield f"{name} was said not to be saved, but is there"
        if undone and (self.mended or not failed):
            yield f"{undone} should be there: {outcome!r}"
        if isinstance(outcome, DiskError) and outcome.errno not in {number for _, number in failed}:
            yield f"the error says {outcome.errno}"

    def _told(self, outcome: SavedFile | RangeReport | OmarError) -> tuple[list[str], list[str]]:
        """Give the names that were said to be saved, and those that were said not to be."""
        if isinstance(outcome, SavedFile):
            return [outcome.path.name], []
        if isinstance(outcome, RangeReport):
            done = [file.path.name for file in outcome.files]
            return done, [name for name in self.scenario.new if name not in done]
        return [], ["x"] if "x" in self.scenario.new else []


@pytest.mark.gate("G11", "G13")
@pytest.mark.fault(65)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("kind", ["small", "small over old", "large", "range"])
async def test_every_call_to_the_disk(
    kind: str, *, lasting: bool, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """Whichever call to the disk fails, files are old or whole, nothing half done is left, and the next run is good."""
    wire = Tripwire()
    judge = Judge(_scenario(kind, omar_server), wire)
    async with nothing_left(), opened(omar_config, Effects(files=failing_files(wire))) as client:
        for at in range(1, MOST):
            wire.arm(at, lasting=lasting)
            if not await judge.run(client, judge.scenario.prepare(tmp_path / str(at))):
                break
    assert 10 < at < MOST - 1
    gate.record(judge.runs, len(judge.bad), f"calls to the disk failed {'for good' if lasting else 'once'}")
    assert judge.bad == []


@pytest.mark.gate("G11", "G13")
@pytest.mark.fault(65, 66)
@pytest.mark.parametrize("kind", ["small", "large"])
async def test_every_call_to_a_poor_disk(
    kind: str, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """The same where a write takes a part of what it is given, and where there are no hard links."""
    wire = Tripwire()
    judge = Judge(_scenario(kind, omar_server), wire)
    files = failing_files(wire, links=False, most_written=1_000 if kind == "small" else 300_000)
    async with nothing_left(), opened(omar_config, Effects(files=files)) as client:
        for at in range(1, MOST):
            wire.arm(at)
            if not await judge.run(client, judge.scenario.prepare(tmp_path / str(at))):
                break
    assert 10 < at < MOST - 1
    gate.record(judge.runs, len(judge.bad), "calls to a poor disk failed")
    assert judge.bad == []


@pytest.mark.gate("G11", "G13")
@pytest.mark.parametrize("kind", ["small over old", "range"])
async def test_pairs_of_calls_to_the_disk(
    kind: str, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """Two calls fail, by chance: the second one often in the middle of making good what the first one broke."""
    wire = Tripwire()
    judge = Judge(_scenario(kind, omar_server), wire)
    todo = gate.count(ci=100, long=10_000) // (10 if kind == "range" else 1)
    async with nothing_left(), opened(omar_config, Effects(files=failing_files(wire))) as client:
        wire.arm()
        await judge.run(client, judge.scenario.prepare(tmp_path / "whole"))
        calls = wire.count // 2  # of two runs
        for number in range(todo):
            into = judge.scenario.prepare(tmp_path / str(number))
            wire.arm(*gate.rng.sample(range(1, calls + 3), 2))
            await judge.run(client, into)
            shutil.rmtree(into)
    gate.record(judge.runs, len(judge.bad), "pairs of calls to the disk failed")
    assert judge.bad == []


@pytest.mark.gate("G11", "G13")
@pytest.mark.fault(2, 4)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "session"])
@pytest.mark.parametrize("kind", ["small", "range"])
async def test_every_call_to_the_network(
    kind: str,
    *,
    lean: bool,
    lasting: bool,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
    gate: Gate,
) -> None:
    """Whichever call to a socket fails, once means that a repeat saves it all; for good is an error, and no more."""
    wire, clock = Tripwire(), Clock()
    judge = Judge(_scenario(kind, omar_server), wire, clock, mended=not lasting)
    effects = Effects(files=failing_files(Tripwire()), socket_factory=failing_sockets(wire), waiting=clock.waiting())
    config = attrs.evolve(omar_config, lean=lean, concurrency=3)
    for at in range(1, MOST):
        into = judge.scenario.prepare(tmp_path / str(at))
        wire.arm(at, lasting=lasting)
        async with nothing_left(), opened(config, effects) as client:
            far_enough = await judge.run(client, into)
        if not far_enough:
            break
    assert 10 < at < MOST - 1
    gate.record(judge.runs, len(judge.bad), f"calls to sockets failed {'for good' if lasting else 'once'}")
    assert judge.bad == []
