"""Asking all ledgers below a state directory, as a person does."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from aiomar._process_lock import acquire
from aiomar.errors import ConfigError, UsageError
from aiomar.submissions import Ending, Ledger, Sender, Submissions, SubmissionState, ledger_directory, lock_path
from tests.support.ledgers import NOW, SOURCE, ended, intend, submission

ORIGINS = ("https://one.example", "https://two.example:8443")


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Give the folders of two ledgers with six submissions each, taken in turn."""
    folders = [ledger_directory(tmp_path, origin, "ab") for origin in ORIGINS]
    for place, (origin, folder) in enumerate(zip(ORIGINS, folders, strict=True)):
        sender = Sender(environment="test", upload_origin=origin, subject="CN=x", fingerprint="00")
        with Ledger.open(folder) as ledger:
            for number in range(6):
                now = NOW + dt.timedelta(minutes=2 * number + place)
                ledger_id = ledger.intend(submission(os.urandom(5000)), SOURCE, sender, now)
                if number % 3:
                    ledger.end(
                        ledger_id, Ending((SubmissionState.ACCEPTED, SubmissionState.UNKNOWN)[number % 3 - 1]), now
                    )
    return folders


def _minutes(submissions: Submissions, *states: SubmissionState, origin: str | None = None) -> list[int]:
    found = submissions.records(states or None, origin)
    return [(record.submitted_at - NOW) // dt.timedelta(minutes=1) for record in found]


def test_all_ledgers_are_read_as_one(tmp_path: Path, folders: list[Path]) -> None:
    """Oldest first over all of them, or those to one server, or in some states."""
    submissions = Submissions(tmp_path)
    assert _minutes(submissions) == list(range(12))
    assert _minutes(submissions, origin="https://TWO.example:8443") == [1, 3, 5, 7, 9, 11]
    assert _minutes(submissions, SubmissionState.ACCEPTED) == [2, 3, 8, 9]
    with pytest.raises(ConfigError):
        _minutes(submissions, origin="two.example")


def test_nothing_was_submitted_yet(tmp_path: Path) -> None:
    """Asking makes no ledger."""
    submissions = Submissions(tmp_path / "state")
    assert list(submissions.records()) == []
    assert submissions.prune(dt.timedelta()).submissions == 0
    with pytest.raises(UsageError, match="no submission has the id '1'"):
        submissions.record("1")
    assert not (tmp_path / "state").exists()


@pytest.mark.fault(72)
def test_what_a_dead_process_left_is_called_unknown(tmp_path: Path, folders: list[Path]) -> None:
    """Only where nobody submits right now: there it may be under way."""
    with acquire(lock_path(folders[0]), alone=True):
        assert _minutes(Submissions(tmp_path), SubmissionState.SENDING) == [0, 6]
        assert _minutes(Submissions(tmp_path), SubmissionState.UNKNOWN) == [1, 4, 5, 7, 10, 11]
    assert _minutes(Submissions(tmp_path), SubmissionState.SENDING) == []
    assert _minutes(Submissions(tmp_path), SubmissionState.UNKNOWN) == [0, 1, 4, 5, 6, 7, 10, 11]


def test_one_submission_is_shown_from_whichever_ledger(tmp_path: Path, folders: list[Path]) -> None:
    """Record, journal and bytes."""
    submissions = Submissions(str(tmp_path))
    for record in list(submissions.records()):
        assert submissions.record(record.id) == record
        assert submissions.changes(record.id)[-1].state is record.state
        content = submissions.content(record.id)
        assert content is not None
        assert submission(content).sha256 == record.sha256


@pytest.mark.parametrize("accepted", [True, False])
def test_a_person_says_what_became_of_an_unknown_one(tmp_path: Path, folders: list[Path], *, accepted: bool) -> None:
    """The word of the person stands in the journal, and the content is blocked or free accordingly."""
    submissions = Submissions(tmp_path)
    record = next(submissions.records({SubmissionState.UNKNOWN}, ORIGINS[1]))
    now = submissions.resolve(
        record.id, accepted=accepted, file_id=" 77 " if accepted else None, note="Ms M\u00fcller\nof CAISO said so"
    )
    assert now == submissions.record(record.id)
    assert now.state is (SubmissionState.ACCEPTED if accepted else SubmissionState.REJECTED)
    assert (now.file_id, now.reason) == (("77", None) if accepted else (None, "Ms M\u00fcller of CAISO said so"))
    last = submissions.changes(record.id)[-1]
    assert (last.by, last.note) == ("resolve", "Ms M\u00fcller of CAISO said so")
    with Ledger.open(folders[1]) as ledger:
        assert (ledger.blocking(record.sha256) is not None) == accepted


@pytest.mark.parametrize(
    ("state", "file_id", "note", "words"),
    [
        (SubmissionState.ACCEPTED, None, "x", "is 'accepted' and cannot be made 'rejected'"),
        (SubmissionState.UNKNOWN, None, " ", "a note is missing"),
        (SubmissionState.UNKNOWN, "1", "x", "a file id belongs to a file that was taken"),
    ],
)
def test_a_resolution_that_makes_no_sense_changes_nothing(
    tmp_path: Path, folders: list[Path], *, state: SubmissionState, file_id: str | None, note: str, words: str
) -> None:
    """Only what is unknown can be resolved, and the note is not left out."""
    submissions = Submissions(tmp_path)
    record = next(submissions.records({state}))
    with pytest.raises(UsageError, match=words):
        submissions.resolve(record.id, accepted=False, file_id=file_id, note=note)
    assert submissions.record(record.id) == record


def test_old_contents_are_let_go_of_in_every_ledger(tmp_path: Path, folders: list[Path]) -> None:
    """Those that ended long enough ago; a younger one stays."""
    with Ledger.open(folders[0]) as ledger:
        young = ended(ledger, SubmissionState.ACCEPTED, os.urandom(5000), now=dt.datetime.now(dt.UTC))
        intend(ledger)
    submissions = Submissions(tmp_path)
    pruned = submissions.prune(dt.timedelta(hours=1))
    assert pruned.submissions == 4
    assert pruned.bytes > 20_000
    kept = {record.id for record in submissions.records({SubmissionState.ACCEPTED}) if record.content_kept}
    assert kept == {young}
    with pytest.raises(UsageError, match="older_than"):
        submissions.prune(-dt.timedelta(days=1))


def test_a_ledger_that_cannot_be_used_is_named(tmp_path: Path, folders: list[Path]) -> None:
    """It is never passed over, as what it holds would be missing without a word."""
    (folders[1] / "ledger.sqlite3").write_bytes(b"x" * 5000)
    with pytest.raises(ConfigError, match=f"{folders[1].name}.* is damaged"):
        list(Submissions(tmp_path).records())
