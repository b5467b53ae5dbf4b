"""What an observer is told, and that it can break nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import attrs
import pytest

import aiomar
from aiomar import (
    DownloadFailed,
    DownloadFinished,
    DownloadProgress,
    DownloadRetrying,
    DownloadStarted,
    LimitChanged,
    LoggedIn,
    LoginRetrying,
    OmarClient,
    OmarConfig,
    PartialDownloadError,
    RangeFinished,
    RangeStarted,
    SessionEnded,
    StatusError,
    SubmissionRejectedError,
    UploadFailed,
    UploadFinished,
    UploadStarted,
)
from aiomar.testing import LoginPage, OmarServer, Page, Status
from tests.client.helpers import METER, UNKNOWN, data, fetch, fetch_range, sent


def without_progress(events: list[object]) -> list[type]:
    """Give the kinds of events in their order, without the many of progress."""
    return [type(event) for event in events if not isinstance(event, DownloadProgress)]


async def test_a_download_tells_its_story(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """Login, repeats, the end of a session, progress and the result come in their order, with their facts."""
    events: list[object] = []
    omar_server.script(Status(503, on="login"), Status(503), LoginPage())
    async with OmarClient(omar_config, observer=events.append) as client:
        saved = await fetch(client, tmp_path)
    assert without_progress(events) == [
        DownloadStarted,
        LoginRetrying,
        LoggedIn,
        LimitChanged,
        DownloadRetrying,
        SessionEnded,
        LoggedIn,
        DownloadFinished,
    ]
    renewed = [event.renewed for event in events if isinstance(event, LoggedIn)]
    assert renewed == [False, True]
    retrying = next(event for event in events if isinstance(event, DownloadRetrying))
    assert (retrying.selection, retrying.attempt, type(retrying.error)) == (METER, 1, StatusError)
    assert 0 <= retrying.wait <= 0.002
    size = len(data(omar_server))
    progress = [event for event in events if isinstance(event, DownloadProgress)]
    assert [event.received for event in progress] == sorted(event.received for event in progress)
    assert (progress[-1].path, progress[-1].received, progress[-1].expected) == (saved.path, size, size)
    finished = events[-1]
    assert isinstance(finished, DownloadFinished)
    assert (finished.file, finished.attempts) == (saved, 2)
    assert finished.elapsed >= 0


async def test_a_range_tells_its_sums(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """A range begins and ends with its own events, and every failed file has one."""
    events: list[object] = []
    async with OmarClient(omar_config, observer=events.append) as client:
        with pytest.raises(PartialDownloadError):
            await fetch_range(client, [METER, UNKNOWN], tmp_path)
    first, last = events[0], events[-1]
    assert isinstance(first, RangeStarted)
    assert first.into == tmp_path
    assert isinstance(last, RangeFinished)
    assert (last.files, last.failures, last.bytes) == (1, 1, len(data(omar_server)))
    failed = [event for event in events if isinstance(event, DownloadFailed)]
    assert [(event.selection, event.attempts) for event in failed] == [(UNKNOWN, 1)]


async def test_an_upload_tells_its_end(omar_server: OmarServer, omar_config: OmarConfig, sources: Path) -> None:
    """A file that is taken and one that is refused each have a beginning and an end."""
    events: list[object] = []
    source = sources / "file1.csv"
    async with OmarClient(omar_config, observer=events.append) as client:
        await client.login()
        got = await client.upload(source)
        omar_server.script(Page("Error in File Processing: no", on="upload"))
        with pytest.raises(SubmissionRejectedError) as caught:
            await client.upload(source, name="again.csv", resend=True)
    size = source.stat().st_size
    started, finished, again, failed = events[1:]
    assert started == UploadStarted(source, "file1.csv", size)
    assert isinstance(finished, UploadFinished)
    assert finished.receipt == got
    assert again == UploadStarted(source, "again.csv", size)
    assert failed == UploadFailed(source, caught.value)


async def test_an_observer_cannot_break_a_transfer(
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
    sources: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What it raises is logged and nothing more, at every event."""

    def broken(event: object) -> None:
        raise ZeroDivisionError(type(event).__name__)

    omar_server.script(Status(503), LoginPage(), Status(503, on="login"))
    with caplog.at_level(logging.ERROR, "aiomar"):
        async with OmarClient(omar_config, observer=broken) as client:
            report = await fetch_range(client, [METER, UNKNOWN], tmp_path, errors="collect")
            await client.upload(sources / "file1.csv")
    assert (len(report.files), len(report.failures)) == (1, 1)
    assert {record.name for record in caplog.records} == {"aiomar"}
    assert len(caplog.records) > 8


async def test_an_observer_may_start_more(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """It runs in the loop, and what it returns is ignored."""
    seen: list[object] = []

    def observer(event: object) -> bool:
        seen.append(event)
        return False

    async with OmarClient(omar_config, observer=observer) as client:
        await fetch(client, tmp_path)
    assert len(seen) > 2
    assert sent(omar_server, "download") == 1


@pytest.mark.parametrize(
    "event", [LoggedIn("x", 0.0, renewed=False), SessionEnded("x"), UploadStarted(Path("x"), "x", 1)]
)
def test_events_are_frozen(event: object) -> None:
    """An observer cannot change what the next one sees, and every kind of event is exported."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.environment = "y"  # type: ignore[attr-defined] # on purpose
    assert type(event).__name__ in aiomar.__all__
