"""Where intervals are read from: files, directories, names; and what is wrong with a source."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiomar import FormatError, UsageError
from aiomar.formats import intervals
from aiomar.protocol import TimeType
from tests.support.mdef import Channel, day, meter, saved, whole


def test_a_directory_is_its_data_files_by_name(tmp_path: Path) -> None:
    """Endings in any case, by name and not below; the column says the name in the directory."""
    for name in ("c.DAT", "a.dat", ".hidden.dat", "readme.txt", "b.dat.part"):
        saved(tmp_path / name, meter(b"M-" + name[:1].encode(), Channel(slots=day())))
    (tmp_path / "below").mkdir()
    saved(tmp_path / "below" / "d.dat", meter(b"M4", Channel(slots=day())))
    table = intervals(tmp_path, clock=TimeType.PST)
    assert table["file"].to_pylist() == ["a.dat"] * 96 + ["c.DAT"] * 96
    assert table["recorder_id"].to_pylist() == ["M-a"] * 96 + ["M-c"] * 96


def test_files_of_one_directory_are_called_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, text or path, one file twice as well, and whatever the name ends in or the path looks like."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.dat", "b.mde"):
        saved(Path(name), meter(b"M1", Channel(slots=day())))
    given: list[str | Path] = [Path("b.mde"), "a.dat", str(tmp_path / "a.dat"), "b.mde"]
    table = intervals(iter(given), clock=TimeType.PST)
    assert table["file"].to_pylist()[::96] == ["b.mde", "a.dat", "a.dat", "b.mde"]
    (tmp_path / "below").mkdir()
    for source in ("b.mde", tmp_path / "b.mde", "below/../b.mde"):
        assert intervals(source, clock=TimeType.PST)["file"].unique().to_pylist() == ["b.mde"]


def test_files_of_several_directories_are_called_by_what_tells_them_apart(tmp_path: Path) -> None:
    """Their paths from the directory that they have in common, with slashes."""
    names = ["2026/01/a.dat", "2026/02/a.dat", "2026/b.dat"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        saved(tmp_path / name, meter(b"M1", Channel(slots=day())))
    given = [tmp_path / name for name in names]
    assert intervals(given, clock=TimeType.PST)["file"].to_pylist()[::96] == ["01/a.dat", "02/a.dat", "b.dat"]
    assert intervals(given[:1], clock=TimeType.PST)["file"].unique().to_pylist() == ["a.dat"]
    assert intervals([given[0], "/dev/../" + str(given[1])], clock=TimeType.PST)["file"].to_pylist()[::96] == [
        "01/a.dat",
        "02/a.dat",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are any bytes there")
def test_a_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    """The column holds text that every library takes."""
    saved(tmp_path / os.fsdecode(b"m\xff.dat"), meter(b"M1", Channel(slots=day())))
    assert intervals(tmp_path, clock=TimeType.PST)["file"][0].as_py() == r"m\xff.dat"


BAD = {
    "cut": whole(meter(b"M1", Channel(slots=day())))[:-100],
    "page": b"<!DOCTYPE html><title>Log in</title>",
    "nothing": b"",
    "noise": bytes(range(256)) * 27,
}


@pytest.mark.parametrize("name", BAD)
def test_broken_content_is_a_format_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    """As a file, and as one of a directory."""
    (tmp_path / "bad.dat").write_bytes(BAD[name])
    for source in (tmp_path / "bad.dat", tmp_path):
        with pytest.raises(FormatError, match=r"bad\.dat") as caught:
            intervals(source, clock=TimeType.PST)
        assert str(tmp_path / "bad.dat") in caught.value.where


def test_two_gigabytes_of_nothing(tmp_path: Path) -> None:
    """A sparse file is refused at its first record."""
    with (tmp_path / "sparse.dat").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(FormatError, match=r"sparse\.dat"):
        intervals(tmp_path, clock=TimeType.PST)


def places(directory: Path) -> dict[str, Path]:
    """Make paths at which there are no data."""
    (directory / "loop.dat").symlink_to("loop.dat")
    (directory / "empty").mkdir()
    (directory / "data" / "x.dat").mkdir(parents=True)
    (directory / "file.dat").touch()
    return {name: directory / name for name in ("loop.dat", "empty", "data", "missing", "file.dat/x.dat", "nul\0.dat")}


@pytest.mark.parametrize("name", ["loop.dat", "empty", "data", "missing", "file.dat/x.dat", "nul\0.dat"])
def test_where_there_are_no_data(tmp_path: Path, name: str) -> None:
    """A link to itself, a directory without data or with a directory of that name, and a path that is none."""
    with pytest.raises(FormatError) as caught:
        intervals(places(tmp_path)[name], clock=TimeType.PST)
    assert str(tmp_path) in caught.value.where


@pytest.mark.parametrize("source", [b"x.dat", 7, None, [], [7], [b"x"]])
def test_what_is_no_path_is_a_usage_error(source: object) -> None:
    """Before anything is read."""
    with pytest.raises(UsageError):
        intervals(source, clock=TimeType.PST)  # type: ignore[arg-type] # as a caller without types would


def test_the_clock_is_never_guessed(tmp_path: Path) -> None:
    """What is no clock is refused, also text that looks like one."""
    for clock in ("PST", None):
        with pytest.raises(UsageError, match=r"clock"):
            intervals(tmp_path, clock=clock)  # type: ignore[arg-type] # as a caller without types would


def test_without_the_extra(tmp_path: Path) -> None:
    """Everything else can be imported, and the three say what to install, whichever library is missing."""
    program = """
import sys
LIBRARIES = ("numpy", "pyarrow", "pyarrow.parquet")
sys.modules |= dict.fromkeys(LIBRARIES)
import aiomar
from aiomar import formats
list(formats.read_mdef("a.dat"))
def writing(source, clock):
    formats.write_parquet(source, "x", clock=clock)
for library in LIBRARIES:
    for name in LIBRARIES:
        if name in sys.modules and sys.modules[name] is None:
            del sys.modules[name]
    sys.modules[library] = None
    for call in (formats.intervals, formats.interval_batches, writing)[2 * library.endswith("parquet"):]:
        try:
            call("a.dat", clock=aiomar.TimeType.PST)
        except aiomar.ConfigError as error:
            assert "aiomar[arrow]" in str(error), error
        else:
            raise SystemExit(f"no error without {library}")
"""
    saved(tmp_path / "a.dat", meter(b"M1", Channel(slots=day())))
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
