"""Finding data files: what a catalogue says, what names say, and what is never guessed."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from aiomar import ConfigError, DestinationError, FileFormat, Group, Meter, TimeType, UsageError
from aiomar.report import DataRequest, find_data
from aiomar.transfer import Catalogue
from tests.report.places import DST, MARCH, PST, DataPlace, days_later, meter

CSV, MDEF = FileFormat.CSV, FileFormat.MDEF


def touched(directory: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        (directory / name).touch()


def test_a_catalogue_tells_everything(tmp_path: Path) -> None:
    """Clock, format, the files in the order in which they came, and the downloads that failed."""
    place = DataPlace(tmp_path, DST)
    second = place.put("2", meter("2"))
    place.fail(Group("g"), "busy: try again", days=3)
    first = place.put("1", meter("1"), days=2)
    data = find_data(tmp_path)
    assert (data.directory, data.clock, data.file_format, data.catalogued) == (tmp_path, DST, MDEF, True)
    assert data.requests == (
        DataRequest(path=second, selection=Meter("2"), start=MARCH, end=MARCH, error=None),
        DataRequest(path=None, selection=Group("g"), start=MARCH, end=days_later(MARCH, 2), error="busy: try again"),
        DataRequest(path=first, selection=Meter("1"), start=MARCH, end=days_later(MARCH, 1), error=None),
    )
    assert data.files == (second, first)
    assert (data.left_out, data.left_out_words) == (0, None)


def test_a_file_that_is_gone_is_still_a_request(tmp_path: Path) -> None:
    """Whoever reads it finds out."""
    path = DataPlace(tmp_path).put("1", meter("1"))
    path.unlink()
    assert find_data(tmp_path).files == (path,)


def test_a_later_failure_says_nothing_of_the_file_that_is_there(tmp_path: Path) -> None:
    """The request has its file, and no error."""
    place = DataPlace(tmp_path)
    path = place.put("1", meter("1"))
    place.fail("1", "busy: try again")
    assert [(request.path, request.error) for request in find_data(tmp_path).requests] == [(path, None)]


def test_what_was_taken_back_never_came(tmp_path: Path) -> None:
    """A row without a file and without an error is a request that nobody answered."""
    path = DataPlace(tmp_path).put("1", meter("1"))
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.forget([path.name])
    path.unlink()
    assert [(request.path, request.error) for request in find_data(tmp_path).requests] == [(None, None)]


def test_mdef_comes_before_csv(tmp_path: Path) -> None:
    """The files of the other format are counted, and the words say how to read them."""
    mdef = DataPlace(tmp_path).put("1", meter("1"))
    csv = DataPlace(tmp_path, file_format=CSV).put("1", text=b"a,b\n")
    data = find_data(tmp_path)
    assert (data.file_format, data.files, data.left_out) == (MDEF, (mdef,), 1)
    assert data.left_out_words == "1 CSV file by the PST clock (--format csv)"
    wanted = find_data(tmp_path, file_format=CSV, has_layout=True)
    assert (wanted.file_format, wanted.files, wanted.left_out) == (CSV, (csv,), 1)


def test_two_clocks_have_to_be_told_apart(tmp_path: Path) -> None:
    """Without a clock it is a mistake; with one, the files of the other are left out."""
    pst = DataPlace(tmp_path, PST).put("1", meter("1"))
    dst = DataPlace(tmp_path, DST).put("1", meter("1"))
    with pytest.raises(UsageError, match=r"two clocks, DST and PST: .*--time"):
        find_data(tmp_path)
    assert find_data(tmp_path, clock=PST).files == (pst,)
    data = find_data(tmp_path, clock=DST)
    assert (data.files, data.left_out) == ((dst,), 1)
    assert data.left_out_words is not None
    assert "--time pst" in data.left_out_words


def test_each_format_has_its_clock(tmp_path: Path) -> None:
    """MDEF by one clock and CSV by the other: the clock chooses the format, and the format the clock."""
    DataPlace(tmp_path, PST).put("1", meter("1"))
    DataPlace(tmp_path, DST, CSV).put("1", text=b"a,b\n")
    assert (find_data(tmp_path).file_format, find_data(tmp_path).clock) == (MDEF, PST)
    assert find_data(tmp_path, clock=DST, has_layout=True).file_format is CSV
    assert find_data(tmp_path, file_format=CSV, has_layout=True).clock is DST


def test_what_no_range_recorded_is_left_out(tmp_path: Path) -> None:
    """A file beside those of the catalogue is counted, and told."""
    DataPlace(tmp_path).put("1", meter("1"))
    touched(tmp_path, "stranger.dat", "notes.txt", ".hidden.dat")
    data = find_data(tmp_path)
    assert (data.left_out, data.left_out_words) == (1, "1 file that no range recorded")


@pytest.mark.parametrize(
    ("clock", "file_format", "words"),
    [(DST, None, "leave the clock"), (None, CSV, "leave the format"), (DST, CSV, "leave the format")],
)
def test_a_catalogue_is_not_contradicted(
    tmp_path: Path, clock: TimeType | None, file_format: FileFormat | None, words: str
) -> None:
    """Another clock or format than it has is a mistake."""
    DataPlace(tmp_path).put("1", meter("1"))
    with pytest.raises(UsageError, match=words):
        find_data(tmp_path, clock=clock, file_format=file_format, has_layout=True)


@pytest.mark.parametrize("catalogued", [True, False])
def test_csv_needs_a_layout(tmp_path: Path, *, catalogued: bool) -> None:
    """Its columns are not public."""
    if catalogued:
        DataPlace(tmp_path, file_format=CSV).put("1", text=b"a,b\n")
    else:
        touched(tmp_path, "a.csv")
    with pytest.raises(UsageError, match=r"layout is not public.*--layout"):
        find_data(tmp_path, clock=PST)
    assert find_data(tmp_path, clock=PST, has_layout=True).file_format is CSV


def test_names_without_a_catalogue(tmp_path: Path) -> None:
    """Endings in any case, sorted, hidden ones and directories below left out; nothing is known of requests."""
    touched(tmp_path, "b.DAT", "a.dat", ".c.dat", "d.txt", "dat", "e.csv")
    (tmp_path / "below").mkdir()
    touched(tmp_path / "below", "f.dat")
    data = find_data(tmp_path, clock=DST)
    assert data.files == (tmp_path / "a.dat", tmp_path / "b.DAT")
    assert data.requests[0] == DataRequest(path=tmp_path / "a.dat", selection=None, start=None, end=None, error=None)
    assert (data.clock, data.catalogued, data.left_out) == (DST, False, 1)
    assert data.left_out_words == "1 CSV file (--format csv)"
    assert find_data(tmp_path, clock=DST, file_format=CSV, has_layout=True).files == (tmp_path / "e.csv",)


def test_no_file_tells_its_clock(tmp_path: Path) -> None:
    """Without a catalogue it has to be given; an empty catalogue is none."""
    touched(tmp_path, "meter-1_20260301_20260301_pst.dat")
    with pytest.raises(UsageError, match=r"no catalogue that tells the clock.*--time"):
        find_data(tmp_path)
    Catalogue.open(tmp_path).close()
    with pytest.raises(UsageError, match=r"no catalogue that tells the clock.*--time"):
        find_data(tmp_path)


def test_one_file(tmp_path: Path) -> None:
    """With a catalogue beside it, that one's row; otherwise the clock has to be given."""
    place = DataPlace(tmp_path, DST)
    path = place.put("1", meter("1"))
    place.put("2", meter("2"))
    DataPlace(tmp_path, PST).put("3", meter("3"))
    data = find_data(path)
    assert (data.directory, data.clock, data.catalogued, data.left_out) == (tmp_path, DST, True, 0)
    assert [request.selection for request in data.requests] == [Meter("1")]
    touched(tmp_path, "stranger")
    with pytest.raises(UsageError, match="--time"):
        find_data(tmp_path / "stranger")
    alone = find_data(tmp_path / "stranger", clock=PST)
    assert (alone.files, alone.file_format, alone.catalogued) == ((tmp_path / "stranger",), MDEF, False)


def shard(directory: Path, name: str, clock: TimeType = PST, file_format: FileFormat = MDEF) -> DataPlace:
    """Make a destination below a directory."""
    (directory / name).mkdir(exist_ok=True)
    return DataPlace(directory / name, clock, file_format)


def test_what_a_cluster_downloaded_is_one(tmp_path: Path) -> None:
    """The requests of all catalogues, directory by directory; what is left out is summed."""
    second = shard(tmp_path, "3f").put("2", meter("2"))
    shard(tmp_path, "3f").fail("3", "busy: try again")
    first = shard(tmp_path, "0a").put("1", meter("1"))
    shard(tmp_path, "0a", file_format=CSV).put("4", text=b"a,b\n")
    shard(tmp_path, "ff", file_format=CSV).put("5", text=b"a,b\n")
    touched(tmp_path / "ff", "stranger.dat")
    shard(tmp_path, "no")
    (tmp_path / "aa").mkdir()  # a worker was killed before it had a catalogue
    touched(tmp_path / "aa", "stranger.dat")
    data = find_data(tmp_path)
    assert (data.directory, data.clock, data.file_format, data.catalogued) == (tmp_path, PST, MDEF, True)
    assert [(request.path, request.selection, request.error) for request in data.requests] == [
        (first, Meter("1"), None),
        (second, Meter("2"), None),
        (None, Meter("3"), "busy: try again"),
    ]
    told = "2 CSV files by the PST clock (--format csv), 2 files that no range recorded"
    assert (data.left_out, data.left_out_words) == (4, told)


def test_clocks_of_a_cluster_are_chosen_over_all(tmp_path: Path) -> None:
    """Each directory with a clock of its own is two clocks; with a format that one alone has, it is that one's."""
    pst = shard(tmp_path, "0a", PST).put("1", meter("1"))
    dst = shard(tmp_path, "3f", DST).put("2", meter("2"))
    csv = shard(tmp_path, "3f", DST, CSV).put("3", text=b"a,b\n")
    with pytest.raises(UsageError, match=r"two clocks, DST and PST: .*--time"):
        find_data(tmp_path)
    assert find_data(tmp_path, clock=PST).files == (pst,)
    data = find_data(tmp_path, clock=DST)
    assert (data.files, data.left_out_words) == (
        (dst,),
        "1 CSV file by the DST clock (--format csv), 1 MDEF file by the PST clock (--time pst)",
    )
    assert find_data(tmp_path, file_format=CSV, has_layout=True).files == (csv,)


def test_what_stands_in_the_directory_itself_comes_first(tmp_path: Path) -> None:
    """With data files or a catalogue of its own nothing below it is looked into."""
    shard(tmp_path, "0a").put("1", meter("1"))
    touched(tmp_path, "a.dat")
    assert find_data(tmp_path, clock=PST).files == (tmp_path / "a.dat",)
    (tmp_path / "a.dat").unlink()
    assert find_data(tmp_path).catalogued
    Catalogue.open(tmp_path).close()
    with pytest.raises(UsageError, match="has no data files"):
        find_data(tmp_path)


def test_a_damaged_catalogue_of_a_cluster_is_named(tmp_path: Path) -> None:
    """With its directory, and the way to mend it."""
    shard(tmp_path, "0a").put("1", meter("1"))
    shard(tmp_path, "3f").put("2", meter("2"))
    (tmp_path / "3f" / ".aiomar" / "catalogue.sqlite3").write_bytes(b"nonsense" * 1_000)
    with pytest.raises(DestinationError, match=r"aiomar verify \S+/3f --rebuild"):
        find_data(tmp_path)


@pytest.mark.parametrize("name", ["", "nowhere", "a\0b", "loop"])
def test_where_there_is_nothing(tmp_path: Path, name: str) -> None:
    """An empty directory, no directory, no name and a loop are mistakes, each in a sentence."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="name a directory of data files"):
        find_data(tmp_path / name, clock=PST)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root looks into everything")
def test_a_directory_that_cannot_be_looked_into(tmp_path: Path) -> None:
    """The system's reason is in the sentence."""
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(UsageError, match="Permission denied"):
        find_data(tmp_path / "locked", clock=PST)


def test_a_catalogue_that_is_damaged(tmp_path: Path) -> None:
    """It is told, and not passed over."""
    path = DataPlace(tmp_path).put("1", meter("1"))
    (tmp_path / ".aiomar" / "catalogue.sqlite3").write_bytes(b"nonsense" * 1_000)
    with pytest.raises(DestinationError, match="--rebuild"):
        find_data(path.parent)


def test_a_clock_is_no_text(tmp_path: Path) -> None:
    """A wrong type is told at once."""
    with pytest.raises(ConfigError, match=r"TimeType\.PST"):
        find_data(tmp_path, clock="pst")  # type: ignore[arg-type] # that is the test


def test_many_requests(tmp_path: Path) -> None:
    """More than one statement's worth of rows come all, once, in order."""
    place = DataPlace(tmp_path)
    path = place.put("0", meter("0"))
    statement = """
        INSERT INTO files (name, origin, kind, selection, first_day, last_day, format, clock, attempts)
        VALUES (?, 'o', 'meter', ?, '2026-03-01', '2026-03-01', 'mdef', 'pst', 1)
    """
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.write((statement, (f"{number}.dat", f"{number}")) for number in range(1, 1_234))
    data = find_data(tmp_path)
    assert [request.selection for request in data.requests] == [Meter(f"{number}") for number in range(1_234)]
    assert data.files == (path,)
    assert {request.start for request in data.requests} == {dt.date(2026, 3, 1)}


def test_an_empty_path_is_not_the_working_directory() -> None:
    """It is a variable that nobody set."""
    with pytest.raises(UsageError, match="'' is no path"):
        find_data("", clock=TimeType.PST)
