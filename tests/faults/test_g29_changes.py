"""G29: on the days on which the clocks change every count is right, on both clocks and in both formats.

The number of intervals that is due is worked out here from the zone's own rules and compared with what was saved, which
the client took on the proof of its content alone: every answer ends with its connection.
"""
# ruff: noqa: PLR0917 - pytest gives parameters and fixtures by name

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import pytest

from aiomar import FileFormat, Meter, OmarClient, OmarConfig, TimeType, TruncatedBodyError
from aiomar.testing import Framing, OmarServer
from tests.client.helpers import on_disk, raw
from tests.support.gates import Gate

ZONE = ZoneInfo("America/Los_Angeles")
DAY = dt.timedelta(days=1)
QUARTER = dt.timedelta(minutes=15)
METER = Meter("1001")
CHANNELS = 3
RECORD, BEGIN = 216, 24
FILL = b"\xff\x7f\xff\x7f"


def quarters(day: dt.date, time_type: TimeType) -> int:
    """Count the quarter hours of a day: 96 all year where the clock never changes, else by the zone's own rules."""
    if time_type is TimeType.PST:
        return 96
    begin, end = (dt.datetime.combine(date, dt.time(), ZONE).astimezone(dt.UTC) for date in (day, day + DAY))
    return (end - begin) // QUARTER


def changes(first_year: int, years: int) -> list[dt.date]:
    """Find the days of these years that have no 24 hours."""
    start = dt.date(first_year, 1, 1)
    days = [start + offset * DAY for offset in range((dt.date(first_year + years, 1, 1) - start).days)]
    return [day for day in days if quarters(day, TimeType.DST) != 96]


def days_between(start: dt.date, end: dt.date) -> list[dt.date]:
    """Give every day of a span, its end included."""
    return [start + offset * DAY for offset in range((end - start).days + 1)]


def rows_by_day(path: Path) -> Counter[tuple[str, str]]:
    """Count the rows of a CSV file by channel and day."""
    with path.open(newline="") as file:
        return Counter((row["CHANNEL"], row["DATE"]) for row in csv.DictReader(file))


def slots_by_channel(content: bytes) -> list[int]:
    """Count the slots of each channel in an MDEF file that hold a value."""
    counts: list[int] = []
    width = 0
    for at in range(0, len(content), RECORD):
        record = content[at : at + RECORD]
        code = int.from_bytes(record[2:4], "little")
        if code == 10:
            width = 4 + 2 * record[99:101].count(b"Y")
            counts.append(0)
        elif 1001 <= code < 9999:
            slots = (record[place : place + 4] for place in range(BEGIN, RECORD - width + 1, width))
            counts[-1] += sum(slot != FILL for slot in slots)
    return counts


def count_is_right(path: Path, start: dt.date, end: dt.date, file_format: FileFormat, time_type: TimeType) -> bool:
    """Hold a saved file to the number of intervals that is due."""
    due = {day: quarters(day, time_type) for day in days_between(start, end)}
    if file_format is FileFormat.MDEF:
        return slots_by_channel(path.read_bytes()) == [sum(due.values())] * CHANNELS
    rows = rows_by_day(path)
    channels = {channel for channel, _ in rows}
    wanted = {(channel, f"{day:%m/%d/%Y}"): count for channel in channels for day, count in due.items()}
    return len(channels) == CHANNELS and dict(rows) == wanted


@pytest.mark.fault(76)
@pytest.mark.gate("G29")
@pytest.mark.parametrize("file_format", FileFormat)
@pytest.mark.parametrize("time_type", TimeType)
async def test_counts_around_a_change(
    time_type: TimeType,
    file_format: FileFormat,
    gate: Gate,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
) -> None:
    """Each of twenty days of change, alone and in longer spans, has as many intervals as it has quarter hours."""
    dates = changes(gate.rng.randrange(2007, 2035) if gate.scale == "long" else 2020, 10)
    assert len(dates) == 20
    assert sorted({quarters(day, TimeType.DST) for day in dates}) == [92, 100]
    spans = [(0, 0), (1, 0), (0, 1), (1, 1), (gate.rng.randrange(8), gate.rng.randrange(8))]
    bad: list[str] = []
    done = 0
    async with OmarClient(attrs.evolve(omar_config, durable=False)) as client:
        for day in dates:
            for before, after in spans:
                start, end = day - before * DAY, day + after * DAY
                omar_server.script(Framing("close"))
                saved = await client.download(
                    METER, start, end, file_format=file_format, time_type=time_type, into=tmp_path, overwrite=True
                )
                done += 1
                right = count_is_right(saved.path, start, end, file_format, time_type)
                if saved.completeness != "content" or not right:
                    bad.append(f"{start} to {end}")
    gate.record(done, len(bad), "downloads across a change of the clocks; bad: a wrong number of intervals")
    assert bad == []


@pytest.mark.fault(76, 8)
@pytest.mark.gate("G29")
@pytest.mark.parametrize("time_type", TimeType)
async def test_a_missing_hour_is_missed(
    time_type: TimeType, gate: Gate, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A day of change without any one of its records is not saved, though a shorter day would be no surprise there."""
    done = bad = 0
    async with OmarClient(attrs.evolve(omar_config, durable=False)) as client:
        for day in changes(2020, 10):
            whole = omar_server.data(METER, day, day, file_format=FileFormat.MDEF, time_type=time_type)
            at = gate.rng.randrange(len(whole) // RECORD) * RECORD
            omar_server.script(raw(whole[:at] + whole[at + RECORD :]))
            done += 1
            try:
                await client.download(
                    METER, day, day, file_format=FileFormat.MDEF, time_type=time_type, into=tmp_path / "data"
                )
                bad += 1
            except TruncatedBodyError:
                bad += on_disk(tmp_path) != {}
    gate.record(done, bad, "days of change without one of their records; bad: saved")
    assert bad == 0
