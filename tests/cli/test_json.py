"""Events and errors as JSON."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import get_args

import pytest

import aiomar
from aiomar import FileFormat, Group, Meter, TimeType
from aiomar.cli._json import error_to_dict, event_name, event_to_dict, plain
from aiomar.cli._output import in_words

DAY = dt.date(2026, 1, 1)
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
ERROR = aiomar.StatusError("no: try again", status=503, retry_after=2.0)
FILE = aiomar.SavedFile(
    Path("d/a.csv"), 7, "ab", Group("7"), DAY, DAY, FileFormat.CSV, TimeType.PST, NOW, "length", reused=False
)
RECEIPT = aiomar.UploadReceipt("1", "a.csv", "1_a.csv", 7, "ab", NOW)

EVENTS: list[aiomar.Event] = [
    aiomar.LoggedIn("test", 0.5, renewed=False),
    aiomar.LoginRetrying(ERROR, 1, 0.5),
    aiomar.SessionEnded("test"),
    aiomar.RangeStarted(DAY, DAY, FileFormat.CSV, TimeType.PST, Path("d")),
    aiomar.RangeFinished(1, 0, 7, 0.5, into=Path("d")),
    aiomar.LimitChanged(4, 8, "busy"),
    aiomar.DownloadsPaused(30.0),
    aiomar.DownloadReused(FILE),
    aiomar.DownloadStarted(Meter("1"), DAY, DAY, Path("d/a.csv"), FileFormat.CSV, TimeType.PST),
    aiomar.DownloadProgress(Path("d/a.csv"), 3, None),
    aiomar.DownloadRetrying(Meter("1"), DAY, DAY, ERROR, 1, 0.5),
    aiomar.DownloadFinished(FILE, 0.5, 1),
    aiomar.DownloadFailed(Meter("1"), DAY, DAY, Path("d/a.csv"), ERROR, 3, FileFormat.CSV, TimeType.PST),
    aiomar.UploadStarted(Path("a.csv"), "a.csv", 7),
    aiomar.UploadFinished(RECEIPT, 0.5),
    aiomar.UploadFailed(Path("a.csv"), ERROR),
    aiomar.UploadRetrying(Path("a.csv"), ERROR, 1, 0.5),
    aiomar.SubmissionNotRecorded("20260101T000000Z-00000000", "accepted", ERROR),
    aiomar.ConfirmationPending("20260101T000000Z-00000000", 1, 2, 60.0, None),
    aiomar.CertificateExpiring("CN=a", NOW, 3),
    aiomar.LoginFailed("test", ERROR, 0.5),
    aiomar.RangeStopped(1, 0, 7, 0.5, 0, Path("d"), None),
    aiomar.DownloadStopped(Meter("1"), DAY, DAY, Path("d/a.csv"), 1, FileFormat.CSV, TimeType.PST),
    aiomar.UploadStopped(Path("a.csv"), in_doubt=True, ledger_id="20260101T000000Z-00000000"),
    aiomar.OutboxSent(Path("a.csv"), Path("sent/a.csv"), RECEIPT),
    aiomar.OutboxRefused(Path("a.csv"), Path("refused/a.csv"), ERROR),
    aiomar.OutboxPassedOver(Path("a.csv"), ERROR),
    aiomar.OutboxWaiting(Path("d"), ERROR, 5.0),
]


def test_every_event_becomes_json() -> None:
    """There is an object for each class of event, under its own name, with all of its fields."""
    assert {type(event) for event in EVENTS} == set(get_args(aiomar.Event))
    for event in EVENTS:
        told = json.loads(json.dumps(event_to_dict(event)))
        assert told.pop("event") == event_name(event)
        assert told.keys() == {name for name in dir(event) if not name.startswith("_")}


def test_an_event_is_told_in_plain_values() -> None:
    """Dates are in ISO form, paths are text, and an error is its type, message and facts."""
    assert event_to_dict(EVENTS[12]) == {
        "event": "download_failed",
        "selection": {"kind": "meter", "id": "1"},
        "start": "2026-01-01",
        "end": "2026-01-01",
        "path": str(Path("d/a.csv")),
        "error": {
            "type": "StatusError",
            "message": "no: try again",
            "hint": "never",
            "status": 503,
            "retry_after": 2.0,
        },
        "attempts": 3,
        "file_format": "CSV",
        "time_type": "PST",
    }
    assert plain(FILE) == {
        "path": str(Path("d/a.csv")),
        "size": 7,
        "sha256": "ab",
        "selection": {"kind": "group", "id": "7"},
        "start": "2026-01-01",
        "end": "2026-01-01",
        "file_format": "CSV",
        "time_type": "PST",
        "fetched_at": "2026-01-02T03:04:05+00:00",
        "completeness": "length",
        "reused": False,
    }


@pytest.mark.parametrize("value", [b"secret", object(), {"x": b"secret"}])
def test_what_is_unknown_is_not_shown(value: object) -> None:
    """Bytes and strange objects are named by their type only."""
    assert "secret" not in json.dumps(plain(value))


def test_an_error_from_elsewhere_keeps_its_text_to_itself() -> None:
    """Only our own errors promise to show no secret."""
    assert error_to_dict(ValueError("secret")) == {"type": "ValueError", "message": "unexpected ValueError"}


def test_a_report_is_not_repeated() -> None:
    """A partial failure is told by its events; the error says only that there was one."""
    error = aiomar.PartialUploadError("some", report=aiomar.UploadReport((), (), (Path("a.csv"),)))
    assert error_to_dict(error) == {"type": "PartialUploadError", "message": "some"}


def test_a_repeat_of_an_upload_is_told_in_words() -> None:
    """Whoever waits hears that it goes on, and that nothing of the file has left."""
    words = in_words(aiomar.UploadRetrying(Path("a.csv"), ERROR, 1, 0.5))
    assert words is not None
    assert all(part in words for part in ("again in 0.5 s", "not a byte", "a.csv", str(ERROR)))
