"""``aiomar report``: is every interval there?"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from aiomar import (
    ConfigError,
    DestinationError,
    DiskError,
    FileFormat,
    SubmissionRecord,
    Submissions,
    TimeType,
    UsageError,
)
from aiomar.cli._codes import DATA, GOOD
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import FILE, ID, NOWHERE, PLAIN, Connection, Display
from aiomar.cli._output import Output
from aiomar.cli._reading import in_thread
from aiomar.cli._report_words import gaps, problems, remarks, submissions, table, verdict
from aiomar.cli._settings import environment_if_any, state_dir_of
from aiomar.cli._tally import Tally
from aiomar.formats import CsvLayout
from aiomar.report import Coverage, DataDirectory, Series, find_data, read_coverage, read_profile, write_html


def report(
    directory: Annotated[Path, Parameter(name="DIR")],
    /,
    *,
    html: Annotated[Path | None, FILE] = None,
    meter: Annotated[str | None, ID] = None,
    time: TimeType | None = None,
    format: FileFormat | None = None,  # noqa: A002 - the option's name
    layout: Annotated[Path | None, FILE] = None,
    connection: Annotated[Connection, Parameter(name="*")] = NOWHERE,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Say whether every interval is there: of each meter, channel and day, what was asked for against what was found.

    What was asked for is known from the catalogue that downloads keep, and so is the clock. Where there is none, every
    day between the first and the last is expected, and the clock has to be given. Nothing is sent or changed, and no
    certificate is needed.

    Exit codes: 0 every interval is there, 2 wrong options, or the clock or the format would have to be guessed, 8
    intervals are missing or their copies differ, or a file cannot be read, 130 interrupted.

    Args:
        directory: Where files were downloaded to, or one data file.
        html: Write it as a page, too, which needs nothing beside it.
        meter: Draw the load of this meter into the page.
        time: The clock that the files were written by, pst or dst.
        format: Which files to take, csv or mdef, where there are both.
        layout: What the columns of CSV files mean, as TOML.
        connection: Where the records of submissions are, and of which server.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        if meter is not None and html is None:
            raise ConfigError("--meter draws the load of a meter into a page: say which with --html")
        if html is not None and not html.absolute().parent.is_dir():
            raise DestinationError(f"the directory of {html} does not exist: make it first")
        meaning = None if layout is None else CsvLayout.from_toml(layout)
        data = find_data(directory, clock=time, file_format=format, has_layout=meaning is not None)
        environment = environment_if_any(connection, environ=os.environ)
        ledgers = Submissions(state_dir_of(connection, environ=os.environ))
        origin = None if environment is None else environment.upload_origin
        return _report(out, _Wish(data, meaning, html, meter, ledgers, origin))

    return carry_out("report", display, prepare)


@attrs.frozen
class _Wish:
    data: DataDirectory
    layout: CsvLayout | None
    html: Path | None
    meter: str | None
    ledgers: Submissions
    upload_origin: str | None


async def _report(out: Output, wish: _Wish) -> int:
    data = wish.data
    if data.left_out:
        out.say(f"left out: {data.left_out_words}")
    if not data.catalogued:
        out.say("no catalogue tells what was asked for: every day between the first and the last is expected")
    # A ledger that cannot be used does not keep the data from being looked at.
    try:
        records = await asyncio.to_thread(lambda: list(wish.ledgers.records(upload_origin=wish.upload_origin)))
    except (ConfigError, DiskError) as error:
        records = []
        out.complain(f"submissions are left out: {error}")

    def read(progress: Callable[[int], None]) -> Coverage:
        coverage = read_coverage(data, layout=wish.layout, progress=progress)
        _write_page(wish, coverage, records)
        return coverage

    tally = Tally(len(data.files))
    coverage = await in_thread(out, tally, read)
    out.summary |= _summary(coverage) | {"submissions": len(records), "bytes": tally.bytes, "html": None}
    await asyncio.to_thread(_tell, out, coverage, records)
    if wish.html is not None:
        out.summary["html"] = str(wish.html)
        out.say(f"written: {wish.html}")
    return GOOD if coverage.complete else DATA


def _write_page(wish: _Wish, coverage: Coverage, records: list[SubmissionRecord]) -> None:
    if wish.html is None:
        return
    profile = None
    if wish.meter is not None:
        if all(series.recorder_id != wish.meter for series in coverage.series):
            raise UsageError(f"no file has the meter {wish.meter!a:.80}: give a recorder id as the report shows it")
        profile = read_profile(wish.data, wish.meter, layout=wish.layout)
    write_html(wish.html, coverage, submissions=records, profile=profile, made_at=dt.datetime.now(dt.UTC))


def _summary(coverage: Coverage) -> dict[str, object]:
    return {
        "complete": coverage.complete,
        "directory": str(coverage.directory),
        "clock": coverage.clock.value,
        "format": coverage.file_format.value,
        "catalogued": coverage.catalogued,
        "first_day": coverage.first_day and str(coverage.first_day),
        "last_day": coverage.last_day and str(coverage.last_day),
        "change_days": [str(day) for day in coverage.change_days],
        "meters": len({series.recorder_id for series in coverage.series}),
        "channels": sum(series.channel is not None for series in coverage.series),
        **fields(coverage.totals),
        "gaps": sum(len(series.gaps) for series in coverage.series),
        "problems": len(coverage.problems),
        "files": coverage.files,
        "left_out": coverage.left_out,
    }


def _tell(out: Output, coverage: Coverage, records: list[SubmissionRecord]) -> None:
    if out.display.json:
        for record in _records(coverage, records):
            out.record(record)
        return
    everything = out.display.verbose
    out.line(verdict(coverage))
    for part in (
        remarks(coverage),
        table(coverage, everything=everything),
        gaps(coverage, everything=everything),
        problems(coverage, everything=everything),
        submissions(records),
    ):
        for line in part:
            out.line(line)


def _records(coverage: Coverage, records: list[SubmissionRecord]) -> Iterator[dict[str, object]]:
    """Give everything as plain values."""
    for series in coverage.series:
        key = {"recorder_id": series.recorder_id, "channel": series.channel}
        yield {
            "event": "series",
            **key,
            "unit_code": series.unit_code,
            "label": series.label,
            "per_hour": series.per_hour,
            "first_day": str(series.first_day),
            "last_day": str(series.last_day),
            **fields(series.totals),
            "days": list(_runs(series)),
        }
        for gap in series.gaps:
            yield {"event": "gap", **key, **fields(gap)}
    for problem in coverage.problems:
        yield {"event": "problem", **fields(problem)}
    for submission in records:
        yield {"event": "submission", **fields(submission)}


def _runs(series: Series) -> Iterator[dict[str, object]]:
    """Give the states of the days, those side by side together."""
    day = series.first_day
    for state, same in groupby(series.states()):
        behind = day + dt.timedelta(days=sum(1 for _ in same))
        yield {"state": state.value, "first": str(day), "last": str(behind - dt.timedelta(days=1))}
        day = behind
