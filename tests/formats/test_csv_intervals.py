"""Rows become intervals by a layout: the instants that they mean on a clock, or a refusal that names the line."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomar import FormatError, TimeType, UsageError
from aiomar.formats import CsvInterval, CsvLayout, read_csv_intervals, read_mdef, zone
from aiomar.testing import CSV_LAYOUT, _data

SPRING, AUTUMN, PLAIN = dt.date(2026, 3, 8), dt.date(2026, 11, 1), dt.date(2026, 1, 15)
QUARTER = dt.timedelta(minutes=15)
HEAD = b"M,C,D,I,V,S\n"
LAYOUT = CsvLayout(meter="M", channel="C", date="D", interval="I", value="V", status="S", minutes=15)
Style = Literal["start", "end", "led to"]
"""How a file names an interval: by what the clock shows at its start or its end, or by its start and its length."""


def _read(content: bytes, layout: CsvLayout = LAYOUT, clock: TimeType = TimeType.DST) -> list[CsvInterval]:
    return list(read_csv_intervals(content, layout, clock=clock, name="x.csv"))


def _refusal(content: bytes, layout: CsvLayout = LAYOUT, clock: TimeType = TimeType.DST) -> FormatError:
    with pytest.raises(FormatError) as caught:
        _read(content, layout, clock)
    return caught.value


# --- The embedded server's CSV ----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([SPRING, AUTUMN, PLAIN]), st.integers(0, 3), st.integers(0, 3), st.sampled_from(TimeType))
def test_csv_holds_the_intervals_of_mdef(day: dt.date, before: int, after: int, clock: TimeType) -> None:
    """The same question in both formats: instants, values and statuses, interval by interval, over both changes."""
    span = day - dt.timedelta(days=before), day + dt.timedelta(days=after)
    found: dict[tuple[str, int], list[CsvInterval]] = {}
    for row in _read(_data.csv(["1001", "1002"], *span, clock), CSV_LAYOUT, clock):
        found.setdefault((row.recorder_id, row.channel), []).append(row)
    meters = list(read_mdef(_data.mdef(["1001", "1002"], *span, clock), clock=clock))
    assert list(found) == [(meter.recorder_id, channel.number) for meter in meters for channel in meter.channels]
    for meter in meters:
        for channel in meter.channels:
            rows, begins = found[meter.recorder_id, channel.number], channel.begins(clock)
            assert [row.start for row in rows] == [begins + index * QUARTER for index in range(channel.count)]
            assert {row.end - row.start for row in rows} == {QUARTER}
            assert [row.value for row in rows] == list(channel.values())
            statuses = channel.interval_statuses()
            assert [row.interval_status for row in rows] == list(statuses or [0] * channel.count)
            assert {row.channel_status for row in rows} == {None}
    assert {row.unit_code for rows in found.values() for row in rows} == {"KWH", "KVARH"}


def test_lines_are_counted() -> None:
    """From 1, the header and empty lines among them."""
    rows = _read(HEAD + b"a,1,2026-01-15,1,1,\n\n\na,1,2026-01-15,2,1,\n")
    assert [row.line for row in rows] == [2, 5]


# --- Times of day -----------------------------------------------------------------------------------------------------


def _label(start: dt.datetime, minutes: int, clock: TimeType, style: Style) -> dt.datetime:
    """Name an interval, as the writer of a file may."""
    length = dt.timedelta(minutes=minutes)
    if style == "end":
        return (start + length).astimezone(zone(clock)).replace(tzinfo=None)
    return start.astimezone(zone(clock)).replace(tzinfo=None) + (length if style == "led to" else dt.timedelta())


def _starts(first: dt.date, last: dt.date, minutes: int, clock: TimeType) -> list[dt.datetime]:
    midnights = [
        dt.datetime(day.year, day.month, day.day, tzinfo=zone(clock)).astimezone(dt.UTC)
        for day in (first, last + dt.timedelta(days=1))
    ]
    count = (midnights[1] - midnights[0]) // dt.timedelta(minutes=minutes)
    return [midnights[0] + index * dt.timedelta(minutes=minutes) for index in range(count)]


def _timed(minutes: int, style: Style, encoding: str = "utf-8") -> CsvLayout:
    return CsvLayout(
        meter=1, date=2, time=3, value=4, minutes=minutes, header=False,
        time_is="start" if style == "start" else "end", encoding=encoding,
    )  # fmt: skip


def _rows(labels: Iterable[dt.datetime], meter: str = "a", *, twenty_four: bool = False) -> list[str]:
    found = []
    for number, label in enumerate(labels):
        date, time = f"{label:%Y-%m-%d}", f"{label:%H:%M}"
        if twenty_four and time == "00:00":
            date, time = f"{label - dt.timedelta(days=1):%Y-%m-%d}", "24:00"
        found.append(f"{meter},{date},{time},{number}\n")
    return found


@pytest.mark.parametrize("clock", TimeType)
@pytest.mark.parametrize("minutes", [5, 15, 30, 60])
@pytest.mark.parametrize("style", ["start", "end", "led to"])
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
@pytest.mark.parametrize("twenty_four", [False, True])
def test_times_over_a_change(day: dt.date, style: Style, minutes: int, clock: TimeType, *, twenty_four: bool) -> None:
    """Days of 23, 24 and 25 hours, by time of day, whichever of its names midnight and the change itself have."""
    starts = _starts(day - dt.timedelta(days=1), day + dt.timedelta(days=1), minutes, clock)
    labels = [_label(start, minutes, clock, style) for start in starts]
    rows = _read("".join(_rows(labels, twenty_four=twenty_four)).encode(), _timed(minutes, style), clock)
    assert [row.start for row in rows] == starts
    assert [row.end - row.start for row in rows] == [dt.timedelta(minutes=minutes)] * len(starts)
    assert [row.value for row in rows] == list(range(len(starts)))
    assert {row.channel for row in rows} == {1}


@pytest.mark.parametrize("style", ["start", "end", "led to"])
def test_meters_side_by_side(style: Style) -> None:
    """Written interval by interval, each meter and channel has an order of its own; nothing is lost or doubled."""
    starts = _starts(AUTUMN, AUTUMN, 15, TimeType.DST)
    labels = [_label(start, 15, TimeType.DST, style) for start in starts]
    columns = [_rows(labels, meter) for meter in ("a", "b", "c")]
    content = "".join(line for lines in zip(*columns, strict=True) for line in lines)
    rows = _read(content.encode(), _timed(15, style))
    assert sorted(row.line for row in rows) == list(range(1, 301))
    for meter in "abc":
        assert [row.start for row in rows if row.recorder_id == meter] == starts


@settings(deadline=None)
@given(st.sampled_from([15, 30, 60]), st.sampled_from(["start", "end", "led to"]), st.data())
def test_a_file_in_order_is_read_right_or_refused(minutes: int, style: Style, data: st.DataObject) -> None:
    """With any intervals missing, what is told is the truth; and what is refused might have been two things."""
    starts = _starts(AUTUMN, AUTUMN, minutes, TimeType.DST)[: 5 * 60 // minutes]
    kept = data.draw(st.lists(st.sampled_from(starts), unique=True).map(sorted))
    labels = [_label(start, minutes, TimeType.DST, style) for start in kept]
    if not kept:
        return
    try:
        rows = _read("".join(_rows(labels)).encode(), _timed(minutes, style))
    except FormatError as error:
        assert "showed twice" in str(error)  # noqa: PT017 - both ways out are good
        return
    assert [row.start for row in rows] == kept


@settings(deadline=None)
@given(st.sampled_from([15, 30, 60]), st.sampled_from(["start", "end", "led to"]), st.data())
def test_a_file_from_its_newest_row_is_never_read_wrong(minutes: int, style: Style, data: st.DataObject) -> None:
    """Its order would swap the two passes, so it is refused as soon as one of its rows needs it."""
    starts = _starts(AUTUMN, AUTUMN, minutes, TimeType.DST)[: 5 * 60 // minutes]
    kept = data.draw(st.lists(st.sampled_from(starts), unique=True, min_size=1).map(sorted))[::-1]
    labels = [_label(start, minutes, TimeType.DST, style) for start in kept]
    try:
        rows = _read("".join(_rows(labels)).encode(), _timed(minutes, style))
    except FormatError as error:
        assert "showed twice" in str(error)  # noqa: PT017 - both ways out are good
        return
    assert [row.start for row in rows] == kept


def _once(style: Style) -> list[dt.datetime]:
    """Name the hours of the day as somebody does who knows of no daylight saving."""
    begin = dt.datetime(AUTUMN.year, AUTUMN.month, AUTUMN.day)  # noqa: DTZ001 - a wall has no zone
    return [begin + (hour + (style != "start")) * dt.timedelta(hours=1) for hour in range(24)]


def test_one_pass_alone_cannot_be_told() -> None:
    """A day of 24 hours on the clock that has 25: nothing says which pass is missing."""
    cases: list[tuple[Style, int]] = [("start", 2), ("end", 1)]
    for style, line in cases:
        error = _refusal("".join(_rows(_once(style))).encode(), _timed(60, style))
        assert "order of the rows around it does not say which is meant" in str(error)
        assert error.where == f"x.csv, line {line}"


def test_both_passes_side_by_side_cannot_be_told() -> None:
    """Sorted by what the clock shows, nothing says which of two equal times is the first."""
    labels = sorted(_label(start, 15, TimeType.DST, "start") for start in _starts(AUTUMN, AUTUMN, 15, TimeType.DST))
    error = _refusal("".join(_rows(labels)).encode(), _timed(15, "start"))
    assert error.where == "x.csv, line 5"


def test_the_repeated_hour_alone_cannot_be_told() -> None:
    """Two rows may be in either order when no row beside them shows in which order the file is."""
    assert _refusal(b"a,2026-11-01,01:00,1\na,2026-11-01,01:00,2\n", _timed(60, "start")).where == "x.csv, line 1"


def test_a_time_that_comes_too_often() -> None:
    """A row too many in the hour that is shown twice is refused, and so is one that never ends."""
    rows = ["a,2026-11-01,00:00,1\n", *["a,2026-11-01,01:00,1\n"] * 3, "a,2026-11-01,02:00,1\n"]
    assert _refusal("".join(rows).encode(), _timed(60, "start")).where == "x.csv, line 2"
    many = ["a,2026-11-01,00:45,1\n", *["a,2026-11-01,01:30,1\n"] * 1_000]
    assert _refusal("".join(many).encode(), _timed(15, "start")).where == "x.csv, line 2"


def test_a_file_of_the_other_clock_is_found() -> None:
    """Hours of standard time, read on the clock that skips one: two of its rows would be one interval."""
    begin = dt.datetime(SPRING.year, SPRING.month, SPRING.day)  # noqa: DTZ001 - a wall has no zone
    labels = [begin + hour * dt.timedelta(hours=1) for hour in range(1, 25)]
    error = _refusal("".join(_rows(labels)).encode(), _timed(60, "end"))
    assert "two times of day mean the same interval" in str(error)
    assert error.where == "x.csv, line 4"
    assert len(_read("".join(_rows(labels)).encode(), _timed(60, "end"), TimeType.PST)) == 24


def test_what_the_clock_skips() -> None:
    """A quarter hour of spring's gap is refused on the clock that has the gap, and is one on the other."""
    for time, layout in (("02:30", _timed(15, "start")), ("02:30", _timed(15, "end")), ("02:00", _timed(60, "start"))):
        content = f"a,2026-03-08,00:00,1\na,2026-03-08,{time},1\n".encode()
        assert "skipped" in str(_refusal(content, layout))
        assert _refusal(content, layout).where == "x.csv, line 2"
        assert len(_read(content, layout, TimeType.PST)) == 2


@pytest.mark.parametrize(
    ("changes", "date", "time", "start"),
    [
        ({}, "2026-01-15", "00:15", "00:00"),
        ({}, "2026-01-15", "0:15", "00:00"),
        ({}, " 2026-1-15 ", " 00:15 ", "00:00"),
        ({}, "2026-01-14", "24:00", "-1 23:45"),
        ({}, "2026-01-15", "00:00", "-1 23:45"),
        ({}, "2026-01-15", "24:00", "23:45"),
        ({"time_format": "%H%M"}, "2026-01-15", "2400", "23:45"),
        ({"time_format": "%H:%M:%S"}, "2026-01-15", "24:00:00", "23:45"),
        ({"time_format": "%I:%M %p"}, "2026-01-15", "12:15 AM", "00:00"),
        ({"time_format": "%I:%M %p"}, "2026-01-15", "1:15 pm", "13:00"),
        ({"time_is": "start"}, "2026-01-15", "00:15", "00:15"),
        ({"time_is": "start"}, "2026-01-14", "24:00", "00:00"),
        ({"date_format": "%m/%d/%Y"}, "1/15/2026", "00:15", "00:00"),
        ({"date_format": "%Y%m%d"}, "20260115", "00:15", "00:00"),
        ({"date_format": "%d-%b-%y"}, "15-JAN-26", "00:15", "00:00"),
        ({"date_format": "%Y.%j"}, "2026.015", "00:15", "00:00"),
    ],
)
def test_how_dates_and_times_are_written(changes: dict[str, Any], date: str, time: str, start: str) -> None:
    """By the formats of the layout, with 24:00 for midnight at the end of a day where the format counts to it."""
    (row,) = _read(f"a,{date},{time},1\n".encode(), CsvLayout(**_LEAST | changes), TimeType.PST)
    day = PLAIN - dt.timedelta(days=start.startswith("-1 "))
    assert row.start.astimezone(zone(TimeType.PST)).strftime("%Y-%m-%d %H:%M") == f"{day} {start.removeprefix('-1 ')}"


_LEAST: dict[str, Any] = {"meter": 1, "date": 2, "time": 3, "value": 4, "minutes": 15, "header": False}


@pytest.mark.parametrize(
    ("changes", "date", "time", "words"),
    [
        ({}, "15.01.2026", "00:15", "date is not written as %Y-%m-%d"),
        ({}, "2026-02-29", "00:15", "date is not written"),
        ({}, "", "00:15", "date is not written"),
        ({}, "2026-01-15 00:15", "00:15", "date is not written"),
        ({"date_format": "%Y%m%d"}, "2026111", "00:15", "date is not written"),
        ({}, "9999-12-31", "00:15", "none that a meter can have"),
        ({}, "1883-11-18", "00:15", "none that a meter can have"),
        ({}, "2026-01-15", "", "time is not written as %H:%M"),
        ({}, "2026-01-15", "25:00", "time is not written"),
        ({}, "2026-01-15", "24:15", "time is not written"),
        ({}, "2026-01-15", "00:10", "not where an interval of 15 minutes"),
        ({"time_format": "%H:%M:%S"}, "2026-01-15", "00:15:01", "not where an interval"),
        ({"time_format": "%H%M"}, "2026-01-15", "115", "time is not written"),
        ({"time_format": "%I:%M %p"}, "2026-01-15", "24:00 AM", "time is not written"),
        ({}, " " * 99 + "2026-01-15", "00:15", "date is not written"),
        ({}, "2026-01-15", " " * 99 + "24:00", "time is not written"),
    ],
)
def test_dates_and_times_that_are_none(changes: dict[str, Any], date: str, time: str, words: str) -> None:
    """Nothing is guessed: where no blank stands between digits, leading zeros count."""
    content = f"a,2026-01-15,00:15,1\na,{date},{time},1\n".encode()
    changes = {"date_format": "%Y-%m-%d"} | changes
    first = dt.date(2026, 1, 15).strftime(changes["date_format"])
    layout = CsvLayout(**_LEAST | changes)
    time_format = changes.get("time_format", "%H:%M")
    content = content.replace(b"2026-01-15,00:15", f"{first},{dt.time(0, 15).strftime(time_format)}".encode(), 1)
    error = _refusal(content, layout)
    assert words in str(error)
    assert error.where == "x.csv, line 2"


# --- Rows and columns -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b",1,2026-01-15,1,1,0", "meter is empty"),
        (b"a" * 101 + b",1,2026-01-15,1,1,0", "meter is longer"),
        (b"a,,2026-01-15,1,1,0", "channel is empty"),
        (b"a,x,2026-01-15,1,1,0", "channel is no whole number from 0 to 65535"),
        (b"a,65536,2026-01-15,1,1,0", "channel is no whole number"),
        (b"a,-1,2026-01-15,1,1,0", "channel is no whole number"),
        (b"a,1_0,2026-01-15,1,1,0", "channel is no whole number"),
        ("a,\uff11,2026-01-15,1,1,0".encode(), "channel is no whole number"),
        (b"a,1,2026-01-15,0,1,0", "interval is no number from 1 on"),
        (b"a,1,2026-01-15,,1,0", "interval is no number"),
        (b"a,1,2026-01-15,1.0,1,0", "interval is no number"),
        (b"a,1,2026-01-15,97,1,0", "interval is none of this day, which has 96"),
        (b"a,1,2026-03-08,97,1,0", "interval is none of this day, which has 92"),
        (b"a,1,2026-11-01,101,1,0", "interval is none of this day, which has 100"),
        (b"a,1,2026-01-15,1,nan,0", "value is no decimal number"),
        (b"a,1,2026-01-15,1,-inf,0", "value is no decimal number"),
        (b"a,1,2026-01-15,1,1e999,0", "value is no decimal number"),
        (b'a,1,2026-01-15,1,"1,234.5",0', "value is no decimal number"),
        (b"a,1,2026-01-15,1,1_234.5,0", "value is no decimal number"),
        (b"a,1,2026-01-15,1,0x1p3,0", "value is no decimal number"),
        ("a,1,2026-01-15,1,\uff11,0".encode(), "value is no decimal number"),
        (b"a,1,2026-01-15,1,1,65536", "status is no whole number"),
        (b"a,1,2026-01-15,1,1,0.0", "status is no whole number"),
        (b"a,1,2026-01-15,1,1,0,", "a row has 7 cells, and the first one has 6"),
        (b"a,1,2026-01-15,1,1", "a row has 5 cells, and the first one has 6"),
    ],
)
def test_a_row_that_does_not_fit(row: bytes, words: str) -> None:
    """It is refused with its line, whatever comes behind it, and nothing of it is shown."""
    good = b"a,1,2026-01-15,1,5432.1,0\n"
    error = _refusal(HEAD + good + b"\n" + row + b"\n" + good)
    assert words in str(error)
    assert str(error).endswith(" (line 4 of x.csv): mend the layout, or ask who made the file")
    assert error.where == "x.csv, line 4"
    assert not any(shown in str(error) for shown in ("234.5", "999", "5432"))


@pytest.mark.parametrize(
    ("date", "interval", "clock"),
    [
        ("2026-03-08", 93, TimeType.DST),
        ("2026-03-08", 96, TimeType.DST),
        ("2026-11-01", 97, TimeType.PST),
        ("2026-11-01", 100, TimeType.PST),
    ],
)
def test_an_interval_of_the_other_clocks_day(date: str, interval: int, clock: TimeType) -> None:
    """One that the day has by the other clock only: that may be what is wrong."""
    with pytest.raises(FormatError, match=r"none of this day.*: mend the layout, or read it by the other clock"):
        list(read_csv_intervals(HEAD + f"a,1,{date},{interval},1,0".encode(), LAYOUT, clock=clock))
    with pytest.raises(FormatError, match="ask who made the file"):
        list(read_csv_intervals(HEAD + f"a,1,{date},101,1,0".encode(), LAYOUT, clock=clock))


@pytest.mark.parametrize(
    ("row", "interval"),
    [
        (b"a,1,2026-01-15,1,-0.125,0", ("a", 1, -0.125, 0)),
        (b" a ,01,2026-01-15, 01 , .5 , 7 ", ("a", 1, 0.5, 7)),
        (b"a,0,2026-01-15,1,1.5E-3,65535", ("a", 0, 0.0015, 65535)),
        (b"a,65535,2026-01-15,1,,", ("a", 65535, None, None)),
        (b"a,1,2026-01-15,1, , ", ("a", 1, None, None)),
        (b'"a,b",1,"2026-01-15","1","+1",0', ("a,b", 1, 1.0, 0)),
    ],
)
def test_a_row_that_fits(row: bytes, interval: tuple[object, ...]) -> None:
    """Blanks around a cell do not count, quotes are CSV's, and an empty cell is no value and no status."""
    (found,) = _read(HEAD + row)
    assert (found.recorder_id, found.channel, found.value, found.interval_status) == interval
    assert (found.start, found.end) == (dt.datetime(2026, 1, 15, 8, tzinfo=dt.UTC), found.start + QUARTER)
    assert (found.unit_code, found.channel_status, found.line) == (None, None, 2)


def test_columns_by_name_in_any_order() -> None:
    """Names are matched without blanks around them and letter by letter; columns without a meaning are left alone."""
    layout = CsvLayout(
        meter="Zähler", date="D", interval="N o", value="V", unit="U", channel_status=1, minutes=60, encoding="cp1252"
    )
    rows = _read("x, V ,V2,N o,D,Zähler,U\r\n9,1.5,x,24,2026-01-15, Süd ,kWh\r\n".encode("cp1252"), layout)
    start = dt.datetime(2026, 1, 16, 7, tzinfo=dt.UTC)
    assert rows == [("Süd", 1, "kWh", start, start + 4 * QUARTER, 1.5, 9, None, 2)]
    assert "no text in utf-8" in str(_refusal("M,C,D,I,V,S\nSüd,1,2026-01-15,1,1,0".encode("cp1252")))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"M,C,D,I,X,S", r"no columns are named 'V', the value, among 'M', 'C', 'D', 'I', 'X', 'S'"),
        (b"M,C,D,I,v,S", "no columns are named 'V'"),
        (b"M,C,D,I,V,V ,S", "2 columns are named 'V'"),
        (b"a,1,2026-01-15,1,1,0", "no columns are named 'M', the meter"),
        (b"\x1b" + b"x," * 500, r"no columns are named 'M'.*'\\x1bx'.*…"),
    ],
)
def test_a_header_that_does_not_fit(head: bytes, words: str) -> None:
    """The column is named, and what there is instead; nothing is matched by half."""
    with pytest.raises(FormatError, match=words) as caught:
        _read(head + b"\n")
    assert caught.value.where == "x.csv, line 1"
    assert len(str(caught.value)) < 500


def test_positions_with_and_without_a_header() -> None:
    """The first row is data or left out, as the layout says; a position that is not there is named."""
    bare = CsvLayout(meter=1, date=3, interval=4, value=5, minutes=15, header=False)
    content = b"a,x,2026-01-15,1,1\na,x,2026-01-15,2,2\n"
    assert [row.line for row in _read(content, bare)] == [1, 2]
    assert [row.line for row in _read(content, CsvLayout(meter=1, date=3, interval=4, value=5, minutes=15))] == [2]
    error = _refusal(content, CsvLayout(meter=1, date=3, interval=4, value=6, minutes=15, header=False))
    assert str(error).startswith("the layout has the value in column 6, and there are 5 (line 1 of x.csv)")
    assert _read(b'""\n"",\n'.replace(b'"",', b'""'), bare) == []


def test_what_is_no_csv(tmp_path: Path) -> None:
    """As for rows: a `FormatError`; a clock that is none is a `UsageError` before anything is opened."""
    for content, words in ((b"", "empty"), (b"<html>,", "page"), (HEAD + b"1,\0", "no text")):
        assert words in str(_refusal(content))
    with pytest.raises(FormatError, match="cannot be opened"):
        next(read_csv_intervals(tmp_path / "missing.csv", LAYOUT, clock=TimeType.PST))
    with pytest.raises(UsageError, match=r"TimeType\.PST or TimeType\.DST"):
        next(read_csv_intervals(tmp_path / "missing.csv", LAYOUT, clock="PST"))  # type: ignore[arg-type] # on purpose


def test_a_file_is_closed_when_its_reader_stops(tmp_path: Path) -> None:
    """Stopping after one row leaves nothing open, and an open file is left where its owner put it."""
    path = tmp_path / "x.csv"
    path.write_bytes(HEAD + b"a,1,2026-01-15,1,1,0\n" * 2)
    rows = read_csv_intervals(path, LAYOUT, clock=TimeType.PST)
    assert next(rows).line == 2
    rows.close()  # type: ignore[attr-defined] # an iterator that is a generator
    file = io.BytesIO(path.read_bytes())
    assert len(list(read_csv_intervals(file, LAYOUT, clock=TimeType.PST))) == 2
    assert not file.closed


# --- Anything at all --------------------------------------------------------------------------------------------------

_CELLS = (
    st.sampled_from(["a", "b", "1", "2", "0", "", " ", "x", "nan", "-1.5", "1e400", "96", "100", '"', "\u0661"])
    | st.sampled_from(["2026-11-01", "2026-03-08", "9999-12-31", "0001-01-01"])
    | st.sampled_from(["00:00", "01:00", "01:30", "02:00", "03:00", "24:00", "2400"])
)
_TEXTS = st.lists(st.lists(_CELLS, min_size=4, max_size=5).map(",".join), max_size=12).map("\n".join).map(str.encode)
_LAYOUTS: list[Callable[[], CsvLayout]] = [
    lambda: CsvLayout(meter=1, date=2, interval=3, value=4, minutes=15, header=False),
    lambda: _timed(60, "end"),
    lambda: _timed(30, "start"),
    lambda: _timed(60, "start", encoding="cp1252"),
    lambda: LAYOUT,
]


@settings(deadline=None)
@given(
    st.binary(max_size=200) | _TEXTS | st.binary(max_size=200).map(HEAD.__add__),
    st.sampled_from(_LAYOUTS),
    st.sampled_from(TimeType),
)
def test_anything_is_intervals_or_a_format_error(
    content: bytes, layout: Callable[[], CsvLayout], clock: TimeType
) -> None:
    """Nothing else is raised, the line is within the file, and no row is given twice."""
    try:
        rows = _read(content, layout(), clock)
    except FormatError as error:
        line = int(error.where.rpartition(" ")[2])
        assert 1 <= line <= max(1, len(content.splitlines()))
        return
    assert len({row.line for row in rows}) == len(rows)
    assert all(row.start < row.end for row in rows)
