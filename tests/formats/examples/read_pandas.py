"""Intervals in pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from aiomar import TimeType
from aiomar.formats import intervals


def frame(directory: Path) -> pd.DataFrame:
    """Take over a table; ids, units and files become categories, and status words stay whole numbers."""
    kinds = {pa.uint16(): pd.UInt16Dtype()}
    return intervals(directory, clock=TimeType.DST).to_pandas(types_mapper=kinds.get)


def without_missing(found: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is marked missing, bit 7; where there is no status word nothing is marked."""
    missing = (found["interval_status"] & 64) != 0
    return found[~missing.fillna(value=False)]


def daily_sums(data_set: Path) -> pd.DataFrame:
    """Sum each channel by the days of California, of which one a year has 23 hours and one 25."""
    found = pd.read_parquet(data_set, columns=["recorder_id", "channel", "start", "value"])
    found["day"] = found["start"].dt.tz_convert("America/Los_Angeles").dt.date
    days = found.groupby(["recorder_id", "channel", "day"], observed=True)["value"]
    return days.agg(value="sum", intervals="size").reset_index()
