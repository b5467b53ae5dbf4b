"""Submissions for ledgers, and a process that writes them until it is killed.

The child is forked from a server process that has imported everything already; what it reports it reports only after
the ledger said that it is durable.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import multiprocessing
import random
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from aiomar._database import transaction
from aiomar.submissions import Ending, Ledger, Sender, Submission, SubmissionState

NOW = dt.datetime(2026, 1, 31, 8, 0, 0, tzinfo=dt.UTC)
SENDER = Sender(environment="test", upload_origin="https://omar.example", subject="CN=Somebody", fingerprint="0f" * 32)
SOURCE = Path("/data/a.csv").absolute()


def submission(content: bytes = b"1001,1,2\n", name: str = "a.csv") -> Submission:
    """Give a file as it is sent."""
    return Submission(name=name, content=content, sha256=hashlib.sha256(content).hexdigest())


def intend(ledger: Ledger, content: bytes = b"1001,1,2\n", now: dt.datetime = NOW) -> str:
    """Record an intent."""
    return ledger.intend(submission(content), SOURCE, SENDER, now)


def ended(ledger: Ledger, state: SubmissionState, content: bytes = b"1001,1,2\n", now: dt.datetime = NOW) -> str:
    """Record a submission that is in a state."""
    ledger_id = intend(ledger, content, now)
    if state is not SubmissionState.SENDING:
        ledger.end(ledger_id, Ending(state), now)
    return ledger_id


def content_of(seed: int, number: int) -> bytes:
    """Give what the child submits as its n-th: a few pages of the database each, and never the same."""
    return random.Random(f"{seed} {number}").randbytes(20_000)  # noqa: S311 - to be made again, not to be secret


def write_on(directory: Path, seed: int, reports: Connection) -> None:
    """Submit one file after the other until killed, in the child."""
    with Ledger.open(directory) as ledger:
        number = 0
        while True:
            ledger_id = intend(ledger, content_of(seed, number))
            reports.send((ledger_id, number, "sending"))
            if number % 3 != 2:
                ledger.end(ledger_id, Ending(SubmissionState.ACCEPTED, file_id=str(number)), NOW)
                reports.send((ledger_id, number, "accepted"))
            number += 1


def write_in_bursts(directory: Path, seed: int, reports: Connection) -> None:
    """Submit ten files whenever asked, in the child; who never paused would leave nobody else a chance to write."""
    with Ledger.open(directory) as ledger:
        for burst in itertools.count():
            reports.recv()
            contents = [content_of(seed, 10 * burst + number) for number in range(10)]
            reports.send({ended(ledger, SubmissionState.ACCEPTED, content) for content in contents})


def open_new_ones(directory: Path, seed: int, reports: Connection) -> None:
    """Open a ledger that is not there yet whenever asked, in the child."""
    del seed
    while True:
        Ledger.open(directory / str(reports.recv())).close()
        reports.send("opened")


def stop_halfway(directory: Path, seed: int, reports: Connection) -> None:
    """Stand still in the middle of a transaction that has reached the file already, in the child."""
    with Ledger.open(directory) as ledger:
        execute = ledger._connection.execute
        execute("PRAGMA cache_size = 1")
        with transaction(ledger._connection):
            for number in range(50):
                execute("INSERT INTO contents VALUES (?, ?)", (1000 + number, content_of(seed, number)))
            execute("UPDATE submissions SET state = 'accepted'")
            reports.send("halfway")
            reports.recv()


@contextmanager
def child(work: object, directory: Path, seed: int) -> Iterator[tuple[BaseProcess, Connection]]:
    """Start a child that does one of the above; it is killed in the end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    mine, its = context.Pipe()
    process = context.Process(target=work, args=(directory, seed, its), daemon=True)  # type: ignore[arg-type] # a function
    process.start()
    its.close()
    try:
        yield process, mine
    finally:
        process.kill()
        process.join()
        process.close()
        mine.close()
