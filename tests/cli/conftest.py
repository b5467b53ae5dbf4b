"""A server in a thread of its own, and commands that talk to it from this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from aiomar.cli import main
from aiomar.testing import Authority, OmarServer, in_thread


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
    with in_thread(OmarServer(authority=authority)) as server:
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


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and none of our variables."""
    monkeypatch.chdir(tmp_path)
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
