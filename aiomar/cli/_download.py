"""``aiomar download``: a range of days for meters and groups."""

from __future__ import annotations

import datetime as dt
import os
import time as clock
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter
from rich.filesize import decimal

from aiomar import (
    FailedDownload,
    FileFormat,
    OmarClient,
    OmarConfig,
    OmarError,
    RangePlan,
    SavedFile,
    Selection,
    TimeType,
)
from aiomar.cli._codes import GOOD, code_for_downloads
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._ids import read_ids
from aiomar.cli._json import fields
from aiomar.cli._options import (
    AGE,
    DAY,
    DIRECTORY,
    FILE_OR_DASH,
    ID,
    NOWHERE,
    NUMBER,
    PLAIN,
    Connection,
    Display,
    parse_age,
    parse_day,
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
    max_age: dt.timedelta | None
    allow_unverified: bool

    @property
    def files(self) -> int:
        """How many files it comes to."""
        days = (self.end - self.start).days + 1
        return len(self.selections) * (1 if self.days_per_file is None else -(-days // max(self.days_per_file, 1)))

    async def plan(self, client: OmarClient) -> RangePlan:
        """Say what would be done."""
        return await client.plan_range(
            self.selections,
            self.start,
            self.end,
            file_format=self.file_format,
            time_type=self.time_type,
            into=self.into,
            days_per_file=self.days_per_file,
            resume=self.resume,
            max_age=self.max_age,
            allow_unverified=self.allow_unverified,
        )

    def outcomes(self, client: OmarClient) -> AsyncGenerator[SavedFile | FailedDownload]:
        """Do it."""
        return client.iter_range(
            self.selections,
            self.start,
            self.end,
            file_format=self.file_format,
            time_type=self.time_type,
            into=self.into,
            days_per_file=self.days_per_file,
            resume=self.resume,
            max_age=self.max_age,
            allow_unverified=self.allow_unverified,
        )


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
    max_age: Annotated[str | None, AGE] = None,
    allow_unverified: bool = False,
    dry_run: bool = False,
    connection: Annotated[Connection, Parameter(name="*")] = NOWHERE,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Download a range of days for meters and groups, several at a time.

    The paths of the files go to stdout, one a line. A failed download never stops the others. What an earlier run has
    fetched is not fetched again, also after it was interrupted: run the same command to go on.

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
        concurrency: Downloads under way at once, at most; 8 if nothing else is said. Fewer while the server is busy.
        fresh: Fetch everything, also what is known to be there already.
        max_age: Fetch files again that are older: 12h, 3d. Without it their age does not matter.
        allow_unverified: Save files too that nothing proves to be whole.
        dry_run: Only show what would be fetched.
        connection: Which server, and who we are.
        display: What is shown.
    """

    def prepare_range() -> Range:
        today = dt.datetime.now().astimezone().date()
        return Range(
            selections=parse_selections(meter, group, read_ids(ids_from)),
            start=parse_day(from_, "--from", today),
            end=parse_day(to, "--to", today),
            file_format=format_,
            time_type=time,
            into=into,
            days_per_file=days_per_file,
            resume=not fresh,
            max_age=None if max_age is None else parse_age(max_age, "--max-age"),
            allow_unverified=allow_unverified,
        )

    def prepare(out: Output) -> Work:
        out.when_interrupted = how_to_go_on(ids_from, fresh=fresh)
        wanted = prepare_range()
        config = configure(connection, environ=os.environ, ask=asker(), concurrency=concurrency, tell=out.say)
        return _plan(out, wanted, config) if dry_run else _fetch(out, wanted, config)

    return carry_out("download", display, prepare)


def how_to_go_on(ids_from: str | None, *, fresh: bool) -> str:
    """Say what to do after an interruption."""
    same = " with the same ids" if ids_from == "-" else ""
    without = ", but without --fresh, which begins anew" if fresh else ""
    return f"run the same command again{same} to go on{without}"


async def _plan(out: Output, wanted: Range, config: OmarConfig) -> int:
    async with OmarClient(config) as client:
        plan = await wanted.plan(client)
    for job in plan.jobs:
        out.record({"event": "job", **fields(job)})
        out.line(f"{'reuse' if job.reused else 'fetch'}  {job.start}  {job.end}  {job.path}")
    reused = plan.reused
    out.summary |= {"files": len(plan.jobs), "requests": plan.requests, "reused": reused}
    here = f"{reused:,} here already" if reused else "none here already"
    out.say(f"{count(len(plan.jobs), 'file')}: {plan.requests:,} to fetch, {here}; nothing was sent")
    return GOOD


async def _fetch(out: Output, wanted: Range, config: OmarConfig) -> int:
    came = _Came()
    try:
        with shown(out, wanted.files) as observe:
            async with (
                OmarClient(config, observer=observe) as client,
                aclosing(wanted.outcomes(client)) as outcomes,
            ):
                async for outcome in outcomes:
                    came.add(outcome)
                    if isinstance(outcome, SavedFile):
                        out.line(str(outcome.path))
    finally:
        elapsed = clock.monotonic() - came.started
        out.summary |= came.facts() | {"retries": out.retries, "elapsed": elapsed}
    retries = "1 retry" if out.retries == 1 else f"{out.retries:,} retries"
    out.say(f"{came}: {decimal(came.size)} in {elapsed:.1f} s, {retries}")
    return code_for_downloads(came.reasons.values(), logged_in=out.logged_in)


@attrs.define
class _Came:
    """What came of a range, in numbers."""

    fetched: int = 0
    reused: int = 0
    failed: int = 0
    size: int = 0
    """Bytes that were fetched."""
    reasons: dict[object, OmarError] = attrs.field(factory=dict)
    """One failure of each kind, which is enough for an exit code: there may be a million."""
    started: float = attrs.field(factory=clock.monotonic)

    def add(self, outcome: SavedFile | FailedDownload) -> None:
        if isinstance(outcome, FailedDownload):
            self.failed += 1
            error = outcome.error
            self.reasons.setdefault((type(error), getattr(error, "phase", None)), error)
        elif outcome.reused:
            self.reused += 1
        else:
            self.fetched += 1
            self.size += outcome.size

    def facts(self) -> dict[str, object]:
        files = self.fetched + self.reused
        return {"files": files, "failures": self.failed, "reused": self.reused, "bytes": self.size}

    def __str__(self) -> str:
        return f"{count(self.fetched, 'file')} fetched, {self.reused:,} reused, {self.failed:,} failed"
