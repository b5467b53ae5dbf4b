"""The record of submissions: intents, ends, what may follow what, and what nobody can change."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import sqlite3
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.errors import DiskError, UsageError
from aiomar.submissions import Ending, Ledger, SubmissionState
from aiomar.submissions._ledger_rows import shown
from aiomar.submissions._records import By
from tests.support.ledgers import NOW, SENDER, SOURCE, ended, intend, submission

SENDING, ACCEPTED = SubmissionState.SENDING, SubmissionState.ACCEPTED
REJECTED, UNKNOWN, NOT_SENT = SubmissionState.REJECTED, SubmissionState.UNKNOWN, SubmissionState.NOT_SENT
LATER = NOW + dt.timedelta(hours=1)


def test_an_intent_is_there_for_everybody_when_it_is_given_back(ledger: Ledger, folder: Path) -> None:
    """Another connection sees every fact of it, and the bytes."""
    sent = submission(b"1001,1,2\n" * 1000, "meter data.csv")
    ledger_id = ledger.intend(sent, SOURCE, SENDER, NOW)
    with Ledger.open(folder) as other:
        record = other.record(ledger_id)
        assert other.content(ledger_id) == sent.content
    assert ledger_id.startswith("20260131T080000Z-")
    assert (record.id, record.state, record.content_kept) == (ledger_id, SENDING, True)
    assert (record.source, record.name, record.size, record.sha256) == (SOURCE, "meter data.csv", 9000, sent.sha256)
    assert (record.environment, record.upload_origin) == ("test", "https://omar.example")
    assert (record.subject, record.fingerprint) == ("CN=Somebody", "0f" * 32)
    assert (record.submitted_at, record.ended_at) == (NOW, None)
    assert (record.file_id, record.saved_name, record.reason, record.phase, record.facts) == (None,) * 4 + ({},)


def test_every_commit_is_synced_with_a_journal_that_cannot_come_back(ledger: Ledger) -> None:
    """FULL, and a rollback journal that is cut and synced at each commit."""
    pragmas = {
        name: ledger._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    }
    assert pragmas == {"journal_mode": "truncate", "synchronous": 2}


def test_a_receipt_is_recorded(ledger: Ledger) -> None:
    """File id, saved name and time stand in the record, and the journal has both changes."""
    ledger_id = intend(ledger)
    ledger.end(ledger_id, Ending(ACCEPTED, file_id="123456", saved_name="a_1.csv"), LATER)
    record = ledger.record(ledger_id)
    assert (record.state, record.file_id, record.saved_name) == (ACCEPTED, "123456", "a_1.csv")
    assert (record.submitted_at, record.ended_at) == (NOW, LATER)
    assert [(change.at, change.state, change.by) for change in ledger.changes(ledger_id)] == [
        (NOW, SENDING, "aiomar"),
        (LATER, ACCEPTED, "aiomar"),
    ]


def test_an_unknown_outcome_keeps_its_facts_through_what_is_found_out(ledger: Ledger) -> None:
    """Reason and phase move into the journal; facts are added to."""
    ledger_id = intend(ledger)
    facts = {"status": 503, "page": Path("/tmp/x.html"), "words": "Gr\u00fc\u00dfe"}  # noqa: S108 - not opened
    ledger.end(ledger_id, Ending(UNKNOWN, reason="a cut", phase="response", facts=facts), NOW)
    record = ledger.record(ledger_id)
    assert (record.state, record.reason, record.phase) == (UNKNOWN, "a cut", "response")
    assert record.facts == {**facts, "page": "/tmp/x.html"}  # noqa: S108 - not opened
    ledger.end(ledger_id, Ending(ACCEPTED, by="confirm", note="found", facts={"found": 96}), LATER)
    record = ledger.record(ledger_id)
    assert (record.state, record.reason, record.phase, record.ended_at) == (ACCEPTED, None, None, LATER)
    assert record.facts == {**facts, "page": "/tmp/x.html", "found": 96}  # noqa: S108 - not opened
    assert [(change.by, change.note) for change in ledger.changes(ledger_id)] == [
        ("aiomar", None),
        ("aiomar", "a cut"),
        ("confirm", "found"),
    ]


ALLOWED = {
    **{(SENDING, end, "aiomar"): True for end in (ACCEPTED, REJECTED, UNKNOWN, NOT_SENT)},
    **{(UNKNOWN, end, by): True for end in (ACCEPTED, REJECTED) for by in ("confirm", "resolve")},
    (ACCEPTED, ACCEPTED, "confirm"): True,
}


@pytest.mark.parametrize("old", SubmissionState)
def test_only_these_changes_are_made(ledger: Ledger, old: SubmissionState) -> None:
    """An end is an end; from unknown only a person or a look at the data leads away; nothing else is written."""
    for new, by in itertools.product(SubmissionState, get_args(By)):
        ledger_id = ended(ledger, old)
        before = ledger.record(ledger_id), ledger.changes(ledger_id)
        if (old, new, by) in ALLOWED:
            ledger.end(ledger_id, Ending(new, by=by), LATER)
            assert ledger.record(ledger_id).state is new
            assert len(ledger.changes(ledger_id)) == len(before[1]) + 1
        else:
            with pytest.raises(UsageError, match=f"is {old.value!r} and cannot be made {new.value!r}"):
                ledger.end(ledger_id, Ending(new, by=by, file_id="1"), LATER)
            assert (ledger.record(ledger_id), ledger.changes(ledger_id)) == before


def test_a_confirmed_submission_gains_a_line_and_nothing_else(ledger: Ledger) -> None:
    """What the receipt said stays as it was, whatever comes with the note."""
    ledger_id = intend(ledger)
    ledger.end(ledger_id, Ending(ACCEPTED, file_id="123"), NOW)
    before = ledger.record(ledger_id)
    ledger.end(
        ledger_id, Ending(ACCEPTED, by="confirm", note="all 96 intervals found", file_id="9", facts={"x": 1}), LATER
    )
    assert ledger.record(ledger_id) == before
    assert ledger.changes(ledger_id)[-1].note == "all 96 intervals found"


@pytest.mark.fault(72)
def test_an_intent_without_an_end_is_unknown(ledger: Ledger) -> None:
    """Whoever holds the lock next says so, once; what had ended stays."""
    kept = [ended(ledger, state) for state in SubmissionState]
    left = kept[0], intend(ledger)
    settled = ledger.settle_leftovers(LATER)
    assert tuple(record.id for record in settled) == left
    for record in settled:
        assert (record.state, record.phase, record.ended_at) == (UNKNOWN, "request", LATER)
        assert record.reason == "the process that sent it ended before the answer was recorded"
        assert ledger.changes(record.id)[-1].note == record.reason
    assert [ledger.record(one).state for one in kept] == [UNKNOWN, ACCEPTED, REJECTED, UNKNOWN, NOT_SENT]
    assert ledger.settle_leftovers(LATER) == []


@pytest.mark.parametrize(
    ("state", "blocks"), [(SENDING, True), (ACCEPTED, True), (UNKNOWN, True), (REJECTED, False), (NOT_SENT, False)]
)
def test_what_may_have_been_taken_blocks_the_same_content(
    ledger: Ledger, state: SubmissionState, *, blocks: bool
) -> None:
    """The newest such submission is named; another content is free."""
    ended(ledger, state)
    ledger_id = ended(ledger, state, now=LATER)
    found = ledger.blocking(submission().sha256)
    assert (found and found.id) == (ledger_id if blocks else None)
    assert ledger.blocking(submission(b"other").sha256) is None


def test_a_file_id_leads_to_its_submission(ledger: Ledger) -> None:
    """The record of a receipt is found by its id."""
    ledger_id = intend(ledger)
    ledger.end(ledger_id, Ending(ACCEPTED, file_id="123"), NOW)
    found = ledger.by_file_id("123")
    assert found is not None
    assert found.id == ledger_id
    assert ledger.by_file_id("124") is None


@pytest.mark.fault(76)
def test_records_come_in_the_order_of_their_intents(ledger: Ledger) -> None:
    """All of them, over several reads, also when the clock was set back; or those in some states only."""
    states = [ACCEPTED if number % 2 else UNKNOWN for number in range(105)]
    ids = [ended(ledger, state, now=NOW - dt.timedelta(days=number)) for number, state in enumerate(states)]
    assert [record.id for record in ledger.records()] == ids
    assert [record.id for record in ledger.records({ACCEPTED, REJECTED})] == ids[1::2]
    assert list(ledger.records(set())) == []


@pytest.mark.parametrize("method", ["record", "changes", "content", "keep_answer", "end"])
def test_an_unknown_id_is_said(ledger: Ledger, method: str) -> None:
    """Every method that takes an id answers alike."""
    arguments = {"keep_answer": (b"",), "end": (ACCEPTED, NOW)}.get(method, ())
    with pytest.raises(UsageError, match="no submission has the id 'x': 'aiomar submissions list' shows them"):
        getattr(ledger, method)("x", *arguments)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE changes SET note = 'nothing happened'",
        "DELETE FROM changes",
        "DELETE FROM submissions",
        "UPDATE submissions SET sha256 = ''",
        "UPDATE submissions SET submitted_at = ''",
        "UPDATE submissions SET number = 7",
    ],
)
def test_what_was_written_stays(ledger: Ledger, folder: Path, statement: str) -> None:
    """The database itself refuses to change the journal, and what was submitted."""
    intend(ledger)
    with (
        closing(sqlite3.connect(folder / "ledger.sqlite3")) as shell,
        pytest.raises(sqlite3.IntegrityError, match=r"only ever added to|never changes"),
    ):
        shell.execute(statement)


def test_a_content_that_is_not_what_was_sent_is_damage(ledger: Ledger, folder: Path) -> None:
    """Its hash is checked, and the file is named as the proof that it is."""
    ledger_id = intend(ledger)
    for value in (b"not zlib", zlib.compress(b"another content")):
        with closing(sqlite3.connect(folder / "ledger.sqlite3")) as shell, shell:
            shell.execute("UPDATE contents SET deflated = ?", (value,))
        with pytest.raises(DiskError, match=r"ledger\.sqlite3 is damaged .*: keep it, it is proof") as caught:
            ledger.content(ledger_id)
        assert caught.value.errno is None


@pytest.mark.parametrize("column", ["submitted_at = '2026'", "state = 'x'", "facts = 'x'", "submitted_at = 7"])
def test_a_row_that_nobody_wrote_is_damage(ledger: Ledger, folder: Path, column: str) -> None:
    """A value that aiomar would not have written is not guessed at."""
    ledger_id = intend(ledger)
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as shell, shell:
        shell.execute("DROP TRIGGER intent_stays")
        shell.execute("PRAGMA ignore_check_constraints = ON")
        shell.execute(f"UPDATE submissions SET {column}")  # noqa: S608 - the words above
    with pytest.raises(DiskError, match="a row cannot be understood"):
        ledger.record(ledger_id)


@pytest.mark.fault(65)
def test_no_room_for_an_intent_leaves_no_trace_of_it(ledger: Ledger) -> None:
    """ENOSPC is named, nothing of the submission is there, and with room again all goes on."""
    first = intend(ledger)
    pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskError, match="see to its rights, to room and to the disk") as caught:
        intend(ledger, os.urandom(100_000))
    assert caught.value.errno == 28
    assert [record.id for record in ledger.records()] == [first]
    ledger._connection.execute("PRAGMA max_page_count = 1000000")
    second = intend(ledger, os.urandom(100_000))
    assert [record.id for record in ledger.records()] == [first, second]


def test_a_ledger_that_somebody_else_writes_to_is_waited_for_and_then_said(ledger: Ledger, folder: Path) -> None:
    """Reading and writing both say that another program has it."""
    ledger_id = intend(ledger)
    ledger._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)) as shell:
        shell.execute("BEGIN EXCLUSIVE")
        for call in (lambda: intend(ledger), lambda: ledger.record(ledger_id)):
            with pytest.raises(DiskError, match="close the program that has it open"):
                call()
    assert ledger.record(ledger_id).state is SENDING


def test_pruning_lets_go_of_old_contents_and_of_nothing_else(ledger: Ledger, folder: Path) -> None:
    """Contents and pages of finished ones go, room is given back, records stay; unknown ones keep everything."""
    old = {state: ended(ledger, state, os.urandom(50_000)) for state in SubmissionState}
    young = ended(ledger, ACCEPTED, os.urandom(50_000), now=LATER)
    pages = {state: ledger.keep_answer(ledger_id, b"<p>") for state, ledger_id in old.items()}
    before = list(ledger.records())
    size = (folder / "ledger.sqlite3").stat().st_size
    pruned = ledger.prune(LATER)
    kept = {SENDING, UNKNOWN}
    assert pruned.submissions == 3
    assert pruned.bytes >= 150_000
    assert (folder / "ledger.sqlite3").stat().st_size < size - 140_000
    for state, ledger_id in old.items():
        assert (ledger.content(ledger_id) is not None) == (state in kept)
        assert ledger.record(ledger_id).content_kept == (state in kept)
        assert pages[state].exists() == (state in kept)
    assert ledger.content(young) is not None
    assert [record.id for record in ledger.records()] == [record.id for record in before]
    assert ledger.prune(LATER).submissions == 0


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="file names are always text there")
def test_a_path_that_is_no_text_is_kept(ledger: Ledger) -> None:
    """Names of files are bytes on Linux."""
    source = Path(os.fsdecode(b"/data/\xff.csv"))
    assert ledger.record(ledger.intend(submission(), source, SENDER, NOW)).source == source


def test_words_of_others_are_made_fit_to_be_shown(ledger: Ledger) -> None:
    """Whoever wrote a reason cannot move the cursor of who reads it."""
    ledger_id = intend(ledger)
    ledger.end(ledger_id, Ending(REJECTED, reason="M\u00fcller \x1b[2J\n\u202e" + "x" * 2000), NOW)
    reason = ledger.record(ledger_id).reason
    assert reason is not None
    assert reason.startswith("M\u00fcller \\x1b[2J \\u202exxx")
    assert len(reason) == 1000


@given(st.text(max_size=3000))
def test_what_is_shown_is_printable_bounded_and_stays_so(text: str) -> None:
    """Also for lone surrogates and other oddities."""
    line = shown(text)
    assert line.isprintable()
    assert len(line) <= 1000
    assert shown(line) == line


@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_a_closed_ledger_says_so(folder: Path, kind: Literal["reading", "writing"]) -> None:
    """It is an error of the tree, like any other."""
    ledger = Ledger.open(folder)
    ledger.close()
    with pytest.raises(DiskError, match="closed"):
        ledger.record("x") if kind == "reading" else intend(ledger)
