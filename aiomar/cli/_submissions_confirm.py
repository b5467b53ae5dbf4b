"""``aiomar submissions confirm``: is what was submitted what the server has now?"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from aiomar import (
    ConfigError,
    Confirmation,
    ConfirmationPending,
    Event,
    FileFormat,
    Group,
    Meter,
    OmarClient,
    OmarConfig,
    Selection,
    Submissions,
    SubmissionState,
    TimeType,
)
from aiomar.cli._codes import DATA, GOOD, IDENTITY, UNKNOWN, UNREACHABLE, code_for_downloads
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import AGE, DAY, FILE, ID, NOWHERE, PLAIN, Connection, Display, parse_age, parse_day
from aiomar.cli._output import Output
from aiomar.cli._settings import asker, configure


@attrs.frozen(kw_only=True)
class _Wanted:
    """Where to look, and for how long."""

    selection: Selection
    start: dt.date
    end: dt.date
    file_format: FileFormat
    time_type: TimeType
    source: Path | None
    timeout: dt.timedelta


def confirm(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    meter: Annotated[str | None, ID] = None,
    group: Annotated[str | None, ID] = None,
    from_: Annotated[str, Parameter(name="--from"), DAY],
    to: Annotated[str, DAY],
    format_: Annotated[FileFormat, Parameter(name="--format")],
    time: TimeType,
    source: Annotated[Path | None, FILE] = None,
    timeout: Annotated[str, AGE] = "2h",
    once: bool = False,
    connection: Annotated[Connection, Parameter(name="*")] = NOWHERE,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Look for what was submitted in what can be downloaded, until all of it shows.

    Nothing is ever sent again. A submission of unknown outcome that shows is accepted from then on. Looks at once and
    then with growing pauses: loading takes about an hour and more.

    Exit codes: 0 all of it shows, 2 wrong options or no such submission, 4 server out of reach, 5 certificate or login,
    7 it does not show and its outcome is unknown, 8 it was taken and does not show, 130 interrupted.

    Args:
        id_: Of the submission, as 'list' shows it.
        meter: The meter whose data were submitted.
        group: Or the group.
        from_: First day: YYYY-MM-DD, today, yesterday or -7d.
        to: Last day, likewise.
        format_: Of the submitted file.
        time: The clock of the submitted file.
        source: The file as it was submitted; without it the copy that was kept.
        timeout: How long to go on looking: 12h, 3d; two hours if nothing else is said.
        once: Look once and say what shows now.
        connection: Which server, and who we are.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        places = [kind(text) for kind, text in ((Meter, meter), (Group, group)) if text is not None]
        if len(places) != 1:
            raise ConfigError("say where to look: --meter or --group, one of them")
        today = dt.datetime.now().astimezone().date()
        wanted = _Wanted(
            selection=places[0],
            start=parse_day(from_, "--from", today),
            end=parse_day(to, "--to", today),
            file_format=format_,
            time_type=time,
            source=source,
            timeout=dt.timedelta() if once else parse_age(timeout, "--timeout", least=0),
        )
        return _confirm(out, id_, wanted, configure(connection, environ=os.environ, ask=asker(), tell=out.say))

    return carry_out("submissions confirm", display, prepare)


async def _confirm(out: Output, ledger_id: str, wanted: _Wanted, config: OmarConfig) -> int:
    def observe(event: Event) -> None:
        out.observe(event)
        if isinstance(event, ConfirmationPending):
            why = f" ({event.error})" if event.error is not None else ""
            out.say(f"{event.found:,} of {event.expected:,} show{why}: next look in {event.wait / 60:.0f} min")

    async with OmarClient(config, observer=observe) as client:
        verdict = await client.confirm(
            ledger_id,
            wanted.selection,
            wanted.start,
            wanted.end,
            file_format=wanted.file_format,
            time_type=wanted.time_type,
            source=wanted.source,
            timeout=wanted.timeout,
        )
    _tell(out, verdict)
    if verdict.confirmed:
        return GOOD
    if verdict.error is not None:
        why = code_for_downloads([verdict.error], logged_in=out.logged_in)
        if why in {IDENTITY, UNREACHABLE}:
            return why
    state = Submissions(config.state_dir).record(ledger_id).state
    return UNKNOWN if state is SubmissionState.UNKNOWN else DATA


def _tell(out: Output, verdict: Confirmation) -> None:
    facts = fields(verdict)
    out.record({"event": "confirmation", **facts})
    out.summary |= {name: facts[name] for name in ("confirmed", "expected", "found", "looks", "elapsed")}
    things = "intervals" if verdict.file_format is FileFormat.MDEF else "rows"
    out.line(f"{verdict.found:,} of {verdict.expected:,} {things} of {verdict.name} show")
    for words, places, number in (
        ("missing", verdict.missing, verdict.missing_count),
        ("different", verdict.different, verdict.different_count),
    ):
        for place in places:
            out.line(f"{words}  {place}")
        if number > len(places):
            out.line(f"{words}  and {number - len(places):,} more")
    if verdict.error is not None:
        out.complain(f"the last look saw nothing: {verdict.error}")
