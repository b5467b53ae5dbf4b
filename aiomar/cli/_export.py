"""``aiomar export``: the intervals of a directory as Parquet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.filesize import decimal

from aiomar import FileFormat, FormatError, TimeType
from aiomar.cli._codes import GOOD
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import FILE, PLAIN, Display
from aiomar.cli._output import Output, count
from aiomar.cli._reading import in_thread
from aiomar.cli._tally import Tally
from aiomar.formats import CsvLayout, ParquetSummary, write_parquet
from aiomar.report import DataDirectory, find_data


def export(
    directory: Annotated[Path, Parameter(name="DIR")],
    /,
    *,
    to: Annotated[Path, Parameter(metavar="FILE.parquet|DIR")],
    time: TimeType | None = None,
    format_: Annotated[FileFormat | None, Parameter(name="--format")] = None,
    layout: Annotated[Path | None, FILE] = None,
    overwrite: bool = False,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Write the intervals of data files as Parquet: a row for each, with start and end in UTC. Needs aiomar[arrow].

    What a range downloaded is known from its catalogue, and so is the clock. Of files that no catalogue knows the
    clock has to be given, as no file tells it.

    Exit codes: 0 written, 2 wrong options, or the clock or the format would have to be guessed, 8 a file is not there
    or breaks its layout, and then nothing is written, 130 interrupted.

    Args:
        directory: Where files were downloaded to, or one data file.
        to: What to write: one file if it ends in .parquet, otherwise a directory, parted by year and month.
        time: The clock that the files were written by, pst or dst.
        format_: Which files to take, csv or mdef, where there are both.
        layout: What the columns of CSV files mean, as TOML.
        overwrite: Replace what an export before has written.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        out.when_interrupted = "nothing was written"
        meaning = None if layout is None else CsvLayout.from_toml(layout)
        data = find_data(directory, clock=time, file_format=format_, has_layout=meaning is not None)
        return _export(out, data, to, meaning, overwrite=overwrite)

    return carry_out("export", display, prepare)


async def _export(out: Output, data: DataDirectory, target: Path, layout: CsvLayout | None, *, overwrite: bool) -> int:
    clock, file_format, failed = data.clock, data.file_format, len(data.requests) - len(data.files)
    if data.left_out:
        out.say(f"left out: {data.left_out_words}")
    if failed:
        out.say(f"{count(failed, 'download')} of the range failed and cannot be in it: run the range again")
    out.summary |= {"left_out": data.left_out, "failed_downloads": failed}
    if not data.files:
        raise FormatError(
            f"{data.directory} has no data file, as all downloads failed: run the range again",
            where=str(data.directory),
        )
    tally = Tally(len(data.files))

    def write(progress: Callable[[int], None]) -> ParquetSummary:
        counted = _counted(tally, data.files, progress)
        return write_parquet(data.files, target, clock=clock, layout=layout, overwrite=overwrite, progress=counted)

    summary = await in_thread(out, tally, write)
    out.record({"event": "exported", **fields(summary), "clock": clock.value, "format": file_format.value})
    out.summary |= fields(summary) | {"clock": clock.value, "format": file_format.value}
    made = "" if target.name.endswith(".parquet") else f" in {count(summary.files, 'file')}"
    out.say(
        f"{count(summary.rows, 'interval')} of {count(summary.sources, f'{file_format.name} file')}, read by the "
        f"{clock.value} clock, written to {target}: {decimal(summary.bytes)}{made}"
    )
    out.line(str(target))
    return GOOD


def _counted(tally: Tally, files: Sequence[Path], progress: Callable[[int], None]) -> Callable[[int], None]:
    """Count files too: one has been read when as many bytes have as it and those before it hold."""
    ends = deque(accumulate(path.stat().st_size if path.exists() else 0 for path in files))

    def counted(size: int) -> None:
        progress(size)
        while ends and tally.bytes >= ends[0]:
            ends.popleft()
            tally.fetched += 1

    return counted
