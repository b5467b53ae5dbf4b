"""The command `report`: is every interval there, and what is to be told of those that are not."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar import Group
from aiomar.testing import Status
from tests.cli.conftest import Place, Result
from tests.cli.test_processes import on_terminal, started
from tests.report.places import DST, MARCH, DataPlace, channel, days_later, meter, midnight

Run = Callable[..., Result]

RANGE = ("--from", "2026-03-06", "--to", "2026-03-09", "--format", "mdef", "--time", "dst", "--into", "data")
SPRING = dt.date(2026, 3, 8)
_LITTLE_ROOM = """import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, 32_768))  # what SQLite needs, and less than a page
from aiomar.cli import main
sys.exit(main())"""


def path_of(name: str, days: str = "20260306_20260309") -> Path:
    """Where the file of a meter or group is."""
    return Path("data", f"{name}_{days}_dst.dat")


@pytest.fixture
def data(aiomar: Run, place: Place) -> Place:
    """A directory with the files of two meters over the beginning of daylight saving."""
    assert aiomar("download", *place.options, "--meter", "1001", "--meter", "1002", *RANGE, "--quiet").code == 0
    return place


@pytest.fixture
def made(tmp_path: Path) -> DataPlace:
    """An empty directory `made`, for data of the DST clock."""
    (tmp_path / "made").mkdir()
    return DataPlace(tmp_path / "made", DST)


def state_of(place: Place) -> str:
    """Give the option of the place's state directory."""
    return next(option for option in place.options if option.startswith("--state-dir"))


@pytest.mark.usefixtures("data")
def test_every_interval_is_there(aiomar: Run) -> None:
    """Exit code 0; the first line is the verdict, and names the days that have another number of hours."""
    result = aiomar("report", "data", "--state-dir", "nowhere")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == (
        "every interval is there: 2 meters, 6 channels, 2026-03-06 to 2026-03-09 (DST; 23 hours on 2026-03-08)"
    )
    assert lines[1].split() == ["meter", "ch", "expected", "found", "missing"]
    assert lines[3].split() == ["1001", "1", "380", "380", "0"]
    assert len(lines) == 9
    assert not Path("nowhere").exists()


def test_what_is_missing_is_told(aiomar: Run, data: Place) -> None:
    """Exit code 8: a file that is gone, one that is cut, and a download that failed, each with its gap and reason."""
    data.server.script(*[Status(503)] * 3)
    more = ("--from", "2026-03-10", "--to", "2026-03-10", *RANGE[4:])
    assert aiomar("download", *data.options, "--meter", "1001", *more, "--quiet").code != 0
    path_of("meter-1002").unlink()
    os.truncate(path_of("meter-1001"), 5_000)
    result = aiomar("report", "data")
    assert result.code == 8
    lines = result.out.splitlines()
    assert lines[0].startswith(
        "at least 856 of 856 intervals are missing; nothing of 2 of 2 meters could be read; "
        "1 of 2 files cannot be read; 1 of 2 files is gone: 2 meters, 0 channels, "
    )
    assert lines[3].split() == ["1001", "-", "476", "0", "476"]
    gaps = lines[lines.index("missing, from the first to the end of the last interval, by the DST clock:") + 1 :]
    assert gaps[:3] == [
        "  1001  2026-03-06 00:00 UTC-08:00 to 2026-03-10 00:00 UTC-07:00  380, file cannot be read",
        "  1001  2026-03-10 00:00 UTC-07:00 to 2026-03-11 00:00  96, download failed",
        "  1002  2026-03-06 00:00 UTC-08:00 to 2026-03-10 00:00 UTC-07:00  380, file is gone",
    ]
    problems = sorted(gaps[3:])  # they come in the order of the downloads
    assert problems[0] == f"{path_of('meter-1002')} is gone: run the range again to fetch it"
    assert problems[1].startswith("not fetched: meter 1001, 2026-03-10 to 2026-03-10: ")
    assert problems[2].startswith("unreadable: the file is cut: ")


def test_channels_with_the_same_gap_share_a_line(aiomar: Run, made: DataPlace) -> None:
    """Of a meter whose channels miss the same time there is one line."""
    second = midnight(SPRING, DST) + dt.timedelta(hours=1)
    channels = (channel(second, count=88, number=number, clock=DST) for number in (1, 2))
    made.put("7", meter("R", *channels), first=SPRING)
    lines = aiomar("report", "made").out.splitlines()
    assert lines[-1] == "  R ch 1, 2  2026-03-08 00:00 UTC-08:00 to 2026-03-08 01:00  4 each"


def test_marks_and_copies(aiomar: Run, made: DataPlace) -> None:
    """Conflicts are exit code 8; the columns that have something in them are there, and a sentence sums them up."""
    made.put("7", meter("R", channel(clock=DST, channel_statuses=[8] * 3 + [0] * 93)), days=1)
    made.put("7", meter("R", channel(days=2, clock=DST, interval_statuses=[64] + [0] * 191)), days=2)
    result = aiomar("report", "made")
    assert result.code == 8
    lines = result.out.splitlines()
    assert lines[0].startswith("3 intervals differ between their copies: 1 meter, 1 channel, ")
    assert lines[1] == (
        "of the 192 intervals found: 1 marked as missing by the file itself, or without a value, "
        "3 marked as estimated, 93 there more than once, with the same value"
    )
    assert lines[2].split()[-4:] == ["twice", "differing", "estimated", "flagged"]
    assert lines[4].split() == ["R", "1", "192", "192", "0", "96", "3", "3", "1"]


def test_days_that_nobody_asked_for(aiomar: Run, made: DataPlace) -> None:
    """They are told, and are no fault."""
    made.put("7", meter("R", channel(days=2, clock=DST)), days=1)
    result = aiomar("report", "made")
    assert result.code == 0
    assert "on 1 day a channel has more than was asked for" in result.out.splitlines()


def test_many_meters_are_cut(aiomar: Run, made: DataPlace) -> None:
    """Those with nothing to say are left out of the table; what is too long ends with how many more there are."""
    good = channel(days=2, clock=DST)
    made.put(Group("g"), *(meter(f"G{number:03}", good) for number in range(40)), days=2)
    bad = channel(clock=DST)
    made.put(Group("h"), *(meter(f"H{number:03}", bad) for number in range(25)), days=2)
    out = aiomar("report", "made").out
    assert "G001" not in out
    assert out.count("H0") == 40
    assert "and 5 more channels (--json gives all)\n" in out
    assert "and 5 more gaps (--json gives all)\n" in out
    everything = aiomar("report", "made", "--verbose").out
    assert "G001" in everything
    assert everything.count("H0") == 50


def test_report_as_json(aiomar: Run, made: DataPlace) -> None:
    """An object for each series, gap and problem, then the summary."""
    made.put("7", meter("R", channel(days=3, clock=DST)), days=4)
    made.fail("8", "busy: try again")
    result = aiomar("report", "made", "--json", "--quiet", "--state-dir", "nowhere")
    assert (result.code, result.err) == (8, "")
    assert [record["event"] for record in result.records] == ["series", "gap", "series", "gap", "problem", "summary"]
    series, gap = result.records[2:4]
    assert series.items() >= {"recorder_id": "R", "channel": 1, "expected": 384, "missing": 96, "per_hour": 4}.items()
    none = dict.fromkeys(("duplicates", "conflicts", "estimated", "flagged"), 0)
    assert series["days"] == [
        {"state": "full", "first": "2026-03-01", "last": "2026-03-03", "expected": 96, "found": 96, "missing": 0}
        | none,
        {"state": "missing", "first": "2026-03-04", "last": "2026-03-04", "expected": 96, "found": 0, "missing": 96}
        | none,
    ]
    assert gap == {
        "event": "gap",
        "recorder_id": "R",
        "channel": 1,
        "start": "2026-03-04T08:00:00+00:00",
        "end": "2026-03-05T08:00:00+00:00",
        "intervals": 96,
        "reason": None,
    }
    problem = result.records[4]
    assert (
        problem.items() >= {"path": None, "selection": {"kind": "meter", "id": "8"}, "words": "busy: try again"}.items()
    )
    wanted = {
        "complete": False,
        "clock": "DST",
        "meters": 2,
        "unread_meters": 1,
        "channels": 1,
        "expected": 480,
        "missing": 192,
        "gaps": 2,
    }
    assert result.summary.items() >= wanted.items()


def test_submissions_are_counted(aiomar: Run, data: Place) -> None:
    """Those of the state directory: how many in which state, and the last file ids."""
    Path("sent.csv").write_bytes(b"a,b\n")
    receipt = aiomar("upload", "sent.csv", *data.options, "--json").summary
    assert receipt["exit_code"] == 0
    result = aiomar("report", "data", state_of(data))
    last = result.out.splitlines()[-1]
    assert last.startswith("1 submission: 1 accepted; last file ids ")
    records = aiomar("report", "data", state_of(data), "--json").records
    (submission,) = [record for record in records if record["event"] == "submission"]
    assert last.endswith(str(submission["file_id"]))
    elsewhere = aiomar("report", "data", state_of(data), "--environment", "production", "--json")
    assert elsewhere.summary["submissions"] == 0


def test_a_ledger_that_is_broken(aiomar: Run, data: Place) -> None:
    """A note says that submissions are left out, and the data are looked at all the same."""
    Path("sent.csv").write_bytes(b"a,b\n")
    assert aiomar("upload", "sent.csv", *data.options).code == 0
    (ledger,) = Path(state_of(data).partition("=")[2]).rglob("*.sqlite3")
    ledger.write_bytes(b"nonsense" * 1_000)
    result = aiomar("report", "data", state_of(data))
    assert result.out.startswith("every interval is there: ")
    assert result.code == 0
    assert result.err.startswith("submissions are left out of the report: ")


@pytest.mark.usefixtures("data")
def test_a_page(aiomar: Run) -> None:
    """It is written with the load of a meter, and the last line says where."""
    result = aiomar("report", "data", "--html", "report.html", "--meter", "1001", "--json")
    assert result.code == 0
    assert result.summary["html"] == "report.html"
    assert result.err == "written: report.html\n"
    assert "1001" in Path("report.html").read_text("utf-8")


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX ones here")
@pytest.mark.parametrize(("target", "code"), [("/proc/self/report.html", 2), ("report.html", 1)])
@pytest.mark.usefixtures("data")
def test_a_page_that_cannot_be_written(target: str, code: int) -> None:
    """The verdict is told before; exit code 2 where another target would help, 1 where the disk refuses."""
    program = (sys.executable, "-c", _LITTLE_ROOM)
    with started("report", "data", "--html", target, "--meter", "1001", program=program) as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out.startswith("every interval is there: ")
    assert err.startswith(f"aiomar: error: {target} ")
    assert not Path(target).exists()


def test_a_meter_without_values_has_a_page_all_the_same(aiomar: Run, made: DataPlace) -> None:
    """The page says why there is no plot, and the exit code is that of the coverage."""
    made.put("7", meter("R", channel(clock=DST, interval_statuses=[64] * 96)))
    assert aiomar("report", "made", "--html", "a.html", "--meter", "R").code == 0
    assert "There is nothing to draw: of 96 intervals" in Path("a.html").read_text("utf-8")
    made.fail("8", "busy: try again")
    result = aiomar("report", "made", "--html", "a.html", "--meter", "8")
    assert result.code == 8
    assert result.out.startswith("at least 96 of 192 intervals are missing; nothing of 1 of 2 meters could be read: ")
    assert "There is nothing to draw: no file has" in Path("a.html").read_text("utf-8")


def test_bad_news_comes_first(aiomar: Run, made: DataPlace) -> None:
    """The verdict begins with what is wrong, and one of it is not many; a group is no meter."""
    made.put("7", meter("R", channel(days=2, clock=DST)), days=2)
    made.put("7", meter("R", channel(count=1, first=midnight(MARCH, DST), values=[7], clock=DST)), days=1)
    assert aiomar("report", "made").out.startswith("1 interval differs between its copies: 1 meter, 1 channel, ")
    made.put("7", text=b"<html>", first=MARCH)
    made.put("7", text=b"<html>", first=days_later(MARCH, 1))
    assert aiomar("report", "made").out.startswith("2 of 3 files cannot be read: 1 meter, 1 channel, ")
    made.fail(Group("g"), "busy: try again")
    verdict = (
        "at least 96 of 288 intervals are missing; nothing of 1 group could be read; 2 of 3 files cannot be read: "
    )
    assert aiomar("report", "made").out.startswith(f"{verdict}1 meter, 1 channel, 1 group, ")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("nowhere",), "name a directory of data files"),
        (("data", "--time", "pst"), "leave the clock"),
        (("data", "--format", "csv"), "leave the format"),
        (("data", "--meter", "1001"), "--html"),
        (("data", "--html", "nowhere/report.html"), "make it first"),
        (("data", "--html", f"{path_of('meter-1001')}"), "name it like report.html"),
        (("data", "--html", "data/.aiomar/catalogue.sqlite3"), "name it like report.html"),
        (("data", "--html", "data"), "is no file"),
        (("data", "--html", "report.html", "--meter", "nobody"), "name one of those that there are"),
        (("data", "--layout", "nowhere.toml"), "nowhere.toml"),
    ],
)
@pytest.mark.usefixtures("data")
def test_options_that_cannot_be(aiomar: Run, words: tuple[str, ...], hint: str) -> None:
    """Exit code 2, one line that says what to do, and no page."""
    result = aiomar("report", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("aiomar: error: ")
    assert hint in result.err
    assert not Path("report.html").exists()


def test_files_without_a_catalogue(aiomar: Run, made: DataPlace) -> None:
    """The clock has to be given, and what is expected is told; what is left out, too."""
    path = made.put("7", meter("R", channel(clock=DST)))
    Path("copy").mkdir()
    path.rename(Path("copy", path.name))
    Path("copy", "a.csv").touch()
    assert aiomar("report", "copy").code == 2
    result = aiomar("report", "copy", "--time", "dst")
    assert result.code == 0
    assert result.err.splitlines() == [
        "left out: 1 CSV file (--format csv)",
        "no catalogue tells what was asked for: every day between the first and the last is expected",
    ]
    summary = aiomar("report", "copy", "--time", "dst", "--json").summary
    assert (summary["left_out"], summary["left_out_words"]) == (1, "1 CSV file (--format csv)")


def test_strange_ids_are_escaped(aiomar: Run, made: DataPlace) -> None:
    """What comes from a file cannot move the cursor."""
    made.put("7", meter("R\x1b[2J"))
    made.fail("8\u202e", "busy: try again")
    result = aiomar("report", "made")
    assert "\x1b" not in result.out
    assert "\u202e" not in result.out


@pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX ones here")
def test_report_on_a_terminal(made: DataPlace) -> None:
    """Tables and gaps fit 80 columns."""
    key = "A KEY OF 20 LETTERS."
    words = [64] * 48 + [0] * 48
    made.put("7", meter(key, channel(clock=DST, channel_statuses=[8] * 96)))
    made.put("7", meter(key, channel(clock=DST, interval_statuses=words)), days=3)
    code, seen = on_terminal("report", "made")
    assert code == 8
    start = seen.index("expected")
    assert max(map(len, seen[start:].replace("\r", "").splitlines()[1:])) <= 80


@pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX ones here")
def test_an_interrupted_report(made: DataPlace) -> None:
    """Exit code 130 at the next piece, and no page."""
    path = made.put("7", meter("R", channel(days=365, clock=DST)), days=365)
    Path("many").mkdir()
    for number in range(4_000):  # of one content, which takes no room
        os.link(path, f"many/{number}.dat")
    with started("report", "many", "--time", "dst", "--json", "--html", "report.html", "--verbose") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "aiomar: interrupted: no page was written"
    assert json.loads(out.splitlines()[-1])["interrupted"]
    assert not Path("report.html").exists()
