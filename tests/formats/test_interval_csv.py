"""CSV with a layout gives the same columns as MDEF."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aiomar import FormatError
from aiomar.formats import CsvLayout, interval_batches, intervals, write_parquet
from aiomar.formats._arrow import ENOUGH
from aiomar.protocol import TimeType
from tests.support.mdef import Channel, Slot, meter, saved, slot

LAYOUT = CsvLayout(
    meter="meter", channel="channel", date="date", interval="interval", value="value", unit="unit", status="status",
    channel_status="cs", minutes=15,
)  # fmt: skip
HEADER = "meter,channel,unit,date,interval,value,cs,status\n"


def written(path: Path, meter_id: str, count: int = 96, date: str = "2026-01-31") -> Path:
    """Write a day of a meter."""
    lines = (f"{meter_id},1,01,{date},{index + 1},{index * 0.25},{index},64\n" for index in range(count))
    path.write_text(HEADER + "".join(lines))
    return path


def test_the_same_columns_as_those_of_mdef(tmp_path: Path) -> None:
    """The same intervals as MDEF and as CSV are equal tables, but for the name of the file."""
    path = written(tmp_path / "a.csv", "M1")
    table = intervals(path, clock=TimeType.PST, layout=LAYOUT)
    table.validate(full=True)
    slots = [slot(index * 0.25, index, 64) for index in range(96)]
    other = intervals(saved(tmp_path / "a.dat", meter(b"M1", Channel(slots=slots))), clock=TimeType.PST)
    assert table.schema.equals(other.schema, check_metadata=True)
    assert table.drop_columns(["file"]).to_pylist() == other.drop_columns(["file"]).to_pylist()
    assert table["file"].unique().to_pylist() == ["a.csv"]


def test_what_a_layout_does_not_name_is_null(tmp_path: Path) -> None:
    """Unit and statuses; an empty cell is a null value."""
    path = tmp_path / "a.csv"
    path.write_text("2026-03-08,1,M1,\n2026-03-08,2,M1,-1.5\n")
    layout = CsvLayout(meter=3, date=1, interval=2, value=4, minutes=60, header=False)
    table = intervals(path, clock=TimeType.DST, layout=layout)
    begin = dt.datetime(2026, 3, 8, 8, tzinfo=dt.UTC)
    hour = dt.timedelta(hours=1)
    rest = (None, None, "a.csv")
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("M1", 1, None, begin, begin + hour, None, *rest),
        ("M1", 1, None, begin + hour, begin + 2 * hour, -1.5, *rest),
    ]


def test_both_formats_of_a_directory_in_one_table(tmp_path: Path) -> None:
    """By name, in one schema; small files of either share batches."""
    for number in range(4):
        written(tmp_path / f"{number}.CSV", f"C{number}")
        saved(tmp_path / f"{number + 2}.dat", meter(b"D%d" % number, Channel(slots=[Slot(number)] * 96)))
    table = intervals(tmp_path, clock=TimeType.PST, layout=LAYOUT)
    names = ["0.CSV", "1.CSV", "2.CSV", "2.dat", "3.CSV", "3.dat", "4.dat", "5.dat"]
    assert table["file"].to_pylist()[::96] == names
    assert table.group_by("recorder_id").aggregate([("value", "count")])["value_count"].to_pylist() == [96] * 8
    assert len(list(interval_batches(sorted(tmp_path.glob("*.CSV")), clock=TimeType.PST, layout=LAYOUT))) == 1


def test_many_rows_are_many_batches(tmp_path: Path) -> None:
    """Memory is bounded by a batch, not by the file."""
    lines = (f"M{number},1,01,2026-01-31,{index + 1},1,0,0\n" for number in range(700) for index in range(96))
    (tmp_path / "a.csv").write_text(HEADER + "".join(lines))
    first, second = interval_batches(tmp_path, clock=TimeType.PST, layout=LAYOUT)
    assert ENOUGH <= len(first) < ENOUGH + 4_096
    assert len(first) + len(second) == 700 * 96


def test_csv_needs_a_layout(tmp_path: Path) -> None:
    """Before any file is read, and nothing is written."""
    written(tmp_path / "b.csv", "M1")
    (tmp_path / "a.dat").touch()
    with pytest.raises(FormatError, match=r"b\.csv is CSV.*layout"):
        interval_batches(tmp_path, clock=TimeType.PST)
    with pytest.raises(FormatError, match=r"layout"):
        write_parquet(tmp_path, tmp_path / "x.parquet", clock=TimeType.PST)
    assert not (tmp_path / "x.parquet").exists()


def test_a_file_without_a_row_is_a_table_without_a_row(tmp_path: Path) -> None:
    """With its columns, in every form."""
    path = written(tmp_path / "a.csv", "M1", 0)
    table = intervals(path, clock=TimeType.PST, layout=LAYOUT)
    assert (table.num_rows, len(table.schema)) == (0, 9)
    assert interval_batches(path, clock=TimeType.PST, layout=LAYOUT).read_all().equals(table)
    for name in ("x.parquet", "set"):
        assert write_parquet(path, tmp_path / name, clock=TimeType.PST, layout=LAYOUT).rows == 0
    assert pq.read_schema(tmp_path / "x.parquet").equals(table.schema, check_metadata=True)
    assert list((tmp_path / "set").iterdir()) == []


def test_what_is_wrong_names_the_line(tmp_path: Path) -> None:
    """Of a row that does not fit the layout, through a reader too."""
    path = written(tmp_path / "a.csv", "M1", 97)
    for read in (intervals, lambda *args, **names: interval_batches(*args, **names).read_all()):
        with pytest.raises(FormatError) as caught:
            read(path, clock=TimeType.PST, layout=LAYOUT)
        assert caught.value.where == f"{path}, line 98"


def test_progress_is_the_size_of_the_files(tmp_path: Path) -> None:
    """Rows do not tell their bytes, the file does at its end."""
    written(tmp_path / "a.csv", "M1")
    told: list[int] = []
    write_parquet(tmp_path, tmp_path / "x.parquet", clock=TimeType.PST, layout=LAYOUT, progress=told.append)
    assert sum(told) == (tmp_path / "a.csv").stat().st_size
