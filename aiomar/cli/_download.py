"""``aiomar download``: a range of days for meters and groups."""

from __future__ import annotations

import datetime as dt
import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter
from rich.filesize import decimal

from aiomar import (
    ConfigError,
    FileFormat,
    OmarClient,
    OmarConfig,
    OmarError,
    SavedFile,
    Selection,
    TimeType,
)
from aiomar.cli._codes import GOOD, code_for_downloads
from aiomar.cli._frame import carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import (
    DAY,
    DIRECTORY,
    FILE_OR_DASH,
    ID,
    NOWHERE,
    NUMBER,
    PLAIN,
    Connection,
    Display,
    parse_day,
    parse_ids,
    parse_selections,
)
from aiomar.cli._output import Output, count
from aiomar.cli._progress import shown
from aiomar.cli._settings import asker, configure


@attrs.frozen(kw_only=True)
class Range:
    """What to download."""

    selections: list[Selection]
    start: dt.date
    end: dt.date
    file_format: FileFormat
    time_type: TimeType
    into: Path
    days_per_file: int | None
    resume: bool

    @property
    def files(self) -> int:
        """How many files it comes to."""
        days = (self.end - self.start).days + 1
        return len(self.selections) * (1 if self.days_per_file is None else -(-days // max(self.days_per_file, 1)))


def download(
    *,
    meter: Annotated[tuple[str, ...], ID] = (),
    group: Annotated[tuple[str, ...], ID] = (),
    ids_from: Annotated[str | None, FILE_OR_DASH] = None,
    from_: Annotated[str, Parameter(name="--from"), DAY],
    to: Annotated[str, DAY],
    format_: Annotated[FileFormat, Parameter(name="--format")],
    time: TimeType,
    into: Annotated[Path, DIRECTORY],
    days_per_file: Annotated[int | None, NUMBER] = None,
    concurrency: Annotated[int | None, NUMBER] = None,
    fresh: bool = False,
    dry_run: bool = False,
    connection: Annotated[Connection, Parameter(name="*")] = NOWHERE,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Download a range of days for meters and groups, several at a time.

    The paths of the files go to stdout, one a line. A failed download never stops the others.

    Exit codes: 0 all is here, 2 wrong options or destination, 3 some downloads failed, 4 server out of reach,
    5 certificate or login, 130 interrupted.

    Args:
        meter: A meter; repeat the option for more.
        group: A group of meters; repeat the option for more.
        ids_from: A file with one id a line, or - for stdin; 'meter:' or 'group:' may stand in front.
        from_: First day: YYYY-MM-DD, today, yesterday or -7d.
        to: Last day, likewise.
        format_: Format of the files.
        time: The clock: pst is UTC-8 all year, dst follows daylight saving. There is no default.
        into: Directory for the files; made when missing, its parent must exist.
        days_per_file: Split the range into files of so many days.
        concurrency: Downloads under way at once; 8 if nothing else is said.
        fresh: Fetch everything, also what is known to be there already.
        dry_run: Only show what would be fetched.
        connection: Which server, and who we are.
        display: What is shown.
    """

    def prepare_range() -> Range:
        today = dt.datetime.now().astimezone().date()
        return Range(
            selections=parse_selections(meter, group, _ids_from(ids_from)),
            start=parse_day(from_, "--from", today),
            end=parse_day(to, "--to", today),
            file_format=format_,
            time_type=time,
            into=into,
            days_per_file=days_per_file,
            resume=not fresh,
        )

    def config() -> OmarConfig:
        return configure(connection, environ=os.environ, ask=asker(), concurrency=concurrency)

    work = _plan if dry_run else _fetch
    return carry_out("download", display, lambda out: work(out, prepare_range(), config()))


def _ids_from(source: str | None) -> list[Selection]:
    if source is None:
        return []
    try:
        if source == "-":
            return list(parse_ids(sys.stdin, "stdin"))
        with Path(source).open(encoding="utf-8") as lines:
            return list(parse_ids(lines, source))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"--ids-from: {source!a:.300} cannot be read ({reason}): correct the path") from error


async def _plan(out: Output, wanted: Range, config: OmarConfig) -> int:
    async with OmarClient(config) as client:
        plan = await client.plan_range(
            wanted.selections,
            wanted.start,
            wanted.end,
            file_format=wanted.file_format,
            time_type=wanted.time_type,
            into=wanted.into,
            days_per_file=wanted.days_per_file,
            resume=wanted.resume,
        )
    for job in plan.jobs:
        out.record({"event": "job", **fields(job)})
        out.line(f"{'reuse' if job.reused else 'fetch'}  {job.start}  {job.end}  {job.path}")
    out.summary |= {"files": len(plan.jobs), "requests": plan.requests, "reused": plan.reused}
    here = f"{plan.reused:,} here already" if plan.reused else "none here already"
    out.say(f"{count(len(plan.jobs), 'file')}: {plan.requests:,} to fetch, {here}; nothing was sent")
    return GOOD


async def _fetch(out: Output, wanted: Range, config: OmarConfig) -> int:
    errors: list[OmarError] = []
    files = reused = size = 0
    started = dt.datetime.now(dt.UTC)
    with shown(out, wanted.files) as observe:
        async with OmarClient(config, observer=observe) as client:
            outcomes = client.iter_range(
                wanted.selections,
                wanted.start,
                wanted.end,
                file_format=wanted.file_format,
                time_type=wanted.time_type,
                into=wanted.into,
                days_per_file=wanted.days_per_file,
                resume=wanted.resume,
            )
            async with aclosing(outcomes):
                async for outcome in outcomes:
                    if isinstance(outcome, SavedFile):
                        files += 1
                        reused += outcome.reused
                        size += 0 if outcome.reused else outcome.size
                        out.line(str(outcome.path))
                    else:
                        errors.append(outcome.error)
                    out.summary |= {"files": files, "failures": len(errors), "reused": reused, "bytes": size}
    elapsed = (dt.datetime.now(dt.UTC) - started).total_seconds()
    out.summary |= {"files": files, "failures": len(errors), "reused": reused, "bytes": size, "elapsed": elapsed}
    failed = f"; {len(errors):,} failed" if errors else ""
    out.say(f"{count(files, 'file')}, {decimal(size)} in {elapsed:.1f} s{failed}")
    return code_for_downloads(errors, logged_in=out.logged_in)
