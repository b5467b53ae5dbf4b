"""``aiomar submissions``: what was submitted from this machine, and what became of it."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import getpass
import io
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import App, Parameter
from rich.filesize import decimal

from aiomar import ConfigError, SourceError, SubmissionRecord, Submissions, SubmissionState, UsageError
from aiomar.cli._codes import GOOD
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import fields, plain
from aiomar.cli._options import AGE, ALL_RECORDS, FILE, ID, PLAIN, USUAL_LEDGERS, Display, Ledgers, Records, parse_age
from aiomar.cli._output import Output, count
from aiomar.cli._settings import records_of, state_dir_of
from aiomar.cli._submissions_confirm import confirm

_SHOWN_SHA256 = 12

submissions = App(
    "submissions",
    help="What was submitted from this machine, and what became of it: the proof.",
    help_format="markdown",
    default_parameter=Parameter(negative=(), show_default=False),
)


@submissions.command(name="list")
def list_(
    *,
    state: tuple[SubmissionState, ...] = (),
    csv_: Annotated[bool, Parameter(name="--csv")] = False,
    connection: Annotated[Records, Parameter(name="*")] = ALL_RECORDS,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """List submissions, oldest first.

    Of all environments and certificates below the state directory, or of one environment if it is named. Nothing is
    sent, and no certificate is needed.

    Exit codes: 0 good, 2 wrong options or a ledger that cannot be used.

    Args:
        state: Only those that are so; repeat the option for more.
        csv_: As CSV with every field, for spreadsheets and audits.
        connection: Where the records are, and of which server.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        if csv_ and display.json:
            raise ConfigError("--csv and --json are two ways to say the same: give one of them")
        state_dir, origin = records_of(connection, environ=os.environ, tell=out.say)
        records = Submissions(state_dir).records(states=set(state) or None, upload_origin=origin)
        return _list(out, records, as_csv=csv_)

    return carry_out("submissions list", display, prepare)


@submissions.command
def show(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    save: Annotated[Path | None, FILE] = None,
    connection: Annotated[Ledgers, Parameter(name="*")] = USUAL_LEDGERS,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Show everything that is known of a submission, and how it came to be known.

    Exit codes: 0 good, 2 there is no such submission, or its content cannot be saved.

    Args:
        id_: Of the submission, as 'list' shows it.
        save: Write the bytes that were submitted into this new file.
        connection: Where the records are.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        ledgers = Submissions(state_dir_of(connection, environ=os.environ, tell=out.say))
        return _show(out, ledgers, id_, save)

    return carry_out("submissions show", display, prepare)


@submissions.command
def resolve(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    accepted: bool = False,
    rejected: bool = False,
    file_id: Annotated[str | None, ID] = None,
    note: Annotated[str | None, Parameter(metavar="TEXT")] = None,
    connection: Annotated[Ledgers, Parameter(name="*")] = USUAL_LEDGERS,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Write down what you found out about a submission of unknown outcome.

    Nothing is sent. The journal of the submission keeps who said what, and when.

    Exit codes: 0 good, 2 there is no such submission, or its outcome is known.

    Args:
        id_: Of the submission, as 'list' shows it.
        accepted: The server has it.
        rejected: The server does not have it; it may be submitted again.
        file_id: The file id that the site shows for it, with --accepted.
        note: How you know; your name at this machine stands beside it.
        connection: Where the records are.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        if accepted == rejected:
            raise ConfigError("say what you found out: --accepted or --rejected")
        words = f"{getpass.getuser()}: {note or 'looked it up'}"
        return _resolve(out, _ledgers(connection), id_, accepted=accepted, file_id=file_id, note=words)

    return carry_out("submissions resolve", display, prepare)


@submissions.command
def prune(
    *,
    older_than: Annotated[str, AGE],
    connection: Annotated[Ledgers, Parameter(name="*")] = USUAL_LEDGERS,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Let go of the content of old submissions; what was submitted, when, and its file id stay.

    Those whose outcome is unknown keep everything.

    Exit codes: 0 good, 2 wrong options or a ledger that cannot be used.

    Args:
        older_than: Of submissions that ended longer ago than this, such as 400d.
        connection: Where the records are.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        return _prune(out, _ledgers(connection), parse_age(older_than, "--older-than", least=0))

    return carry_out("submissions prune", display, prepare)


submissions.command(confirm)


def _ledgers(connection: Ledgers) -> Submissions:
    """Give the ledgers to change; a profile that cannot be used might name another place."""
    return Submissions(state_dir_of(connection, environ=os.environ))


async def _list(out: Output, records: Iterable[SubmissionRecord], *, as_csv: bool) -> int:
    found: Counter[str] = Counter()
    names = [field.name for field in attrs.fields(SubmissionRecord)]

    def write() -> None:
        if as_csv:
            out.line(_csv_line(names))
        for record in records:
            found[record.state.value] += 1
            values = fields(record)
            out.record({"event": "submission", **values})
            out.line(_csv_line([_cell(values[name]) for name in names]) if as_csv else _in_a_line(record))

    await asyncio.to_thread(write)
    out.summary |= {"submissions": found.total(), "states": dict(found)}
    told = ", ".join(f"{number:,} {state.replace('_', ' ')}" for state, number in sorted(found.items()))
    out.say(f"{count(found.total(), 'submission')}{': ' if told else ''}{told}")
    return GOOD


def _in_a_line(record: SubmissionRecord) -> str:
    file_id = record.file_id or "-"
    return (
        f"{record.id}  {record.state.value:8}  {file_id:>10}  {record.size:>7,}  "
        f"{record.sha256[:_SHOWN_SHA256]}  {record.name}"
    )


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _cell(value: object) -> str:
    """Give a field for a spreadsheet, which must not take the words of a server for a formula."""
    text = "" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


async def _show(out: Output, ledgers: Submissions, ledger_id: str, save: Path | None) -> int:
    record = await asyncio.to_thread(ledgers.record, ledger_id)
    changes = await asyncio.to_thread(ledgers.changes, ledger_id)
    out.record({"event": "submission", **fields(record), "changes": [fields(change) for change in changes]})
    values = fields(record)
    for name, value in values.items():
        if name == "facts":
            more = {fact: known for fact, known in record.facts.items() if known != values.get(fact)}
            if more:
                out.line("facts")
            for fact, known in more.items():
                out.line(f"  {fact:14}  {plain(known)}")
        elif value is not None:
            out.line(f"{name:16}  {value}")
    for change in changes:
        note = f"  {change.note}" if change.note else ""
        out.line(f"{change.at:%Y-%m-%d %H:%M:%S} UTC  {change.state.value:8}  by {change.by}{note}")
    if save is not None:
        content = await asyncio.to_thread(ledgers.content, ledger_id)
        if content is None:
            raise SourceError(f"the content of {ledger_id} was let go of: there is nothing to save")
        await asyncio.to_thread(_save, save, content)
        out.say(f"{decimal(len(content))} written to {save}")
    return GOOD


def _save(path: Path, content: bytes) -> None:
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): give a new file") from error


async def _resolve(
    out: Output, ledgers: Submissions, ledger_id: str, *, accepted: bool, file_id: str | None, note: str
) -> int:
    record = await asyncio.to_thread(ledgers.resolve, ledger_id, accepted=accepted, file_id=file_id, note=note)
    out.record({"event": "submission", **fields(record)})
    out.line(_in_a_line(record))
    return GOOD


async def _prune(out: Output, ledgers: Submissions, age: dt.timedelta) -> int:
    pruned = await asyncio.to_thread(ledgers.prune, age)
    out.summary |= fields(pruned)
    out.say(f"the content of {count(pruned.submissions, 'submission')} let go of, {decimal(pruned.bytes)}")
    return GOOD
