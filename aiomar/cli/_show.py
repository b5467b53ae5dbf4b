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
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import attrs
from rich.filesize import decimal

import aiomar
from aiomar import FileFormat, Group, LimitError, Meter, OmarClient, OmarConfig, SavedFile, TimeType, UploadReceipt
from aiomar.cli._output import Output
from aiomar.cli._progress import shown
from aiomar.cli._show_checks import Check, conclude
from aiomar.cli._show_killed import KILLED, kill_and_resume
from aiomar.cli._upload import show_receipts
from aiomar.testing import DEFAULT_METERS, CutBody, ExpireSession, LoginPage, OmarServer

_START, _END = dt.date(2026, 2, 20), dt.date(2026, 3, 21)
_CHANGE_DAY, _DAY_BEFORE = dt.date(2026, 3, 8), dt.date(2026, 3, 7)
_SELECTIONS: tuple[aiomar.Selection, ...] = (*map(Meter, DEFAULT_METERS), Group("123"))
_CLOCK = TimeType.DST
_UPLOADS = 3
_TOO_LONG = "a-name-that-is-one-character-too-long.dat"


@attrs.define
class _Seen:
    """What the client told its observer, before it was shown."""

    pass_on: aiomar.Observer
    events: Counter[type] = attrs.field(factory=Counter)

    def __call__(self, event: aiomar.Event) -> None:
        self.events[type(event)] += 1
        self.pass_on(event)


async def show(out: Output, directory: Path) -> int:
    """Run the demo in a directory that exists; give its exit code."""
    out.line(f"aiomar {version('aiomar')}: the main job against an OMAR-Online of its own, over mutual TLS")
    async with OmarServer() as server:
        with shown(out, len(_SELECTIONS) * len(FileFormat)) as observe:
            seen = _Seen(observe)
            config = OmarConfig(server.identity(), server.environment, trust=server.trust)
            async with OmarClient(config, observer=seen) as client:
                await client.login()
                out.line(f"\n1. Logged in to {server.environment.upload_origin}\n   as {config.identity.subject}")
                out.line(f"\n2. Download {len(_SELECTIONS) - 1} meters and a group, {_START} to {_END}; on the way")
                out.line("   a session ends, a connection drops, and a login page comes in place of data")
                files = await _download(out, client, server, directory)
                out.line("\n3. Submit files, one at a time")
                receipts, refusal = await _submit(client, files, directory)
        show_receipts(out, receipts, short=True)
        out.line(f"   A fourth file was refused before a byte was sent, as it should be:\n   {refusal}")
        checks = await asyncio.to_thread(_compare, server, files, receipts, refusal, seen)
    out.line(f"\n4. Download into {KILLED}/ in a process that is killed, and run it again")
    checks += await kill_and_resume(out, directory, _SELECTIONS, _START, _END)
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


async def _submit(
    client: OmarClient, files: Sequence[SavedFile], directory: Path
) -> tuple[Sequence[UploadReceipt], LimitError | None]:
    """Submit three of the files, and one whose name is too long."""
    good = sorted(file.path for file in files if file.file_format is FileFormat.MDEF)[1 : 1 + _UPLOADS]
    report = await client.upload_all(good)
    too_long = directory / _TOO_LONG
    await asyncio.to_thread(shutil.copyfile, good[0], too_long)
    try:
        await client.upload(too_long)
    except LimitError as error:
        return report.receipts, error
    return report.receipts, None


def _compare(
    server: OmarServer,
    files: Sequence[SavedFile],
    receipts: Sequence[UploadReceipt],
    refusal: LimitError | None,
    seen: _Seen,
) -> list[Check]:
    """Hold what the client reports against what the server has and saw."""
    total = len(_SELECTIONS) * len(FileFormat)
    same = sum(_is_as_served(server, file) for file in files)
    sent = [(upload.name, upload.sha256, upload.file_id) for upload in server.uploads]
    taken = sum((receipt.source_name, receipt.sha256, receipt.file_id) in sent for receipt in receipts)
    csv = next(file for file in files if file.selection == _SELECTIONS[0] and file.file_format is FileFormat.CSV)
    return [
        Check("files", len(files), total),
        Check("  the same, byte for byte, as the server has them", same, total),
        Check("  quarter hours on a common day", _intervals(csv.path, _DAY_BEFORE), 96),
        Check("  quarter hours on the day the clocks change", _intervals(csv.path, _CHANGE_DAY), 92),
        Check("sessions that ended on the way", seen.events[aiomar.SessionEnded], 2),
        Check("logins, the first included", seen.events[aiomar.LoggedIn], 3),
        Check("retries after a dropped connection", seen.events[aiomar.DownloadRetrying], 1),
        Check("uploads with a receipt that matches", taken, _UPLOADS),
        Check("  files that the server got", len(server.uploads), _UPLOADS),
        Check("  at the same time, at most", server.max_concurrent_uploads, 1),
        Check("refused by the rules, never sent", int(refusal is not None and refusal.rule == "name_length"), 1),
    ]


def _is_as_served(server: OmarServer, file: SavedFile) -> bool:
    data = server.data(file.selection, file.start, file.end, file_format=file.file_format, time_type=file.time_type)
    return hashlib.sha256(file.path.read_bytes()).digest() == hashlib.sha256(data).digest()


def _intervals(csv: Path, day: dt.date) -> int:
    """Count the rows of the first channel on a day."""
    with csv.open(encoding="ascii") as rows:
        return sum(f",1,KWH,{day:%m/%d/%Y}," in row for row in rows)
