"""The pytest fixtures, in runs of their own and in this one."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from aiomar import FileFormat, Meter, OmarClient, TimeType
from aiomar.testing import Authority, OmarServer

USES = '''
"""What a project does with the fixtures."""

import asyncio
import datetime as dt
import os
import subprocess
import sys

import pytest
import pytest_asyncio

import aiomar
from aiomar.testing import OmarServer, Reset, Status, in_thread

DAY = dt.date(2026, 3, 8)
ONE = aiomar.Meter("1001"), DAY, DAY
CSV = {"file_format": aiomar.FileFormat.CSV, "time_type": aiomar.TimeType.PST}
CHILD = """
import asyncio, datetime as dt, os, sys
import aiomar
from test_uses import CSV, ONE

async def main():
    async with aiomar.OmarClient(aiomar.OmarConfig.from_env(os.environ)) as client:
        await client.download(*ONE, **CSV, into=sys.argv[1])

asyncio.run(main())
"""

@pytest.mark.asyncio
async def test_client(omar_client, omar_server, tmp_path):
    omar_server.script(Status(503))
    saved = await omar_client.download(*ONE, **CSV, into=tmp_path)
    assert saved.path.read_bytes() == omar_server.data(*ONE, **CSV)
    assert [one.status for one in omar_server.requests] == [200, 503, 200]

def test_a_fault_that_never_fires(omar_server):
    omar_server.script(Reset())

def test_nothing_is_left_of_the_test_before(omar_server):
    assert list(omar_server.requests) == list(omar_server.uploads) == []
    omar_server.check_faults()

def test_without_a_loop(omar_config, omar_server, tmp_path):
    async def main():
        async with aiomar.OmarClient(omar_config) as client:
            return await client.download(*ONE, **CSV, into=tmp_path)

    assert asyncio.run(main()).path.read_bytes() == omar_server.data(*ONE, **CSV)

def test_another_process(omar_environ, omar_server, tmp_path):
    subprocess.run([sys.executable, "-c", CHILD, tmp_path], env=os.environ | omar_environ, check=True)
    assert [one.kind for one in omar_server.requests] == ["login", "download"]
    assert len(list(tmp_path.glob("*.csv"))) == 1

class TestWeakServer:
    @pytest.fixture
    def omar_server(self, omar_authority):
        with in_thread(OmarServer(authority=omar_authority, meters=["7"])) as server:
            yield server

    @pytest.mark.asyncio
    async def test_everything_follows_the_override(self, omar_client, tmp_path):
        saved = await omar_client.download(aiomar.Meter("7"), DAY, DAY, **CSV, into=tmp_path)
        assert saved.size > 0

class TestServerInTheLoop:
    @pytest_asyncio.fixture
    async def omar_server(self, omar_authority):
        async with OmarServer(authority=omar_authority) as server:
            yield server

    @pytest.mark.asyncio
    async def test_an_asynchronous_override(self, omar_client):
        await omar_client.login()

@pytest.fixture(scope="module")
def lasting(omar_authority):
    with in_thread(OmarServer(authority=omar_authority)) as server:
        yield server

class TestOneServerForAll:
    @pytest.fixture
    def omar_server(self, lasting):
        lasting.clear()
        yield lasting
        lasting.check_faults()

    @pytest.mark.asyncio
    async def test_first(self, omar_client, omar_server):
        await omar_client.login()
        assert omar_server.logins == 1

    @pytest.mark.asyncio
    async def test_second(self, omar_client, omar_server):
        await omar_client.login()
        assert omar_server.logins == 1

@pytest.mark.asyncio(loop_scope="module")
class TestOneLoopForAll:
    @pytest_asyncio.fixture(loop_scope="module")
    async def omar_client(self, omar_config):
        async with aiomar.OmarClient(omar_config) as client:
            yield client

    async def test_a_client_in_the_loop_of_the_tests(self, omar_client):
        await omar_client.login()
'''
LIGHT = """
import sys
sys.modules["trustme"] = sys.modules["pytest_asyncio"] = None
import aiomar.testing._plugin
assert not {"aiohttp", "attrs", "cryptography"} & sys.modules.keys()
"""


def test_a_project_of_its_own(tmp_path: Path) -> None:
    """Tests with and without a loop, other processes and every kind of override find their server.

    The fixtures come with the installation; a test that scripts a fault and does not meet it ends in an error, and the
    next one knows nothing of it.  The mode of pytest-asyncio is the strict one: this suite itself runs under the other.
    """
    (tmp_path / "test_uses.py").write_text(USES, encoding="utf-8")
    # Temporary files may be below this project, whose settings pytest would find.
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "10 passed, 1 error" in said, said
    assert "UnusedFaultError: Reset(" in said


def test_the_plugin_costs_others_nothing() -> None:
    """It is loaded wherever aiomar is installed: it needs no extra, and loads next to nothing of the package."""
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
