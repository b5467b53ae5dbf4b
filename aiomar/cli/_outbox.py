"""``aiomar outbox``: a directory whose files are submitted as they appear."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from aiomar import (
    Event,
    OmarClient,
    OmarConfig,
    OmarError,
    Outbox,
    OutboxRefused,
    OutboxSent,
    UploadReport,
)
from aiomar.cli._codes import code_for_uploads
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import error_to_dict
from aiomar.cli._options import NOWHERE, NUMBER, PLACE, PLAIN, Connection, Display
from aiomar.cli._output import Output, in_one_line, told, uploads_in_short
from aiomar.cli._settings import asker, configure


def outbox(
    directory: Annotated[Path, PLACE],
    /,
    *,
    once: bool = False,
    settle: Annotated[float, NUMBER] = 2.0,
    rescan: Annotated[float, NUMBER] = 60.0,
    connection: Annotated[Connection, Parameter(name="*")] = NOWHERE,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Submit what appears in a directory, one file at a time, oldest first.

    Each file moves to DIR/sent with its receipt beside it, or to DIR/refused with the reason. The ledger decides what
    is sent: whatever ends this command, at any instant, no file is lost and none is submitted twice. It runs until it
    is interrupted, and waits while the server is away. An upload whose outcome is unknown stops the line until 'aiomar
    submissions confirm' or 'resolve' settles it. Hidden files and names like x.part, x.tmp and x~ are left alone.

    Exit codes: 0 with --once, nothing failed, 2 wrong options, a directory that cannot be used or a file that cannot be
    read, 4 server out of reach, 5 certificate or login, 6 files were refused, 7 nobody knows, 130 interrupted.

    Args:
        directory: The outbox; it must exist.
        once: Submit what lies there now, and stop at the first trouble that is not a file's own.
        settle: Seconds that a file must have stood still before it is taken.
        rescan: Seconds between looks where the system tells of no change, as on a network file system.
        connection: Which server, and who we are.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        out.when_interrupted = f"what waits stays in {directory}: run the same command again to go on"
        config = configure(connection, environ=os.environ, ask=asker(), tell=out.say)
        return _work(out, config, directory, once=once, settle=settle, rescan=rescan)

    return carry_out("outbox", display, prepare)


@attrs.define
class _Teller:
    """Tells of every file that comes to an end."""

    out: Output
    sent: int = 0
    refused: int = 0
    refusals: list[OmarError] | None = None
    """Why, if that is wanted: of a service they would be without end."""

    def observe(self, event: Event) -> None:
        """Take an event."""
        self.out.observe(event)
        match event:
            case OutboxSent():
                self.sent += 1
                self.out.line(f"sent     {event.receipt.file_id or '-':>10}  {in_one_line(event.source.name)}")
            case OutboxRefused():
                self.refused += 1
                name = in_one_line(event.source.name)
                self.out.line(f"refused  {'-':>10}  {name}")
                self.out.complain(f"{name}: {told(event.error)}")
                if self.refusals is not None:
                    self.refusals.append(event.error)
            case _:
                return
        self.out.summary |= {"sent": self.sent, "refused": self.refused}


async def _work(out: Output, config: OmarConfig, directory: Path, *, once: bool, settle: float, rescan: float) -> int:
    out.summary |= {"sent": 0, "refused": 0}
    refusals: list[OmarError] | None = [] if once else None
    async with OmarClient(config, observer=_Teller(out, refusals=refusals).observe) as client:
        outbox = Outbox(client, directory, settle=settle, rescan=rescan)
        if not once:
            await outbox.run()
        report = await outbox.once()
    _tell(out, report, refusals or [])
    return code_for_uploads([failure.error for failure in report.failures], logged_in=out.logged_in)


def _tell(out: Output, report: UploadReport, refusals: list[OmarError]) -> None:
    """Tell what no event told of: what cannot be read, the trouble that ended it, and what was left."""
    for failure in report.failures:
        if failure.error not in refusals:
            out.complain(told(failure.error))
            out.record({"event": "failed", "source": str(failure.source), "error": error_to_dict(failure.error)})
    for path in report.not_sent:
        out.say(f"left: {in_one_line(str(path))}")
        out.record({"event": "left", "source": str(path)})
    out.summary |= {"failures": len(report.failures), "left": len(report.not_sent)}
    out.say(uploads_in_short(report, done="sent", held="left"))
