"""A server in a thread of its own, and commands that talk to it from this process."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from aiomar.cli import main
from aiomar.testing import Authority, OmarServer


@attrs.frozen
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, object]]:
        """What --json gave, one object a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, object]:
        """The last one of them."""
        return self.records[-1]


@attrs.frozen
class Place:
    """A running server, and the options of a client that it accepts."""

    server: OmarServer
    options: tuple[str, ...]


@contextmanager
def serving(authority: Authority, directory: Path) -> Iterator[Place]:
    """Run a server in a thread; a scripted fault that never fired comes out as an error."""
    ready: Future[tuple[OmarServer, Callable[[], object]]] = Future()

    async def live() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with OmarServer(authority=authority) as server:
            ready.set_result((server, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    with ThreadPoolExecutor(1) as threads:
        life = threads.submit(asyncio.run, live())
        server, stop = ready.result(timeout=10)
        try:
            files = server.write_credentials(directory)
            yield Place(
                server,
                (
                    f"--upload-origin={server.environment.upload_origin}",
                    f"--download-origin={server.environment.download_origin}",
                    f"--pkcs12={files.pkcs12}",
                    f"--ca-file={files.ca_file}",
                    f"--state-dir={directory / 'state'}",
                ),
            )
        finally:
            stop()
        life.result(timeout=10)


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, none of our variables, and nobody's profiles."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [name for name in os.environ if name.startswith("AIOMAR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def place(omar_authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server of the test's own."""
    with serving(omar_authority, tmp_path_factory.mktemp("credentials")) as found:
        yield found


@pytest.fixture
def aiomar(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run a command in this process."""

    def run(*words: str) -> Result:
        code = main(words)
        return Result(code, *capsys.readouterr())

    return run
