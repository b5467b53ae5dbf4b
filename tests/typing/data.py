"""Uses of the data files' public face that are never run, only checked, by mypy and pyright."""

from __future__ import annotations

import datetime as dt
from array import array
from pathlib import Path
from typing import assert_type

from aiomar import FileFormat, Submissions, TimeType, formats, report

CLOCK = TimeType.DST


def mdef() -> None:
    """Read, check, build and write."""
    for meter in formats.read_mdef("march.dat", clock=CLOCK):
        assert_type(meter.clocks, frozenset[TimeType])
        for channel in meter.channels:
            assert_type(channel.values(), array[float])
            assert_type(channel.interval_statuses(), array[int] | None)
            assert_type(channel.begins(CLOCK), dt.datetime)
    for finding in formats.check_mdef(Path("march.dat")):
        assert_type(finding.gate, formats.Gate)
        assert_type(finding.severity, formats.Severity)
        assert_type((finding.record, finding.byte, finding.words), tuple[int, int, str])
    assert_type(formats.read_mdef_trailer(b"").created_stamp, str)
    channel = formats.MdefChannel.from_values(
        [1.5, 2.5], number=1, begins=dt.datetime.now(dt.UTC), clock=CLOCK, per_hour=12, interval_statuses=[0, 64]
    )
    with Path("march.dat").open("wb") as file:
        formats.write_mdef([formats.MdefMeter.from_channels("1001", [channel])], file, created="202604010600")


def tables() -> None:
    """CSV by a layout, and Parquet; pyarrow has no types."""
    layout = formats.CsvLayout(meter="METER", date="DATE", interval="INTERVAL", value=6, minutes=15)
    assert_type(formats.CsvLayout.from_toml("layout.toml"), formats.CsvLayout)
    for interval in formats.read_csv_intervals("march.csv", layout, clock=CLOCK):
        assert_type(interval.start, dt.datetime)
        assert_type(interval.value, float | None)
    formats.intervals("march", clock=CLOCK, layout=layout)  # pyright: ignore[reportUnknownMemberType]
    formats.interval_batches(["a.dat", Path("b.dat")], clock=CLOCK)  # pyright: ignore[reportUnknownMemberType]
    summary = formats.write_parquet("march", "march.parquet", clock=CLOCK, overwrite=True)
    assert_type(summary, formats.ParquetSummary)
    assert_type(summary.rows, int)


def coverage() -> None:
    """What is there, and the picture."""
    data = report.find_data("march", clock=CLOCK, file_format=FileFormat.MDEF)
    assert_type(data.files, tuple[Path, ...])
    found = report.read_coverage(data)
    assert_type(found.complete, bool)
    for series in found.series:
        for day in series.days():
            assert_type(day.state, report.DayState)
        for gap in series.gaps:
            assert_type(gap.reason, str | None)
    profile = report.read_profile(data, "1001", channel=1)
    report.write_html(
        "march.html", found, submissions=Submissions().records(), profile=profile, made_at=dt.datetime.now(dt.UTC)
    )
