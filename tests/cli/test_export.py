"""The command `export`: a downloaded directory, or any, as Parquet."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar.formats import intervals
from aiomar.protocol import TimeType
from tests.cli.conftest import Place, Result
from tests.cli.test_processes import started
from tests.support.mdef import Channel, day, meter, saved

pq = pytest.importorskip("pyarrow.parquet", reason="needs aiomar[arrow]")

Run = Callable[..., Result]

RANGE = ("--from", "2026-03-07", "--to", "2026-03-08", "--format", "mdef", "--time", "dst", "--into", "data")


@pytest.fixture
def data(aiomar: Run, place: Place) -> Place:
    """A directory with the files of two meters over a change to daylight saving."""
    assert aiomar("download", *place.options, "--meter", "1001", "--meter", "1002", *RANGE, "--quiet").code == 0
    return place


@pytest.fixture
def plain() -> Path:
    """A directory without a catalogue."""
    Path("plain").mkdir()
    for number in range(3):
        saved(Path("plain", f"{number}.dat"), meter(b"M%d" % number, Channel(slots=day())))
    return Path("plain")


@pytest.mark.usefixtures("data")
def test_the_catalogue_knows_the_clock(aiomar: Run) -> None:
    """No option but the target; the path on stdout, what was written on stderr, the clock in the file."""
    result = aiomar("export", "data", "--to", "all.parquet")
    assert (result.code, result.out) == (0, "all.parquet\n")
    table = pq.read_table("all.parquet")
    size = Path("all.parquet").stat().st_size
    assert table.schema.metadata[b"aiomar.clock"] == b"DST"
    assert table.num_rows % (96 + 92) == 0
    told = f"{table.num_rows:,} intervals of 2 MDEF files, read by the DST clock, written to all.parquet: "
    assert result.err.splitlines()[-1].startswith(told)
    again = aiomar("export", "data", "--to", "again.parquet", "--json", "--quiet")
    found = {"rows": table.num_rows, "sources": 2, "files": 1, "size": size, "clock": "DST", "format": "MDEF"}
    (exported, summary) = again.records
    assert exported == {"event": "exported", "target": "again.parquet", **found}
    assert summary.items() >= {"exit_code": 0, "left_out": 0, "failed_downloads": 0, **found}.items()


@pytest.mark.usefixtures("data")
def test_another_clock_than_the_catalogues_is_refused(aiomar: Run) -> None:
    """Exit code 2, and nothing is written."""
    result = aiomar("export", "data", "--to", "all.parquet", "--time", "pst")
    assert (result.code, result.out) == (2, "")
    assert "--time" in result.err
    assert not Path("all.parquet").exists()


def test_without_a_catalogue_the_clock_must_be_given(aiomar: Run, plain: Path) -> None:
    """Exit code 2 without it; with it all files are read."""
    refused = aiomar("export", "plain", "--to", "all.parquet")
    assert refused.code == 2
    assert "--time" in refused.err
    alone = aiomar("export", str(plain / "1.dat"), "--to", "all.parquet")
    assert alone.err.startswith(f"aiomar: error: {plain / '1.dat'} has no catalogue that tells its clock, ")
    assert aiomar("export", "plain", "--to", "all.parquet", "--time", "pst").code == 0
    assert pq.read_table("all.parquet").num_rows == intervals(plain, clock=TimeType.PST).num_rows == 3 * 96


def test_one_file_as_a_data_set(aiomar: Run, plain: Path) -> None:
    """A target without .parquet is a directory, and stderr says how many files it has."""
    result = aiomar("export", str(plain / "1.dat"), "--to", "set", "--time", "pst")
    assert (result.code, result.out) == (0, "set\n")
    assert result.err.rstrip().endswith(" in 1 file")
    assert pq.read_table("set")["recorder_id"].unique().to_pylist() == ["M1"]


def test_an_existing_target_needs_a_word(aiomar: Run, plain: Path) -> None:
    """Exit code 2 without --overwrite; what stands there is kept."""
    Path("all.parquet").write_text("mine")
    refused = aiomar("export", "plain", "--to", "all.parquet", "--time", "pst")
    assert refused.code == 2
    assert Path("all.parquet").read_text() == "mine"
    assert aiomar("export", "plain", "--to", "all.parquet", "--time", "pst", "--overwrite").code == 0
    assert pq.read_table("all.parquet").num_rows == 3 * 96


def test_a_broken_file_is_named(aiomar: Run, plain: Path) -> None:
    """Exit code 8, one line, and no target."""
    (plain / "2.dat").write_text("<html>")
    result = aiomar("export", "plain", "--to", "all.parquet", "--time", "pst")
    assert (result.code, result.out) == (8, "")
    assert "2.dat" in result.err
    assert "record 1" in result.err
    assert sorted(path.name for path in Path().iterdir()) == ["plain"]


def test_what_is_left_out_is_told(aiomar: Run, plain: Path) -> None:
    """CSV beside MDEF, on stderr and in the summary."""
    (plain / "a.csv").write_text("date,value\n")
    result = aiomar("export", "plain", "--to", "all.parquet", "--time", "pst")
    assert result.code == 0
    assert result.err.startswith("left out: 1 CSV file")
    assert aiomar("export", "plain", "--to", "b.parquet", "--time", "pst", "--json").summary["left_out"] == 1


def test_csv_by_a_layout(aiomar: Run, plain: Path) -> None:
    """--format takes them where there are both; --layout says what they mean, and one that is wrong is code 2."""
    (plain / "a.csv").write_text("2026-03-01,1,M1,7.5\n")
    Path("layout.toml").write_text(
        "meter = 3\ndate = 1\ninterval = 2\nvalue = 4\nminutes = 60\nheader = false\n",
    )
    words = ("--format", "csv", "--time", "pst")
    assert aiomar("export", "plain", "--to", "all.parquet", *words).code == 2
    assert aiomar("export", "plain", "--to", "all.parquet", *words, "--layout", "layout.toml").code == 0
    assert pq.read_table("all.parquet")["value"].to_pylist() == [7.5]
    Path("layout.toml").write_text("metre = 3\n")
    assert aiomar("export", "plain", "--to", "b.parquet", *words, "--layout", "layout.toml").code == 2


@pytest.mark.parametrize("place_name", ["nowhere", "empty"])
def test_where_nothing_is(aiomar: Run, place_name: str) -> None:
    """Exit code 2, one line."""
    Path("empty").mkdir()
    result = aiomar("export", place_name, "--to", "all.parquet", "--time", "pst")
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1


def test_interrupted(plain: Path) -> None:
    """Exit code 130, nothing left but what was there."""
    year = Channel(start=b"202501010001", stop=b"202512312400", slots=day(35_040))
    source = saved(Path("year.dat"), meter(b"M", year))
    many = Path("many")
    many.mkdir()
    for number in range(600):
        (many / f"{number}.dat").hardlink_to(source)
    with started("export", "many", "--to", "set", "--time", "pst", "--quiet") as process:
        deadline = time.monotonic() + 20
        while not list(Path().glob(".set.*.part")):
            assert process.poll() is None
            assert time.monotonic() < deadline, "nothing was begun in 20 seconds"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, os.strerror(process.returncode)
    assert "interrupted" in err
    assert sorted(path.name for path in Path().iterdir()) == ["many", "plain", "year.dat"]
