"""The demo itself.  It uses nothing but the public face of aiomar, and in the end counts what it saw.

Every number of the last table has one that it should be: what the client reports is held against what the server has
and what it saw, and a difference fails the demo.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import shutil
from collections import Counter
from collections.abc import Awaitable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import attrs
from rich.filesize import decimal

import aiomar
from aiomar import (
    Confirmation,
    FileFormat,
    Group,
    LimitError,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    OutcomeUnknownError,
    SavedFile,
    Submissions,
    SubmissionState,
    TimeType,
    UploadBlockedError,
    UploadReceipt,
)
from aiomar.cli._output import Output
from aiomar.cli._progress import shown
from aiomar.cli._show_checks import Check, conclude
from aiomar.cli._show_data import look_inside
from aiomar.cli._show_killed import KILLED, kill_and_resume
from aiomar.cli._upload import show_receipts
from aiomar.testing import DEFAULT_METERS, CutBody, DropAnswer, ExpireSession, LoginPage, OmarServer

_E = TypeVar("_E", bound=OmarError)
_START, _END = dt.date(2026, 2, 20), dt.date(2026, 3, 21)
_CHANGE_DAY, _DAY_BEFORE = dt.date(2026, 3, 8), dt.date(2026, 3, 7)
_SELECTIONS: tuple[aiomar.Selection, ...] = (*map(Meter, DEFAULT_METERS), Group("123"))
_CLOCK = TimeType.DST
_UPLOADS = 3
_TOO_LONG = "a-name-that-is-one-character-too-long.dat"
_RECORDS = "records"
"""Directory of the ledger."""


@attrs.define
class _Seen:
    """What the client told its observer, before it was shown."""

    pass_on: aiomar.Observer
    events: Counter[type] = attrs.field(factory=Counter)

    def __call__(self, event: aiomar.Event) -> None:
        self.events[type(event)] += 1
        self.pass_on(event)


async def show(out: Output, directory: Path, results: Path) -> int:
    """Run the demo; give its exit code.

    Args:
        out: what is told of it.
        directory: to work in.
        results: where the Parquet file and the report go.
    """
    out.line(f"aiomar {version('aiomar')}: the main job against an OMAR-Online of its own, over mutual TLS")
    async with OmarServer() as server:
        with shown(out, len(_SELECTIONS) * len(FileFormat)) as observe:
            seen = _Seen(observe)
            config = OmarConfig(
                server.identity(), server.environment, trust=server.trust, state_dir=directory / _RECORDS
            )
            async with OmarClient(config, observer=seen) as client:
                await client.login()
                out.line(f"\n1. Logged in to {server.environment.upload_origin}\n   as {config.identity.subject}")
                out.line(f"\n2. Download {len(_SELECTIONS) - 1} meters and a group, {_START} to {_END}; on the way")
                out.line("   a session ends, a connection drops, and a login page comes in place of data")
                files = await _download(out, client, server, directory)
                out.line("\n3. Submit files, one at a time")
                submitted = await _submit(client, server, files, directory)
        show_receipts(out, submitted.receipts, short=True)
        out.line(f"   A file was refused before a byte was sent, as it should be:\n   {submitted.refused}")
        out.line(f"   A file was sent and its answer was lost:\n   {submitted.unknown}")
        verdict = submitted.verdict
        out.line(f"   Looked for it in the server's data: {verdict.found:,} of {verdict.expected:,} intervals show")
        checks = await asyncio.to_thread(_compare, server, files, submitted, seen)
    out.line(f"\n4. Download into {KILLED}/ in a process that is killed, and run it again")
    checks += await kill_and_resume(out, directory, _SELECTIONS, _START, _END)
    out.line("\n5. Look into the files: is every interval there?")
    days = (_END - _START).days + 1
    checks += await look_inside(
        out, directory, results, directory / _RECORDS, meters=len(DEFAULT_METERS), days=days, change_day=_CHANGE_DAY
    )
    out.summary |= {"bytes": sum(file.size for file in files)}
    return conclude(out, files, checks)


async def _download(out: Output, client: OmarClient, server: OmarServer, directory: Path) -> list[SavedFile]:
    """Download everything in both formats while the server makes trouble."""
    trouble = {
        FileFormat.MDEF: (
            ExpireSession(match="selectedMeters=1020&"),
            CutBody(after=20_000, match="selectedMeters=1040&"),
        ),
        FileFormat.CSV: (LoginPage(match="selectedMeters=1030&"),),
    }
    files: list[SavedFile] = []
    for file_format, faults in trouble.items():
        server.script(*faults)
        report = await client.download_range(
            _SELECTIONS, _START, _END, file_format=file_format, time_type=_CLOCK, into=directory
        )
        files += report.files
        out.line(
            f"   {file_format.value:4}  {len(report.files)} files, {decimal(report.bytes)} in {report.elapsed:.1f} s"
        )
    return files


@attrs.frozen(kw_only=True)
class _Submitted:
    """What became of the files that were submitted."""

    receipts: Sequence[UploadReceipt]
    refused: LimitError | None
    blocked: UploadBlockedError | None
    unknown: OutcomeUnknownError | None
    verdict: Confirmation
    states: Counter[SubmissionState]


async def _submit(client: OmarClient, server: OmarServer, files: Sequence[SavedFile], directory: Path) -> _Submitted:
    """Submit three of the files, one whose name is too long, and one whose answer gets lost; look for that one."""
    _, *good = sorted((file for file in files if file.file_format is FileFormat.MDEF), key=lambda file: file.path)
    report = await client.upload_all([file.path for file in good[:_UPLOADS]])
    too_long = directory / _TOO_LONG
    await asyncio.to_thread(shutil.copyfile, good[0].path, too_long)
    refused = await _error_of(client.upload(too_long), LimitError)
    lost = good[_UPLOADS]
    server.script(DropAnswer())
    unknown = await _error_of(client.upload(lost.path), OutcomeUnknownError)
    blocked = await _error_of(client.upload(lost.path), UploadBlockedError)
    verdict = await client.confirm(
        str(unknown and unknown.ledger_id),
        lost.selection,
        lost.start,
        lost.end,
        file_format=lost.file_format,
        time_type=lost.time_type,
        timeout=dt.timedelta(),
    )
    records = await asyncio.to_thread(lambda: list(Submissions(directory / _RECORDS).records()))
    return _Submitted(
        receipts=report.receipts,
        refused=refused,
        blocked=blocked,
        unknown=unknown,
        verdict=verdict,
        states=Counter(record.state for record in records),
    )


async def _error_of(call: Awaitable[object], kind: type[_E]) -> _E | None:
    """Give the error that a call should end with; `None` if it does not."""
    try:
        await call
    except kind as error:
        return error
    return None


def _compare(server: OmarServer, files: Sequence[SavedFile], submitted: _Submitted, seen: _Seen) -> list[Check]:
    """Hold what the client reports against what the server has and saw."""
    total = len(_SELECTIONS) * len(FileFormat)
    same = sum(_is_as_served(server, file) for file in files)
    sent = [(upload.name, upload.sha256, upload.file_id) for upload in server.uploads]
    taken = sum((receipt.source_name, receipt.sha256, receipt.file_id) in sent for receipt in submitted.receipts)
    csv = next(file for file in files if file.selection == _SELECTIONS[0] and file.file_format is FileFormat.CSV)
    refused = submitted.refused is not None and submitted.refused.rule == "name_length"
    return [
        Check("files", len(files), total),
        Check("  the same, byte for byte, as the server has them", same, total),
        Check("  quarter hours on a common day", _intervals(csv.path, _DAY_BEFORE), 96),
        Check("  quarter hours on the day the clocks change", _intervals(csv.path, _CHANGE_DAY), 92),
        Check("sessions that ended on the way", seen.events[aiomar.SessionEnded], 2),
        Check("logins, the first included", seen.events[aiomar.LoggedIn], 3),
        Check("retries after a dropped connection", seen.events[aiomar.DownloadRetrying], 1),
        Check("uploads with a receipt that matches", taken, _UPLOADS),
        Check("uploads whose answer was lost", int(submitted.unknown is not None), 1),
        Check("  held back when they were tried again", int(submitted.blocked is not None), 1),
        Check("  confirmed by what the server has", int(submitted.verdict.confirmed), 1),
        Check("files that the server got", len(server.uploads), _UPLOADS + 1),
        Check("  accepted in the ledger", submitted.states[SubmissionState.ACCEPTED], _UPLOADS + 1),
        Check("  at the same time, at most", server.max_concurrent_uploads, 1),
        Check("refused by the rules, never sent", int(refused), 1),
    ]


def _is_as_served(server: OmarServer, file: SavedFile) -> bool:
    data = server.data(file.selection, file.start, file.end, file_format=file.file_format, time_type=file.time_type)
    return hashlib.sha256(file.path.read_bytes()).digest() == hashlib.sha256(data).digest()


def _intervals(csv: Path, day: dt.date) -> int:
    """Count the rows of the first channel on a day."""
    with csv.open(encoding="ascii") as rows:
        return sum(f",1,KWH,{day:%m/%d/%Y}," in row for row in rows)
