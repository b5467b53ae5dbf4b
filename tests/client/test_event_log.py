"""What a client does, as lines of a log."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

import aiomar
from aiomar import Event, Meter, OmarClient, OmarConfig, OutcomeUnknownError, SubmissionRejectedError
from aiomar.telemetry import log_events
from aiomar.testing import DropAnswer, LoginPage, OmarServer, Page, Status
from tests.cli.test_json import EVENTS
from tests.client.helpers import METER, fetch_range

UNTOLD = {
    aiomar.DownloadProgress,
    aiomar.CertificateExpiring,
    aiomar.SubmissionNotRecorded,
    aiomar.OutboxWaiting,
}
"""Too many, or logged by aiomar itself."""


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_is_one_line(event: Event, caplog: pytest.LogCaptureFixture) -> None:
    """Or none, for a few kinds that are known."""
    with caplog.at_level(logging.DEBUG, "aiomar.events"):
        log_events(event)
    assert [record.name for record in caplog.records] == ["aiomar.events"] * (type(event) not in UNTOLD)
    assert "\n" not in caplog.text.strip()


async def test_the_story_of_a_day(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, sources: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Sessions, ranges and uploads at INFO, files at DEBUG, failures at WARNING, and at ERROR what nobody knows."""
    omar_server.script(Status(503), LoginPage(), Status(404, match="1003"))
    omar_server.script(Page("Error in File Processing: no", on="upload"), DropAnswer())
    with caplog.at_level(logging.DEBUG, "aiomar.events"):
        async with OmarClient(omar_config, observer=log_events) as client:
            await client.login()
            await fetch_range(client, [METER], tmp_path)
            await fetch_range(client, [METER, Meter("1003")], tmp_path, errors="collect")
            with pytest.raises(SubmissionRejectedError):
                await client.upload(sources / "file1.csv")
            with pytest.raises(OutcomeUnknownError):
                await client.upload(sources / "file2.csv")
            await client.upload(sources / "file3.csv")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    told = "\n".join(f"{level} {text}" for level, text in lines)
    for line in (
        f"INFO logged in to {omar_config.environment.name} in ",
        f"INFO the session with {omar_config.environment.name} has ended",
        f"INFO logged in again to {omar_config.environment.name} in ",
        f"INFO range 2026-01-01 to 2026-01-01 into {str(tmp_path)!a}",
        f"INFO range into {str(tmp_path)!a} finished: 1 files, 0 of them reused, 0 failed, ",
        f"WARNING range into {str(tmp_path)!a} finished: 1 files, 1 of them reused, 1 failed, 0 bytes in ",
        "DEBUG download of meter '1001', 2026-01-01 to 2026-01-01",
        "INFO download of meter '1001', 2026-01-01 to 2026-01-01 again in 0.0 s: the server answered with HTTP 503",
        "WARNING download of meter '1003', 2026-01-01 to 2026-01-01 failed: the server answered with HTTP 404",
        "INFO upload of 'file3.csv', 30 bytes",
        "INFO upload of 'file3.csv' was taken with file id ",
        f"WARNING upload of {str(sources / 'file1.csv')!a}: the server refused 'file1.csv' (",
        f"ERROR upload of {str(sources / 'file2.csv')!a}: 'file2.csv' (20 bytes) may or may not have been taken (",
    ):
        assert line in told
    assert Counter(level for level, _ in lines)["ERROR"] == 1


async def test_quiet_by_default(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """The library sets no level and no handler that writes: what is shown is the program's to say."""
    for name in ("aiomar", "aiomar.events"):
        assert logging.getLogger(name).level == logging.NOTSET
        assert all(isinstance(each, logging.NullHandler) for each in logging.getLogger(name).handlers)
