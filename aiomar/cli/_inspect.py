"""``aiomar inspect``: what is in a data file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from aiomar import ConfigError, DiskError, SourceError, TimeType
from aiomar.cli._codes import DATA, GOOD, USAGE
from aiomar.cli._contents import FileFacts, look_into
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._inspect_words import in_lines
from aiomar.cli._json import error_to_dict, fields
from aiomar.cli._options import FILE, PLAIN, Display
from aiomar.cli._output import Output, count
from aiomar.cli._reading import in_thread
from aiomar.cli._tally import Tally
from aiomar.formats import CsvLayout


def inspect(
    *files: Annotated[Path, Parameter(name="FILE", required=True)],
    time: TimeType | None = None,
    layout: Annotated[Path | None, FILE] = None,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Say what is in data files: meters, channels, spans, and whether the layout of MDEF is kept. Values are not shown.

    Nothing is sent or changed, and no certificate is needed. What is flagged is read as other users of MDEF read it;
    whether CAISO does is not documented. Long tables and lists are cut, unless --verbose is given.

    Exit codes: 0 good, 2 wrong options or a file that cannot be opened, 8 a file breaks its layout or is no data file,
    130 interrupted.

    Args:
        files: The files. One that is missing or broken gets its line, and the others go on.
        time: The clock that the files were written by, pst or dst. Without it every file is good that fits either.
        layout: What the columns of CSV files mean, as TOML; needs --time. Without it rows stay rows.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        out.when_interrupted = "run the same command again"
        if layout is not None and time is None:
            raise ConfigError("no file says by which clock it was written: with --layout give --time pst or --time dst")
        return _inspect(out, files, time, None if layout is None else CsvLayout.from_toml(layout))

    return carry_out("inspect", display, prepare)


async def _inspect(out: Output, files: Sequence[Path], clock: TimeType | None, layout: CsvLayout | None) -> int:
    tally = Tally(len(files))
    bad = unread = size = csv = 0

    def read(progress: Callable[[int], None]) -> None:
        nonlocal bad, unread, size, csv
        for path in files:
            progress(0)
            try:
                facts = look_into(path, clock=clock, layout=layout, progress=progress)
            except (SourceError, DiskError) as error:
                unread += 1
                tally.failed += 1
                out.complain(str(error))
                out.record({"event": "inspected", "path": str(path), "good": False, "error": error_to_dict(error)})
            else:
                bad += not facts.good
                size += facts.size
                csv += facts.csv is not None
                tally.fetched += 1
                _tell(out, facts)

    try:
        await in_thread(out, tally, read)
    finally:
        good = tally.fetched - bad
        out.summary |= {"files": len(files), "good": good, "bad": bad, "unread": unread, "bytes": size}
    if csv and clock is not None and layout is None:
        out.say("--time tells nothing about CSV without --layout: which columns are times is not known")
    rest = "".join(f", {number:,} {what}" for number, what in ((bad, "not"), (unread, "not opened")) if number)
    out.say(f"{good:,} of {count(len(files), 'file')} good{rest}")
    return DATA if bad else USAGE if unread else GOOD


def _tell(out: Output, facts: FileFacts) -> None:
    out.record({"event": "inspected", **fields(facts), "good": facts.good})
    if not out.display.json:
        out.line("\n".join(in_lines(facts, everything=out.display.verbose)))
