"""The pytest fixtures, in a run of their own and in this one."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from aiomar import FileFormat, Meter, OmarClient, TimeType
from aiomar.testing import Authority, OmarServer

RUN = """
from aiomar.testing import Reset

async def test_good(omar_server):
    assert list(omar_server.requests) == []

async def test_bad(omar_server):
    omar_server.script(Reset())
"""
LIGHT = """
import sys
sys.modules["trustme"] = sys.modules["pytest_asyncio"] = None
import aiomar.testing._plugin
assert "aiohttp.web" not in sys.modules
"""


def test_an_unused_fault_fails_the_test(tmp_path: Path) -> None:
    """The fixtures come with the installation; a test that scripts a fault and does not meet it ends in an error."""
    (tmp_path / "test_it.py").write_text(RUN)
    # A project of its own: temporary files may be below this one, whose settings pytest would find.
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--asyncio-mode=auto", "test_it.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed, 1 error" in run.stdout
    assert "UnusedFaultError: Reset(" in run.stdout


def test_the_plugin_loads_without_the_extra() -> None:
    """Without trustme and pytest-asyncio the plugin can be imported, and it pulls in no server."""
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


async def test_the_client_fixture_talks_to_the_server_fixture(
    omar_client: OmarClient, omar_server: OmarServer, tmp_path: Path
) -> None:
    """An open client downloads what the server of the same test has."""
    day = dt.date(2026, 3, 8)
    asked = Meter("1001"), day, day
    saved = await omar_client.download(*asked, file_format=FileFormat.CSV, time_type=TimeType.DST, into=tmp_path)
    expected = omar_server.data(*asked, file_format=FileFormat.CSV, time_type=TimeType.DST)
    assert saved.path.read_bytes() == expected


def test_the_authority_lasts_for_the_run(omar_authority: Authority, pytestconfig: pytest.Config) -> None:
    """The plugin is registered, and certificates are made once."""
    assert pytestconfig.pluginmanager.get_plugin("aiomar") is not None
    assert omar_authority.ca_pem.startswith(b"-----BEGIN CERTIFICATE-----")
