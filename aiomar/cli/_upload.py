"""``aiomar upload``: files, one at a time, each checked before the first is sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from aiomar import (
    Event,
    FailedUpload,
    OmarClient,
    OmarConfig,
    OmarError,
    PartialUploadError,
    UploadBlockedError,
    UploadFailed,
    UploadFinished,
    UploadLimits,
    UploadReceipt,
    UsageError,
)
from aiomar.cli._codes import code_for_uploads
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import error_to_dict, fields
from aiomar.cli._options import NOWHERE, PLAIN, Connection, Display
from aiomar.cli._output import Output, count, told, uploads_in_short
from aiomar.cli._preflight import ContentWarning, content_warnings
from aiomar.cli._settings import asker, configure, has_certificate
from aiomar.cli._tables import Column, cut, drawn, more
from aiomar.submissions import read_source

_RECEIPT = ("id", "saved as", "bytes", "sha256", "sent (UTC)")
_MOST_WARNINGS = 10
"""Warnings about the content of a file that get a line each; beyond them only their number is told."""


def upload(
    *files: Annotated[Path, Parameter(name="FILE", required=True)],
    dry_run: bool = False,
    resend: bool = False,
    connection: Annotated[Connection, Parameter(name="*")] = NOWHERE,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Submit meter data files, one at a time.

    All files are checked first, and nothing is sent when one breaks a rule: .csv or .dat, names of at most 40
    characters, less than 512,000 bytes. --dry-run also looks at what is in them and warns, which holds nothing back: no
    document says which content is refused. "Uploaded" is not "loaded": that takes about an hour and more.

    Exit codes: 0 all were taken, 2 wrong options or a file that cannot be read, 4 server out of reach, 5 certificate
    or login, 6 refused by a rule or by the server, 7 nobody knows, 130 interrupted.

    Args:
        files: The files.
        dry_run: Only check the rules and the content and, if a certificate is given, its ledger; nothing is sent.
        resend: Send also what the ledger has as taken or unknown. Without it the same content is never sent twice.
        connection: Which server, and who we are.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        if dry_run and not has_certificate(connection, environ=os.environ):
            return _judge(out, files, None, resend=resend)
        config = configure(connection, environ=os.environ, ask=asker(), tell=out.say)
        return (_judge if dry_run else _send)(out, files, config, resend=resend)

    return carry_out("upload", display, prepare)


async def _judge(out: Output, files: Sequence[Path], config: OmarConfig | None, *, resend: bool) -> int:
    errors: list[OmarError] = []
    warnings_told = warned = 0
    async with AsyncExitStack() as stack:
        client = None if config is None else await stack.enter_async_context(OmarClient(config))
        for path in files:
            try:
                submission = await asyncio.to_thread(read_source, path, None, UploadLimits())
                if client is not None:
                    await client.check_upload(path, resend=resend)
            except (UsageError, UploadBlockedError) as error:
                errors.append(error)
                out.complain(str(error))
                out.record({"event": "checked", "source": str(path), "good": False, "error": error_to_dict(error)})
            else:
                warnings = await asyncio.to_thread(content_warnings, submission)
                warnings_told += len(warnings)
                warned += bool(warnings)
                out.line(f"{'warned' if warnings else 'good':6}  {len(submission.content):>7,} bytes  {path}")
                found = {"warnings": [fields(warning) for warning in warnings]}
                out.record({"event": "checked", "source": str(path), "good": True, **submission.facts, **found})
                _warn(out, path, warnings)
    if client is None:
        out.say("no certificate is given, so its ledger was not asked")
    out.summary |= {"files": len(files), "failures": len(errors), "warnings": warnings_told}
    told_of = f", {warned:,} with warnings" if warned else ""
    out.say(f"{len(files) - len(errors)} of {count(len(files), 'file')} may be sent{told_of}; nothing was sent")
    return code_for_uploads(errors)


def _warn(out: Output, path: Path, warnings: Sequence[ContentWarning]) -> None:
    shown, rest = cut(warnings, _MOST_WARNINGS)
    for words in [*(warning.words for warning in shown), *more(rest, "warning", "--json gives all")]:
        out.say(f"warning: {path}: {words}")


async def _send(out: Output, files: Sequence[Path], config: OmarConfig, *, resend: bool) -> int:
    receipts: list[UploadReceipt] = []
    recorded: list[OmarError] = []

    def observe(event: Event) -> None:
        out.observe(event)
        if isinstance(event, UploadFinished):
            receipts.append(event.receipt)
        elif isinstance(event, UploadFailed):
            recorded.append(event.error)

    try:
        async with OmarClient(config, observer=observe) as client:
            report = await client.upload_all(files, resend=resend)
    except PartialUploadError as error:
        report = error.report
    finally:
        # Also when interrupted: a receipt must never get lost.
        out.summary["receipts"] = len(receipts)
        show_receipts(out, receipts)
    _show_failures(out, report.failures, recorded)
    for path in report.not_sent:
        out.say(f"not sent: {path}")
        out.record({"event": "not_sent", "source": str(path)})
    errors = [failure.error for failure in report.failures]
    out.summary |= {"failures": len(errors), "not_sent": len(report.not_sent)}
    out.say(uploads_in_short(report, done="taken", held="not sent"))
    return code_for_uploads(errors, logged_in=out.logged_in)


def _show_failures(out: Output, failures: Sequence[FailedUpload], recorded: Sequence[OmarError]) -> None:
    for failure in failures:
        out.complain(told(failure.error))
        if failure.error not in recorded:  # what was found before sending has no event
            facts = {"source": str(failure.source), "error": error_to_dict(failure.error)}
            out.record({"event": "upload_failed", **facts})


def show_receipts(out: Output, receipts: Sequence[UploadReceipt], *, short: bool = False) -> None:
    """Show receipts as a table; on a terminal, or if `short`, it fits 80 columns, elsewhere nothing is left out."""
    if out.display.json or not receipts:
        return
    short = short or Console().is_terminal
    columns = [Column(title, right=title == "bytes", folds=True) for title in _RECEIPT]
    rows = [
        (
            receipt.file_id,
            receipt.saved_name,
            f"{receipt.size:,}",
            f"{receipt.sha256[:6]}…" if short else receipt.sha256,
            f"{receipt.submitted_at:%H:%M:%S}" if short else f"{receipt.submitted_at:%FT%TZ}",
        )
        for receipt in receipts
    ]
    out.line(drawn(columns, rows))
