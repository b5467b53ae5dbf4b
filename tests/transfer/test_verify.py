"""What is on disk held against the catalogue, and the catalogue made anew from what is on disk."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from pathlib import Path

import attrs
import pytest

from aiomar import (
    DestinationError,
    Environment,
    FailedDownload,
    FileFormat,
    Group,
    Meter,
    OmarError,
    SavedFile,
    TimeType,
)
from aiomar.protocol import Selection, Span, file_name
from aiomar.transfer._catalogue import Catalogue
from aiomar.transfer._catalogue_names import read_name
from aiomar.transfer._catalogue_rows import FailedRow, SavedRow, Terms
from aiomar.transfer._plan import Job
from aiomar.transfer._publish import beside
from aiomar.transfer._results import Completeness
from aiomar.transfer._verify import CheckedFile, rebuild_catalogue, verify_directory

NOW = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
SPAN = Span(dt.date(2026, 1, 1), dt.date(2026, 1, 31))
ENVIRONMENT = Environment("here", "https://omar.example", "https://omar.example:444")
TERMS = Terms(origin=str(ENVIRONMENT.download_origin), file_format=FileFormat.CSV, time_type=TimeType.PST)
WHOLE = b"a,b\n1,2\n"


def entry(selection: Selection) -> Job:
    """Give a request for one file."""
    name = file_name(selection, SPAN, file_format=TERMS.file_format, time_type=TERMS.time_type)
    return Job(selection, SPAN, name)


def save(directory: Path, number: int, content: bytes = WHOLE, completeness: Completeness = "length") -> Path:
    """Save a file as a range does, with its row."""
    wanted = entry(Meter(f"{number}"))
    path = directory / wanted.name
    path.write_bytes(content)
    file = SavedFile(
        path=path,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        selection=wanted.selection,
        start=SPAN.start,
        end=SPAN.end,
        file_format=TERMS.file_format,
        time_type=TERMS.time_type,
        fetched_at=NOW,
        completeness=completeness,
    )
    with Catalogue.open(directory) as catalogue:
        catalogue.record([SavedRow(wanted.name, file, TERMS, path.stat().st_mtime_ns, attempts=1)])
    return path


def problems(directory: Path) -> dict[str, str | None]:
    """Verify a directory and give what is wrong by name."""
    checked = list(verify_directory(directory))
    assert all(file.words.startswith(f"{file.path.name} ") for file in checked)
    return {file.path.name: file.problem for file in checked}


def test_good_files_are_good(tmp_path: Path) -> None:
    """Files that are what the catalogue says have no problem, whatever their time; every byte is counted."""
    path = save(tmp_path, 1, completeness="content")
    os.utime(path, (0, 0))
    save(tmp_path, 2, b"a,b\n1,2", completeness="length")
    sizes: list[int] = []
    checked = list(verify_directory(tmp_path, progress=sizes.append))
    assert checked[0] == CheckedFile(path=path, problem=None, words=f"{path.name} is what was saved")
    assert checked[1].problem is None
    assert "does not prove it whole (length)" in checked[1].words
    assert all(file.good for file in checked)
    assert sum(sizes) == 15


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    """Gone, another size, other bytes of the same size, a link, a directory, and content that is not whole."""
    paths = [save(tmp_path, number) for number in range(6)]
    damaged = save(tmp_path, 6, b"a,b\n1,2", completeness="content")
    paths[0].unlink()
    paths[1].write_bytes(WHOLE + b"3,4\n")
    paths[2].write_bytes(WHOLE.replace(b"1", b"7"))
    paths[3].rename(tmp_path / "elsewhere")
    paths[3].symlink_to(tmp_path / "elsewhere")
    paths[4].unlink()
    paths[4].mkdir()
    checked = {file.path: file for file in verify_directory(str(tmp_path))}
    assert [checked[path].problem for path in paths] == ["missing", *["changed"] * 4, None]
    assert checked[damaged].problem == "damaged"
    assert [file.good for file in checked.values()] == [False] * 5 + [True, False]
    assert "has 12 bytes and not 8" in checked[paths[1]].words
    assert "has other content" in checked[paths[2]].words
    assert all("run the range again" in file.words for file in checked.values() if not file.good)


def test_files_that_no_row_knows_are_named(tmp_path: Path) -> None:
    """A data file without a row, or whose row knows failures only, is not recorded; other files are nobody's matter."""
    save(tmp_path, 1)
    (tmp_path / entry(Meter("2")).name).write_bytes(WHOLE)
    (tmp_path / entry(Group("A B")).name).write_bytes(WHOLE)
    (tmp_path / "notes.csv").write_bytes(WHOLE)
    with Catalogue.open(tmp_path) as catalogue:
        failure = FailedDownload(
            selection=Meter("2"),
            start=SPAN.start,
            end=SPAN.end,
            file_format=TERMS.file_format,
            time_type=TERMS.time_type,
            error=OmarError("busy"),
            attempts=3,
        )
        catalogue.record_failures([FailedRow(entry(Meter("2")).name, failure, TERMS, NOW)])
    assert problems(tmp_path) == {
        entry(Meter("1")).name: None,
        entry(Meter("2")).name: "not_recorded",
        entry(Group("A B")).name: "not_recorded",
    }


def test_part_files_are_no_fault(tmp_path: Path) -> None:
    """What a killed process left is told and does not count as wrong."""
    path = save(tmp_path, 1)
    for in_range in (False, True):
        Path(beside(str(path), in_range=in_range)).touch()
    checked = list(verify_directory(tmp_path))
    assert [(file.problem, file.good) for file in checked] == [(None, True), ("leftover", True), ("leftover", True)]


def test_verifying_changes_nothing(tmp_path: Path) -> None:
    """No byte and no time of a file is changed, and no file is left."""
    save(tmp_path, 1)

    def state() -> dict[Path, tuple[int, bytes]]:
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*.*") if path.is_file()}

    before = state()
    assert set(problems(tmp_path).values()) == {None}
    assert state() == before
    assert len(before) == 2


def test_there_must_be_a_catalogue(tmp_path: Path) -> None:
    """A directory without one is an error that names the way to make one, and stays as it is."""
    with pytest.raises(DestinationError, match=r"has no catalogue: .* --rebuild'"):
        next(verify_directory(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_nobody_may_be_at_work(tmp_path: Path) -> None:
    """Neither verifies nor rebuilds a directory that a range is writing to; nothing is put aside."""
    save(tmp_path, 1)
    with Catalogue.open(tmp_path) as catalogue:
        with pytest.raises(DestinationError, match="in use by this process itself"):
            next(verify_directory(tmp_path))
        with pytest.raises(DestinationError, match="in use by this process itself"):
            rebuild_catalogue(tmp_path, ENVIRONMENT)
        assert len(list(catalogue.all_files())) == 1


def test_a_verification_that_is_left_lets_go(tmp_path: Path) -> None:
    """Who closes it before its end gives the directory back."""
    save(tmp_path, 1)
    checked = verify_directory(tmp_path)
    assert next(checked).good
    with pytest.raises(DestinationError):
        Catalogue.open(tmp_path)
    checked.close()
    Catalogue.open(tmp_path).close()


def shards(directory: Path, *names: str) -> list[Path]:
    """Make destinations below a directory, each with a file."""
    places = [directory / name for name in names]
    for number, place in enumerate(places):
        place.mkdir()
        save(place, number)
    return places


def test_what_a_cluster_downloaded_is_verified_as_one(tmp_path: Path) -> None:
    """Every directory by its own catalogue, one that lost it too; the words tell which directory."""
    first, second, lost = shards(tmp_path, "0a", "3f", "ff")
    gone, good = save(first, 7), save(second, 8)
    gone.unlink()
    (lost / ".aiomar" / "catalogue.sqlite3").unlink()
    (tmp_path / "report").mkdir()
    save(tmp_path / "report", 9)
    sizes: list[int] = []
    checked = list(verify_directory(tmp_path, progress=sizes.append))
    assert [(file.path.parent, file.problem) for file in checked] == [
        (first, None),
        (first, "missing"),
        (second, None),
        (second, None),
        (lost, "not_recorded"),
    ]
    assert checked[1].words == f"0a/{gone.name} is gone: run the range again to fetch it"
    assert checked[3] == CheckedFile(path=good, problem=None, words=f"3f/{good.name} is what was saved")
    assert sum(sizes) == 3 * len(WHOLE)


def test_a_destination_has_nothing_below_it(tmp_path: Path) -> None:
    """One with a catalogue of its own is read alone, whatever directories are in it."""
    own = save(tmp_path, 5)
    shards(tmp_path, "0a")
    assert [file.path for file in verify_directory(tmp_path)] == [own]


def test_the_directories_of_a_cluster_are_held_one_at_a_time(tmp_path: Path) -> None:
    """One that is being written to is refused, by its name; the others may be used meanwhile."""
    first, second = shards(tmp_path, "0a", "3f")
    checked = verify_directory(tmp_path)
    assert next(checked).good
    with Catalogue.open(second):
        with pytest.raises(DestinationError, match="0a is in use"):
            Catalogue.open(first)
        with pytest.raises(DestinationError, match="3f is in use"):
            list(checked)
    Catalogue.open(first).close()


def test_catalogues_of_a_cluster_are_made_anew_one_by_one(tmp_path: Path) -> None:
    """Their parent has none, and gets none; the error names one that has."""
    (first,) = shards(tmp_path, "0a")
    with pytest.raises(DestinationError, match=f"'aiomar verify {first} --rebuild'"):
        rebuild_catalogue(tmp_path, ENVIRONMENT)
    assert list(tmp_path.iterdir()) == [first]
    assert rebuild_catalogue(first, ENVIRONMENT).files == 1


@pytest.mark.parametrize("harm", [b"garbage" * 2000, b"", None], ids=["garbage", "empty", "good"])
def test_a_catalogue_is_made_anew(tmp_path: Path, harm: bytes | None) -> None:
    """Rebuilt from names and bytes, it knows every file of a range; the old one is kept under another name."""
    path = save(tmp_path, 1, completeness="content")
    cut = save(tmp_path, 2, b"a,b\n1,2")
    (tmp_path / "notes.csv").write_bytes(WHOLE)
    (tmp_path / entry(Meter("3")).name).symlink_to(path)
    (tmp_path / entry(Meter("4")).name).mkdir()
    database = tmp_path / ".aiomar" / "catalogue.sqlite3"
    if harm is not None:
        database.write_bytes(harm)
    old = database.read_bytes()
    rebuilt = rebuild_catalogue(tmp_path, ENVIRONMENT)
    assert (rebuilt.files, rebuilt.unverified) == (2, 1)
    assert rebuilt.aside is not None
    assert rebuilt.aside.name.startswith("catalogue.sqlite3.damaged-2")
    assert rebuilt.aside.read_bytes() == old
    entries = [entry(Meter("1")), entry(Meter("2"))]
    with Catalogue.open(tmp_path) as catalogue:
        whole, not_whole = catalogue.known(entries, TERMS, max_age=None, allow_unverified=True, now=NOW)
        strict = catalogue.known(entries, TERMS, max_age=None, allow_unverified=False, now=NOW)
        other = attrs.evolve(TERMS, origin="https://test.example:444")
        assert catalogue.known(entries, other, max_age=None, allow_unverified=True, now=NOW) == [None, None]
    assert whole
    assert not_whole
    assert (whole.path, whole.sha256, whole.completeness) == (path, hashlib.sha256(WHOLE).hexdigest(), "content")
    assert abs(whole.fetched_at.timestamp() - path.stat().st_mtime) < 0.001
    assert (not_whole.path, not_whole.completeness) == (cut, "unverified")
    assert [file is not None for file in strict] == [True, False]


def test_a_newer_catalogue_is_put_aside_with_its_log(tmp_path: Path) -> None:
    """The side files of a database go with it, so the new one never finds an old log."""
    save(tmp_path, 1)
    folder = tmp_path / ".aiomar"
    for side in ("-wal", "-shm"):
        (folder / f"catalogue.sqlite3{side}").write_bytes(b"old log")
    rebuilt = rebuild_catalogue(tmp_path, ENVIRONMENT)
    assert rebuilt.aside is not None
    aside = rebuilt.aside.name
    assert {path.name for path in folder.iterdir()} == {
        "lock", "catalogue.sqlite3", aside, f"{aside}-wal", f"{aside}-shm"
    }  # fmt: skip
    assert set(problems(tmp_path).values()) == {None}


def test_a_catalogue_can_be_made_where_there_was_none(tmp_path: Path) -> None:
    """Files that came from elsewhere, under a range's names, become known."""
    (tmp_path / entry(Group("A/B é")).name).write_bytes(WHOLE)
    rebuilt = rebuild_catalogue(str(tmp_path), ENVIRONMENT)
    assert (rebuilt.files, rebuilt.unverified, rebuilt.aside) == (1, 0, None)
    assert problems(tmp_path) == {entry(Group("A/B é")).name: None}


@pytest.mark.parametrize(
    "name",
    [
        "meter-1_20260101_20260131_pst.txt",
        "meter-1_20260131_20260101_pst.csv",
        "meter-1_20260001_20260131_pst.csv",
        "meter-_20260101_20260131_pst.csv",
        "meter-%20_20260101_20260131_pst.csv",
        "meter-%FF_20260101_20260131_pst.csv",
        "meter-%41_20260101_20260131_pst.csv",
        "meter-a b_20260101_20260131_pst.csv",
        "meter-%2f_20260101_20260131_pst.csv",
        "Meter-1_20260101_20260131_pst.csv",
        "meter-1_20260101_20260131_pst.csv\n",
        "meter-1_20260101_20260131_PST.csv",
        ".meter-1_20260101_20260131_pst.csv.0123456789ab.part",
    ],
)
def test_names_that_no_range_gives_are_nobody_s(name: str) -> None:
    """Only a name that its own request would give again is taken for a data file."""
    assert read_name(name, TERMS.origin) is None
