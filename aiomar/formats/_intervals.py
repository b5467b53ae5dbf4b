"""Intervals of data files as Arrow tables, as batches, and as Parquet.

The clock is always an argument: nothing in a file tells which one its stamps were read from.  numpy and pyarrow are an
extra, so they are imported where they are used, behind one door, and everything else in the package works without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from aiomar._types import PathLike
from aiomar.errors import ConfigError
from aiomar.formats._clocks import checked_clock
from aiomar.formats._csv_layout import CsvLayout
from aiomar.formats._data_files import data_files
from aiomar.protocol import TimeType

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.frozen(kw_only=True)
class ParquetSummary:
    """What `write_parquet` wrote."""

    target: Path
    """The file, or the directory of a partitioned data set."""
    rows: int
    """Intervals."""
    sources: int
    """Data files that were read."""
    files: int
    """Parquet files that were written."""
    size: int
    """Bytes of all of them."""


def intervals(source: PathLike | Iterable[PathLike], *, clock: TimeType, layout: CsvLayout | None = None) -> pa.Table:
    """Read the intervals of data files into one table.

    A row is an interval: ``recorder_id``, ``channel``, ``unit_code``, ``start`` and ``end`` in UTC, ``value``,
    ``channel_status``, ``interval_status`` and ``file``.  Nothing is left out, put in order or put together: an
    interval that stands in two files is there twice.  It blocks: in a coroutine call it by `asyncio.to_thread`.

    ::

        table = intervals("data", clock=TimeType.PST)
        table.group_by(["recorder_id", "channel"]).aggregate([("value", "sum")])

    Args:
        source: a data file, several, or a directory, of which the files that end in ``.dat`` or ``.csv`` are read, by
            name; those that begin with a dot and directories in it are not.  A name that ends in ``.csv`` is CSV,
            everything else MDEF.
        clock: the clock that the files were written by; it is kept in the schema's metadata.
        layout: what the columns of CSV files mean.

    Returns:
        A table whose chunks share their dictionaries.  The column ``file`` holds the path of each from the directory
        that all of them have in common: mostly its name.

    Raises:
        FormatError: a file is not there, breaks its layout or was not written by this clock, or there is no data file;
            the message and ``where`` name the place.
        ConfigError: numpy and pyarrow are not installed, or this machine has no time zone database.
        DiskError: the operating system refuses to read.
        UsageError: the clock is no `TimeType`, or the source is no path, or there is none.
    """
    checked_clock(clock)
    with _extra():
        from aiomar.formats._arrow import table  # noqa: PLC0415 - an extra
    return table(data_files(source, layout), clock)


def interval_batches(
    source: PathLike | Iterable[PathLike], *, clock: TimeType, layout: CsvLayout | None = None
) -> pa.RecordBatchReader:
    """Read the intervals of data files batch by batch, for more of them than memory holds.

    The same columns as those of `intervals`, in batches of 65,536 rows or somewhat more.  The dictionaries of
    ``recorder_id`` and ``unit_code`` grow from batch to batch and never change what a number means; where a library
    wants one for all of them, as grouping in pyarrow does, call ``unify_dictionaries`` on the table.

    Args:
        source: as for `intervals`.
        clock: likewise.
        layout: likewise.

    Returns:
        A reader.  Reading from it raises what is wrong with a file once it gets there; see `intervals`.

    Raises:
        FormatError: there is no data file, or a CSV file without a layout.
        ConfigError: numpy and pyarrow are not installed.
        UsageError: the clock is no `TimeType`, or the source is no path, or there is none.
    """
    checked_clock(clock)
    with _extra():
        from aiomar.formats._arrow import reader  # noqa: PLC0415 - an extra
    return reader(data_files(source, layout), clock)


def write_parquet(
    source: PathLike | Iterable[PathLike],
    target: PathLike,
    *,
    clock: TimeType,
    layout: CsvLayout | None = None,
    overwrite: bool = False,
    progress: Callable[[int], object] | None = None,
) -> ParquetSummary:
    """Write the intervals of data files as Parquet, with flat memory.

    The target appears whole or not at all: it is written beside under a name that begins with a dot and ends in
    ``.part``, synced and renamed.  What a killed process left of such goes away with the next call for the same target
    after an hour.

    Args:
        source: as for `intervals`.
        target: a name that ends in ``.parquet``, in any case, is one file.  Everything else is a directory, partitioned
            as ``year=2026/month=03/part-0.parquet``, by the start of an interval on the clock.
        clock: as for `intervals`; it is kept in the metadata of every file.
        layout: as for `intervals`.
        overwrite: whether an existing target is replaced.  A file is replaced in one step and keeps its permissions, a
            directory in two, and only one that holds nothing but such a data set.  What is new is its owner's alone.
        progress: is told the number of bytes read, piece by piece; what it raises ends the call, and nothing is left.

    Raises:
        DestinationError: the target exists, or cannot be written there.
        DiskError: the operating system refuses to read or write; a full disk among others.
        FormatError: as for `intervals`.
        ConfigError: likewise.
        UsageError: likewise.
    """
    checked_clock(clock)
    with _extra():
        from aiomar.formats._arrow_parquet import ParquetOutput  # noqa: PLC0415 - an extra
    files = data_files(source, layout)
    output = ParquetOutput(Path(target), clock, overwrite=overwrite)
    output.write(files, progress or (lambda _: None))
    return ParquetSummary(
        target=Path(target), rows=output.rows, sources=len(files), files=output.files, size=output.size
    )


@contextmanager
def _extra() -> Iterator[None]:
    """Import what needs the extra."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").startswith("aiomar"):
            raise
        raise ConfigError("intervals need numpy and pyarrow: install aiomar[arrow]") from error
