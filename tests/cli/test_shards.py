"""The commands that read what a cluster downloaded: directories below the one that is named, as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar import Meter
from aiomar.transfer import shard_directory
from tests.cli.conftest import Place, Result

Run = Callable[..., Result]

RANGE = ("--from", "2026-03-07", "--to", "2026-03-08", "--format", "mdef", "--time", "dst")
METERS = ("1001", "1002", "1003")


def path_of(meter: str) -> Path:
    """Where the file of a meter is."""
    return shard_directory("data", Meter(meter)) / f"meter-{meter}_20260307_20260308_dst.dat"


@pytest.fixture
def data(aiomar: Run, place: Place) -> Place:
    """Files of three meters, each in its directory, as a cluster leaves them."""
    Path("data").mkdir()
    for meter in METERS:
        into = str(path_of(meter).parent)
        assert aiomar("download", *place.options, "--meter", meter, *RANGE, "--into", into, "--quiet").code == 0
    assert len({path_of(meter).parent for meter in METERS}) == len(METERS)
    return place


@pytest.mark.usefixtures("data")
def test_verify_reads_all_directories(aiomar: Run) -> None:
    """One count over all; a line names the directory, too."""
    assert aiomar("verify", "data").err.startswith("3 of 3 files good; ")
    path_of("1002").unlink()
    result = aiomar("verify", "data")
    assert (result.code, result.out) == (8, f"{path_of('1002')} is gone: run the range again to fetch it\n")
    assert result.err.startswith("2 of 3 files good, 1 missing; ")
    records = aiomar("verify", "data", "--json").records[:-1]
    assert sorted(str(record["path"]) for record in records) == sorted(str(path_of(meter)) for meter in METERS)


def test_a_catalogue_is_made_anew_where_it_is_named(aiomar: Run, data: Place) -> None:
    """Exit code 2 for all of them at once, with what to run; no directory gets one that has none."""
    origins = [option for option in data.options if "origin" in option]
    result = aiomar("verify", "data", "--rebuild", *origins)
    assert result.code == 2
    first = min(path_of(meter).parent for meter in METERS)
    assert f"'aiomar verify {first} --rebuild'" in result.err
    assert not Path("data", ".aiomar").exists()
    assert aiomar("verify", str(first), "--rebuild", *origins).code == 0


@pytest.mark.usefixtures("data")
def test_report_counts_all_directories(aiomar: Run) -> None:
    """One verdict and one page; a file that is gone is told with its directory."""
    result = aiomar("report", "data")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("every interval is there: 3 meters, 9 channels, 2026-03-07 to 2026-03-08 (DST")
    path_of("1003").unlink()
    result = aiomar("report", "data", "--html", "report.html")
    assert result.code == 8
    assert f"{path_of('1003')} is gone" in result.out
    assert path_of("1003").relative_to("data").as_posix() in Path("report.html").read_text("utf-8")


@pytest.mark.usefixtures("data")
def test_export_writes_all_directories(aiomar: Run) -> None:
    """Into one file, by the clock of all."""
    pytest.importorskip("pyarrow", reason="needs aiomar[arrow]")
    result = aiomar("export", "data", "--to", "all.parquet", "--json")
    assert result.code == 0
    assert result.summary.items() >= {"sources": 3, "clock": "DST", "format": "MDEF", "left_out": 0}.items()
