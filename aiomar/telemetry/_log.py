"""The life of a client as lines of a log: what matters at INFO, each file at DEBUG, trouble at WARNING and ERROR.

What aiomar logs by itself already is left out: a certificate that expires, a ledger that could not be written, and an
outbox that waits.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TypeAlias

from aiomar.telemetry._outcomes import outcome_of
from aiomar.transfer import (
    ConfirmationPending,
    DownloadFailed,
    DownloadFinished,
    DownloadRetrying,
    DownloadReused,
    DownloadsPaused,
    DownloadStarted,
    DownloadStopped,
    Event,
    LimitChanged,
    LoggedIn,
    LoginFailed,
    LoginRetrying,
    OutboxPassedOver,
    OutboxRefused,
    OutboxSent,
    RangeFinished,
    RangeStarted,
    RangeStopped,
    SessionEnded,
    UploadFailed,
    UploadFinished,
    UploadRetrying,
    UploadStarted,
    UploadStopped,
)

_log = logging.getLogger("aiomar.events")
_File: TypeAlias = (
    DownloadStarted | DownloadFinished | DownloadFailed | DownloadReused | DownloadRetrying | DownloadStopped
)
_Upload: TypeAlias = UploadStarted | UploadFinished | UploadFailed | UploadRetrying | UploadStopped
_Outbox: TypeAlias = OutboxSent | OutboxRefused | OutboxPassedOver


def log_events(event: Event) -> None:
    """Log an event under ``aiomar.events``: an observer, as it stands.

    Sessions, ranges and uploads are told at INFO, single downloads and changes of the limit at DEBUG, what failed at
    WARNING, and an upload that the server may have taken at ERROR.  Progress within a file is not told.
    """
    if isinstance(event, _File):
        _file(event)
    elif isinstance(event, _Upload):
        _upload(event)
    elif isinstance(event, _Outbox):
        _outbox(event)
    else:
        _other(event)


def _file(event: _File) -> None:
    match event:
        case DownloadStarted():
            _log.debug("download of %s %a, %s to %s", *_which(event))
        case DownloadFinished(file=file):
            _log.debug("%a: %d bytes in %.2f s, attempts: %d", str(file.path), file.size, event.elapsed, event.attempts)
        case DownloadReused(file=file):
            _log.debug("%a is there already", str(file.path))
        case DownloadRetrying():
            _log.info("download of %s %a, %s to %s again in %.1f s: %s", *_which(event), event.wait, event.error)
        case DownloadFailed():
            _log.warning("download of %s %a, %s to %s failed: %s", *_which(event), event.error)
        case DownloadStopped():
            _log.debug("download of %s %a, %s to %s was cancelled", *_which(event))


def _which(
    event: DownloadStarted | DownloadRetrying | DownloadFailed | DownloadStopped,
) -> tuple[str, str, dt.date, dt.date]:
    return event.selection.kind, event.selection.id, event.start, event.end


def _upload(event: _Upload) -> None:
    match event:
        case UploadStarted():
            _log.info("upload of %a, %d bytes", event.name, event.size)
        case UploadRetrying():
            _log.info("upload of %a again in %.1f s: %s", str(event.source), event.wait, event.error)
        case UploadFinished(receipt=receipt):
            _log.info(
                "upload of %a was taken with file id %s in %.2f s", receipt.source_name, receipt.file_id, event.elapsed
            )
        case UploadFailed(error=error):
            level = logging.ERROR if outcome_of(error) == "unknown" else logging.WARNING
            _log.log(level, "upload of %a: %s", str(event.source), error)
        case UploadStopped(in_doubt=True):
            _log.error("upload of %a was cancelled and may have been taken: %s", str(event.source), event.ledger_id)
        case UploadStopped():
            _log.info("upload of %a was cancelled; it was not taken", str(event.source))


def _outbox(event: _Outbox) -> None:
    if isinstance(event, OutboxSent):
        _log.info("outbox: %a was sent", str(event.source))
    else:
        what = "was refused" if isinstance(event, OutboxRefused) else "is passed over"
        _log.warning("outbox: %a %s: %s", str(event.source), what, event.error)


def _other(event: Event) -> None:
    match event:
        case LoggedIn():
            again = " again" if event.renewed else ""
            _log.info("logged in%s to %s in %.2f s", again, event.environment, event.elapsed)
        case LoginRetrying():
            _log.info("login again in %.1f s: %s", event.wait, event.error)
        case LoginFailed():
            _log.warning("login to %s failed: %s", event.environment, event.error)
        case SessionEnded():
            _log.info("the session with %s has ended", event.environment)
        case LimitChanged():
            _log.debug("limit %d of %d downloads at once (%s)", event.limit, event.most, event.reason)
        case DownloadsPaused():
            _log.warning("no download for %.1f s: the server asked for it", event.wait)
        case RangeStarted():
            _log.info("range %s to %s into %a", event.start, event.end, str(event.into))
        case RangeFinished() | RangeStopped():
            _range(event)
        case ConfirmationPending():
            shown = event.found, event.expected
            _log.info("%s: %d of %d show, again in %.0f s", event.ledger_id or "submission", *shown, event.wait)
        case _:
            pass


def _range(event: RangeFinished | RangeStopped) -> None:
    well = isinstance(event, RangeFinished) and not event.failures
    _log.log(
        logging.INFO if well else logging.WARNING,
        "range into %a %s: %d files, %d of them reused, %d failed, %d bytes in %.2f s",
        str(event.into),
        "finished" if isinstance(event, RangeFinished) else "stopped",
        event.files,
        event.reused,
        event.failures,
        event.bytes,
        event.elapsed,
    )
