"""The content of files to submit, as `upload --dry-run` looks at it: it warns, and holds nothing back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Place, Result
from tests.support.mdef import Channel, day, meter, trailer, whole

Run = Callable[..., Result]

GOOD = whole(meter(b"1001", Channel(slots=day())))
PAGE = b"<html><title>Busy</title>no"


def a_file(name: str, content: bytes) -> str:
    """Write a file, and give its name."""
    Path(name).write_bytes(content)
    return name


@pytest.mark.parametrize(
    ("name", "content"), [("a.dat", GOOD), ("A.DAT", GOOD), ("a.csv", b"a,b\n1,2\n"), ("a.CSV", b"a,b\r\n")]
)
def test_nothing_to_warn_of(aiomar: Run, name: str, content: bytes) -> None:
    """A good file has its line and no other."""
    result = aiomar("upload", "--dry-run", a_file(name, content))
    assert result.code == 0
    assert "warning" not in result.err
    assert result.out.startswith("good ")
    assert "1 of 1 file may be sent; nothing was sent" in result.err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.dat", GOOD[:-100], "record 7, byte 1296: "),
        ("a.dat", GOOD[:-216] + trailer(5), "record 7, byte 1296: "),
        ("a.dat", PAGE, "it is a page and no data"),
        ("a.dat", b" \n", "there is nothing in it"),
        ("a.dat", b"a,b\n1,2\n", "it holds CSV, and .dat is taken to stand for MDEF"),
        ("a.dat", b"nonsense" * 99, "it begins neither as MDEF nor as CSV does"),
        ("a.csv", GOOD, "it holds MDEF, which .dat is taken to stand for and not .csv"),
        ("a.csv", PAGE, "it is a page and no data"),
        ("a.csv", b"\x00\x01\x02", "it begins neither as MDEF nor as CSV does"),
        ("a.csv", b"a,b\n1\n2,3\n4\n", "2 rows of another length than the first row, the first of them on line 2"),
        ("a.csv", b"a,b\n\xe9,1\n", "it is not UTF-8"),
        ("a.csv", b'a,b\n"1,2\n', "a row is not CSV ("),
    ],
)
def test_a_warning(aiomar: Run, name: str, content: bytes, words: str) -> None:
    """It names the file and what is odd, and the file may be sent all the same: code 0."""
    result = aiomar("upload", "--dry-run", a_file(name, content))
    assert result.code == 0
    assert result.out.startswith("warned ")
    assert result.err.startswith(f"warning: {name}: {words}")
    assert "1 of 1 file may be sent, 1 with warnings; nothing was sent" in result.err
    found = aiomar("upload", "--dry-run", name, "--json")
    assert (found.code, found.summary["warnings"]) == (0, 1)
    warnings = found.records[0]["warnings"]
    assert found.records[0]["good"] is True
    assert isinstance(warnings, list)
    assert [warning["words"].startswith(words) for warning in warnings] == [True]


def test_the_place_of_a_finding(aiomar: Run) -> None:
    """As JSON a finding has its gate, record and byte."""
    result = aiomar("upload", "--dry-run", a_file("a.dat", GOOD[:-216] + trailer(5)), "--json")
    warnings = result.records[0]["warnings"]
    assert isinstance(warnings, list)
    assert warnings[0].items() >= {"gate": "trailer_count", "record": 7, "byte": 1296}.items()


def test_many_warnings(aiomar: Run) -> None:
    """Ten lines for a file, and how many more there are; JSON has all."""
    records = meter(b"1001", *(Channel(number=number, flags=b"XX", slots=day()) for number in range(1, 15)))
    name = a_file("a.dat", whole(records))
    result = aiomar("upload", "--dry-run", name)
    assert result.code == 0
    assert result.err.count("warning: a.dat: record ") == 10
    assert " more warnings (--json gives all)\n" in result.err
    warnings = aiomar("upload", "--dry-run", name, "--json").records[0]["warnings"]
    assert isinstance(warnings, list)
    assert len(warnings) >= 14


def hole() -> None:
    """A file of 2 GB without a byte in it."""
    a_file("bad.dat", b"")
    os.truncate("bad.dat", 1 << 31)


@pytest.mark.skipif(os.name != "posix", reason="holes, links and pipes are POSIX ones here")
@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda: a_file("bad.dat", b""), 6, id="empty"),
        pytest.param(hole, 6, id="hole"),
        pytest.param(lambda: None, 2, id="missing"),
        pytest.param(lambda: Path("bad.dat").mkdir(), 2, id="directory"),
        pytest.param(lambda: Path("bad.dat").symlink_to("bad.dat"), 2, id="loop"),
        pytest.param(lambda: os.mkfifo("bad.dat"), 2, id="pipe"),
    ],
)
def test_what_breaks_a_rule_has_no_content(aiomar: Run, make: Callable[[], object], code: int) -> None:
    """The rules come first: one line of error, no warning, and the other file is looked at."""
    make()
    result = aiomar("upload", "--dry-run", "bad.dat", a_file("odd.dat", PAGE))
    assert result.code == code
    assert result.err.count("aiomar: error: ") == 1
    assert "Traceback" not in result.err
    assert "warning: bad.dat" not in result.err
    assert "warning: odd.dat: it is a page" in result.err


def test_warnings_hold_nothing_back(aiomar: Run, place: Place) -> None:
    """What --dry-run warns of is sent without it."""
    name = a_file("a.dat", GOOD[:-216] + trailer(5))
    assert "warning: " in aiomar("upload", "--dry-run", name, *place.options).err
    assert place.server.uploads == []
    sent = aiomar("upload", name, *place.options)
    assert (sent.code, "warning" in sent.err) == (0, False)
    assert len(place.server.uploads) == 1
