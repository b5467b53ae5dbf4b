"""Intervals in DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb

from aiomar import TimeType
from aiomar.formats import interval_batches

DAILY_SUMS = """
    SELECT recorder_id, channel, CAST(timezone('America/Los_Angeles', start) AS DATE) AS day,
           sum(value) AS value, count(*) AS intervals
    FROM read_parquet(?, hive_partitioning = true)
    GROUP BY ALL
    ORDER BY ALL
"""


def highest(directory: Path) -> list[tuple[object, ...]]:
    """Ask files directly: batches are read as the query needs them."""
    batches = interval_batches(directory, clock=TimeType.DST)
    with duckdb.connect() as database:
        database.register("batches", batches)
        return database.sql("SELECT recorder_id, max(value) FROM batches GROUP BY ALL ORDER BY ALL").fetchall()


def daily_sums(data_set: Path) -> list[tuple[object, ...]]:
    """Sum each channel by the days of California, of which one a year has 23 hours and one 25."""
    with duckdb.connect() as database:
        return database.execute(DAILY_SUMS, [f"{data_set}/**/*.parquet"]).fetchall()
