"""polars, pandas and DuckDB read what is exported: the examples of the documentation, run, and the types they find.

The examples live in ``examples/`` beside this file, and the documentation shows those very files.
"""

from __future__ import annotations

import datetime as dt
import importlib
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from aiomar.formats import interval_batches, intervals, write_parquet
from aiomar.protocol import TimeType
from tests.support.mdef import Channel, Slot, meter, saved, slot

pytest.importorskip("pyarrow", reason="needs aiomar[arrow]")

DAYS = {dt.date(2026, 3, 8): 92, dt.date(2026, 3, 9): 96, dt.date(2026, 11, 1): 100, dt.date(2026, 11, 2): 96}
METERS = ("M1", "M2")
MISSING = 64


def library(name: str) -> ModuleType:
    """Import what reads the export, or skip."""
    return cast("ModuleType", pytest.importorskip(name, reason="reads what is exported"))


def example(name: str) -> ModuleType:
    """Import an example; it is not at the top of this file, as its library may be missing."""
    return importlib.import_module(f"tests.formats.examples.read_{name}")


def numbers(meter_number: int, day: dt.date) -> list[float]:
    """Make the values of a day: quarters, whose sum is exact in any order."""
    return [meter_number * 1_000 + day.day + index / 4 for index in range(DAYS[day])]


def slots(meter_number: int, day: dt.date) -> list[Slot]:
    """Make the intervals of a day, of which every tenth is marked missing."""
    return [slot(value, 0, 0 if index % 10 else MISSING) for index, value in enumerate(numbers(meter_number, day))]


def sums() -> list[tuple[object, ...]]:
    """Add up the days by hand."""
    return [
        (name, 1, day, sum(numbers(number, day)), count)
        for number, name in enumerate(METERS)
        for day, count in DAYS.items()
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as a download by the DST clock leaves them, over both changes."""
    directory = tmp_path_factory.mktemp("data")
    for number, name in enumerate(METERS):
        for day in DAYS:
            stamp = f"{day:%Y%m%d}".encode()
            channel = Channel(start=stamp + b"0001", stop=stamp + b"2400", slots=slots(number, day))
            saved(directory / f"meter-{name}_{day:%Y%m%d}_dst.dat", meter(name.encode(), channel))
    return directory


@pytest.fixture(scope="module")
def data_set(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, partitioned by year and month."""
    target = tmp_path_factory.mktemp("exported") / "set"
    write_parquet(data, target, clock=TimeType.DST)
    return target


@pytest.fixture(scope="module")
def file(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in one file."""
    target = tmp_path_factory.mktemp("exported") / "all.parquet"
    write_parquet(data, target, clock=TimeType.DST)
    return target


def test_arrow_examples(data: Path) -> None:
    """A meter out of a table, what is marked missing out of batches."""
    read_arrow = example("arrow")
    assert read_arrow.one_meter(data, "M2").num_rows == sum(DAYS.values())
    assert read_arrow.missing(data) == 2 * sum(math.ceil(count / 10) for count in DAYS.values())


async def test_saving_in_a_thread(data: Path, tmp_path: Path) -> None:
    """The loop is free meanwhile."""
    read_arrow = example("arrow")
    assert await read_arrow.save(data, tmp_path / "set") == 2 * sum(DAYS.values())
    assert (tmp_path / "set" / "year=2026" / "month=11" / "part-0.parquet").is_file()


def test_polars(data: Path, data_set: Path, file: Path) -> None:
    """Sums by local day through both changes, from a data set; a frame from a table has its rows and types."""
    pl = library("polars")
    read_polars = example("polars")
    assert read_polars.daily_sums(data_set).rows() == sums()
    assert read_polars.daily_sums(file).rows() == sums()
    frame = read_polars.frame(data)
    assert frame.schema["start"] == pl.Datetime("us", "UTC")
    assert frame.schema["interval_status"] == pl.UInt16
    assert frame["value"].to_list() == intervals(data, clock=TimeType.DST)["value"].to_pylist()
    assert frame.group_by("recorder_id").len().height == len(METERS)
    assert pl.from_arrow(interval_batches(data, clock=TimeType.DST)).equals(frame)
    assert pl.read_parquet(data_set).select(pl.col("month").cast(int).unique().sort()).to_series().to_list() == [3, 11]


def test_pandas(data: Path, data_set: Path, file: Path) -> None:
    """The same; ids are categories."""
    pd = library("pandas")
    read_pandas = example("pandas")
    for source in (data_set, file):
        assert [tuple(row) for row in read_pandas.daily_sums(source).itertuples(index=False)] == sums()
    frame = read_pandas.frame(data)
    assert frame["recorder_id"].dtype == "category"
    assert str(frame["start"].dtype) == "datetime64[us, UTC]"
    assert str(frame["interval_status"].dtype) == str(frame["channel_status"].dtype) == "UInt16"
    assert len(frame) - len(read_pandas.without_missing(frame)) == 2 * sum(math.ceil(n / 10) for n in DAYS.values())
    frame.loc[:1, "interval_status"] = pd.NA
    assert read_pandas.without_missing(frame).iloc[0]["value"] == frame["value"][0]
    assert frame["value"].tolist() == intervals(data, clock=TimeType.DST)["value"].to_pylist()
    assert len(interval_batches(data, clock=TimeType.DST).read_pandas()) == len(frame)
    assert sorted(pd.read_parquet(data_set)["month"].astype(int).unique()) == [3, 11]


def test_duckdb(data: Path, data_set: Path, file: Path) -> None:
    """The same, and straight from files, batch by batch, without Parquet in between."""
    duckdb = library("duckdb")
    read_duckdb = example("duckdb")
    assert read_duckdb.daily_sums(data_set) == sums()
    highest = [max(number for day in DAYS for number in numbers(meter_number, day)) for meter_number in range(2)]
    assert read_duckdb.highest(data) == list(zip(METERS, highest, strict=True))
    with duckdb.connect() as database:
        database.register("whole", intervals(data, clock=TimeType.DST))
        months = "SELECT DISTINCT month FROM read_parquet(?, hive_partitioning = true) ORDER BY 1"
        assert [int(month) for (month,) in database.execute(months, [f"{data_set}/**/*.parquet"]).fetchall()] == [3, 11]
        same = "SELECT count(*) FROM (SELECT * FROM whole EXCEPT ALL SELECT * FROM read_parquet(?))"
        assert database.execute(same, [str(file)]).fetchone() == (0,)
        clock = "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE key = 'aiomar.clock'"
        assert database.execute(clock, [str(file)]).fetchone() == ("DST",)


def test_duckdb_needs_pytz_for_times_only(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the documentation says: times with a zone come into Python with it only, days and Arrow without."""
    duckdb = library("duckdb")
    monkeypatch.setitem(sys.modules, "pytz", None)
    times = "SELECT start FROM found LIMIT 1"
    with duckdb.connect() as database:
        database.register("found", intervals(data, clock=TimeType.DST))
        assert database.sql(times).to_arrow_table().num_rows == 1
        with pytest.raises(duckdb.Error, match="pytz"):
            database.sql(times).fetchall()


def test_duckdb_shows_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    """It has an error of its own for a query over batches, and our words are in it."""
    duckdb = library("duckdb")
    (tmp_path / "a.dat").write_bytes(b"<html>")
    batches = interval_batches(tmp_path, clock=TimeType.PST)
    with duckdb.connect() as database, pytest.raises(duckdb.Error, match=r"a page and not MDEF"):
        database.register("batches", batches).execute("SELECT count(*) FROM batches").fetchall()


def test_days_of_standard_time(tmp_path: Path) -> None:
    """Files by the PST clock have 96 quarter hours every day, in the zone that polars and others know as Etc/GMT+8."""
    pl = library("polars")
    channel = Channel(start=b"202603070001", stop=b"202603092400", slots=[Slot(0)] * 288)
    saved(tmp_path / "a.dat", meter(b"M1", channel))
    frame = pl.DataFrame(intervals(tmp_path, clock=TimeType.PST))
    days = frame.group_by(pl.col("start").dt.convert_time_zone("Etc/GMT+8").dt.date()).len().sort("start")
    assert days.rows() == [(dt.date(2026, 3, day), 96) for day in (7, 8, 9)]
