"""``aiomar report``: is every interval there?"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from aiomar import ConfigError, DiskError, SubmissionRecord, Submissions
from aiomar.cli._codes import DATA, GOOD
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import ALL_RECORDS, AS_FOUND, FILE, ID, PLACE, PLAIN, Display, Reading, Records
from aiomar.cli._output import Output
from aiomar.cli._reading import counting_files, find_files, in_thread
from aiomar.cli._report_words import gaps, problems, remarks, submissions, table, verdict
from aiomar.cli._settings import records_of
from aiomar.cli._tally import Tally
from aiomar.formats import CsvLayout
from aiomar.report import (
    Coverage,
    DataDirectory,
    LoadProfile,
    Series,
    Totals,
    read_coverage,
    read_profile,
    write_html,
)
from aiomar.report._page_file import check_page

_NUMBERS = tuple(field.name for field in attrs.fields(Totals))


def report(
    directory: Annotated[Path, PLACE],
    /,
    *,
    html: Annotated[Path | None, FILE] = None,
    meter: Annotated[str | None, ID] = None,
    reading: Annotated[Reading, Parameter(name="*")] = AS_FOUND,
    connection: Annotated[Records, Parameter(name="*")] = ALL_RECORDS,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Say whether every interval is there: of each meter, channel and day, what was asked for against what was found.

    What was asked for is known from the catalogue that downloads keep, and so is the clock. Where there is none, every
    day between the first and the last is expected, and the clock has to be given. Nothing is sent or changed, and no
    certificate is needed.

    Exit codes: 0 every interval is there, 1 the disk refuses the page, 2 wrong options, or the clock or the format
    would have to be guessed, or the page cannot be written there, 8 intervals are missing or their copies differ, or a
    file cannot be read, 130 interrupted. What was found is shown before the page is written.

    Args:
        directory: Where files were downloaded to, or one data file.
        html: Write it as a page, too, which needs nothing beside it. Only an earlier page is ever replaced.
        meter: Draw the load of this meter into the page.
        reading: How the files are read.
        connection: Where the records of submissions are, and of which server.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        if meter is not None and html is None:
            raise ConfigError("--meter draws the load of a meter into a page: say which with --html")
        out.when_interrupted = "no page was written" if html is not None else "run the same command again"
        if html is not None:
            check_page(html)
        data, layout = find_files(out, directory, reading)
        state_dir, origin = records_of(connection, environ=os.environ, tell=out.say)
        return _report(out, _Wish(data, layout, html, meter, Submissions(state_dir), origin))

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
    if not data.catalogued:
        out.say("no catalogue tells what was asked for: every day between the first and the last is expected")
    tally = Tally(len(data.files))

    def read(progress: Callable[[int], None]) -> tuple[Coverage, list[SubmissionRecord], LoadProfile | None]:
        records = _submissions(out, wish)
        coverage = read_coverage(data, layout=wish.layout, progress=counting_files(tally, data.files, progress))
        profile = wish.meter and read_profile(data, wish.meter, layout=wish.layout, progress=progress)
        return coverage, records, profile or None

    def tell(progress: Callable[[int], None]) -> dict[str, object]:
        if out.display.json:
            for record in _records(coverage, records):
                progress(0)
                out.record(record)
        else:
            for line in _lines(coverage, records, everything=out.display.verbose):
                progress(0)
                out.line(line)
        return _summary(coverage)

    coverage, records, profile = await in_thread(out, tally, read)
    out.summary |= {"submissions": len(records), "bytes": tally.bytes, "html": None}
    out.summary |= await in_thread(out, None, tell)
    if wish.html is not None:  # only now: no disk that is full hides what was found
        await in_thread(out, None, partial(_write_page, wish.html, coverage, records, profile))
        out.summary["html"] = str(wish.html)
        out.say(f"written: {wish.html}")
    return GOOD if coverage.complete else DATA


def _submissions(out: Output, wish: _Wish) -> list[SubmissionRecord]:
    try:
        return list(wish.ledgers.records(upload_origin=wish.upload_origin))
    except (ConfigError, DiskError) as error:  # that does not keep the data from being looked at
        out.say(f"submissions are left out of the report: {error}")
        return []


def _write_page(
    target: Path,
    coverage: Coverage,
    records: list[SubmissionRecord],
    profile: LoadProfile | None,
    progress: Callable[[int], None],
) -> None:
    write_html(
        target,
        coverage,
        submissions=records,
        profile=profile,
        made_at=dt.datetime.now(dt.UTC),
        progress=lambda _: progress(0),  # the tally is of bytes that are read
    )


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
        "meters": coverage.meter_count,
        "unread_meters": coverage.unread_meters,
        "unread_groups": coverage.unread_groups,
        "channels": coverage.channel_count,
        **fields(coverage.totals),
        "gaps": sum(len(series.gaps) for series in coverage.series),
        "problems": len(coverage.problems),
        "files": coverage.files,
        "left_out": coverage.left_out,
        "left_out_words": coverage.left_out_words,
    }


def _lines(coverage: Coverage, records: list[SubmissionRecord], *, everything: bool) -> Iterator[str]:
    """Give it for people, the verdict first."""
    yield verdict(coverage)
    yield from remarks(coverage)
    yield from table(coverage, everything=everything)
    yield from gaps(coverage, everything=everything)
    yield from problems(coverage, everything=everything)
    yield from submissions(records)


def _records(coverage: Coverage, records: list[SubmissionRecord]) -> Iterator[dict[str, object]]:
    """Give everything as plain values."""
    for series in coverage.series:
        key = {"recorder_id": series.recorder_id, "channel": series.channel}
        yield {
            "event": "series",
            **key,
            "group": series.group,
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
    """Give the days, those side by side that are alike as one: every one of them has these numbers."""
    place = 0
    for _, same in groupby(zip(*(getattr(series, name) for name in _NUMBERS), strict=True)):
        day = series.day(place)
        place += sum(1 for _ in same)
        last = series.first_day + dt.timedelta(days=place - 1)
        numbers = {name: getattr(day, name) for name in _NUMBERS}
        yield {"state": day.state.value, "first": str(day.day), "last": str(last), **numbers}
