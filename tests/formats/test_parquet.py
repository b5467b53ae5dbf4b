"""Parquet: what is read back, where it goes, and what is left after anything that can go wrong."""

from __future__ import annotations

import datetime as dt
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from aiomar import DestinationError, FormatError
from aiomar._beside import beside
from aiomar.formats import intervals, write_parquet, zone
from aiomar.formats._arrow_parquet import months
from aiomar.protocol import TimeType
from tests.support.mdef import Channel, Slot, day, meter, saved

CHANCE = random.Random(7)  # noqa: S311 - values, not secrets
NOISE = [Slot(0x42000000 + CHANCE.getrandbits(24)) for _ in range(35_040)]  # which no encoding makes small
YEAR = Channel(start=b"202501010001", stop=b"202512312400", slots=NOISE)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of two meters in one file, and a day of 100 in files of their own."""
    directory = tmp_path_factory.mktemp("year")
    saved(directory / "year.dat", *(meter(b"Y%d" % number, YEAR) for number in range(2)))
    for number in range(100):
        saved(directory / f"day-{number:03}.dat", meter(b"D%d" % number, Channel(flags=b"NY", slots=day())))
    return directory


def names(directory: Path) -> list[str]:
    """Name everything below a directory."""
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def test_one_file_is_the_table(year: Path, tmp_path: Path) -> None:
    """Every row in its order, every type, and the clock in the metadata; the summary counts."""
    target = tmp_path / "all.parquet"
    summary = write_parquet(year, target, clock=TimeType.PST)
    table = intervals(year, clock=TimeType.PST)
    assert (summary.target, summary.rows, summary.sources, summary.files) == (target, table.num_rows, 101, 1)
    assert summary.size == target.stat().st_size
    found = pq.read_table(target)
    assert found.schema.equals(table.schema, check_metadata=True)
    assert found.cast(plain(table.schema)).equals(table.cast(plain(table.schema)))
    assert names(tmp_path) == ["all.parquet"]


def plain(schema: pa.Schema) -> pa.Schema:
    """Give a schema without dictionaries, to compare what they stand for."""
    fields = [
        pa.field(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type) for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


def test_a_row_group_has_only_the_words_that_it_needs(tmp_path: Path) -> None:
    """And they say what they said."""
    files = [
        saved(tmp_path / f"{number}.dat", *(meter(b"M%d-%d" % (number, each), YEAR) for each in range(4)))
        for number in range(4)
    ]
    write_parquet(files, tmp_path / "all.parquet", clock=TimeType.PST)
    file = pq.ParquetFile(tmp_path / "all.parquet")
    groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
    assert len(groups) > 1
    for group in groups:
        for name in ("file", "recorder_id"):
            assert sorted(group[name].chunk(0).dictionary.to_pylist()) == sorted(group[name].unique().to_pylist())
    assert {path for group in groups for path in group["file"].unique().to_pylist()} == {path.name for path in files}


@pytest.mark.parametrize("clock", TimeType)
def test_a_data_set_by_the_months_of_the_clock(year: Path, tmp_path: Path, clock: TimeType) -> None:
    """Each row in the month in which it starts by the clock, each once, in the order in which they were read."""
    summary = write_parquet(year, tmp_path / "set", clock=clock)
    folders = [f"year=2025/month={month:02}" for month in range(1, 13)] + ["year=2026/month=01"]
    assert names(tmp_path) == sorted(
        ["set", "set/year=2025", "set/year=2026", *(f"set/{folder}" for folder in folders)]
        + [f"set/{folder}/part-0.parquet" for folder in folders]
    )
    table = intervals(year, clock=clock)
    assert (summary.rows, summary.files) == (table.num_rows, 13)
    assert summary.size == sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    text = plain(table.schema)
    begins = [start.astimezone(zone(clock)) for start in table["start"].to_pylist()]
    found_in = [f"year={begin.year}/month={begin.month:02}" for begin in begins]
    for folder in folders:
        file = tmp_path / "set" / folder / "part-0.parquet"
        found = pq.ParquetFile(file).read()
        assert found.schema.metadata[b"aiomar.clock"] == clock.value.encode()
        mine = table.filter(pa.array([each == folder for each in found_in]))
        assert found.cast(text).equals(mine.cast(text))


def test_a_data_set_is_read_with_its_partitions(year: Path, tmp_path: Path) -> None:
    """By pyarrow as numbers; a month by itself is one file."""
    write_parquet(year, tmp_path / "set", clock=TimeType.DST)
    found = ds.dataset(tmp_path / "set", partitioning="hive")
    march = found.to_table(filter=(ds.field("year") == 2025) & (ds.field("month") == 3))
    assert march.num_rows == 2 * (31 * 96 - 4)
    assert march["start"][0].as_py() == dt.datetime(2025, 3, 1, 8, tzinfo=dt.UTC)


def test_the_first_and_last_days_that_there_are(tmp_path: Path) -> None:
    """The calendar has an end, and rows beside it have a month."""
    first = Channel(start=b"000101010001", stop=b"000101012400", slots=day())
    last = Channel(number=2, start=b"999912300001", stop=b"999912302400", slots=day())
    saved(tmp_path / "a.dat", meter(b"M1", first, last))
    (batch,) = intervals(tmp_path, clock=TimeType.PST).to_batches()
    assert [(name, len(rows)) for name, rows in months(batch, TimeType.PST)] == [
        ("year=0001/month=01", 96),
        ("year=9999/month=12", 96),
    ]


def test_more_months_than_files_may_be_open(tmp_path: Path) -> None:
    """A month whose file was closed gets another one; no row is lost."""
    twelve = [b"%02d" % month for month in range(1, 13)]
    stamps = [b"%d%b15" % (year, month) for year in range(2001, 2011) for month in twelve]
    channels = [Channel(start=stamp + b"0001", stop=stamp + b"2400", slots=day()) for stamp in [*stamps, *stamps]]
    saved(tmp_path / "a.dat", meter(b"M1", *channels[:120]))
    saved(tmp_path / "b.dat", *(meter(b"M%d" % number, YEAR) for number in range(2)))
    saved(tmp_path / "c.dat", meter(b"M1", *channels[120:]))
    summary = write_parquet(tmp_path, tmp_path / "set", clock=TimeType.PST)
    assert summary.files == len(list(tmp_path.rglob("*.parquet")))
    assert list(tmp_path.rglob("part-1.parquet"))
    assert ds.dataset(tmp_path / "set", partitioning="hive").count_rows() == summary.rows == 240 * 96 + 2 * 35_040


def test_an_existing_target_stays_unless_told(tmp_path: Path) -> None:
    """A file, a data set, an empty directory; nothing is read before."""
    (tmp_path / "x.parquet").write_text("mine")
    (tmp_path / "set").mkdir()
    for name in ("x.parquet", "set"):
        with pytest.raises(DestinationError, match=r"exists"):
            write_parquet(tmp_path / "missing.dat", tmp_path / name, clock=TimeType.PST)
    assert (tmp_path / "x.parquet").read_text() == "mine"


@pytest.mark.parametrize("name", ["x.parquet", "set"])
def test_a_target_is_replaced_when_told(tmp_path: Path, name: str) -> None:
    """By what is read now, all of it, and nothing is left of the old one."""
    january, target = saved(tmp_path / "a.dat", meter(b"M1", Channel(slots=day()))), tmp_path / name
    other = Channel(start=b"202603150001", stop=b"202603152400", slots=day())
    march = saved(tmp_path / "b.dat", meter(b"M2", other))
    write_parquet(january, target, clock=TimeType.PST)
    write_parquet(march, target, clock=TimeType.PST, overwrite=True)
    (file,) = [target] if name == "x.parquet" else target.rglob("*.parquet")
    assert pq.ParquetFile(file).read()["recorder_id"].unique().to_pylist() == ["M2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.dat", "b.dat", name])


def test_only_a_data_set_is_replaced(tmp_path: Path) -> None:
    """A directory with anything else in it, a file, a link: no wish to replace them is taken at its word."""
    source = saved(tmp_path / "a.dat", meter(b"M1", Channel(slots=day())))
    (tmp_path / "data" / "year=2025").mkdir(parents=True)
    saved(tmp_path / "data" / "year=2025" / "b.dat", meter(b"M1", Channel(slots=day())))
    (tmp_path / "file").touch()
    (tmp_path / "x.parquet").mkdir()
    (tmp_path / "link.parquet").symlink_to(source)
    (tmp_path / "link").symlink_to(tmp_path)
    before = names(tmp_path)
    for name in ("data", "file", "x.parquet", "link.parquet", "link", "."):
        with pytest.raises(DestinationError):
            write_parquet(source, tmp_path / name, clock=TimeType.PST, overwrite=True)
    assert names(tmp_path) == before


def test_an_old_directory_comes_back_when_the_new_one_is_lost(tmp_path: Path) -> None:
    """Between the two steps in which a directory is replaced nothing is thrown away."""
    target = tmp_path / "set"
    (target / "year=2025").mkdir(parents=True)
    with pytest.raises(DestinationError), beside(target, overwrite=True, directory=True, ours=str) as part:
        part.rmdir()
    assert names(tmp_path) == ["set", "set/year=2025"]


@pytest.mark.parametrize("name", ["missing/x.parquet", "missing/set", "a.dat/x.parquet", "n\0.parquet", "n" * 300, ""])
def test_where_nothing_can_be_written(tmp_path: Path, name: str) -> None:
    """A place that is none is told before anything is read."""
    source = saved(tmp_path / "a.dat", meter(b"M1", Channel(slots=day())))
    with pytest.raises(DestinationError):
        write_parquet(source, tmp_path / name if name else "", clock=TimeType.PST)
    assert names(tmp_path) == ["a.dat"]


def test_the_ending_of_one_file_may_have_any_case(tmp_path: Path) -> None:
    """It is a file, and no directory of that name; replaced, it keeps its permissions."""
    source = saved(tmp_path / "a.dat", meter(b"M1", Channel(slots=day())))
    target = tmp_path / "X.PARQUET"
    assert write_parquet(source, target, clock=TimeType.PST).files == 1
    assert target.stat().st_mode & 0o777 == 0o600
    target.chmod(0o644)
    with pytest.raises(DestinationError, match=r"\(overwrite=True, --overwrite\)"):
        write_parquet(source, target, clock=TimeType.PST)
    write_parquet(source, target, clock=TimeType.PST, overwrite=True)
    assert target.stat().st_mode & 0o777 == 0o644
    assert pq.ParquetFile(target).metadata.num_rows == 96


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_device_is_no_file_to_replace(tmp_path: Path) -> None:
    """It is left alone."""
    (tmp_path / "full.parquet").symlink_to("/dev/full")
    source = saved(tmp_path / "a.dat", meter(b"M1", Channel(slots=day())))
    for target in ("/dev/full", tmp_path / "full.parquet"):
        with pytest.raises(DestinationError):
            write_parquet(source, target, clock=TimeType.PST, overwrite=True)


def test_a_full_disk(year: Path, tmp_path: Path) -> None:
    """A `DiskError` with the number of the system, no word of a library, and nothing is left."""
    program = f"""
import errno, resource
from aiomar import DiskError, TimeType
from aiomar.formats import write_parquet
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit in (0, 9_000):
    for name in ("x.parquet", "set"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        try:
            write_parquet({str(year)!r}, name, clock=TimeType.PST)
        except DiskError as error:
            assert error.errno == errno.EFBIG, error
        else:
            raise SystemExit(f"{{name}} fits into {{limit}} bytes")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # or what measures this process cannot write its own files
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["x.parquet", "set"])
def test_what_is_wrong_with_a_file_leaves_nothing(year: Path, tmp_path: Path, name: str) -> None:
    """The last file is broken: the error is the reader's, and no target appears; the old one stays as it is."""
    (tmp_path / "bad.dat").write_bytes(b"\xd8\x00\x01\x00")
    source = [*sorted(year.iterdir()), tmp_path / "bad.dat"]
    for overwrite in (False, True):
        with pytest.raises(FormatError, match=r"bad\.dat"):
            write_parquet(source, tmp_path / name, clock=TimeType.PST, overwrite=overwrite)
        assert (tmp_path / name).exists() == overwrite
        if not overwrite:
            write_parquet(source[:1], tmp_path / name, clock=TimeType.PST)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["bad.dat", name])


class LeftError(Exception):
    """Somebody has pressed Ctrl-C."""


@pytest.mark.parametrize("name", ["x.parquet", "set"])
def test_progress_counts_bytes_and_may_end_it(year: Path, tmp_path: Path, name: str) -> None:
    """All bytes of all files are told; an exception comes out as it is, and nothing is left."""
    told: list[int] = []
    write_parquet(year, tmp_path / name, clock=TimeType.PST, progress=told.append)
    assert sum(told) == sum(path.stat().st_size for path in year.iterdir())
    assert len(told) > 101

    def leave(_: int) -> None:
        raise LeftError

    before = names(tmp_path)
    with pytest.raises(LeftError):
        write_parquet(year, tmp_path / name, clock=TimeType.PST, overwrite=True, progress=leave)
    assert names(tmp_path) == before


def test_a_kill_leaves_a_name_that_a_later_call_removes(year: Path, tmp_path: Path) -> None:
    """After an hour; what is younger may belong to somebody who is writing."""
    program = f"""
import glob, os, signal
from aiomar import TimeType
from aiomar.formats import write_parquet
for target in ("x.parquet", "set"):
    if os.fork() == 0:
        kill = lambda _: glob.glob(f".{{target}}.*") and os.kill(os.getpid(), signal.SIGKILL)
        write_parquet({str(year)!r}, target, clock=TimeType.PST, progress=kill)
    assert os.WTERMSIG(os.wait()[1]) == signal.SIGKILL
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    left = sorted(tmp_path.iterdir())
    assert [path.name.split(".")[1] for path in left] == ["set", "x"]
    assert all(path.name.startswith(".") and path.suffix == ".part" for path in left)
    for target in ("x.parquet", "set"):
        write_parquet(year / "day-001.dat", tmp_path / target, clock=TimeType.PST)
    assert all(path.exists() for path in left)
    for path in [path for start in left for path in (start, *start.rglob("*"))]:
        os.utime(path, (time.time() - 4_000,) * 2)
    for target in ("x.parquet", "set"):
        write_parquet(year / "day-001.dat", tmp_path / target, clock=TimeType.PST, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "x.parquet"]


def test_memory_does_not_grow_with_what_is_written(tmp_path: Path) -> None:
    """Arrow's pool holds as much at its peak for twice the rows, once there is enough to be held."""
    file = saved(tmp_path / "a.dat", *(meter(b"Y%d" % number, YEAR) for number in range(10)))
    program = f"""
import pyarrow as pa
from aiomar import TimeType
from aiomar.formats import interval_batches, write_parquet
peaks = []
for times in (8, 16):
    write_parquet([{str(file)!r}] * times, f"{{times}}.parquet", clock=TimeType.PST)
    write_parquet([{str(file)!r}] * times, f"{{times}}", clock=TimeType.PST)
    peaks.append(pa.default_memory_pool().max_memory())
print(*peaks)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second = map(int, done.stdout.split())
    assert second < first * 1.2
