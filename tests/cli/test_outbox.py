"""The command `outbox`: one look and a service, in words, in JSON and in exit codes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar.testing import DropAnswer, Page, Status
from tests.cli.conftest import Place, Result
from tests.cli.test_processes import lines_until, started

Run = Callable[..., Result]
REFUSAL = Page("<p>Error in File Processing</p> not yours", on="upload")
QUICK = ("--once", "--settle", "0")


@pytest.fixture
def box() -> Path:
    """An empty outbox in the working directory."""
    path = Path("outbox")
    path.mkdir()
    return path


def test_one_look(aiomar: Run, place: Place, box: Path) -> None:
    """A line for each file, a count in the end, and 0; the next look has nothing to do."""
    (box / "a.csv").write_bytes(b"1\r\n")
    (box / "b.csv.part").write_bytes(b"2\r\n")
    result = aiomar("outbox", "outbox", *QUICK, *place.options)
    assert (result.code, result.out) == (0, f"sent         {place.server.uploads[0].file_id}  a.csv\n")
    assert result.err == "1 of 1 file sent\n"
    assert sorted(path.name for path in (box / "sent").iterdir()) == ["a.csv", "a.csv.receipt.json"]
    again = aiomar("outbox", "outbox", *QUICK, *place.options)
    assert (again.code, again.out, again.err) == (0, "", "0 of 0 files sent\n")


def test_in_json(aiomar: Run, place: Place, box: Path) -> None:
    """Every event, what was left, and a summary; a refused file makes it 6."""
    for name in ("a.csv", "b.csv", "rule.txt"):
        (box / name).write_bytes(name.encode())
    place.server.script(REFUSAL)
    result = aiomar("outbox", "outbox", *QUICK, *place.options, "--json")
    assert result.code == 6
    events = [record["event"] for record in result.records]
    assert [event for event in events if str(event).startswith("outbox")] == [
        "outbox_refused",
        "outbox_sent",
        "outbox_refused",
    ]
    expected = {"event": "summary", "command": "outbox", "exit_code": 6, "sent": 1, "refused": 2, "failures": 2}
    assert result.summary.items() >= expected.items()
    assert result.err.splitlines()[0].startswith("aiomar: error: a.csv: the server refused 'a.csv'")


def test_an_unknown_outcome(aiomar: Run, place: Place, box: Path) -> None:
    """7 until it is resolved, with what to do; the rest is left."""
    for name in ("a.csv", "b.csv"):
        (box / name).write_bytes(name.encode())
        os.utime(box / name, (1, 1))
    place.server.script(DropAnswer())
    first = aiomar("outbox", "outbox", *QUICK, *place.options, "--json")
    second = aiomar("outbox", "outbox", *QUICK, *place.options)
    assert (first.code, second.code) == (7, 7)
    failed = next(record for record in first.records if record["event"] == "failed")
    ledger_id = failed["error"]["ledger_id"]  # type: ignore[index] # JSON
    assert f"aiomar submissions resolve {ledger_id}" in second.err
    assert "left: " in second.err
    assert second.err.endswith("0 of 2 files sent, 1 unknown, 1 left\n")
    resolve = ("submissions", "resolve", str(ledger_id), "--accepted", "--file-id", "77", place.options[-1])
    assert aiomar(*resolve).code == 0
    third = aiomar("outbox", "outbox", *QUICK, *place.options)
    assert (third.code, [line.split()[1:] for line in third.out.splitlines()]) == (
        0,
        [["77", "a.csv"], [place.server.uploads[1].file_id, "b.csv"]],
    )


@pytest.mark.parametrize(("code", "status"), [(5, 403), (4, 503)])
def test_trouble_with_the_server(aiomar: Run, place: Place, box: Path, code: int, status: int) -> None:
    """5 for a refused login, 4 for a server that is out of order; the file stays."""
    (box / "a.csv").write_bytes(b"1")
    place.server.script(Status(status, on="login", times=3 if status == 503 else 1))
    result = aiomar("outbox", "outbox", *QUICK, *place.options)
    assert (result.code, (box / "a.csv").exists()) == (code, True)
    assert result.err.endswith("0 of 1 file sent, 1 not\n")


@pytest.mark.parametrize("words", [("nowhere",), ("",), ("outbox", "--settle", "-1"), ("outbox", "--rescan", "0")])
def test_mistakes(aiomar: Run, place: Place, box: Path, words: tuple[str, ...]) -> None:
    """2, and one line."""
    result = aiomar("outbox", *words, "--once", *place.options)
    assert (result.code, result.err.count("\n")) == (2, 1)


def test_a_link(aiomar: Run, place: Place, box: Path) -> None:
    """What cannot be read is told, and makes it 2; the rest is sent."""
    (box / "link.csv").symlink_to("/etc/hostname")
    (box / "a.csv").write_bytes(b"1")
    result = aiomar("outbox", "outbox", *QUICK, *place.options)
    assert (result.code, len(place.server.uploads)) == (2, 1)
    assert "link.csv is not a file" in result.err


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX ones here")
def test_a_service(place: Place, box: Path) -> None:
    """Sends what appears; a second one is told who is first; SIGTERM ends it with 130 and how to go on."""
    with started("outbox", "outbox", "--settle", "0", *place.options, "--json") as process:
        (box / "a.csv").write_bytes(b"1")
        lines_until(process, '{"event": "outbox_sent"')
        with started("outbox", "outbox", *place.options) as second:
            _, err = second.communicate(timeout=20)
        assert second.returncode == 2
        assert f"is served by process {process.pid}" in err
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "aiomar: interrupted: what waits stays in outbox: run the same command again to go on\n"
    summary = json.loads(out.splitlines()[-1])
    assert summary.items() >= {"event": "summary", "interrupted": True, "sent": 1, "refused": 0}.items()


def test_a_name_that_would_steer_the_terminal(aiomar: Run, place: Place, box: Path) -> None:
    """It is escaped, and stays in its line; other scripts are shown as they are."""
    for name in ("a\nsent  1  b.csv", "\x1b[31mred.csv", "märz.csv"):
        (box / name).write_bytes(name.encode())
    result = aiomar("outbox", "outbox", *QUICK, *place.options)
    shown = sorted(line.split(maxsplit=2)[2] for line in result.out.splitlines())
    assert shown == [r"'\x1b[31mred.csv'", r"'a\nsent  1  b.csv'", "märz.csv"]
    assert "\x1b" not in result.err
