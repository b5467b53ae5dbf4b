"""Rows of the table of faults about disk, process and clock that have no test elsewhere.

A disk that fails is one whose calls do, handed to a client in place of the real ones.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import os
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiomar import (
    DestinationError,
    DiskError,
    FileFormat,
    Group,
    OmarClient,
    OmarConfig,
    SavedFile,
    TimeType,
    UsageError,
)
from aiomar._assembly import Effects
from aiomar._files import FileSystem
from aiomar.testing import CutBody, OmarServer, Status
from tests.client.helpers import DAY, METER, fetch, on_disk, sent, untouched
from tests.support.disturbed import opened

GROUP = Group("123")
SIZES = {"small": 0, "large": 89}
"""Days of a group's MDEF file: one goes to the disk in one piece, the other in many and in a thread."""


def save(client: OmarClient, into: Path, days: int) -> Coroutine[object, object, SavedFile]:
    """Download over whatever is there."""
    end = DAY + dt.timedelta(days=days)
    return client.download(
        GROUP, DAY, end, file_format=FileFormat.MDEF, time_type=TimeType.PST, into=into, name="x.dat", overwrite=True
    )


def content(server: OmarServer, days: int) -> bytes:
    """Give what `save` must leave."""
    end = DAY + dt.timedelta(days=days)
    return server.data(GROUP, DAY, end, file_format=FileFormat.MDEF, time_type=TimeType.PST)


def _failing(call: str, number: int) -> tuple[FileSystem, list[str]]:
    """Give a file system of which one kind of call fails, and the list of those that did."""
    real, failed = FileSystem(), list[str]()

    def fail(*args: object, **options: object) -> object:
        if call == "close":
            real.close(args[0])  # type: ignore[arg-type] # the descriptor; it is gone even if closing fails
        failed.append(call)
        raise OSError(number, os.strerror(number))

    failing: dict[str, Any] = {call: fail}
    return attrs.evolve(real, **failing), failed


@pytest.mark.fault(65)
@pytest.mark.parametrize("days", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("old", [True, False], ids=["old file", "absent"])
@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("open", errno.ENOSPC),
        ("write", errno.ENOSPC),
        ("write", errno.EDQUOT),
        ("write", errno.EIO),
        ("fsync", errno.EIO),
        ("close", errno.ENOSPC),
        ("close", errno.EIO),
    ],
)
async def test_a_disk_that_fails(
    call: str, number: int, days: int, *, old: bool, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Whichever call it is, the error has its number, nothing is asked for again and the final path is as it was."""
    if old:
        (tmp_path / "x.dat").write_bytes(b"old")
    files, failed = _failing(call, number)
    async with opened(omar_config, Effects(files=files)) as client:
        with untouched(tmp_path), pytest.raises(DiskError) as caught:
            await save(client, tmp_path, days)
    assert (caught.value.errno, set(failed)) == (number, {call})
    assert sent(omar_server, "download") == 1


@pytest.mark.fault(66)
@pytest.mark.parametrize("days", SIZES.values(), ids=SIZES.keys())
async def test_a_disk_that_takes_little_at_a_time(
    days: int, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """What a write leaves over is written by the next one."""
    short = 0

    def write(fd: int, data: bytes | memoryview) -> int:
        nonlocal short
        short += len(data) > 1_000
        return os.write(fd, data[:1_000])

    async with opened(omar_config, Effects(files=FileSystem(write=write))) as client:
        await save(client, tmp_path, days)
    assert short
    assert on_disk(tmp_path) == {"x.dat": content(omar_server, days)}


@pytest.mark.fault(70)
async def test_a_link_in_place_of_a_part_file(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """Who guesses the name of a part file and puts a link there does not get the data written through it."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    into = tmp_path / "data"
    planted: list[Path] = []

    def open_(path: str, flags: int, *args: int) -> int:
        if path.endswith(".part") and flags & os.O_CREAT:
            planted.append(Path(path))
            planted[-1].symlink_to(victim)
        return os.open(path, flags, *args)

    async with opened(omar_config, Effects(files=FileSystem(open=open_))) as client:
        with pytest.raises((DiskError, DestinationError)):
            await fetch(client, into)
    assert planted
    assert victim.read_bytes() == b"mine"
    assert not [path for path in into.iterdir() if not path.is_symlink()]


@pytest.mark.fault(71)
@pytest.mark.parametrize("old", [True, False], ids=["old file", "absent"])
async def test_a_final_path_that_somebody_holds(
    *, old: bool, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A rename that is refused, as Windows does for a file that is open elsewhere, is a `DiskError` with its number."""
    if old:
        (tmp_path / "x.dat").write_bytes(b"old")
    files, failed = _failing("replace", errno.EACCES)
    async with opened(omar_config, Effects(files=files)) as client:
        with untouched(tmp_path), pytest.raises(DiskError) as caught:
            await save(client, tmp_path, 0)
    assert (caught.value.errno, bool(failed)) == (errno.EACCES, True)
    assert sent(omar_server, "download") == 1


@pytest.mark.fault(67)
async def test_a_directory_without_the_right_to_write(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """It is refused before anything is sent."""
    into = tmp_path / "data"
    into.mkdir(mode=0o500)
    if os.access(into, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(DestinationError, match="not writable"):
        await fetch(omar_client, into)
    assert not omar_server.requests


@pytest.mark.fault(67)
async def test_a_directory_that_takes_no_file(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """A right to write that only the system knows of, as on a read-only mount, is found at the first file."""
    files, _ = _failing("open", errno.EROFS)
    async with opened(omar_config, Effects(files=files)) as client:
        with untouched(tmp_path), pytest.raises(DiskError) as caught:
            await fetch(client, tmp_path)
    assert caught.value.errno == errno.EROFS


@pytest.mark.fault(73)
@pytest.mark.parametrize("days", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("old", [True, False], ids=["old file", "absent"])
async def test_the_order_of_what_reaches_the_disk(
    days: int, *, old: bool, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """All bytes, then the sync of the file, then its name, then the sync of the directory; only then is it saved."""
    steps: list[str] = []

    def noting(word: str, call: Callable[..., object]) -> Callable[..., object]:
        def note(*args: object, **options: object) -> object:
            result = call(*args, **options)
            steps.append(word)
            return result

        return note

    def fsync(fd: int) -> None:
        os.fsync(fd)
        steps.append("sync directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "sync file")

    if old:
        (tmp_path / "x.dat").write_bytes(b"old")
    files = FileSystem(write=noting("write", os.write), replace=noting("name", os.replace), fsync=fsync)  # type: ignore[arg-type] # the same calls
    async with opened(omar_config, Effects(files=files)) as client:
        await save(client, tmp_path, days)
        steps.append("saved")
    told = list(dict.fromkeys(steps))
    assert told == ["write", "sync file", "name", "sync directory", "saved"]
    assert "write" not in steps[steps.index("sync file") :]


@pytest.mark.fault(75)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_forked_child_may_not_use_its_parents_client(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A `UsageError`, and its parent goes on as if nothing had been."""
    async with OmarClient(omar_config) as client:
        await client.login()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(client.login())
            except UsageError:
                code = 3
            finally:
                os._exit(code)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 3
        await fetch(client, tmp_path)
    assert sent(omar_server, "login") == 1


@pytest.mark.fault(76)
@pytest.mark.parametrize("step", [-86_400.0, 86_400.0], ids=["back", "forward"])
async def test_a_clock_that_steps(
    step: float, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A day more or less at every look at the clock ends no wait early and makes none longer."""
    moments = [1_800_000_000.0]

    def wall_clock() -> float:
        moments.append(moments[-1] + step)
        return moments[-1]

    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    omar_server.script(Status(503, retry_after="Fri, 01 Jan 2027 00:00:00 GMT"), CutBody(10))
    config = attrs.evolve(omar_config, retry=attrs.evolve(omar_config.retry, retry_after_cap=0.01))
    async with opened(config, Effects(wall_clock=wall_clock)) as client:
        saved = await fetch(client, tmp_path / "data", METER)
        receipt = await client.upload(source)
    assert sent(omar_server, "download") == 3
    assert saved.fetched_at.timestamp() in moments
    assert receipt.submitted_at.timestamp() in moments
    assert len(moments) > 2
