"""The service against an embedded OMAR-Online, which the fixtures of aiomar bring."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from nightly import Settings, make_app, next_run

import aiomar
from aiomar.testing import OmarServer, Stall, Status

METERS = (aiomar.Meter("1001"), aiomar.Meter("1002"))
FOUR_THIRTY = dt.time(4, 30)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two meters and three days: six files."""
    return Settings(meters=METERS, into=tmp_path / "data", days=3)


async def finished(browser: TestClient[Any, Any]) -> dict[str, Any]:
    """Have a run made and give what it came to."""
    before = await (await browser.get("/status")).json()
    await browser.post("/run")
    async with asyncio.timeout(10):
        last = before["last_run"]
        while last == before["last_run"] or not last["finished"]:
            last = (await (await browser.get("/status")).json())["last_run"]
    run: dict[str, Any] = last
    return run


async def test_a_run_brings_every_file(omar_config: aiomar.OmarConfig, settings: Settings) -> None:
    """A run on demand brings the files, and a second one finds them there."""
    async with TestClient(TestServer(make_app(omar_config, settings))) as browser:
        first, second = await finished(browser), await finished(browser)
        assert (await browser.get("/healthz")).status == 200
    assert (first["files"], first["reused"], first["failures"]) == (6, 0, [])
    assert (second["files"], second["reused"], second["failures"]) == (6, 6, [])
    assert len(list(settings.into.glob("*.csv"))) == 6


async def test_what_fails_is_told_and_made_good(
    omar_server: OmarServer, omar_config: aiomar.OmarConfig, settings: Settings
) -> None:
    """One file that the server refuses stops neither the others nor the service, and the next run brings it."""
    omar_server.script(Status(404, match="1002"))
    async with TestClient(TestServer(make_app(omar_config, settings))) as browser:
        first, second = await finished(browser), await finished(browser)
    assert first["files"] == 5
    assert [failure.partition(" ")[0] for failure in first["failures"]] == ["1002"]
    assert (second["files"], second["reused"], second["failures"]) == (6, 5, [])


async def test_a_night_without_a_directory(omar_config: aiomar.OmarConfig, tmp_path: Path) -> None:
    """What goes wrong as a whole is told as well, and the service goes on."""
    settings = Settings(meters=METERS, into=tmp_path / "gone" / "data")
    async with TestClient(TestServer(make_app(omar_config, settings))) as browser:
        last = await finished(browser)
        assert (await browser.get("/healthz")).status == 200
    assert last["files"] == 0
    assert len(last["failures"]) == 1


async def test_the_end_in_the_middle(
    omar_server: OmarServer, omar_config: aiomar.OmarConfig, settings: Settings
) -> None:
    """An application that ends in the middle of a download leaves whole files only, and the next one goes on."""
    omar_server.script(Stall(after=100, match="1002"))
    async with TestClient(TestServer(make_app(omar_config, settings))) as browser:
        await browser.post("/run")
        async with asyncio.timeout(10):
            while not (last := (await (await browser.get("/status")).json())["last_run"]) or last["files"] < 5:
                pass
    assert len(list(settings.into.glob("*.csv"))) == 5
    async with TestClient(TestServer(make_app(omar_config, settings))) as browser:
        last = await finished(browser)
    assert (last["files"], last["reused"], last["failures"]) == (6, 5, [])


@pytest.mark.parametrize(
    ("after", "moment"),
    [
        ("2026-01-10T04:29:59-08:00", "2026-01-10T04:30:00-08:00"),
        ("2026-01-10T04:30:00-08:00", "2026-01-11T04:30:00-08:00"),
        ("2026-01-11T00:30:00+00:00", "2026-01-11T04:30:00-08:00"),
        ("2026-03-07T12:00:00-08:00", "2026-03-08T04:30:00-07:00"),
        ("2026-10-31T12:00:00-07:00", "2026-11-01T04:30:00-08:00"),
    ],
)
def test_the_next_run(after: str, moment: str) -> None:
    """A run begins at the same time by the clocks of California, on the days of their changes too."""
    assert next_run(dt.datetime.fromisoformat(after), FOUR_THIRTY) == dt.datetime.fromisoformat(moment)
