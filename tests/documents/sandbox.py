"""Where the examples of a page run: a directory, a server, and the names that Python examples need not import.

In the directory are ``me.p12`` (its passphrase is "passphrase"), ``me.pem`` with ``me.key``, ``company-ca.pem``, an
``aiomar.toml`` with the profiles ``default`` and ``night``, ``meters.txt``, ``january.csv`` and ``february.csv``, which
may be submitted, and ``data`` with January 2026 of the meter 1001 as MDEF by the PST clock.  The ``AIOMAR_*`` variables
lead to the server.  `aiomar`, `asyncio`, `dt`, `os`, `Path`, `config`, `client` and `server` are there by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import stamina

import aiomar
from aiomar.testing import Authority, OmarServer, in_thread
from tests.documents.guard import guarded
from tests.documents.shell import SOMETIMES, TOOLS, Shell

PASSPHRASE = "passphrase"
METER = aiomar.Meter("1001")
JANUARY = dt.date(2026, 1, 1), dt.date(2026, 1, 31)
FEBRUARY = dt.date(2026, 2, 1), dt.date(2026, 2, 28)


@attrs.frozen(kw_only=True)
class Sandbox:
    """What the examples of one page share."""

    names: dict[str, object]
    """For Python examples."""
    runner: asyncio.Runner
    """The loop of those that await."""
    shell: Shell


@contextlib.contextmanager
def sandbox(directory: Path, commands: Path, authority: Authority) -> Iterator[Sandbox]:
    """Make one, and be in it: variables and the working directory of this process are its own meanwhile.

    Args:
        directory: an empty one.
        commands: where ``aiomar`` and ``python`` are.
        authority: who signs the certificates.
    """
    work, tools, report = (directory / name for name in ("work", "tools", "report"))
    for place in (work, tools, report):
        place.mkdir()
    _link_commands(tools, commands)
    (work / ".venv").mkdir()
    (work / ".venv" / "bin").symlink_to(tools)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(in_thread(OmarServer(authority=authority)))
        variables = _files(work, server, directory / "state")
        stack.enter_context(_moved_in(work, {**variables, "HOME": str(directory), "PATH": str(tools)}))
        stack.enter_context(guarded())
        stack.enter_context(_settings_of_the_process())
        runner = stack.enter_context(asyncio.Runner())
        config = aiomar.OmarConfig.from_env(os.environ)
        client = aiomar.OmarClient(config)
        runner.run(_first_data(client))
        stack.callback(lambda: runner.run(client.aclose()))
        shell = Shell(report)
        stack.callback(shell.close)
        names: dict[str, object] = {
            "__name__": "__main__",
            "aiomar": aiomar,
            "asyncio": asyncio,
            "dt": dt,
            "os": os,
            "Path": Path,
            "config": config,
            "client": client,
            "server": server,
        }
        yield Sandbox(names=names, runner=runner, shell=shell)


def _link_commands(place: Path, commands: Path) -> None:
    for command in commands.iterdir():
        (place / command.name).symlink_to(command)
    for tool in (*TOOLS, *SOMETIMES):
        if found := shutil.which(tool):
            (place / tool).symlink_to(found)


def _files(work: Path, server: OmarServer, state: Path) -> dict[str, str]:
    """Write the files, and give the variables."""
    written = server.write_credentials(work, PASSPHRASE)
    names = {"pkcs12": "me.p12", "certificate": "me.pem", "key": "me.key", "ca_file": "company-ca.pem"}
    files = {key: getattr(written, key).rename(work / name) for key, name in names.items()}
    origins = {
        "upload_origin": server.environment.upload_origin,
        "download_origin": server.environment.download_origin,
    }
    profile = {**origins, "pkcs12": "me.p12", "passphrase_env": "OMAR_PASSPHRASE", "ca_file": "company-ca.pem"}
    lines = [f'{key} = "{value}"' for key, value in profile.items()]
    profiles = work / "aiomar.toml"
    profiles.write_text("\n".join(["[default]", *lines, "", "[night]", *lines, "concurrency = 4", ""]), "utf-8")
    profiles.chmod(0o600)
    (work / "meters.txt").write_text("1001\n1002\n", "utf-8")
    for name, span in (("january.csv", JANUARY), ("february.csv", FEBRUARY)):
        data = server.data(METER, *span, file_format=aiomar.FileFormat.CSV, time_type=aiomar.TimeType.PST)
        (work / name).write_bytes(data)
    settings = {**origins, "pkcs12": files["pkcs12"], "ca_file": files["ca_file"], "state_dir": state}
    variables = {f"AIOMAR_{key.upper()}": str(value) for key, value in settings.items()}
    return {**variables, "AIOMAR_PASSPHRASE": PASSPHRASE, "OMAR_PASSPHRASE": PASSPHRASE}


@contextlib.contextmanager
def _moved_in(work: Path, variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    with contextlib.chdir(work):
        for name in before:
            if name.startswith(("AIOMAR_", "COV", "OMAR_", "PYTEST_", "XDG_")):
                del os.environ[name]
        os.environ.update(variables)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def _settings_of_the_process() -> Iterator[None]:
    """Let what a page says about logs and repeats hold for that page only."""
    loggers = [logging.getLogger(name) for name in (None, "aiomar", "stamina")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
        stamina.set_testing(False)
        stamina.set_active(True)


async def _first_data(client: aiomar.OmarClient) -> None:
    await client.download_range(
        METER, *JANUARY, file_format=aiomar.FileFormat.MDEF, time_type=aiomar.TimeType.PST, into="data"
    )
