"""The embedded server in a thread of its own, and what leads another process to it."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aiomar import FileFormat, Meter, OmarClient, OmarConfig, SavedFile, TimeType
from aiomar.testing import Authority, ExpireSession, OmarServer, Reset, UnusedFaultError, in_thread

DAY = dt.date(2026, 3, 8)


async def fetch(environ: dict[str, str], into: Path, *meters: str) -> list[SavedFile]:
    """Download a day of some meters with a client that knows the variables only."""
    async with OmarClient(OmarConfig.from_env(environ)) as client:
        report = await client.download_range(
            [Meter(meter) for meter in meters],
            DAY,
            DAY,
            file_format=FileFormat.CSV,
            time_type=TimeType.PST,
            into=into,
        )
    return list(report.files)


def descriptors() -> int:
    """Count what this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_server_for_code_without_a_loop(omar_authority: Authority, tmp_path: Path) -> None:
    """The server that was handed in runs, its state is seen and changed from here, and nothing of it is left."""
    threads, before = threading.active_count(), descriptors()
    given = OmarServer(authority=omar_authority)
    with in_thread(given) as server:
        assert server is given
        assert threading.active_count() == threads + 1
        environ = server.environ(tmp_path)
        server.script(ExpireSession())
        files = asyncio.run(fetch(environ, tmp_path / "data", "1001"))
        assert files[0].path.read_bytes() == server.data(
            Meter("1001"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST
        )
        assert [record.kind for record in server.requests] == ["login", "download", "login", "download"]
        server.expire_sessions()
        server.clear()
        assert (list(server.requests), server.logins) == ([], 0)
    assert (threading.active_count(), descriptors()) == (threads, before)


def test_the_variables_are_all_that_a_client_needs(omar_server: OmarServer, tmp_path: Path) -> None:
    """They name two origins, files of the client and a ledger of its own; keys are for their owner only."""
    environ = omar_server.environ(tmp_path, passphrase="battery staple")
    config = OmarConfig.from_env(environ)
    assert config.environment.upload_origin == omar_server.environment.upload_origin
    assert config.environment.download_origin == omar_server.environment.download_origin
    assert config.identity.subject == omar_server.identity().subject
    assert environ["AIOMAR_PASSPHRASE"] == "battery staple"
    assert Path(environ["AIOMAR_STATE_DIR"]).parent == tmp_path
    assert stat.S_IMODE(Path(environ["AIOMAR_PKCS12"]).stat().st_mode) == 0o600


def test_an_unused_fault_is_an_error(omar_authority: Authority) -> None:
    """A fault that never fired fails on the way out, as with ``async with``."""
    with pytest.raises(UnusedFaultError, match="Reset"), in_thread(OmarServer(authority=omar_authority)) as server:
        server.script(Reset())


def test_what_the_block_raises_comes_first(omar_authority: Authority) -> None:
    """An error of the test itself is not hidden by a fault that never fired because of it."""
    with pytest.raises(ZeroDivisionError), in_thread(OmarServer(authority=omar_authority, faults=[Reset()])):
        raise ZeroDivisionError


def test_a_server_that_cannot_start(omar_authority: Authority) -> None:
    """Why it could not comes out here, and no thread is left."""
    threads = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = OmarServer(authority=omar_authority, upload_port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"), in_thread(server):
            pytest.fail("a port that is taken was opened")
    assert threading.active_count() == threads


async def test_beside_a_loop(omar_authority: Authority, tmp_path: Path) -> None:
    """In a coroutine it works as well, and goes on while the caller's loop is blocked."""
    with in_thread(OmarServer(authority=omar_authority)) as server:
        environ, into = server.environ(tmp_path), tmp_path / "data"
        thread = threading.Thread(target=lambda: asyncio.run(fetch(environ, into, "1001")))
        thread.start()
        thread.join()  # blocks this loop; a server in it would never answer
        assert [record.status for record in server.requests] == [200, 200]


def test_changes_are_made_in_the_loop_of_the_server(omar_server: OmarServer) -> None:
    """No thread changes the server's state while it answers: the change comes between two turns of its loop."""
    seen = []
    omar_server._home.change(lambda: seen.append(threading.current_thread().name))
    assert seen[0].startswith("omar-server")
    omar_server.script(Reset())
    with pytest.raises(UnusedFaultError):
        omar_server.check_faults()
    omar_server.clear()


async def test_a_server_whose_loop_is_blocked_is_not_changed(
    omar_authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks from another thread is told so after a while, and the change is not made later either."""
    monkeypatch.setattr("aiomar.testing._home._PATIENCE", 0.01)
    async with OmarServer(authority=omar_authority) as server:
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(server.script, Reset())
            with pytest.raises(TimeoutError, match="blocked"):
                asked.result()  # this loop is the server's
        await asyncio.sleep(0)
        assert list(server.waiting_faults) == []


def test_a_program_may_end_without_leaving_the_block() -> None:
    """A notebook, say, or a script that was cut short: it does not wait for its server for ever."""
    program = "from aiomar.testing import *; block = in_thread(OmarServer()); block.__enter__()"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_a_server_that_does_not_run_is_changed_on_the_spot(omar_authority: Authority) -> None:
    """Before its start and after its end a server may be scripted and asked too."""
    server = OmarServer(authority=omar_authority)
    server.script(Reset())
    server.clear()
    with in_thread(server):
        pass
    server.check_faults()
    assert list(server.requests) == []
