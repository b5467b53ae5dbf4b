"""``aiomar export``: the intervals of a directory as Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.filesize import decimal

from aiomar import FormatError
from aiomar.cli._codes import GOOD
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import AS_FOUND, PLACE, PLAIN, Display, Reading
from aiomar.cli._output import Output, count
from aiomar.cli._reading import counting_files, find_files, in_thread
from aiomar.cli._tally import Tally
from aiomar.formats import CsvLayout, ParquetSummary, write_parquet
from aiomar.report import DataDirectory


def export(
    directory: Annotated[Path, PLACE],
    /,
    *,
    to: Annotated[Path, Parameter(metavar="FILE.parquet|DIR")],
    overwrite: bool = False,
    reading: Annotated[Reading, Parameter(name="*")] = AS_FOUND,
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
        overwrite: Replace an existing file, or a directory that an export has made.
        reading: How the files are read.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        out.when_interrupted = "nothing was written"
        data, layout = find_files(out, directory, reading)
        return _export(out, data, to, layout, overwrite=overwrite)

    return carry_out("export", display, prepare)


async def _export(out: Output, data: DataDirectory, target: Path, layout: CsvLayout | None, *, overwrite: bool) -> int:
    clock, file_format, failed = data.clock, data.file_format, len(data.requests) - len(data.files)
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
        counted = counting_files(tally, data.files, progress)
        return write_parquet(data.files, target, clock=clock, layout=layout, overwrite=overwrite, progress=counted)

    summary = await in_thread(out, tally, write)
    out.record({"event": "exported", **fields(summary), "clock": clock.value, "format": file_format.value})
    out.summary |= fields(summary) | {"clock": clock.value, "format": file_format.value}
    made = "" if target.name.lower().endswith(".parquet") else f" in {count(summary.files, 'file')}"
    out.say(
        f"{count(summary.rows, 'interval')} of {count(summary.sources, f'{file_format.name} file')}, read by the "
        f"{clock.value} clock, written to {target}: {decimal(summary.size)}{made}"
    )
    out.line(str(target))
    return GOOD
