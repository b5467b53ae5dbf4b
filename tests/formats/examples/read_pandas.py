"""Intervals in pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from aiomar import TimeType
from aiomar.formats import intervals


def frame(directory: Path) -> pd.DataFrame:
    """Take over a table; ids, units and files become categories."""
    return intervals(directory, clock=TimeType.DST).to_pandas()


def daily_sums(data_set: Path) -> pd.DataFrame:
    """Sum each channel by the days of California, of which one a year has 23 hours and one 25."""
    found = pd.read_parquet(data_set, columns=["recorder_id", "channel", "start", "value"])
    found["day"] = found["start"].dt.tz_convert("America/Los_Angeles").dt.date
    days = found.groupby(["recorder_id", "channel", "day"], observed=True)["value"]
    return days.agg(value="sum", intervals="size").reset_index()
