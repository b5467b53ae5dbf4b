"""The load profile against a naive one, over days of 23 and 25 hours, and what it leaves out."""

from __future__ import annotations

import datetime as dt
import random
import struct
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from aiomar import FileFormat, TimeType, UsageError
from aiomar.formats import CsvLayout, MdefChannel, MdefMeter, write_mdef, zone
from aiomar.report import LoadProfile, ProfileSlot, find_data, read_profile
from tests.report.places import DataPlace, meter

DST, PST = TimeType.DST, TimeType.PST
UTC = dt.UTC
MISSING = 64
FILL = struct.unpack("<f", b"\xff\x7f\xff\x7f")[0]


def written(path: Path, recorder_id: str, *channels: MdefChannel) -> None:
    """Write a file of one meter."""
    write_mdef([MdefMeter.from_channels(recorder_id, channels)], path)


def starts(first: dt.date, last: dt.date, clock: TimeType, minutes: int = 15) -> list[dt.datetime]:
    """Give the instant of every interval of some days on a clock."""
    instant = dt.datetime.combine(first, dt.time(), zone(clock)).astimezone(UTC)
    end = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), zone(clock)).astimezone(UTC)
    found = []
    while instant < end:
        found.append(instant)
        instant += dt.timedelta(minutes=minutes)
    return found


def channel(
    instants: Sequence[dt.datetime],
    values: Iterable[float],
    clock: TimeType = DST,
    *,
    number: int = 1,
    statuses: Iterable[int] | None = None,
) -> MdefChannel:
    """Make a channel from values at instants, which follow each other."""
    per_hour = dt.timedelta(hours=1) // (instants[1] - instants[0])
    return MdefChannel.from_values(
        array("f", values),
        number=number,
        begins=instants[0],
        clock=clock,
        per_hour=per_hour,
        unit_code=f"0{number}",
        interval_statuses=statuses,
    )


def naive(pairs: Iterable[tuple[dt.datetime, float]], clock: TimeType) -> dict[tuple[bool, dt.time], list[float]]:
    """Gather values by kind of day and time of day, one after the other."""
    found = defaultdict(list)
    for instant, value in pairs:
        local = instant.astimezone(zone(clock))
        found[local.strftime("%a") in {"Sat", "Sun"}, dt.time(local.hour, local.minute)].append(value)
    return found


def hold(profile: LoadProfile, expected: dict[tuple[bool, dt.time], list[float]]) -> None:
    """Hold a profile to the naive one."""
    slots: dict[tuple[bool, dt.time], ProfileSlot] = {(False, slot.time): slot for slot in profile.weekdays}
    slots |= {(True, slot.time): slot for slot in profile.weekends}
    assert set(slots) == set(expected)
    for key, values in expected.items():
        slot = slots[key]
        assert (slot.count, slot.least, slot.most) == (len(values), min(values), max(values))
        assert slot.mean == pytest.approx(sum(values) / len(values))
    assert list(profile.weekdays) == sorted(profile.weekdays, key=lambda slot: slot.time)


@pytest.mark.parametrize("clock", TimeType)
@pytest.mark.parametrize("minutes", [5, 15, 60])
@pytest.mark.parametrize("first", [dt.date(2026, 3, 2), dt.date(2026, 10, 28)])
def test_a_profile_is_that_of_the_wall(tmp_path: Path, clock: TimeType, minutes: int, first: dt.date) -> None:
    """Mean, least, most and sums of days are those of a naive reckoning, over both changes of the clock."""
    chance = random.Random(1)  # noqa: S311 - values of nobody
    instants = starts(first, first + dt.timedelta(days=9), clock, minutes)
    values = array("f", (chance.uniform(-5, 100) for _ in instants))
    written(tmp_path / "a.dat", "1001", channel(instants, values, clock))
    profile = read_profile(find_data(tmp_path, clock=clock), "1001")
    hold(profile, naive(zip(instants, values, strict=True), clock))
    sums: defaultdict[dt.date, float] = defaultdict(float)
    for instant, value in zip(instants, values, strict=True):
        sums[instant.astimezone(zone(clock)).date()] += value
    assert [day.day for day in profile.days] == list(sums)
    assert [day.total for day in profile.days] == pytest.approx(list(sums.values()))
    assert all(day.whole for day in profile.days)
    assert (profile.minutes, profile.used, profile.left_out, profile.unread) == (minutes, len(values), 0, 0)
    assert (profile.recorder_id, profile.channel, profile.unit_code, profile.clock) == ("1001", 1, "01", clock)


def test_an_hour_that_is_left_out_or_comes_twice_counts_so(tmp_path: Path) -> None:
    """Two o'clock has no value on spring's Sunday, one o'clock two on autumn's."""
    for place, day in enumerate((dt.date(2026, 3, 8), dt.date(2026, 11, 1))):
        instants = starts(day, day, DST, 60)
        written(tmp_path / f"{place}.dat", "1001", channel(instants, range(len(instants))))
    profile = read_profile(find_data(tmp_path, clock=DST), "1001")
    assert [slot.count for slot in profile.weekends[:4]] == [2, 3, 1, 2]
    assert [(day.total, day.whole) for day in profile.days] == [(sum(range(23)), True), (sum(range(25)), True)]


def test_what_is_no_value_is_left_out(tmp_path: Path) -> None:
    """Intervals that the file marks as missing, fill, and what is no number are counted and nothing else."""
    instants = starts(dt.date(2026, 1, 5), dt.date(2026, 1, 6), DST)
    values = [1.0] * len(instants)
    values[0], values[1], values[2] = FILL, float("inf"), float("nan")
    statuses = [0] * len(instants)
    statuses[3], statuses[4] = MISSING | 1, 2
    written(tmp_path / "a.dat", "1001", channel(instants, values, statuses=statuses))
    profile = read_profile(find_data(tmp_path, clock=DST), "1001")
    assert (profile.used, profile.left_out) == (len(values) - 4, 4)
    assert [(day.total, day.whole) for day in profile.days] == [(92.0, False), (96.0, True)]
    assert [slot.count for slot in profile.weekdays[:5]] == [1, 1, 1, 1, 2]


def test_an_interval_counts_once(tmp_path: Path) -> None:
    """Of copies the first that has a value counts."""
    instants = starts(dt.date(2026, 1, 5), dt.date(2026, 1, 5), DST)
    written(tmp_path / "a.dat", "1001", channel(instants, [1.0] * 96, statuses=[MISSING] * 4 + [0] * 92))
    written(tmp_path / "b.dat", "1001", channel(instants, [3.0] * 96))
    profile = read_profile(find_data(tmp_path, clock=DST), "1001")
    assert (profile.used, profile.left_out) == (96, 0)
    assert profile.days[0].total == 4 * 3.0 + 92 * 1.0


def test_intervals_of_another_length_are_left_out(tmp_path: Path) -> None:
    """Values of five minutes and of a quarter of an hour are not the same thing."""
    written(tmp_path / "a.dat", "1001", channel(starts(dt.date(2026, 1, 5), dt.date(2026, 1, 8), DST), [1.0] * 384))
    written(tmp_path / "b.dat", "1001", channel(starts(dt.date(2026, 1, 9), dt.date(2026, 1, 9), DST, 5), [9.0] * 288))
    profile = read_profile(find_data(tmp_path, clock=DST), "1001")
    assert (profile.minutes, profile.used, profile.left_out) == (15, 384, 288)


def test_a_channel_can_be_chosen(tmp_path: Path) -> None:
    """The lowest one with a value is taken, or the one that is named; another one is refused with those there are."""
    instants = starts(dt.date(2026, 1, 5), dt.date(2026, 1, 5), DST)
    empty = channel(instants, [0.0] * 96, statuses=[MISSING] * 96)
    written(
        tmp_path / "a.dat",
        "1001",
        empty,
        channel(instants, [3.0] * 96, number=3),
        channel(instants, [2.0] * 96, number=2),
    )
    data = find_data(tmp_path, clock=DST)
    assert read_profile(data, "1001").channel == 2
    chosen = read_profile(data, "1001", channel=3)
    assert (chosen.channel, chosen.unit_code, chosen.days[0].total) == (3, "03", 288.0)
    for number in (1, 7):
        with pytest.raises(UsageError, match=f"no channel {number} with values: it has 2, 3"):
            read_profile(data, "1001", channel=number)


def test_a_meter_without_a_value_has_an_empty_profile(tmp_path: Path) -> None:
    """It says of which channel, and how many intervals were left out."""
    instants = starts(dt.date(2026, 1, 5), dt.date(2026, 1, 5), DST)
    written(tmp_path / "a.dat", "1001", channel(instants, [0.0] * 96, statuses=[MISSING] * 96))
    profile = read_profile(find_data(tmp_path, clock=DST), "1001")
    assert (profile.channel, profile.minutes, profile.used, profile.left_out) == (1, 15, 0, 96)
    assert (profile.weekdays, profile.weekends, profile.days) == ((), (), ())


def test_a_meter_that_was_asked_for_and_did_not_come(tmp_path: Path) -> None:
    """Its profile is empty too: it is not unknown."""
    place = DataPlace(tmp_path)
    place.put("8", meter("R"))
    place.fail("7", "busy: try again")
    profile = read_profile(find_data(tmp_path), "7")
    assert (profile.channel, profile.minutes, profile.used, profile.left_out) == (None, 0, 0, 0)
    path = place.put("9", meter("9"), first=dt.date(2026, 4, 1))
    path.write_bytes(path.read_bytes()[:-216] + path.read_bytes()[:216])
    assert (read_profile(find_data(tmp_path), "9").used, read_profile(find_data(path), "9").unread) == (0, 1)


def test_outages_are_counted(tmp_path: Path) -> None:
    """Bit 1 of an interval status, of intervals that have a value, each once."""
    instants = starts(dt.date(2026, 1, 5), dt.date(2026, 1, 5), DST)
    statuses = [1, 3, 2, MISSING | 1, *[0] * 92]
    for name in ("a.dat", "b.dat"):
        written(tmp_path / name, "1001", channel(instants, [0.0] * 96, statuses=statuses))
    assert read_profile(find_data(tmp_path, clock=DST), "1001").outages == 2


def test_an_unknown_meter_is_refused_with_some_that_there_are(tmp_path: Path) -> None:
    """The message names the first few by their ids."""
    instants = starts(dt.date(2026, 1, 5), dt.date(2026, 1, 5), DST)
    for number in range(1_010, 1_000, -1):
        written(tmp_path / f"{number}.dat", f"{number}", channel(instants, [0.0] * 96))
    with pytest.raises(UsageError, match=r"'77': name one of those that there are, '1001', .*'1005' and others"):
        read_profile(find_data(tmp_path, clock=DST), "77")


def test_a_file_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    """Nothing of it is used, also when it breaks only behind the meter; where no file is left, there is no meter."""
    instants = starts(dt.date(2026, 1, 5), dt.date(2026, 1, 5), DST)
    whole = tmp_path / "a.dat"
    written(whole, "1001", channel(instants, [1.0] * 96))
    (tmp_path / "b.dat").write_bytes(whole.read_bytes() + b"more")
    (tmp_path / "c.dat").write_text("<html>Please log in</html>")
    profile = read_profile(find_data(tmp_path, clock=DST), "1001")
    assert (profile.used, profile.unread) == (96, 2)
    whole.unlink()
    with pytest.raises(UsageError, match="there is none at all"):
        read_profile(find_data(tmp_path, clock=DST), "1001")


def test_reading_can_be_left(tmp_path: Path) -> None:
    """Progress is told all bytes, also of a file that breaks; what it raises ends the reading."""
    instants = starts(dt.date(2026, 1, 5), dt.date(2026, 1, 5), DST)
    written(tmp_path / "a.dat", "1001", channel(instants, [1.0] * 96))
    (tmp_path / "b.dat").write_bytes((tmp_path / "a.dat").read_bytes() + b"more")
    data = find_data(tmp_path, clock=DST)
    told: list[int] = []
    read_profile(data, "1001", progress=told.append)
    assert sum(told) == sum(path.stat().st_size for path in data.files)

    def leave(_size: int) -> None:
        raise EOFError

    with pytest.raises(EOFError):
        read_profile(data, "1001", progress=leave)


def test_csv_is_read_by_its_layout(tmp_path: Path) -> None:
    """Rows become the same profile; an empty cell is left out, and without a layout nothing is guessed."""
    layout = CsvLayout(meter="id", date="day", value="kwh", interval="n", channel="ch", unit="unit", minutes=15)
    rows = [f"1001,2,2026-01-05,{place},{place if place != 9 else ''},KWH" for place in range(1, 97)]
    rows += [f"1002,1,2026-01-05,{place},7,KWH" for place in range(1, 97)]
    (tmp_path / "a.csv").write_text("\n".join(["id,ch,day,n,kwh,unit", *rows]))
    data = find_data(tmp_path, clock=PST, file_format=FileFormat.CSV, has_layout=True)
    profile = read_profile(data, "1001", layout=layout)
    assert (profile.channel, profile.unit_code, profile.minutes) == (2, "KWH", 15)
    assert (profile.used, profile.left_out, profile.days[0].total) == (95, 1, sum(range(1, 97)) - 9)
    assert profile.weekdays[0] == ProfileSlot(time=dt.time(), mean=1.0, least=1.0, most=1.0, count=1)
    with pytest.raises(UsageError, match="layout"):
        read_profile(data, "1001")
