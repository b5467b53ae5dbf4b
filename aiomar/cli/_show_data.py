"""The demo's look into what it downloaded: whether every interval is there, as Parquet, and as a picture."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

from rich.filesize import decimal

from aiomar import ConfigError, FileFormat
from aiomar.cli._output import Output
from aiomar.cli._show_checks import Check
from aiomar.formats import write_parquet
from aiomar.report import Coverage, DataDirectory, find_data, read_coverage, read_profile, write_html
from aiomar.submissions import Submissions

PARQUET, HTML = "intervals.parquet", "report.html"
"""What is left to look at."""
_CHANNELS = 3
"""Of each of the embedded server's meters."""


async def look_inside(
    out: Output, directory: Path, results: Path, records: Path, *, meters: int, days: int, change_day: dt.date
) -> list[Check]:
    """Count the intervals of the MDEF files, export them, and draw the report.

    Args:
        out: what is told of it.
        directory: where the files are.
        results: where the Parquet file and the report go.
        records: directory of the ledger.
        meters: how many were downloaded.
        days: how many, one of which the clocks change on in spring.
        change_day: that one.
    """
    data = await asyncio.to_thread(find_data, directory, file_format=FileFormat.MDEF)
    coverage = await asyncio.to_thread(_report, data, results / HTML, records)
    figures = coverage.totals
    out.line(f"   {figures.found:,} of {figures.expected:,} intervals are there, {figures.duplicates:,} of them twice")
    out.line(f"   report   {results / HTML}")
    series, due = meters * _CHANNELS, days * 96 - 4
    checks = [
        Check("channels with every interval", sum(not each.totals.missing for each in coverage.series), series),
        Check("  intervals that are missing", figures.missing, 0),
        Check("  intervals of the first one", coverage.series[0].totals.found, due),
        Check("  on the day the clocks change", _on(coverage, change_day), 92),
    ]
    target = results / PARQUET
    try:
        parquet = await asyncio.to_thread(write_parquet, data.files, target, clock=data.clock, overwrite=True)
    except ConfigError as error:  # the extra is not installed
        out.line(f"   Parquet  {error}")
        return checks
    out.line(f"   Parquet  {parquet.target} ({decimal(parquet.size)})")
    return [*checks, Check("  rows of Parquet, each copy one", parquet.rows, series * due + figures.duplicates)]


def _report(data: DataDirectory, target: Path, records: Path) -> Coverage:
    coverage = read_coverage(data)
    profile = read_profile(data, coverage.series[0].recorder_id)
    submissions = Submissions(records).records()
    write_html(target, coverage, submissions=submissions, profile=profile, made_at=dt.datetime.now(dt.UTC))
    return coverage


def _on(coverage: Coverage, day: dt.date) -> int:
    return next(each.found for each in coverage.series[0].days() if each.day == day)
