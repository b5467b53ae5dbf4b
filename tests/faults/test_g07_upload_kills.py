"""G7: processes that upload are killed at random instants; no receipt is lost and nothing is submitted twice.

SIGKILL shows what a process leaves behind at any instant; what a power loss leaves is for the ledger's own tests.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiomar.testing import Authority, OmarServer
from tests.support.gates import Gate
from tests.support.killing import STATES, Hunt, opened_books, quiet
from tests.support.uploading import Child, Errand

pytestmark = [
    pytest.mark.gate("G7"),
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork servers are not there"),
]

ALONE, TOGETHER = 6, 2
"""Parts with one process at a time, and with three."""
PARTS = ALONE + TOGETHER


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """Give a directory in memory where there is such a thing: the page cache outlives a process anyway."""
    memory = Path("/dev/shm")  # noqa: S108 - a directory of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as directory:
        yield Path(directory)


@pytest.fixture(autouse=True)
def short_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server that children are forked from have its socket under a short path."""
    if len(tempfile.gettempdir()) > 60:
        monkeypatch.setattr(tempfile, "tempdir", "/tmp")  # noqa: S108 - it makes a directory of its own in it


def balance(hunt: Hunt, gate: Gate, kills: int) -> None:
    """Hold what the server has to what the ledger says and to what was reported."""
    books = hunt.books
    assert books.receipts, "somebody must have been told of a receipt, or nothing could be lost"
    lost, doubled, lies = books.lost(), books.doubled(), books.lies()
    gate.record(kills, len(lost), "kills during uploads; bad: receipts lost")
    gate.record(len(hunt.sources), len(doubled), "files of killed processes, all tried again; bad: submitted twice")
    gate.record(len(list(books.ledger.records())), len(lies), "rows of ledgers; bad: not what the server has")
    assert (lost, doubled, lies) == ([], [], [])
    assert books.server.max_concurrent_uploads == 1


@pytest.mark.fault(72)
@pytest.mark.parametrize("part", range(ALONE))
async def test_one_process_after_the_other(
    part: int, gate: Gate, omar_authority: Authority, tmp_path: Path, state_dir: Path
) -> None:
    """Kills hit every stretch of an upload; the next process settles what was left, and what is in doubt is blocked."""
    wanted = -(-gate.count(ci=300, long=5_000) // PARTS)
    async with OmarServer(authority=omar_authority) as server:
        errand = Errand.to(server, tmp_path, state_dir)
        with opened_books(server, errand) as books:
            hunt = Hunt(books, errand, tmp_path, gate.rng)
            await hunt.measure()
            kills = lives = 0
            # Chance may leave one out for a while; what is never met is a gate that does not do its work.
            while kills < wanted or not hunt.seen.keys() >= set(STATES):
                kills += await hunt.kill()
                lives += 1
                assert lives < 4 * wanted, f"kills leave only {hunt.seen}"
                if lives % 10 == 0:
                    await hunt.measure()
            await hunt.try_all_again()
            balance(hunt, gate, kills)
            for state in STATES:
                gate.record(hunt.seen[state], 0, f"kills {state}")


async def started(children: list[Child], number: int) -> None:
    """Wait until they have begun so many uploads together."""
    all_said = [
        asyncio.create_task(child.until(lambda: sum(len(other.said("started")) for other in children) >= number))
        for child in children
    ]
    await asyncio.wait(all_said, return_when=asyncio.FIRST_COMPLETED)
    for task in all_said:
        task.cancel()
    await asyncio.wait(all_said)


async def kill_one_of_three(hunt: Hunt) -> tuple[bool, bool]:
    """Let three processes upload a file of their own and one of all, and kill one; say if it lived and had the turn.

    The others are done with everything afterwards.
    """
    shared = hunt.source()
    children = []
    for _ in range(3):
        sources = [hunt.source(), shared]
        hunt.rng.shuffle(sources)
        children.append(hunt.child(*sources))
    await started(children, hunt.rng.randint(1, 3))
    await asyncio.sleep(hunt.rng.uniform(0.0, hunt.times.upload))
    # It is somebody's turn between his "started" and what came of it.
    holders = [child for child in children if child.words and child.words[-1].what == "started"]
    victim = hunt.rng.choice(holders if holders and hunt.rng.random() < 0.8 else children)
    victim.kill()
    killed = await hunt.end(victim) == -signal.SIGKILL
    for child in children:
        if child is not victim:
            assert await hunt.end(child) == 0
            assert len(child.said("accepted")) + len(child.said("blocked")) == 2
            assert all(word.ledger_id for word in child.words if word.what == "blocked"), "blocked by a dead holder"
    return killed, killed and victim in holders


@pytest.mark.fault(72)
@pytest.mark.parametrize("part", range(TOGETHER))
async def test_three_processes_at_once(
    part: int, gate: Gate, omar_authority: Authority, tmp_path: Path, state_dir: Path
) -> None:
    """The server never works on two uploads, a killed holder stands in nobody's way, and a shared file comes once."""
    wanted = -(-gate.count(ci=300, long=5_000) // PARTS)
    async with OmarServer(authority=omar_authority, latency=0.002) as server:
        errand = Errand.to(server, tmp_path, state_dir)
        with opened_books(server, errand) as books:
            hunt = Hunt(books, errand, tmp_path, gate.rng)
            await hunt.measure()
            kills = held = lives = 0
            while kills < wanted or not held:
                lived, had_the_turn = await kill_one_of_three(hunt)
                kills += lived
                held += had_the_turn
                lives += 1
                assert lives < 4 * wanted, f"only {kills} kills, {held} of a holder"
            await quiet(server)
            await hunt.try_all_again()
            balance(hunt, gate, kills)
            gate.record(held, 0, "kills of a process that had the turn")
