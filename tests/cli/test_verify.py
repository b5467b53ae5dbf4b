"""The command `verify`: what is on disk against the catalogue, and a catalogue made anew."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Place, Result
from tests.cli.test_processes import lines_until, on_terminal, started

Run = Callable[..., Result]

RANGE = ("--from", "2026-03-01", "--to", "2026-03-02", "--format", "csv", "--time", "pst", "--into", "data")
CATALOGUE = Path("data", ".aiomar", "catalogue.sqlite3")


def path_of(meter: str) -> Path:
    """Where the file of a meter is."""
    return Path("data", f"meter-{meter}_20260301_20260302_pst.csv")


@pytest.fixture
def data(aiomar: Run, place: Place) -> Place:
    """A directory with the files of three meters."""
    meters = ("--meter", "1001", "--meter", "1002", "--meter", "1003")
    assert aiomar("download", *place.options, *meters, *RANGE, "--quiet").code == 0
    return place


@pytest.mark.usefixtures("data")
def test_all_is_well(aiomar: Run) -> None:
    """Exit code 0, nothing on stdout, one line that says what was read."""
    size = sum(path_of(meter).stat().st_size for meter in ("1001", "1002", "1003"))
    result = aiomar("verify", "data")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("3 of 3 files good; ")
    assert aiomar("verify", "data", "--json").summary["bytes"] == size


@pytest.mark.usefixtures("data")
def test_what_is_wrong_gets_a_line(aiomar: Run) -> None:
    """Exit code 8; each line names the file, what is wrong and what to do, and nothing is changed."""
    path_of("1001").unlink()
    path_of("1002").write_bytes(b"1")
    path_of("7").write_bytes(b"1")
    result = aiomar("verify", "data")
    assert result.code == 8
    lines = sorted(result.out.splitlines())
    wrong = [path_of("1001"), path_of("1002"), path_of("7")]
    assert len(lines) == len(wrong)
    assert all(line.startswith(f"{path} ") and ": " in line for line, path in zip(lines, wrong, strict=True))
    assert result.err.startswith("1 of 4 files good, 1 changed, 1 missing, 1 not recorded; ")
    assert path_of("1002").read_bytes() == b"1"


@pytest.mark.usefixtures("data")
def test_what_is_wrong_as_json(aiomar: Run) -> None:
    """Every file has an object, the good ones too; the summary counts."""
    path_of("1001").unlink()
    result = aiomar("verify", "data", "--json", "--quiet")
    assert (result.code, result.err) == (8, "")
    problems = {record["path"]: record["problem"] for record in result.records[:-1]}
    assert problems == {str(path_of("1001")): "missing", str(path_of("1002")): None, str(path_of("1003")): None}
    assert result.summary.items() >= {"exit_code": 8, "files": 3, "good": 2, "wrong": {"missing": 1}}.items()


def test_what_is_wrong_is_mended_by_the_range(aiomar: Run, data: Place) -> None:
    """As the lines say: remove what was changed, and run the range again."""
    path_of("1001").unlink()
    meters = ("--meter", "1001", "--meter", "1002", "--meter", "1003")
    assert aiomar("verify", "data").code == 8
    again = aiomar("download", *data.options, *meters, *RANGE)
    assert again.err.startswith("1 file fetched, 2 reused, 0 failed: ")
    assert aiomar("verify", "data").code == 0


@pytest.mark.parametrize("directory", ["nowhere", "empty", "file"])
def test_where_there_is_no_catalogue(aiomar: Run, directory: str) -> None:
    """Exit code 2, and the line says how to make one."""
    Path("empty").mkdir()
    Path("file").touch()
    result = aiomar("verify", directory)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("aiomar: error: ")
    assert "--rebuild" in result.err
    assert not Path("empty", ".aiomar").exists()


def test_a_catalogue_that_is_made_anew(aiomar: Run, data: Place) -> None:
    """A damaged one is put aside; no certificate is needed, and a range reuses what the new one knows."""
    CATALOGUE.write_bytes(b"nonsense" * 1_000)
    damaged = aiomar("verify", "data")
    assert damaged.code == 2
    assert "--rebuild" in damaged.err
    origins = [option for option in data.options if "origin" in option]
    rebuilt = aiomar("verify", "data", "--rebuild", *origins, "--json")
    assert rebuilt.code == 0
    assert rebuilt.summary["files"] == 3
    assert Path(str(rebuilt.summary["aside"])).read_bytes() == b"nonsense" * 1_000
    assert "the old catalogue is " in rebuilt.err
    assert aiomar("verify", "data").code == 0
    assert aiomar("download", *data.options, "--meter", "1001", *RANGE, "--json").summary["reused"] == 1


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("words", [("--rebuild",), ("--rebuild", "--environment", "nonesuch")])
def test_a_catalogue_cannot_be_made_without_the_server(aiomar: Run, words: tuple[str, ...]) -> None:
    """No file tells where it came from: exit code 2, and the old catalogue stays."""
    before = CATALOGUE.read_bytes()
    result = aiomar("verify", "data", *words)
    assert result.code == 2
    assert "--environment" in result.err
    assert CATALOGUE.read_bytes() == before


@pytest.mark.usefixtures("data")
@pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX ones here")
def test_verify_on_a_terminal() -> None:
    """There is a display while it runs; lines about files and the last line stay."""
    path_of("1001").unlink()
    code, seen = on_terminal("verify", "data")
    assert code == 8
    assert "verify" in seen
    assert f"{path_of('1001')} is gone" in seen
    assert "2 of 3 files good, 1 missing; " in seen.rstrip().splitlines()[-1]


@pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX ones here")
def test_an_interrupted_verify(aiomar: Run, place: Place) -> None:
    """Exit code 130 at the next piece, with what was found so far."""
    for meter in ("1001", "1002"):  # they are read in the order in which they came
        assert aiomar("download", *place.options, "--meter", meter, *RANGE, "--quiet").code == 0
    path_of("1001").unlink()
    with path_of("1002").open("r+b") as file:
        file.truncate(1 << 40)  # a hole: hours of reading
    with started("verify", "data", "--json") as process:
        lines_until(process, '{"event": "checked"')
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "aiomar: interrupted: run the same command again to go on\n"
    assert json.loads(out.splitlines()[-1])["interrupted"]
