"""The command `inspect`: what is in a data file, and what is wrong with it, without a value of it."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.cli.test_processes import lines_until, on_terminal, started
from tests.support.mdef import Channel, day, meter, slot, trailer, whole

Run = Callable[..., Result]

SPRING = b"20260308"
"""The day on which daylight saving begins."""
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
posix = pytest.mark.skipif(os.name != "posix", reason="pipes, signals and terminals are POSIX ones here")


def a_file(name: str, content: bytes) -> str:
    """Write a file, and give its name."""
    Path(name).write_bytes(content)
    return name


def a_day(count: int = 96, day_of: bytes = b"20260131") -> bytes:
    """Make a file with one meter, one channel and one day."""
    return whole(meter(b"1001", Channel(start=day_of + b"0001", stop=day_of + b"2400", slots=day(count))))


def of_file(result: Result, index: int = 0) -> dict[str, object]:
    """Give the object of one file; its parts are objects too."""
    return result.records[index]


# --- MDEF -------------------------------------------------------------------------------------------------------------


def test_what_is_in_mdef(aiomar: Run) -> None:
    """Heading, counts, clock, flags and a row for each channel."""
    channels = (
        Channel(slots=day(first=48_271.5)),
        Channel(number=2, unit=b"03", flags=b"NY", slots=day(first=48_271.5)),
        Channel(number=3, unit=b"77", flags=b"NN", per_hour=b"12", slots=day(288)),
    )
    result = aiomar("inspect", a_file("a.dat", whole([*meter(b"1001", *channels), *meter(b"1002", channels[0])])))
    assert (result.code, result.err) == (0, "1 of 1 file good\n")
    heading, counts, made, clock, flagged, span, *table = result.out.splitlines()
    assert heading == f"a.dat: MDEF, {Path('a.dat').stat().st_size / 1000:.1f} kB"
    assert counts == "  2 meters, 4 channels, 576 intervals in 24 records"
    assert made == "  made: 202602010600"
    assert clock == "  clock: PST or DST, nothing in the file tells them apart"
    assert flagged == "  flagged: none"
    assert span == "  span: 202601310001 to 202601312400"
    rows = [" ".join(line.split()) for line in table]
    assert rows[0] == "meter ch unit label min count status"
    assert rows[2:] == [
        "1001 1 01 kWh KWH D 15 96 YY",
        "2 03 kvarh KWH D 15 96 NY",
        "3 77 KWH D 5 288 NN",
        "1002 1 01 kWh KWH D 15 96 YY",
    ]


def test_channels_with_spans_of_their_own(aiomar: Run) -> None:
    """Then each has its stamps in the table."""
    other = Channel(number=2, start=b"202602010001", stop=b"202602012400", slots=day())
    result = aiomar("inspect", a_file("a.dat", whole(meter(b"1001", Channel(slots=day()), other))))
    assert "span:" not in result.out
    rows = [" ".join(line.split()) for line in result.out.splitlines()]
    assert "meter ch unit label start stop min count status" in rows
    assert "1001 1 01 kWh KWH D 202601310001 202601312400 15 96 YY" in rows
    assert "2 01 kWh KWH D 202602010001 202602012400 15 96 YY" in rows


def test_values_are_not_shown(aiomar: Run) -> None:
    """Neither to people nor as JSON."""
    name = a_file("a.dat", whole(meter(b"1001", Channel(slots=day(first=48_271.5)))))
    shown = [aiomar("inspect", name, *options).out for options in ((), ("--verbose",), ("--json",))]
    assert not [text for text in shown if "4827" in text]


def test_mdef_as_json(aiomar: Run) -> None:
    """Everything is in one object, and the summary counts."""
    result = aiomar("inspect", a_file("a.dat", a_day()), "--json")
    found = of_file(result)
    assert found.items() >= {"event": "inspected", "path": "a.dat", "kind": "mdef", "size": 1512, "good": True}.items()
    mdef = found["mdef"]
    assert isinstance(mdef, dict)
    assert [each["recorder_id"] for each in mdef["meters"]] == ["1001"]
    assert mdef["meters"][0]["channels"] == [
        {
            "number": 1,
            "unit_code": "01",
            "unit": "kWh",
            "label": "KWH D",
            "start_stamp": "202601310001",
            "stop_stamp": "202601312400",
            "minutes": 15,
            "intervals": 96,
            "channel_status": True,
            "interval_status": True,
            "estimated": 0,
            "missing": 0,
            "filled": 0,
        }
    ]
    counts = {"meter_count": 1, "channel_count": 1, "interval_count": 96, "records": 7}
    assert mdef.items() >= {**counts, "clocks": ["PST", "DST"], "created_stamp": "202602010600"}.items()
    assert result.summary.items() >= {"files": 1, "good": 1, "bad": 0, "unread": 0, "bytes": 1512}.items()


def test_flags_are_counted(aiomar: Run) -> None:
    """By their bits, also beside other bits; fill is neither estimated nor missing."""
    fill = slot(0, 0x7FFF, 0x7FFF)
    flagged = [slot(1, 8), slot(1, 9), slot(0, 0, 64), slot(0, 8, 65), slot(1, 16, 32)]
    slots = [*flagged, type(fill)(0x7FFF7FFF, 0x7FFF, 0x7FFF), *day(90)]
    channels = (Channel(slots=slots), Channel(number=2, flags=b"NN", slots=day()))
    name = a_file("a.dat", whole(meter(b"1001", *channels)))
    result = aiomar("inspect", name)
    assert "  flagged: 3 estimated, 2 missing, 1 nothing but fill\n" in result.out
    first, second = (line.split()[-3:] for line in result.out.splitlines() if "KWH D" in line)
    assert (first, second) == (["3", "2", "1"], ["-", "-", "0"])


@pytest.mark.parametrize(("count", "clock"), [(92, "DST"), (96, "PST")])
def test_one_clock_fits(aiomar: Run, count: int, clock: str) -> None:
    """On a day of change the number of intervals tells; the other clock is an error, which hides nothing."""
    name = a_file("a.dat", a_day(count, SPRING))
    result = aiomar("inspect", name)
    assert (result.code, f"clock: {clock}, the only one that fits" in result.out) == (0, True)
    assert aiomar("inspect", name, "--time", clock.lower()).code == 0
    other = aiomar("inspect", name, "--time", "pst" if clock == "DST" else "dst")
    assert other.code == 8
    assert "  error: record 2, byte 216: " in other.out
    assert "202603080001" in other.out


def test_a_long_table_is_cut(aiomar: Run) -> None:
    """20 rows and how many more there are; --verbose and JSON have all."""
    one = Channel(slots=day())
    name = a_file("a.dat", whole([record for key in range(250) for record in meter(b"%05d" % key, one)]))
    result = aiomar("inspect", name)
    assert result.code == 0
    assert "00019" in result.out
    assert "00020" not in result.out
    assert result.out.endswith("  and 230 more channels (--verbose shows them)\n")
    assert "00249" in aiomar("inspect", name, "--verbose").out
    mdef = of_file(aiomar("inspect", name, "--json"))["mdef"]
    assert isinstance(mdef, dict)
    assert len(mdef["meters"]) == mdef["meter_count"] == 250


def test_a_long_list_of_findings_is_cut(aiomar: Run) -> None:
    """Ten, and how many more there are."""
    records = meter(b"1001", *(Channel(number=number, flags=b"XX", slots=day()) for number in range(1, 15)))
    result = aiomar("inspect", a_file("a.dat", whole(records)))
    assert result.code == 8
    assert result.out.count("  error: record ") == 10
    assert "more findings (--verbose shows them)\n" in result.out
    assert aiomar("inspect", "a.dat", "--verbose").out.count("error: record ") >= 14


def test_what_others_wrote_is_escaped(aiomar: Run) -> None:
    """A label or a key cannot command the terminal."""
    content = a_day().replace(b"KWH D", b"\x1b[31m")
    result = aiomar("inspect", a_file("a.dat", content))
    assert result.code == 0
    assert "\x1b" not in result.out
    assert "\\x1b[31m" in result.out


# --- CSV --------------------------------------------------------------------------------------------------------------


def test_what_is_in_csv(aiomar: Run) -> None:
    """Rows, columns, line ends, encoding and the header."""
    result = aiomar("inspect", a_file("a.csv", b"METER,VALUE\r\n1,48271\r\n2,48271\r\n"))
    assert (result.code, result.err) == (0, "1 of 1 file good\n")
    assert result.out == "a.csv: CSV, 31 bytes\n  3 rows, 2 columns, CRLF line ends, UTF-8\n  header: METER, VALUE\n"


def test_a_first_row_with_numbers_is_not_shown(aiomar: Run) -> None:
    """It may hold values, and has no names."""
    result = aiomar("inspect", a_file("a.csv", b"1001,2026-01-31,48271.5\n1001,2026-01-31,.5\n"))
    assert result.code == 0
    assert "no header" in result.out
    assert "4827" not in result.out
    assert "4827" not in aiomar("inspect", "a.csv", "--json").out


def test_odd_csv(aiomar: Run) -> None:
    """Rows of another length, mixed line ends, no UTF-8: told, and no error."""
    rows = [b"\xef\xbb\xbfNAME,VALUE", b"\xe9,1,2", b"b,1", *[b"c"] * 12]
    result = aiomar("inspect", a_file("a.csv", b"\r".join(rows) + b"\nd,4\r\n"))
    assert result.code == 0
    assert "16 rows, 2 columns, CRLF and LF and CR line ends, not UTF-8, with a byte order mark" in result.out
    assert (
        "13 rows of another length than the first row, on line 2, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more" in result.out
    )
    csv = of_file(aiomar("inspect", "a.csv", "--json"))["csv"]
    assert isinstance(csv, dict)
    assert csv["line_ends"] == {"CRLF": 1, "LF": 1, "CR": 14}
    assert csv["ragged"] == 13


@pytest.mark.parametrize("at", [65_535, 65_536])
def test_line_ends_across_pieces(aiomar: Run, at: int) -> None:
    """A CR and its LF that come in two pieces are one end; a character in two pieces is one character."""
    content = b"a,b\r\n" + b"x" * (at - 7) + b",\xc3\xa9\r\n"
    csv = of_file(aiomar("inspect", a_file("a.csv", content), "--json"))["csv"]
    assert isinstance(csv, dict)
    assert (csv["line_ends"], csv["utf8"], csv["rows"]) == ({"CRLF": 2}, True, 2)


LAYOUT = """
meter = "METER"
channel = "CHANNEL"
date = "DATE"
interval = "INTERVAL"
value = "VALUE"
minutes = 15
"""


def test_csv_by_a_layout(aiomar: Run) -> None:
    """Meters, channels and spans, shown by the clock that was given."""
    Path("layout.toml").write_text(LAYOUT, encoding="utf-8")
    rows = [f"1001,{channel},2026-03-08,{number},48271" for channel in (1, 2) for number in range(1, 93)]
    name = a_file("a.csv", "\n".join(["METER,CHANNEL,DATE,INTERVAL,VALUE", *rows, "7,1,2026-03-08,1,", ""]).encode())
    result = aiomar("inspect", name, "--layout", "layout.toml", "--time", "dst")
    assert result.code == 0
    assert "  by the layout: 185 intervals of 15 minutes, shown by the DST clock\n" in result.out
    assert [line.split() for line in result.out.splitlines()[-3:]] == [
        ["1001", "1", "-", "2026-03-08", "00:00", "2026-03-09", "00:00", "92", "0"],
        ["1001", "2", "-", "2026-03-08", "00:00", "2026-03-09", "00:00", "92", "0"],
        ["7", "1", "-", "2026-03-08", "00:00", "2026-03-08", "00:15", "1", "1"],
    ]
    assert "4827" not in result.out
    broken = aiomar("inspect", a_file("b.csv", b"METER,VALUE\nx,1\n"), "--layout", "layout.toml", "--time", "dst")
    assert (broken.code, "  error: " in broken.out) == (8, True)


def test_a_layout_needs_a_clock(aiomar: Run) -> None:
    """Nothing is guessed: exit code 2, and the line names the option."""
    Path("layout.toml").write_text(LAYOUT, encoding="utf-8")
    result = aiomar("inspect", a_file("a.csv", b"a,b\n"), "--layout", "layout.toml")
    assert (result.code, result.out) == (2, "")
    assert "--time" in result.err
    assert aiomar("inspect", "a.csv", "--layout", "nowhere.toml", "--time", "pst").code == 2


def test_the_hour_that_comes_twice_is_named(aiomar: Run) -> None:
    """Spans that begin or end in it say which of the two is meant; others need no offset."""
    Path("layout.toml").write_text(LAYOUT, encoding="utf-8")
    rows = [f"1001,1,2026-11-01,{number},1" for number in range(5, 10)]
    name = a_file("a.csv", "\n".join(["METER,CHANNEL,DATE,INTERVAL,VALUE", *rows, ""]).encode())
    result = aiomar("inspect", name, "--layout", "layout.toml", "--time", "dst")
    assert "2026-11-01 01:00 UTC-07:00  2026-11-01 01:15 UTC-08:00" in " ".join(result.out.split()).replace(
        "00 2026", "00  2026"
    )


def test_a_clock_says_nothing_about_csv(aiomar: Run) -> None:
    """Without a layout a line says so."""
    result = aiomar("inspect", a_file("a.csv", b"a,b\n1,2\n"), "--time", "pst")
    assert result.code == 0
    assert result.err.startswith("--time tells nothing about CSV without --layout: ")
    assert "--layout" not in aiomar("inspect", a_file("a.dat", a_day()), "--time", "pst").err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.dat", b"a,b\n1,2\n", "it holds CSV, and .dat is taken to stand for MDEF"),
        ("a.CSV", a_day(), "it holds MDEF, which .dat is taken to stand for and not .csv"),
    ],
)
def test_a_name_that_stands_for_something_else(aiomar: Run, name: str, content: bytes, words: str) -> None:
    """It is read as what it is, with a warning."""
    result = aiomar("inspect", a_file(name, content))
    assert result.code == 0
    assert result.out.splitlines()[1] == f"  warning: {words}"
    assert of_file(aiomar("inspect", name, "--json"))["mixed_up"] == words


# --- what is no data file ---------------------------------------------------------------------------------------------


def truncated() -> None:
    """A file that lost its end."""
    a_file("bad.dat", a_day()[:-100])


def hole_behind_data() -> None:
    """A file of 2 GB that is good at its beginning and has a hole behind it."""
    a_file("bad.dat", a_day())
    os.truncate("bad.dat", 1 << 31)


def hole() -> None:
    """A file of 2 GB without a byte in it."""
    a_file("bad.dat", b"")
    os.truncate("bad.dat", 1 << 31)


def loop() -> None:
    """A link that leads to itself."""
    Path("bad.dat").symlink_to("bad.dat")


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        pytest.param(truncated, 8, "error: record 7, byte 1296: ", id="truncated"),
        pytest.param(lambda: a_file("bad.dat", b"<html><title>Busy</title>no"), 8, "it says: Busy", id="page"),
        pytest.param(lambda: a_file("bad.dat", b""), 8, "there is nothing in it", id="empty"),
        pytest.param(lambda: a_file("bad.dat", b"\x89PNG\r\n\x1a\n" * 99), 8, "record 1, byte 0: ", id="other"),
        pytest.param(lambda: a_file("bad.dat", trailer(1)), 8, "error: record 1, byte 0: ", id="nothing-but-trailer"),
        pytest.param(lambda: a_file("bad.dat", b'a,b\n"1,2\n'), 8, "error: a row is not CSV", id="quotes"),
        pytest.param(hole, 8, "record 1, byte 0: ", id="hole", marks=posix),
        pytest.param(hole_behind_data, 8, "error: record 8, byte 1512: ", id="hole-behind-data", marks=posix),
        pytest.param(lambda: None, 2, "ENOENT", id="missing"),
        pytest.param(lambda: Path("bad.dat").mkdir(), 2, "is not a file", id="directory"),
        pytest.param(loop, 2, "ELOOP", id="loop", marks=posix),
        pytest.param(lambda: os.mkfifo("bad.dat"), 2, "is not a file", id="pipe", marks=posix),
    ],
)
def test_what_is_no_data_file(aiomar: Run, make: Callable[[], object], code: int, words: str) -> None:
    """It gets its line and its code, nothing is unexpected, and the good file beside it is looked at all the same."""
    make()
    alone = aiomar("inspect", "bad.dat")
    assert alone.code == code
    assert words in alone.out + alone.err
    assert "Traceback" not in alone.out + alone.err
    assert "unexpected" not in alone.err
    both = aiomar("inspect", "bad.dat", a_file("good.dat", a_day()))
    assert both.code == code
    assert "good.dat: MDEF, 1.5 kB\n" in both.out
    assert both.err.splitlines()[-1] == f"1 of 2 files good, 1 {'not' if code == 8 else 'not opened'}"
    found = of_file(aiomar("inspect", "bad.dat", "--json"))
    assert found.items() >= {"event": "inspected", "path": "bad.dat", "good": False}.items()


def test_a_bad_file_counts_more_than_a_missing_one(aiomar: Run) -> None:
    """Exit code 8 whatever the order."""
    a_file("empty.dat", b"")
    assert aiomar("inspect", "empty.dat", "nowhere.dat").code == 8
    assert aiomar("inspect", "nowhere.dat", "empty.dat").code == 8


# --- terminals and interruption ---------------------------------------------------------------------------------------


@posix
def test_inspect_on_a_terminal() -> None:
    """Heading and table fit 80 columns, whatever is in them."""
    keys, names = (b"1001", b"12345678901234567890"), (b"202601310001", b"202601312400")
    flagged = [slot(1, 8, 64)] * 96
    later = Channel(number=65_535, start=b"202602010001", stop=b"202602012400", slots=flagged)
    records = [record for key in keys for record in meter(key, Channel(slots=flagged), later)]
    code, seen = on_terminal("inspect", a_file("a.dat", whole(records).replace(b"KWH D       ", b"KWH DELIVERE")))
    assert code == 0
    lines = [STYLE.sub("", line).split("\r")[-1] for line in seen.splitlines()]
    assert max(map(len, lines)) <= 80
    stamped = [line for line in lines if all(name.decode() in line for name in names)]
    assert len(stamped) == 2


@posix
def test_an_interrupted_inspect() -> None:
    """Exit code 130 at the next piece, with what was found so far."""
    a_file("a.dat", a_day())
    a_file("b.csv", b"a,b\n" * 15_000_000)  # some ten seconds of reading
    with started("inspect", "a.dat", "b.csv", "--json") as process:
        lines_until(process, '{"event": "inspected"')
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "aiomar: interrupted: run the same command again\n"
    summary = json.loads(out.splitlines()[-1])
    assert (summary["interrupted"], summary["good"], summary["files"]) == (True, 1, 2)
