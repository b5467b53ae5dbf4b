"""G9, G13: the history of thousands of uploads under faults in every phase; what callers were told is the truth."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ClientIdentity,
    OmarConfig,
    RetryPolicy,
    SubmissionRecord,
    SubmissionState,
    Timeouts,
    UploadLimits,
)
from aiomar.testing import Authority, OmarServer, Upload
from tests.support.gates import Gate
from tests.support.history import Entry, Findings, Told, check
from tests.support.upload_lanes import Lane
from tests.support.upload_troubles import BLOWS

PARTS = 8
LANES = 4
FAULTS = (
    "CutBody",
    "Disconnect",
    "DropAnswer",
    "ExpireSession",
    "Framing",
    "LoginPage",
    "Page",
    "Raw",
    "Redirect",
    "Reset",
    "SlowFirstByte",
    "Stall",
    "Status",
    "Taking",
)
SOCKETS = ("socket: connect", "socket: send", "socket: recv_into")
"""What must have happened: besides a failing connection, one that breaks under the request or the answer."""
PATIENT = Timeouts(operation=60)
HASTY = Timeouts(connect=2, first_byte=0.05, read=0.05, operation=0.3)


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """Give a directory in memory where there is such a thing: thousands of synced commits wait for a disk otherwise."""
    memory = Path("/dev/shm")  # noqa: S108 - a directory of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as directory:
        yield Path(directory)


async def lanes(
    stack: AsyncExitStack, rng: random.Random, authority: Authority, identity: ClientIdentity, directory: Path
) -> list[Lane]:
    """Make lanes, each with other habits: transport, patience, failing sockets, a site with one session only."""
    made = []
    for number in range(LANES):
        hasty, sockets, single = (number == special for special in (1, 2, 3))
        server = await stack.enter_async_context(OmarServer(authority=authority, single_session=single))
        place = directory / str(number)
        place.mkdir()
        config = OmarConfig(
            identity,
            server.environment,
            trust=server.trust,
            timeouts=HASTY if hasty else PATIENT,
            retry=RetryPolicy(attempts=2, first_wait=0.001, longest_wait=0.002),
            limits=UploadLimits(extensions=(".csv", ".txt")),
            state_dir=place / "state",
            lean=rng.random() < 0.5,
        )
        chance = random.Random(rng.random())  # noqa: S311 - no secret
        made.append(Lane(server, config, place, chance, hasty=hasty, sockets=sockets))
    return made


@pytest.mark.gate("G9", "G13")
@pytest.mark.fault(2, 4, 42, 53, 58, 59, 61, 62, 63, 74)
@pytest.mark.parametrize("part", range(PARTS))
async def test_what_callers_are_told_is_the_truth(
    part: int, gate: Gate, omar_authority: Authority, omar_identity: ClientIdentity, state_dir: Path
) -> None:
    """A receipt means one file at the server, a failure none, and a doubt one or none; the ledger says the same."""
    wanted = gate.count(ci=5_000, long=100_000) // PARTS
    async with AsyncExitStack() as stack:
        running = await lanes(stack, gate.rng, omar_authority, omar_identity, state_dir)

        def enough() -> bool:
            done = sum(len(lane.entries) for lane in running)
            # Chance may leave something out for a while; what never happens is a gate that does not do its work.
            return done >= wanted and (not missing(running) or done > 4 * wanted)

        async with asyncio.TaskGroup() as group:
            for lane in running:
                group.create_task(lane.run(enough))
        assert missing(running) == set()
        found = Findings()
        for lane in running:
            check(found, lane.entries, lane.uploads, lane.records)
            assert lane.unrecorded == []
            assert lane.server.max_concurrent_uploads == 1
            lane.server.clear()  # the last round's faults may have met nobody
    told = Counter(entry.told for lane in running for entry in lane.entries)
    for told_so, bad, words in (
        (told["ok"], found.wrong_ok, "callers with a receipt; bad: not at the server, or under another id"),
        (told["fail"] + told["blocked"], found.wrong_fail, "callers with a failure; bad: it is at the server"),
        (told.total(), found.doubled, "uploads under faults; bad: one content twice at the server"),
        (told.total(), found.ledger, "ends of uploads; bad: the ledger says something else"),
        (told.total(), found.foreign, "ends of uploads; bad: an error that is not public"),
    ):
        gate.record(told_so, len(bad), words)
    gate.record(told["unknown"], 0, "callers who were told that nobody knows")
    assert found == Findings()


def missing(running: list[Lane]) -> set[str]:
    """Name what has not happened yet in any of the lanes."""
    happened: set[str] = {entry.told for lane in running for entry in lane.entries}
    happened |= {name for lane in running for name in lane.tried}
    happened |= {type(record.fault).__name__ for lane in running for record in lane.server.requests if record.fault}
    return {"ok", "fail", "blocked", "unknown", *FAULTS, *BLOWS, *SOCKETS} - happened


def upload(content: bytes, *, file_id: str = "1") -> Upload:
    """Give a file that the server took."""
    return Upload(name="a.csv", content=content, accepted=True, file_id=file_id, reason="")


def entry(content: bytes, told: Told, *, file_id: str | None = None, ledger_id: str | None = None) -> Entry:
    """Give what a caller was told of a content."""
    sha256 = upload(content).sha256
    return Entry(sha256=sha256, resend=False, told=told, kind="", file_id=file_id, ledger_id=ledger_id)


def row(content: bytes, state: SubmissionState, file_id: str | None = None) -> SubmissionRecord:
    """Give what the ledger says of a content."""
    now = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
    return SubmissionRecord(
        id="1",
        state=state,
        source=Path("a.csv"),
        name="a.csv",
        size=len(content),
        sha256=upload(content).sha256,
        environment="",
        upload_origin="",
        subject="",
        fingerprint="",
        submitted_at=now,
        ended_at=now,
        file_id=file_id,
        saved_name=None,
        reason=None,
        phase=None,
        facts={},
        content_kept=True,
    )


ACCEPTED = row(b"x", SubmissionState.ACCEPTED, "1")
UNKNOWN = row(b"x", SubmissionState.UNKNOWN)
NOT_SENT = row(b"x", SubmissionState.NOT_SENT)


@pytest.mark.parametrize(
    ("told", "stored", "rows", "rules"),
    [
        (["ok"], 1, [ACCEPTED], set()),
        (["unknown"], 0, [UNKNOWN], set()),
        (["unknown"], 1, [UNKNOWN], set()),
        (["fail"], 0, [NOT_SENT], set()),
        (["fail"], 0, [], set()),
        (["ok", "blocked"], 1, [ACCEPTED], set()),
        (["ok"], 0, [ACCEPTED], {"wrong_ok"}),
        (["fail"], 1, [NOT_SENT], {"wrong_fail"}),
        ([], 1, [], {"wrong_fail"}),
        (["unknown", "unknown"], 2, [UNKNOWN, UNKNOWN], {"doubled"}),
        (["ok", "fail"], 2, [ACCEPTED, NOT_SENT], {"doubled", "wrong_fail"}),
        (["ok"], 1, [UNKNOWN], {"ledger"}),
        (["ok"], 1, [], {"ledger"}),
        (["unknown"], 0, [NOT_SENT], {"ledger"}),
        (["fail"], 0, [row(b"x", SubmissionState.SENDING)], {"ledger"}),
        (["blocked"], 0, [], {"ledger"}),
        (["foreign"], 0, [], {"foreign"}),
    ],
)
def test_the_checker_finds_what_is_wrong(
    told: list[Told], stored: int, rows: list[SubmissionRecord], rules: set[str]
) -> None:
    """Each rule that is broken is named, and no other."""
    calls = [entry(b"x", word, file_id="1" if word == "ok" else None) for word in told]
    found = Findings()
    check(found, calls, [upload(b"x") for _ in range(stored)], rows)
    assert {rule for rule, bad in attrs.asdict(found).items() if bad} == rules
