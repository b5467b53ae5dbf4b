"""Intervals in polars."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from aiomar import TimeType
from aiomar.formats import intervals


def frame(directory: Path) -> pl.DataFrame:
    """Take over a table without a copy of its numbers."""
    return pl.DataFrame(intervals(directory, clock=TimeType.DST))


def daily_sums(data_set: Path) -> pl.DataFrame:
    """Sum each channel by the days of California, of which one a year has 23 hours and one 25."""
    return (
        pl.scan_parquet(data_set, hive_partitioning=True)
        .with_columns(day=pl.col("start").dt.convert_time_zone("America/Los_Angeles").dt.date())
        .group_by("recorder_id", "channel", "day")
        .agg(value=pl.col("value").sum(), intervals=pl.len())
        .sort("recorder_id", "channel", "day")
        .collect()
    )
