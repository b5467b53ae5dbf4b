"""G12: every call is cancelled at every moment; the cancellation comes out, and nothing half done is left.

Moments are counted over all tasks of the client (`tests/support/steps.py`), so workers, logins and groups are caught in
the middle too.  Every run has a client of its own: names, connections and the login are part of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path

import attrs
import pytest

from aiomar import FileFormat, Meter, OmarClient, OmarConfig, SavedFile, TimeType, UsageError
from aiomar.testing import OmarServer
from aiomar.transfer import verify_directory
from tests.client.helpers import DAY, METER, data, fetch, fetch_range, on_disk, until
from tests.support.disturbed import nothing_left, open_below, tasks_of_client
from tests.support.gates import Gate
from tests.support.steps import Steps
from tests.support.submitted import Told

MOST = 2_000
"""More moments than any call has."""
METERS = [Meter(str(number)) for number in range(1001, 1005)]
OLD = b"old"
ENDS = (SavedFile, UsageError)
"""What a download may come to when its client is closed."""


@attrs.define
class Case:
    """One call: how it is made, and what its directory holds before and after it.

    Args:
        call: makes it, with a client and a directory.
        old: what is there before.
        new: what is there when it is done.
        whole: whether there is nothing in between: not so for many files.
    """

    call: Callable[[OmarClient, Path], Coroutine[object, object, object]]
    old: dict[str, bytes] = attrs.field(factory=dict)
    new: dict[str, bytes] = attrs.field(factory=dict)
    whole: bool = True

    def prepare(self, into: Path) -> Path:
        """Make the directory."""
        into.mkdir()
        for name, body in self.old.items():
            (into / name).write_bytes(body)
        return into

    def complaints(self, into: Path, *, done: bool) -> Iterator[str]:
        """Say what is not as it must be on the disk."""
        found = on_disk(into)
        if self.whole or done:
            if found != (self.new if done else self.old):
                yield f"on disk is {sorted(found)}"
        else:
            for name in {*found, *self.old}:
                if found.get(name) not in {self.old.get(name), self.new.get(name, b"")}:
                    yield f"{name} is left over, torn or gone"
        if held := open_below(into):
            yield f"{held} are still open"
        if (into / ".aiomar" / "catalogue.sqlite3").exists():
            for file in verify_directory(into):
                if file.problem in {"missing", "changed", "damaged"}:
                    yield f"the catalogue claims {file.path.name}: {file.problem}"


@attrs.define
class Judge:
    """Cancels a case, and keeps what was wrong."""

    case: Case
    config: OmarConfig
    directory: Path
    steps: Steps = attrs.field(factory=Steps)
    runs: int = 0
    bad: list[str] = attrs.field(factory=list)

    async def cancel(self, *at: int) -> bool:
        """Run the case and cancel it at these moments; whether it got as far as the first of them."""
        self.runs += 1
        into = self.case.prepare(self.directory / f"{self.runs}")
        async with nothing_left(), OmarClient(self.config) as client:
            with self.steps.counted():
                task = await self.steps.run(self.case.call(client, into), *at)
            hit = self.steps.hits > 0
            if not task.cancelled():
                task.result()  # nothing fails here: neither a public error nor any other may come out
            if hit and not task.cancelled():
                self.bad.append(f"{at}: the cancellation was swallowed")
            self._judge(into, f"{at}", done=not task.cancelled())
            await until(lambda: not tasks_of_client())
            self._judge(into, f"{at}, some turns later", done=not task.cancelled())
            if hit:
                await self.case.call(client, into)
                self._judge(into, f"{at}, done again", done=True)
        return hit

    def _judge(self, into: Path, moment: str, *, done: bool) -> None:
        self.bad += [f"{moment}: {complaint}" for complaint in self.case.complaints(into, done=done)]


async def _at_every_moment(cancel: Callable[..., Awaitable[bool]], bad: list[str], gate: Gate) -> None:
    """Cancel once at every moment, then twice at some."""
    for at in range(1, MOST):
        if not await cancel(at):
            break
    assert 5 < at < MOST - 1
    gate.record(at - 1, len(bad), "calls were cancelled once")
    before, twice = len(bad), 0
    for _ in range(gate.count(ci=10, long=500)):
        first = gate.rng.randrange(1, at)
        twice += await cancel(first, first + gate.rng.randrange(1, 4))
    gate.record(twice, len(bad) - before, "calls were cancelled twice")
    assert bad == []


async def _login(client: OmarClient, _: Path) -> None:
    await client.login()


async def _stream(client: OmarClient, _: Path) -> None:
    async with client.open_download(METER, DAY, DAY, file_format=FileFormat.MDEF, time_type=TimeType.PST) as body:
        async for piece in body:
            assert piece
            await asyncio.sleep(0)


def _case(kind: str, server: OmarServer) -> Case:
    match kind:
        case "login":
            return Case(_login)
        case "stream":
            return Case(_stream)
        case "download":
            return Case(lambda client, into: fetch(client, into, name="x", overwrite=True), new={"x": data(server)})
        case "download over old":
            return Case(
                lambda client, into: fetch(client, into, name="x", overwrite=True), {"x": OLD}, {"x": data(server)}
            )
    new = {f"meter-{meter.id}_20260101_20260101_pst.csv": data(server, meter) for meter in METERS}
    old = dict.fromkeys(list(new)[::2], OLD)
    return Case(lambda client, into: fetch_range(client, METERS, into), old, new, whole=False)


@pytest.mark.gate("G12", "G13")
@pytest.mark.fault(74)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("kind", ["login", "stream", "download", "download over old", "range"])
async def test_every_moment(
    kind: str, *, late: bool, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """A cancelled call raises `CancelledError`, the disk is as it was, and the same client then carries it out."""
    judge = Judge(_case(kind, omar_server), attrs.evolve(omar_config, concurrency=3), tmp_path, Steps(late=late))
    await _at_every_moment(judge.cancel, judge.bad, gate)


@pytest.mark.gate("G12", "G13")
@pytest.mark.fault(74)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
async def test_every_moment_of_an_upload(
    *, late: bool, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """The ledger knows of a cancelled upload what the server has, and it is never sent again by itself."""
    steps, bad, tries = Steps(late=late), list[str](), list[Told]()
    state_dir = Path(omar_config.state_dir or tmp_path)

    async def cancel(*at: int) -> bool:
        source = tmp_path / f"{len(tries)}.csv"
        source.write_text(f"id,value\r\n{source.name},1\r\n")
        async with nothing_left(), OmarClient(omar_config) as client:
            with steps.counted():
                task = await steps.run(client.upload(source), *at)
            hit = steps.hits > 0
            if hit and not task.cancelled():
                bad.append(f"{at}: the cancellation was swallowed")
            tries.append(Told(source.name, None if task.cancelled() else task.result()))
            await client.upload(source, resend=True)
        return hit

    await _at_every_moment(cancel, bad, gate)
    bad += [f"{told.name}: {words}" for told in tries for words in told.complaints(omar_server, state_dir)]
    assert bad == []


@attrs.define
class Closing:
    """Closes a client in the middle of three downloads."""

    config: OmarConfig
    new: dict[str, bytes]
    bad: list[str] = attrs.field(factory=list)

    async def cancel(self, into: Path, *, begun: int, at: int) -> bool:
        """Close after so many steps of the downloads, and cancel that; whether closing got so far."""
        into.mkdir()
        steps = Steps()
        async with nothing_left():
            client = OmarClient(self.config)
            with steps.counted():
                calls = [asyncio.create_task(fetch(client, into, name=name)) for name in self.new]
                await until(lambda: steps.count >= begun or all(call.done() for call in calls))
                task = await steps.run(client.aclose(), at)
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        if steps.hits and not task.cancelled():
            self.bad.append(f"{into.name}: the cancellation was swallowed")
        self.bad += [f"{into.name}: {outcome!r}" for outcome in outcomes if not isinstance(outcome, ENDS)]
        done = {outcome.path.name for outcome in outcomes if isinstance(outcome, SavedFile)}
        if on_disk(into) != {name: self.new[name] for name in done}:
            self.bad.append(f"{into.name}: on disk is {sorted(on_disk(into))}, saved was {sorted(done)}")
        return steps.hits > 0


@pytest.mark.gate("G12", "G13")
@pytest.mark.fault(74)
async def test_every_moment_of_closing(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """A cancelled close closes all the same: tasks, threads, connections and files end, however far the calls were."""
    closing = Closing(omar_config, {f"x{number}": data(omar_server) for number in range(3)})
    furthest = runs = 0
    for begun in range(0, 60, gate.count(ci=6, long=1)):
        for at in range(1, MOST):
            if not await closing.cancel(tmp_path / f"{begun} {at}", begun=begun, at=at):
                break
            runs += 1
            furthest = max(furthest, at)
    assert 3 < furthest < MOST - 1
    gate.record(runs, len(closing.bad), "closings were cancelled")
    assert closing.bad == []
