"""The demo's last part: a download in a process of its own that is killed on the way, and run again.

The first process is killed as soon as it has told of some files.  The server is this process, and slow enough to be in
the middle of the range then, however fast or slow the machine is.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import attrs

from aiomar import FileFormat, Group, Meter, Selection, TimeType
from aiomar.cli._output import Output
from aiomar.cli._show_checks import Check
from aiomar.testing import OmarServer

KILLED = "killed"
"""The directory of its files."""
_FORMAT, _CLOCK = FileFormat.MDEF, TimeType.DST
_LATENCY = 0.05
_ENOUGH = 20
"""Files that the first process is let finish."""
_PATIENCE = 60.0
_PASSPHRASE_BYTES = 12

Record = dict[str, Any]
"""One line of what a command tells with --json."""


async def kill_and_resume(
    out: Output, directory: Path, selections: Sequence[Selection], start: dt.date, end: dt.date
) -> list[Check]:
    """Download a range in a process, kill it, run the same command again, and count.

    Args:
        out: what is told of it.
        directory: where `KILLED` is made.
        selections: meters and groups; the embedded server has data for them.
        start: first day.
        end: last day.
    """
    into = directory / KILLED
    words = [f"--{selection.kind}={selection.id}" for selection in selections]
    words += [f"--from={start}", f"--to={end}", f"--format={_FORMAT.value.lower()}", f"--time={_CLOCK.value.lower()}"]
    words += [f"--into={into}", "--concurrency=4"]
    async with OmarServer(latency=_LATENCY) as server:
        with tempfile.TemporaryDirectory(dir=directory, prefix="credentials-") as credentials:
            command = _Command.prepare(server, Path(credentials), words)
            before = await command.run(kill_after=_ENOUGH)
            there = len(_data_files(into))
            after = await command.run()
        seen = _Range(before, after)
        out.line(f"   killed with {there} of {len(selections)} files there; then {seen.in_short}")
        return await asyncio.to_thread(_compare, server, into, seen, total=len(selections), start=start, end=end)


@attrs.frozen
class _Command:
    """A download as a command, ready to be run."""

    words: Sequence[str]
    environ: dict[str, str]
    place: Path
    """Its working directory."""

    @classmethod
    def prepare(cls, server: OmarServer, credentials: Path, words: Sequence[str]) -> _Command:
        """Write what a process of its own needs to talk to the server, and to nothing that a user's profile names."""
        profile = credentials / "aiomar.toml"
        profile.touch(mode=0o600)
        profile.write_text("[demo]\n", encoding="ascii")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AIOMAR_")}
        environ |= server.environ(credentials, secrets.token_urlsafe(_PASSPHRASE_BYTES))
        return cls(("download", *words, "--profile=demo", "--json", "--quiet"), environ, credentials)

    async def run(self, *, kill_after: int | None = None) -> list[Record]:
        """Run it and give what it told; kill it when it has told of so many finished files."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "aiomar",
            *self.words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=self.environ,
            cwd=self.place,
        )
        told: list[Record] = []
        finished = 0
        try:
            async with asyncio.timeout(_PATIENCE):
                async for line in cast("asyncio.StreamReader", process.stdout):
                    if not line.endswith(b"\n"):
                        break  # cut short by the kill
                    told.append(json.loads(line))
                    if told[-1]["event"] == "download_finished":
                        finished += 1
                        if finished == kill_after:
                            _kill(process)
                await process.wait()
        except BaseException:
            _kill(process)
            raise
        finally:
            await process.wait()  # only here: a kill of what has ended takes its exit code away from asyncio
        return told


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        process.kill()


class _Range:
    """What the two processes told.

    Args:
        before: the one that was killed.
        after: the other.
    """

    def __init__(self, before: Sequence[Record], after: Sequence[Record]) -> None:
        self.killed = all(record["event"] != "summary" for record in before)
        self.told = {path for path, _ in _files(before, "download_finished")}
        reused, fetched = _files(after, "download_reused"), _files(after, "download_finished")
        self.reused = {path for path, _ in reused}
        self.files = dict(reused + fetched)
        self.in_short = f"{len(reused)} reused, {len(fetched)} fetched"


def _files(records: Sequence[Record], event: str) -> list[tuple[Path, Selection]]:
    files = [record["file"] for record in records if record["event"] == event]
    kinds = {kind.kind: kind for kind in (Meter, Group)}
    return [(Path(file["path"]), kinds[file["selection"]["kind"]](file["selection"]["id"])) for file in files]


def _data_files(directory: Path) -> list[Path]:
    """Give what stands in a directory beside aiomar's own records."""
    return [path for path in directory.glob("*") if path.is_file()]


def _compare(server: OmarServer, into: Path, seen: _Range, *, total: int, start: dt.date, end: dt.date) -> list[Check]:
    def is_as_served(path: Path, selection: Selection) -> bool:
        return path.read_bytes() == server.data(selection, start, end, file_format=_FORMAT, time_type=_CLOCK)

    same = sum(is_as_served(path, selection) for path, selection in seen.files.items())
    requests = [record.kind for record in server.requests]
    last_login = max((place for place, kind in enumerate(requests) if kind == "login"), default=0)
    return [
        Check("downloads killed in the middle, and run again", int(seen.killed), 1),
        Check("  files in the end", len(seen.files), total),
        Check("  the same, byte for byte, as the server has them", same, total),
        Check("  finished before the kill, and reused", len(seen.told & seen.reused), len(seen.told)),
        Check("  asked for after the kill", requests[last_login:].count("download"), total - len(seen.reused)),
        Check("  left over from unfinished ones", len(set(_data_files(into)) - seen.files.keys()), 0),
    ]
