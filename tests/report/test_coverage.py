"""Coverage: each state that a day can have, days of change, what was asked for, and what is known of gaps."""

from __future__ import annotations

import datetime as dt
import tempfile
from array import array
from collections import defaultdict
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomar import FileFormat, FormatError, Group, Meter, TimeType, UsageError
from aiomar.formats import CsvLayout, MdefChannel
from aiomar.report import Coverage, DayState, Series, find_data, read_coverage
from aiomar.report._days import Days
from aiomar.report._found import take_inventory
from aiomar.report._pieces import PieceReader
from aiomar.report._twice import compare_copies
from tests.report.places import DST, MARCH, PST, DataPlace, channel, days_later, meter, midnight

HOUR = dt.timedelta(hours=1)
SPRING, AUTUMN = dt.date(2026, 3, 8), dt.date(2026, 11, 1)
LAYOUT = CsvLayout(meter="METER", channel="CHANNEL", date="DATE", interval="INTERVAL", value="VALUE", minutes=60)
CSV_HEADER = "METER,CHANNEL,DATE,INTERVAL,VALUE\n"


def covered(directory: Path) -> Coverage:
    """Read what a catalogue knows."""
    return read_coverage(find_data(directory))


def one(coverage: Coverage) -> Series:
    """Give the only series."""
    (series,) = coverage.series
    return series


def states(series: Series) -> list[DayState]:
    """Give the states of all days, which both ways to ask agree on."""
    found = [day.state for day in series.days()]
    assert found == list(series.states())
    return found


# --- States of a day --------------------------------------------------------------------------------------------------


def statuses(count: int, **words: int) -> list[int]:
    """Give status words: 0, but for the places that are named like ``_7=8``."""
    return [words.get(f"_{place}", 0) for place in range(count)]


TABLE: dict[str, tuple[list[MdefChannel], DayState, tuple[int, ...]]] = {
    "full": ([channel()], DayState.FULL, (96, 96, 0, 0, 0, 0, 0)),
    "other words": (
        [channel(channel_statuses=statuses(96, _1=16), interval_statuses=statuses(96, _2=1))],
        DayState.FULL,
        (96, 96, 0, 0, 0, 0, 0),
    ),
    "estimated": ([channel(channel_statuses=statuses(96, _0=8, _95=9))], DayState.ESTIMATED, (96, 96, 0, 0, 0, 2, 0)),
    "flagged": ([channel(interval_statuses=statuses(96, _5=64, _6=65))], DayState.FLAGGED, (96, 96, 0, 0, 0, 0, 2)),
    "short": ([channel(midnight(MARCH) + HOUR, count=90)], DayState.SHORT, (96, 90, 6, 0, 0, 0, 0)),
    "duplicate": ([channel(), channel(midnight(MARCH), count=4)], DayState.DUPLICATE, (96, 96, 0, 4, 0, 0, 0)),
    "conflict": (
        [channel(), channel(midnight(MARCH) + HOUR, count=2, values=[4, 6])],
        DayState.CONFLICT,
        (96, 96, 0, 2, 1, 0, 0),
    ),
    "other status": (
        [channel(), channel(midnight(MARCH), count=2, channel_statuses=[0, 8])],
        DayState.CONFLICT,
        (96, 96, 0, 2, 1, 1, 0),
    ),
    "other length": ([channel(), channel(per_hour=1)], DayState.CONFLICT, (96, 96, 0, 96, 96, 0, 0)),
    "other length in part": (
        [channel(per_hour=1), channel(midnight(MARCH) + HOUR, count=4)],
        DayState.CONFLICT,
        (27, 27, 0, 4, 4, 0, 0),
    ),
    "three lengths": (
        [channel(per_hour=1), channel(), channel(midnight(MARCH), count=1, per_hour=12)],
        DayState.CONFLICT,
        (96, 96, 0, 96, 96, 0, 0),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_states(tmp_path: Path, name: str) -> None:
    """Every state with its numbers: expected, found, missing, duplicates, conflicts, estimated, flagged."""
    channels, state, numbers = TABLE[name]
    DataPlace(tmp_path).put("7", *(meter("R", one) for one in channels))
    coverage = covered(tmp_path)
    series = one(coverage)
    assert states(series) == [state]
    assert attrs.astuple(series.totals) == numbers
    assert coverage.totals == series.totals
    facts = (
        coverage.totals.expected,
        coverage.totals.found,
        coverage.totals.missing,
        coverage.totals.duplicates,
        coverage.totals.conflicts,
    )
    assert (*facts, coverage.totals.estimated, coverage.totals.flagged) == numbers
    assert coverage.complete is (state not in {DayState.SHORT, DayState.CONFLICT})


def test_a_day_that_is_missing_and_one_nobody_asked_for(tmp_path: Path) -> None:
    """Asked for three days, given the second and the fourth: the fourth is too much, between them one is not asked."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel(days_later(MARCH, 1)), channel(days_later(MARCH, 4))), days=3)
    series = one(covered(tmp_path))
    assert states(series) == [
        DayState.MISSING,
        DayState.FULL,
        DayState.MISSING,
        DayState.NOT_ASKED,
        DayState.LONG,
    ]
    assert (series.first_day, series.last_day, len(series)) == (MARCH, days_later(MARCH, 4), 5)
    assert [gap.intervals for gap in series.gaps] == [96, 96]


def test_fill_in_the_middle_is_flagged_and_not_estimated(tmp_path: Path) -> None:
    """A slot of fill has no value; the bits of its words mean nothing, whichever words the channel has."""
    fill = 0x7FFF
    nothing = array("f", bytes.fromhex("ff7fff7f"))[0]
    values = array("f", [1.0] * 96)
    values[40] = nothing
    words = statuses(96, _40=fill, _41=8)
    both = channel(values=values, channel_statuses=words, interval_statuses=statuses(96, _40=fill))
    none = channel(values=values, number=2)
    DataPlace(tmp_path).put("7", meter("R", both, none))
    first, second = covered(tmp_path).series
    assert (first.totals.estimated, first.totals.flagged) == (1, 1)
    assert (second.totals.estimated, second.totals.flagged) == (0, 1)


# --- Days of change ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_hour", [1, 2, 4, 12])
@pytest.mark.parametrize(
    ("clock", "day", "hours"), [(DST, SPRING, 23), (DST, AUTUMN, 25), (PST, SPRING, 24), (PST, AUTUMN, 24)]
)
def test_days_of_change(tmp_path: Path, clock: TimeType, day: dt.date, hours: int, per_hour: int) -> None:
    """A day has 23, 24 or 25 hours by its clock, at every length of interval, and the days beside it 24."""
    before = days_later(day, -1)
    DataPlace(tmp_path, clock).put(
        "7", meter("R", channel(before, 3, per_hour=per_hour, clock=clock)), first=before, days=3
    )
    coverage = covered(tmp_path)
    series = one(coverage)
    wanted = [24 * per_hour, hours * per_hour, 24 * per_hour]
    assert (list(series.expected), list(series.found), series.per_hour) == (wanted, wanted, per_hour)
    assert coverage.complete
    assert coverage.change_days == ((day,) if clock is DST else ())
    assert [coverage.day_minutes(days_later(day, offset)) for offset in (-1, 0, 1)] == [1_440, hours * 60, 1_440]


@pytest.mark.parametrize(("day", "intervals"), [(SPRING, 92), (AUTUMN, 100)])
def test_a_missing_day_of_change(tmp_path: Path, day: dt.date, intervals: int) -> None:
    """Its gap is as long as the day, from midnight to midnight of the clock."""
    place = DataPlace(tmp_path, DST)
    before = days_later(day, -1)
    place.put("7", meter("R", channel(before, clock=DST)), first=before, days=2)
    (gap,) = one(covered(tmp_path)).gaps
    assert (gap.start, gap.end, gap.intervals) == (midnight(day, DST), midnight(days_later(day, 1), DST), intervals)
    assert gap.start.tzinfo is dt.UTC
    assert gap.reason is None


# --- What was asked for -----------------------------------------------------------------------------------------------


def test_a_failed_download_is_a_gap_and_a_problem(tmp_path: Path) -> None:
    """Both say why; the channels are those that other files of the meter have."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel(), channel(number=2)))
    place.fail("7", "busy: try again", first=days_later(MARCH, 1), days=2)
    coverage = covered(tmp_path)
    assert [(series.recorder_id, series.channel, series.label) for series in coverage.series] == [
        ("R", 1, "CH 1"),
        ("R", 2, "CH 2"),
    ]
    for series in coverage.series:
        (gap,) = series.gaps
        assert (gap.intervals, gap.reason) == (192, "download failed: busy: try again")
    (problem,) = coverage.problems
    assert (problem.path, problem.selection, problem.words) == (None, Meter("7"), "busy: try again")
    assert (problem.start, problem.end) == (days_later(MARCH, 1), days_later(MARCH, 2))
    assert not coverage.complete


def test_a_failed_download_whose_data_came_otherwise(tmp_path: Path) -> None:
    """Nothing is missing then; the failure is told all the same."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel(days=2)), days=2)
    place.fail("7", "busy: try again")
    coverage = covered(tmp_path)
    assert coverage.complete
    assert len(coverage.problems) == 1


def test_what_never_came_has_a_reason(tmp_path: Path) -> None:
    """A request without a file and without an error is a failed download too."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R"))
    place.fail("7", "", first=days_later(MARCH, 1))
    coverage = covered(tmp_path)
    assert one(coverage).gaps[0].reason == "download failed"
    assert coverage.problems[0].words == "it was not fetched: run the range again"


def test_gaps_end_where_their_reason_ends(tmp_path: Path) -> None:
    """Missing time goes on from one request into the next, and is two gaps."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel(midnight(MARCH), count=92)))
    for day in (1, 2):
        place.fail("7", "busy: try again", first=days_later(MARCH, day))
    place.put("7", meter("R", channel(days_later(MARCH, 4))), first=days_later(MARCH, 3), days=2)
    gaps = one(covered(tmp_path)).gaps
    assert [(gap.intervals, gap.reason) for gap in gaps] == [
        (4, None),
        (192, "download failed: busy: try again"),
        (96, None),
    ]
    assert gaps[0].end == gaps[1].start == midnight(days_later(MARCH, 1))


def test_a_meter_of_which_nothing_could_be_read(tmp_path: Path) -> None:
    """It has one series without a channel, at the rate that most others have; its id is the one that was asked for."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel(per_hour=12)))
    place.fail("8", "busy: try again")
    place.put("9", text=b"<html>oops</html>")
    coverage = covered(tmp_path)
    unknown = [series for series in coverage.series if series.channel is None]
    assert [(series.recorder_id, series.per_hour, list(series.missing)) for series in unknown] == [
        ("8", 12, [288]),
        ("9", 12, [288]),
    ]
    assert [series.gaps[0].reason for series in unknown] == ["download failed: busy: try again", "file cannot be read"]
    assert [states(series) for series in unknown] == [[DayState.MISSING]] * 2


def test_nothing_at_all_could_be_read(tmp_path: Path) -> None:
    """Quarter hours are assumed then."""
    DataPlace(tmp_path).fail(Group("g"), "busy: try again", days=2)
    series = one(covered(tmp_path))
    assert (series.recorder_id, series.channel, list(series.expected)) == ("g", None, [96, 96])


def test_a_group_of_which_nothing_could_be_read_is_no_meter(tmp_path: Path) -> None:
    """It is counted by itself, also beside a meter of the same id; so are meters without a channel."""
    place = DataPlace(tmp_path)
    place.fail(Group("7"), "busy: try again")
    place.fail("7", "busy: try again")
    place.put("8", meter("R"))
    coverage = covered(tmp_path)
    assert (coverage.meter_count, coverage.unread_meters, coverage.unread_groups) == (2, 1, 1)
    assert [series.group for series in coverage.series] == [False, True, False]


def test_a_group_expects_the_meters_that_it_ever_had(tmp_path: Path) -> None:
    """Every meter in any file of the group, on every day of the group."""
    place = DataPlace(tmp_path)
    place.put(Group("g"), meter("A"), meter("B"))
    second = channel(days_later(MARCH, 1))
    place.put(Group("g"), meter("B", second), meter("C", second), first=days_later(MARCH, 1))
    place.put("7", meter("D"))
    coverage = covered(tmp_path)
    assert {series.recorder_id: states(series) for series in coverage.series} == {
        "A": [DayState.FULL, DayState.MISSING],
        "B": [DayState.FULL, DayState.FULL],
        "C": [DayState.MISSING, DayState.FULL],
        "D": [DayState.FULL],
    }


def test_a_meter_may_come_by_a_group(tmp_path: Path) -> None:
    """A failed meter is taken for the recorder of the same id that a group's file has."""
    place = DataPlace(tmp_path)
    place.put(Group("g"), meter("7"))
    place.fail("7", "busy: try again", days=2)
    series = one(covered(tmp_path))
    assert (series.channel, states(series)) == (1, [DayState.FULL, DayState.MISSING])


def test_without_a_catalogue_all_days_are_expected(tmp_path: Path) -> None:
    """From the first to the last that any file has, for every channel seen."""
    place = DataPlace(tmp_path)
    paths = [
        place.put("1", meter("A", channel(), channel(number=2))),
        place.put("2", meter("B", channel(days_later(MARCH, 2))), first=days_later(MARCH, 2)),
    ]
    with tempfile.TemporaryDirectory() as other:
        for path in paths:
            path.rename(Path(other, path.name))
        Path(other, "broken.dat").write_bytes(b"\0" * 216)
        coverage = read_coverage(find_data(other, clock=PST))
    full, missing = DayState.FULL, DayState.MISSING
    assert [states(series) for series in coverage.series] == [
        [full, missing, missing],
        [full, missing, missing],
        [missing, missing, full],
    ]
    assert (coverage.catalogued, coverage.files) == (False, 2)
    assert [problem.path and problem.path.name for problem in coverage.problems] == ["broken.dat"]


def test_a_directory_with_nothing_readable(tmp_path: Path) -> None:
    """No series, no days, one problem for each file; it is not complete."""
    (tmp_path / "a.dat").touch()
    (tmp_path / "b.dat").mkdir()
    (tmp_path / "c.dat").symlink_to("c.dat")
    coverage = read_coverage(find_data(tmp_path, clock=DST))
    assert (coverage.series, coverage.first_day, coverage.last_day, coverage.change_days) == ((), None, None, ())
    assert len(coverage.problems) == 3
    assert not coverage.complete


# --- Files that cannot be read ----------------------------------------------------------------------------------------


def test_nothing_of_a_broken_file_counts(tmp_path: Path) -> None:
    """Its meters are known, as they were read before it broke, and their days are missing because of it."""
    place = DataPlace(tmp_path)
    path = place.put(Group("g"), meter("A"), meter("B"))
    content = path.read_bytes()
    path.write_bytes(content[:-216] + content[:216])
    coverage = covered(tmp_path)
    (problem,) = coverage.problems
    assert (problem.path, problem.selection) == (path, Group("g"))
    with pytest.raises(FormatError) as refused:
        list(PieceReader(FileFormat.MDEF, PST, None, lambda _: None).read(path))
    assert problem.words == str(refused.value)
    assert [(series.recorder_id, series.channel, states(series)) for series in coverage.series] == [
        ("A", 1, [DayState.MISSING]),
        ("B", 1, [DayState.MISSING]),
    ]
    assert {series.gaps[0].reason for series in coverage.series} == {"file cannot be read"}
    assert (coverage.files, coverage.totals.found, coverage.complete) == (0, 0, False)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """It is a problem that says what brings it back, and the reason of its gap."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R"))
    place.put("8", meter("S")).unlink()
    coverage = covered(tmp_path)
    (problem,) = coverage.problems
    assert problem.words.endswith("meter-8_20260301_20260301_pst.dat is gone: run the range again to fetch it")
    assert problem.gone
    assert coverage.series[0].gaps[0].reason == "file is gone"
    assert [states(series) for series in coverage.series] == [[DayState.MISSING], [DayState.FULL]]


def test_a_problem_does_not_hide_that_the_data_are_there(tmp_path: Path) -> None:
    """The same days came in another file: nothing is missing, and it is still not well."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel(days=2)), days=2)
    place.put("7", text=b"<html>oops</html>")
    coverage = covered(tmp_path)
    assert (coverage.totals.missing, coverage.complete) == (0, False)


def test_a_year_that_cannot_be(tmp_path: Path) -> None:
    """Intervals before 1970 or after 2099 are a problem of their file: they would ask for a thousand years."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel(dt.date(1492, 10, 12))))
    coverage = covered(tmp_path)
    assert "before 1970 or after 2099" in coverage.problems[0].words
    assert one(coverage).channel is None


def test_days_that_cannot_be(tmp_path: Path) -> None:
    """Of a request from the year 1 to 9999 the days of 1970 to 2099 count."""
    DataPlace(tmp_path).fail("7", "busy: try again", first=dt.date(1, 1, 1), days=3_652_059)
    series = one(covered(tmp_path))
    assert (series.first_day, series.last_day) == (dt.date(1970, 1, 1), dt.date(2099, 12, 31))


# --- Copies -----------------------------------------------------------------------------------------------------------


def test_copies_in_two_files(tmp_path: Path) -> None:
    """Those that are equal are duplicates; one other bit of a value is a conflict, on the day that has it."""
    place = DataPlace(tmp_path)
    values = list(range(288))
    place.put("7", meter("R", channel(days=3, values=values)), days=3)
    values[100] = -values[100]
    values[0] = -0.0  # type: ignore[call-overload] # a zero of another sign has other bits
    place.put("7", meter("R", channel(days=2, values=values[:192])), days=2)
    series = one(covered(tmp_path))
    assert list(series.found) == [96, 96, 96]
    assert list(series.duplicates) == [96, 96, 0]
    assert list(series.conflicts) == [1, 1, 0]
    assert states(series) == [DayState.CONFLICT, DayState.CONFLICT, DayState.FULL]


def test_a_word_that_is_not_carried_counts_as_zero(tmp_path: Path) -> None:
    """A channel with status words and one without say the same as long as the words are zero."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel()), days=1)
    place.put("7", meter("R", channel(interval_statuses=statuses(96, _3=1), channel_statuses=statuses(96))), days=2)
    place.put("7", meter("R", channel(interval_statuses=statuses(96))), days=3)
    series = one(covered(tmp_path))
    assert (series.totals.duplicates, series.totals.conflicts) == (96, 1)


def test_marks_of_copies_count_once(tmp_path: Path) -> None:
    """An interval that three files mark is one interval, and so is one that a single copy marks."""
    place = DataPlace(tmp_path)
    for days, words in ((1, {"_5": 8}), (2, {"_5": 8, "_9": 8}), (3, {"_5": 8})):
        marked = channel(days=1, channel_statuses=statuses(96, **words), interval_statuses=statuses(96, _7=64))
        place.put("7", meter("R", marked), days=days)
    totals = one(covered(tmp_path)).totals
    assert (totals.estimated, totals.flagged, totals.conflicts) == (2, 1, 1)


def test_hundreds_of_copies_of_marked_intervals(tmp_path: Path) -> None:
    """What they mark is more than a day of any one has, and still counts once."""
    words = [8] * 1_440
    path = DataPlace(tmp_path).put("7", meter("R", channel(per_hour=60, channel_statuses=words)))
    with tempfile.TemporaryDirectory() as other:
        for number in range(50):
            Path(other, f"{number}.dat").write_bytes(path.read_bytes())
        totals = one(read_coverage(find_data(other, clock=PST))).totals
    assert (totals.found, totals.duplicates, totals.conflicts, totals.estimated) == (1_440, 1_440, 0, 1_440)


def test_a_gap_that_channels_have_in_common(tmp_path: Path) -> None:
    """It comes once, with the series that have it, meter by meter and by its start."""
    place = DataPlace(tmp_path)
    late = midnight(MARCH) + HOUR
    place.put("7", meter("R", channel(late, count=88), channel(late, count=92, number=2)))
    place.put("8", meter("Q", channel(late, count=92)))
    coverage = covered(tmp_path)
    assert [
        (each.recorder_id, [one.channel for one in each.series], each.gap.intervals) for each in coverage.gaps()
    ] == [
        ("Q", [1], 4),
        ("R", [1, 2], 4),
        ("R", [1], 4),
    ]
    assert coverage.meter_count == 2


def test_copies_are_compared_in_batches(tmp_path: Path) -> None:
    """What is kept at a time is bounded, and what comes out does not depend on it."""
    place = DataPlace(tmp_path)
    names = ["A", "B", "C", "D"]
    place.put(Group("g"), *map(meter, names))
    other = channel(values=[1.0] * 96)
    place.put(Group("h"), *(meter(name, other) for name in names))
    data = find_data(tmp_path)
    days = Days(PST)
    for most, reads in ((1, 8), (200, 4), (10_000, 2)):
        opened: list[int] = []
        reader = PieceReader(FileFormat.MDEF, PST, None, opened.append)
        inventory = take_inventory(data.requests, reader, days)
        opened.clear()
        compare_copies(inventory, reader, days, most=most)
        assert len([size for size in opened if size == 216]) == reads  # the trailer of each
        first = (MARCH - dt.date(1970, 1, 1)).days
        assert {sum(found.conflicts.cut(first, first + 1)) for found in inventory.channels.values()} == {95}


def test_other_lengths_side_by_side(tmp_path: Path) -> None:
    """A meter goes over to five minutes at noon: every interval of the day is there, and the next day has 288."""
    place = DataPlace(tmp_path)
    noon = midnight(MARCH) + 12 * HOUR
    place.put("7", meter("R", channel(midnight(MARCH), count=48), channel(noon, count=144 + 288, per_hour=12)), days=3)
    series = one(covered(tmp_path))
    assert (list(series.expected), list(series.found), list(series.missing)) == (
        [192, 288, 288],
        [192, 288, 0],
        [0, 0, 288],
    )
    assert series.per_hour == 12


def test_intervals_beside_the_grid(tmp_path: Path) -> None:
    """Data that begin seven minutes late do not cover the first interval, and what reaches over midnight is no gap."""
    place = DataPlace(tmp_path)
    place.put("7", meter("R", channel(midnight(MARCH), count=96)), days=1)
    late = attrs.evolve(channel(), start_stamp="202603020008", stop_stamp="202603030007")
    place.put("7", meter("R", late), first=days_later(MARCH, 1), days=1)
    series = one(covered(tmp_path))
    assert (list(series.found), list(series.missing)) == ([96, 96], [0, 1])
    assert [(gap.intervals, gap.end - gap.start) for gap in series.gaps] == [(1, dt.timedelta(minutes=7))]


# --- CSV --------------------------------------------------------------------------------------------------------------


def rows(*days: dt.date, meter_id: str = "R", hours: int = 24, value: str = "1") -> str:
    """Give rows of hours."""
    return "".join(f"{meter_id},1,{day},{hour},{value}\n" for day in days for hour in range(1, hours + 1))


def test_csv_by_a_layout(tmp_path: Path) -> None:
    """Rows in any order; a row that is there twice is a duplicate, and an empty cell is no value."""
    place = DataPlace(tmp_path, DST, FileFormat.CSV)
    day = days_later(MARCH, 1)
    text = CSV_HEADER + rows(day) + rows(MARCH, hours=20) + rows(day, hours=2) + rows(day, hours=1, value="")
    place.put("7", text=text.encode(), days=2)
    coverage = read_coverage(find_data(tmp_path, has_layout=True), layout=LAYOUT)
    series = one(coverage)
    assert (list(series.expected), list(series.found), list(series.missing)) == ([24, 24], [20, 24], [4, 0])
    assert (list(series.duplicates), list(series.conflicts), list(series.flagged)) == ([0, 2], [0, 1], [0, 1])
    assert (series.per_hour, series.unit_code) == (1, None)


def test_csv_on_a_day_of_change(tmp_path: Path) -> None:
    """It has 23 rows an hour each."""
    place = DataPlace(tmp_path, DST, FileFormat.CSV)
    place.put("7", text=(CSV_HEADER + rows(SPRING, hours=23)).encode(), first=SPRING)
    assert read_coverage(find_data(tmp_path, has_layout=True), layout=LAYOUT).complete


def test_csv_that_does_not_fit_its_layout(tmp_path: Path) -> None:
    """The file is a problem, with its line."""
    place = DataPlace(tmp_path, DST, FileFormat.CSV)
    place.put("7", text=(CSV_HEADER + rows(MARCH) + "R,1,nonsense,1,1\n").encode())
    coverage = read_coverage(find_data(tmp_path, has_layout=True), layout=LAYOUT)
    assert "line 26" in coverage.problems[0].words
    assert coverage.totals.found == 0


def test_csv_without_a_layout(tmp_path: Path) -> None:
    """It is a mistake of the caller."""
    DataPlace(tmp_path, DST, FileFormat.CSV).put("7", text=b"a,b\n")
    with pytest.raises(UsageError, match="CsvLayout"):
        read_coverage(find_data(tmp_path, has_layout=True))


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_progress_counts_bytes(tmp_path: Path) -> None:
    """All of each file, also of one that breaks on the way; what progress raises ends the reading."""
    place = DataPlace(tmp_path)
    paths = [place.put("7", meter("R", channel(days=9)), days=9), place.put("8", text=b"<html>oops</html>")]
    told: list[int] = []
    read_coverage(find_data(tmp_path), progress=told.append)
    assert sum(told) == sum(path.stat().st_size for path in paths)

    def leave(_size: int) -> None:
        raise EOFError

    with pytest.raises(EOFError):
        read_coverage(find_data(tmp_path), progress=leave)


# --- Against counting one by one --------------------------------------------------------------------------------------


@attrs.frozen
class Copy:
    """A run of intervals in a file of its own."""

    begins: dt.datetime
    per_hour: int
    values: list[float]
    channel_statuses: list[int] | None
    interval_statuses: list[int] | None

    @property
    def step(self) -> dt.timedelta:
        """How long an interval is."""
        return HOUR / self.per_hour

    def intervals(self) -> list[tuple[tuple[dt.datetime, dt.timedelta], tuple[float, int, int]]]:
        """Give start and length of every interval, and what is in it."""
        nothing = [0] * len(self.values)
        content = zip(self.values, self.channel_statuses or nothing, self.interval_statuses or nothing, strict=True)
        return [((self.begins + place * self.step, self.step), slot) for place, slot in enumerate(content)]


@st.composite
def copies(draw: st.DrawFn, clock: TimeType, first: dt.date, days: int, per_hour: int) -> Copy:
    """Draw a run that covers some days, give or take some hours at both ends."""
    begin = midnight(first, clock) + draw(st.integers(-5, 5)) * HOUR
    end = max(midnight(days_later(first, days), clock) + draw(st.integers(-5, 5)) * HOUR, begin + HOUR)
    count = (end - begin) // (HOUR / per_hour)
    number = draw(st.randoms(use_true_random=False))

    def words(word: int) -> list[int] | None:
        return [number.choice((0, 0, word)) for _ in range(count)] if number.random() < 0.5 else None

    values = [number.choice((1.0, 1.0, 1.0, 2.0)) for _ in range(count)]
    return Copy(begin, per_hour, values, words(8), words(64))


@settings(max_examples=15)
@given(st.data())
def test_coverage_is_what_counting_one_by_one_gives(data: st.DataObject) -> None:
    """Random runs over days of change, on both clocks, at one or several lengths of interval."""
    clock = data.draw(st.sampled_from(TimeType))
    base = data.draw(st.sampled_from([days_later(SPRING, -2), days_later(AUTUMN, -2), MARCH]))
    rates = data.draw(st.sampled_from([(1,), (4,), (12,), (1, 4, 12)]))
    spans = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=3, unique=True))
    failed = data.draw(st.sampled_from([None, (5, 1), (3, 4)]))
    runs, asked = [], set()
    with tempfile.TemporaryDirectory() as directory:
        place = DataPlace(Path(directory), clock)
        for offset, days in spans:
            first = days_later(base, offset)
            run = data.draw(copies(clock, first, days, data.draw(st.sampled_from(rates))))
            try:
                made = channel(
                    run.begins,
                    count=len(run.values),
                    values=run.values,
                    per_hour=run.per_hour,
                    clock=clock,
                    channel_statuses=run.channel_statuses,
                    interval_statuses=run.interval_statuses,
                )
            except FormatError:  # wholly in the hour that the clock shows twice
                continue
            place.put("7", meter("R", made), first=first, days=days)
            runs.append(run)
            asked |= {days_later(first, day) for day in range(days)}
        if failed is not None:
            place.fail("7", "busy", first=days_later(base, failed[0]), days=failed[1])
            asked |= {days_later(base, failed[0] + day) for day in range(failed[1])}
        if runs:
            check(one(covered(place.path)), runs, asked, clock)


def check(series: Series, runs: list[Copy], asked: set[dt.date], clock: TimeType) -> None:
    """Count interval by interval, and hold the series against it."""
    found: dict[tuple[dt.datetime, dt.timedelta], set[tuple[float, int, int]]] = defaultdict(set)
    number: dict[tuple[dt.datetime, dt.timedelta], int] = defaultdict(int)
    for run in runs:
        for key, content in run.intervals():
            found[key].add(content)
            number[key] += 1
    cover = {start + minute for start, length in found for minute in _minutes(length)}
    usual = HOUR / series.per_hour
    for day in series.days():
        begin, end = midnight(day.day, clock), midnight(days_later(day.day, 1), clock)
        here = {key: contents for key, contents in found.items() if begin <= key[0] < end}
        lengths = sorted({length for start, length in found if start < end and start + length > begin})
        step = min(lengths, default=usual)
        grid = [begin + step * place for place in range((end - begin) // step)] if day.day in asked else []
        missing = sum(start not in cover for start in grid)
        assert day.missing == missing
        kept = _shortest(here, lengths)
        clash = {key for key in kept if any(_overlap(key, other) for other in found if other != key)}
        assert day.expected == (missing + len(kept) if grid and len(lengths) > 1 else len(grid))
        assert day.found == len(kept)
        assert day.duplicates == len(clash | {key for key in kept if number[key] > 1})
        assert day.conflicts == len(clash | {key for key in kept if len(here[key]) > 1})
        assert day.estimated == sum(any(word & 8 for _, word, _ in contents) for contents in here.values())
        assert day.flagged == sum(any(word & 64 for _, _, word in contents) for contents in here.values())
    assert sum(gap.intervals for gap in series.gaps) == series.totals.missing
    for gap in series.gaps:
        assert not cover & {gap.start + minute for minute in _minutes(gap.end - gap.start)}


def _minutes(length: dt.timedelta) -> list[dt.timedelta]:
    five = dt.timedelta(minutes=5)
    return [five * place for place in range(length // five)]


def _overlap(one: tuple[dt.datetime, dt.timedelta], other: tuple[dt.datetime, dt.timedelta]) -> bool:
    return one[0] < other[0] + other[1] and other[0] < one[0] + one[1]


def _shortest(
    here: dict[tuple[dt.datetime, dt.timedelta], set[tuple[float, int, int]]], lengths: list[dt.timedelta]
) -> set[tuple[dt.datetime, dt.timedelta]]:
    """Give the intervals that do not begin where there are shorter ones."""
    cover: set[dt.datetime] = set()
    kept: set[tuple[dt.datetime, dt.timedelta]] = set()
    for step in lengths:
        starts = [start for start, length in here if length == step]
        kept |= {(start, step) for start in starts if start not in cover}
        cover |= {start + minute for start in starts for minute in _minutes(step)}
    return kept
