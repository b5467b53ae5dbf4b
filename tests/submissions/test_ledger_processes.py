"""A ledger and several processes: killed at any instant, read while written to.

SIGKILL shows what a process leaves behind; what a power loss leaves is for the journal mode and the syncs, which
`test_ledger.py` holds.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from aiomar.submissions import Ledger, SubmissionState
from tests.support.ledgers import NOW, child, content_of, ended, open_new_ones, stop_halfway, write_in_bursts, write_on

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork servers are not there")

KILLS = 12


@pytest.fixture(autouse=True)
def short_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server that children are forked from have its socket under a short path."""
    if len(tempfile.gettempdir()) > 60:
        monkeypatch.setattr(tempfile, "tempdir", "/tmp")  # noqa: S108 - it makes a directory of its own in it


def _check_database(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as shell:
        assert shell.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert shell.execute("PRAGMA foreign_key_check").fetchall() == []


def test_processes_that_open_it_first_at_once(folder: Path) -> None:
    """One makes it, and none of the others takes what is half made for somebody else's."""
    with ExitStack() as stack:
        children = [stack.enter_context(child(open_new_ones, folder, seed))[1] for seed in range(4)]
        for number in range(60):
            for reports in children:
                reports.send(number)
            assert [reports.recv() for reports in children] == ["opened"] * len(children)


@pytest.mark.fault(72)
def test_what_was_reported_durable_is_there_after_every_kill(folder: Path) -> None:
    """Each intent with its bytes, each end; at most one that was not reported; the file opens and is whole."""
    chance = random.Random(20260131)  # noqa: S311 - to be repeated, not to be secret
    kept: dict[str, SubmissionState] = {}
    for seed in range(KILLS):
        reported: dict[str, tuple[int, str]] = {}
        with child(write_on, folder, seed) as (process, reports):
            for _ in range(chance.randrange(1, 30)):
                ledger_id, number, state = reports.recv()
                reported[ledger_id] = number, state
            process.kill()
            while reports.poll():  # what it still said before it died
                try:
                    ledger_id, number, state = reports.recv()
                except EOFError:
                    break
                reported[ledger_id] = number, state
        with Ledger.open(folder) as ledger:
            new = [record for record in ledger.records() if record.id not in kept]
            assert reported.keys() <= {record.id for record in new}
            assert len(new) <= len(reported) + 1
            for ledger_id, (number, state) in reported.items():
                # An end may have been written and not reported any more; what was reported is never taken back.
                assert state == "sending" or ledger.record(ledger_id).state is SubmissionState.ACCEPTED
                assert ledger.content(ledger_id) == content_of(seed, number)
            ledger.settle_leftovers(NOW)
            kept |= {record.id: ledger.record(record.id).state for record in new}
            assert {record.id: record.state for record in ledger.records()} == kept
        _check_database(folder)
    assert set(kept.values()) == {SubmissionState.ACCEPTED, SubmissionState.UNKNOWN}


@pytest.mark.fault(72)
def test_a_change_that_is_killed_halfway_never_was(folder: Path) -> None:
    """It had reached the file already; whoever opens it next takes it back."""
    with Ledger.open(folder) as ledger:
        ids = [ended(ledger, SubmissionState.UNKNOWN), ended(ledger, SubmissionState.REJECTED)]
        before = list(ledger.records())
    size = (folder / "ledger.sqlite3").stat().st_size
    with child(stop_halfway, folder, 1) as (process, reports):
        assert reports.recv() == "halfway"
        process.kill()
    assert (folder / "ledger.sqlite3").stat().st_size > size + 100_000
    assert (folder / "ledger.sqlite3-journal").stat().st_size > 0
    with Ledger.open(folder) as ledger:
        assert list(ledger.records()) == before
        assert [len(ledger.changes(ledger_id)) for ledger_id in ids] == [2, 2]
    assert (folder / "ledger.sqlite3").stat().st_size == size
    _check_database(folder)


def test_it_can_be_read_and_written_while_another_process_writes(folder: Path) -> None:
    """Nobody is turned away; a reader sees only what is whole, and never less than before."""
    seen: list[str] = []
    written: set[str] = set()
    with child(write_in_bursts, folder, 7) as (_, reports), Ledger.open(folder) as ledger:
        for burst in range(5):
            reports.send("go on")
            written.add(ended(ledger, SubmissionState.REJECTED, b"%d" % burst))
            while not reports.poll():
                ids = [record.id for record in ledger.records()]
                assert ids[: len(seen)] == seen
                seen = ids
            written |= reports.recv()
        assert {record.id for record in ledger.records()} == written
        assert all(ledger.content(ledger_id) for ledger_id in written)
    assert len(written) == 55
    _check_database(folder)
