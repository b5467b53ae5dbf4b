"""The command `submissions`: what was submitted, from the ledger alone, and what a look at the server says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar import FileFormat, Meter, SubmissionState, TimeType
from aiomar.testing import DropAnswer, Page
from tests.cli.conftest import Place, Result
from tests.cli.test_commands import free_origin
from tests.client.helpers import DAY

Run = Callable[..., Result]

WHERE = ("--meter", "1001", "--from", str(DAY), "--to", str(DAY), "--format", "csv", "--time", "pst", "--once")
REFUSAL = Page("<p>Error in File Processing</p> not yours", on="upload")


def content(place: Place) -> bytes:
    """What the server has of the meter's day."""
    return place.server.data(Meter("1001"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST)


def ledger(place: Place) -> str:
    """The option that names the ledger; nothing else of the connection is needed to look into it."""
    return next(option for option in place.options if option.startswith("--state-dir"))


def ids(aiomar: Run, place: Place, *options: str) -> list[str]:
    """Give the ids of all submissions."""
    found = aiomar("submissions", "list", ledger(place), "--json", *options).records[:-1]
    return [str(record["id"]) for record in found]


@pytest.fixture
def three(aiomar: Run, place: Place) -> Place:
    """One that was taken, one that was refused, and one of which nobody knows."""
    Path("taken.csv").write_bytes(b"1\r\n")
    Path("refused.csv").write_bytes(b"2\r\n")
    Path("lost.csv").write_bytes(content(place))
    assert aiomar("upload", "taken.csv", *place.options).code == 0
    place.server.script(REFUSAL, DropAnswer())
    assert aiomar("upload", "refused.csv", *place.options).code == 6
    assert aiomar("upload", "lost.csv", *place.options).code == 7
    return place


def test_list(aiomar: Run, three: Place) -> None:
    """A line each, oldest first, from the ledger alone."""
    result = aiomar("submissions", "list", ledger(three))
    assert (result.code, result.err) == (0, "3 submissions: 1 accepted, 1 rejected, 1 unknown\n")
    assert [line.split()[1] for line in result.out.splitlines()] == ["accepted", "rejected", "unknown"]
    assert [line.split()[-1] for line in result.out.splitlines()] == ["taken.csv", "refused.csv", "lost.csv"]
    assert str(three.server.uploads[0].file_id) in result.out.splitlines()[0]


def test_list_chooses(aiomar: Run, three: Place) -> None:
    """By state, and by environment."""
    assert len(ids(aiomar, three, "--state", "unknown", "--state", "rejected")) == 2
    assert ids(aiomar, three, "--environment", "production") == []
    assert len(ids(aiomar, three, *three.options[:2])) == 3


def test_list_as_csv(aiomar: Run, three: Place) -> None:
    """Every field, with a header, as a spreadsheet reads it."""
    result = aiomar("submissions", "list", ledger(three), "--csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert [row["state"] for row in rows] == [
        state.value for state in (SubmissionState.ACCEPTED, SubmissionState.REJECTED, SubmissionState.UNKNOWN)
    ]
    assert rows[0]["file_id"] == three.server.uploads[0].file_id
    assert all(row["sha256"] and row["submitted_at"] and row["fingerprint"] for row in rows)
    assert aiomar("submissions", "list", ledger(three), "--csv", "--json").code == 2


def test_nothing_was_submitted(aiomar: Run) -> None:
    """No ledger is not an error."""
    result = aiomar("submissions", "list", "--state-dir", "nowhere")
    assert (result.code, result.out, result.err) == (0, "", "0 submissions\n")
    assert not Path("nowhere").exists()


def test_show(aiomar: Run, three: Place) -> None:
    """All that is known, the journal, and the bytes that were sent."""
    _, refused, lost = ids(aiomar, three)
    assert "not yours" in aiomar("submissions", "show", refused, ledger(three)).out
    Path("lost.csv").unlink()
    result = aiomar("submissions", "show", lost, ledger(three), "--save", "again.csv")
    words = [line.split()[0] for line in result.out.splitlines()]
    assert [words.count(word) for word in ("facts", "cause", "name", "size", "sha256")] == [1] * 5
    assert (result.code, Path("again.csv").read_bytes()) == (0, content(three))
    assert "by aiomar" in result.out
    assert aiomar("submissions", "show", lost, ledger(three), "--save", "again.csv").code == 2
    shown = aiomar("submissions", "show", lost, ledger(three), "--json").records[0]
    assert [change["state"] for change in shown["changes"]] == ["sending", "unknown"]  # type: ignore[attr-defined]
    assert aiomar("submissions", "show", "nobody", ledger(three)).code == 2


def test_what_the_ledger_blocks(aiomar: Run, three: Place) -> None:
    """Exit code 6, with and without --dry-run; --resend insists."""
    sent = len(three.server.uploads)
    for name in ("taken.csv", "lost.csv"):
        result = aiomar("upload", name, "--dry-run", *three.options, "--json")
        assert (result.code, result.records[0]["good"]) == (6, False)
        held = aiomar("upload", name, *three.options, "--json")
        assert held.code == 6
        assert [record["event"] for record in held.records] == ["upload_failed", "summary"]
    assert len(three.server.uploads) == sent
    assert aiomar("upload", "lost.csv", "--dry-run", "--resend", *three.options).code == 0
    assert aiomar("upload", "refused.csv", *three.options).code == 0
    assert aiomar("upload", "lost.csv", "--resend", *three.options).code == 0


def test_confirm(aiomar: Run, three: Place) -> None:
    """What shows is accepted from then on; what does not is named, and tells whether anybody knows more."""
    taken, _, lost = ids(aiomar, three)
    result = aiomar("submissions", "confirm", lost, *WHERE, *three.options)
    rows = len(content(three).splitlines())
    assert (result.code, result.out) == (0, f"{rows} of {rows} rows of lost.csv show\n")
    assert ids(aiomar, three, "--state", "unknown") == []
    missing = aiomar("submissions", "confirm", taken, *WHERE, *three.options)
    assert (missing.code, missing.out.splitlines()[0]) == (8, "0 of 1 rows of taken.csv show")
    assert sum(record.kind == "upload" for record in three.server.requests) == 3


def test_confirm_what_stays_unknown(aiomar: Run, three: Place) -> None:
    """Exit code 7, and the verdict as an object."""
    lost = ids(aiomar, three)[2]
    where = [word.replace("1001", "1002") for word in WHERE]
    result = aiomar("submissions", "confirm", lost, *where, *three.options, "--json")
    assert result.code == 7
    assert result.summary.items() >= {"confirmed": False, "looks": 1, "exit_code": 7}.items()
    assert ids(aiomar, three, "--state", "unknown") == [lost]


def test_confirm_with_nobody_there(aiomar: Run, three: Place) -> None:
    """Exit code 4, and the outcome stays what it was."""
    lost = ids(aiomar, three)[2]
    nowhere = f"--download-origin={free_origin()}"
    options = [nowhere if option.startswith("--download-origin") else option for option in three.options]
    result = aiomar("submissions", "confirm", lost, *WHERE, *options)
    assert (result.code, "the last look saw nothing" in result.err) == (4, True)
    assert ids(aiomar, three, "--state", "unknown") == [lost]


@pytest.mark.parametrize("words", [(), ("--meter", "1", "--group", "2")])
def test_confirm_needs_one_place_to_look(aiomar: Run, three: Place, words: tuple[str, ...]) -> None:
    """Neither none nor two."""
    lost = ids(aiomar, three)[2]
    assert aiomar("submissions", "confirm", lost, *words, *WHERE[2:], *three.options).code == 2


def test_resolve(aiomar: Run, three: Place) -> None:
    """A person's word ends what is unknown, once, and the journal keeps who said it."""
    taken, _, lost = ids(aiomar, three)
    resolve = ("submissions", "resolve", lost, ledger(three))
    assert aiomar(*resolve).code == 2
    assert aiomar(*resolve, "--accepted", "--rejected").code == 2
    assert aiomar(*resolve, "--rejected", "--file-id", "5").code == 2
    assert aiomar(*resolve, "--accepted", "--file-id", "5", "--note", "the operator says so").code == 0
    assert "the operator says so" in aiomar("submissions", "show", lost, ledger(three)).out
    assert aiomar(*resolve, "--accepted").code == 2
    assert aiomar("submissions", "resolve", taken, ledger(three), "--rejected").code == 2


def test_resolve_as_rejected(aiomar: Run, three: Place) -> None:
    """It may be submitted again then."""
    lost = ids(aiomar, three)[2]
    assert aiomar("submissions", "resolve", lost, ledger(three), "--rejected").code == 0
    assert aiomar("upload", "lost.csv", *three.options).code == 0


def test_prune(aiomar: Run, three: Place) -> None:
    """The bytes of what is settled go, the records stay, and what is unknown keeps everything."""
    assert aiomar("submissions", "prune", ledger(three), "--older-than", "1h").err.startswith("the content of 0 ")
    assert aiomar("submissions", "prune", ledger(three), "--older-than", "soon").code == 2
    assert aiomar("submissions", "prune", ledger(three)).code == 2
    assert aiomar("submissions", "prune", ledger(three), "--older-than", "0d").err.startswith("the content of 2 ")
    taken, _, lost = ids(aiomar, three)
    assert aiomar("submissions", "show", taken, ledger(three), "--save", "gone.csv").code == 2
    assert aiomar("submissions", "show", lost, ledger(three), "--save", "kept.csv").code == 0
