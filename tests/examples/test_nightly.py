"""The service of the documentation: its own tests in a project of its own, and its process from start to SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from aiomar import verify_directory
from aiomar.testing import OmarServer, Stall

PROJECT = Path(__file__).parents[2] / "docs" / "examples" / "nightly"


@attrs.frozen
class Service:
    """The service in a process of its own."""

    process: asyncio.subprocess.Process
    browser: aiohttp.ClientSession

    async def run_now(self) -> None:
        """Have a run begin."""
        async with self.browser.post("/run") as answer:
            assert answer.status == 202

    async def until(self, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Ask for its last run until that is as it should be; give up after some seconds."""
        async with asyncio.timeout(20):
            while True:
                async with self.browser.get("/status") as answer:
                    last: dict[str, Any] | None = (await answer.json())["last_run"]
                if last and condition(last):
                    return last

    async def terminate(self) -> int | None:
        """Send it SIGTERM and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def serving(environ: Mapping[str, str]) -> AsyncIterator[Service]:
    """Start the service on a port of its own choice."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROJECT / "nightly.py"),
        env={**os.environ, **environ, "NIGHTLY_PORT": "0", "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            greeting = (await process.stdout.readline()).decode()
        found = re.search(r"http://127\.0\.0\.1:\d+", greeting)
        assert found, greeting
        async with aiohttp.ClientSession(found[0]) as browser:
            yield Service(process, browser)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.fixture
def environ(omar_environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The variables of a service that downloads two days of three meters from the test's own server."""
    return {
        **omar_environ,
        "NIGHTLY_METERS": "1001, 1002, 1003",
        "NIGHTLY_INTO": str(tmp_path / "data"),
        "NIGHTLY_DAYS": "2",
    }


async def test_sigterm_in_the_middle_of_a_download(
    omar_server: OmarServer, environ: dict[str, str], tmp_path: Path
) -> None:
    """The service ends in order, whole files are all that stands there, and the next one fetches what is missing."""
    data = tmp_path / "data"
    omar_server.script(Stall(after=1_000, match="1002"))
    async with serving(environ) as service:
        await service.run_now()
        last = await service.until(lambda last: last["files"] == 5)
        assert last["finished"] is None
        assert await service.terminate() == 0
    assert len(list(data.glob("*.csv"))) == 5
    assert all(file.good for file in verify_directory(data))
    async with serving(environ) as service:
        await service.run_now()
        last = await service.until(lambda last: last["finished"])
        assert (last["files"], last["reused"], last["failures"]) == (6, 5, [])
        assert await service.terminate() == 0
    assert sum(file.good for file in verify_directory(data)) == 6


def test_a_service_without_settings(tmp_path: Path) -> None:
    """It says what is missing, in one line, and does not start."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AIOMAR_", "NIGHTLY_"))}
    command = [sys.executable, str(PROJECT / "nightly.py")]
    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("nightly cannot start: ")
    assert "AIOMAR_" in run.stderr
    assert run.stderr.count("\n") == 1


def test_its_own_tests(tmp_path: Path) -> None:
    """Copied out of this repository it is a project whose tests pass, with every warning an error."""
    project = shutil.copytree(PROJECT, tmp_path / "nightly", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert "9 passed" in run.stdout, run.stdout
