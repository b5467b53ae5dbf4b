"""A range that is run again: what is reused, what is fetched again, and who may use a directory meanwhile."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from aiomar import (
    DestinationError,
    DownloadReused,
    Environment,
    Event,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    RangeFinished,
    RangePlan,
    RangeReport,
    SavedFile,
    TimeType,
)
from aiomar.testing import Framing, OmarServer, Status
from aiomar.transfer import Catalogue
from aiomar.transfer._catalogue_file import catalogue_path
from aiomar.transfer._publish import beside
from tests.client.helpers import DAY, METER, UNKNOWN, descriptors, on_disk, raw, sent, until

METERS = [Meter(str(number)) for number in range(1001, 1011)]


async def fetch(
    client: OmarClient,
    into: Path,
    selections: list[Meter] | None = None,
    *,
    resume: bool = True,
    max_age: dt.timedelta | None = None,
    allow_unverified: bool = False,
) -> RangeReport:
    """Download one day of ten meters."""
    return await client.download_range(
        METERS if selections is None else selections,
        DAY,
        DAY,
        file_format=FileFormat.CSV,
        time_type=TimeType.PST,
        into=into,
        resume=resume,
        max_age=max_age,
        errors="collect",
        allow_unverified=allow_unverified,
    )


async def plan(client: OmarClient, into: Path, *, resume: bool = True) -> RangePlan:
    """Plan the same."""
    return await client.plan_range(
        METERS, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=into, resume=resume
    )


def query(into: Path, statement: str) -> list[tuple[object, ...]]:
    """Ask the catalogue as an engineer would, with SQL."""
    with closing(sqlite3.connect(catalogue_path(into))) as database:
        return database.execute(statement).fetchall()


async def test_what_is_there_is_not_fetched_again(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """The second run, of another client, asks for nothing and reports the same files, as reused."""
    events: list[Event] = []
    async with OmarClient(omar_config) as client:
        first = await fetch(client, tmp_path)
        before = await plan(client, tmp_path)
    async with OmarClient(omar_config, observer=events.append) as client:
        second = await fetch(client, tmp_path)
    assert sent(omar_server, "download") == len(METERS)
    assert sent(omar_server, "login") == 1
    assert (before.requests, before.reused) == (0, len(METERS))
    assert {attrs.evolve(file, reused=False) for file in second.files} == set(first.files)
    assert (first.reused, second.reused, second.bytes) == (0, len(METERS), 0)
    assert sum(isinstance(event, DownloadReused) for event in events) == len(METERS)
    assert isinstance(events[-1], RangeFinished)
    assert (events[-1].files, events[-1].reused, events[-1].bytes) == (len(METERS), len(METERS), 0)


async def test_resume_false_fetches_everything(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Without resume nothing is reused, in the plan as in the range."""
    await fetch(omar_client, tmp_path)
    assert (await plan(omar_client, tmp_path, resume=False)).requests == len(METERS)
    report = await fetch(omar_client, tmp_path, resume=False)
    assert report.reused == 0
    assert sent(omar_server, "download") == 2 * len(METERS)


def longer(path: Path) -> None:
    """Append to a file, and set its time back."""
    status = path.stat()
    with path.open("ab") as file:
        file.write(b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def touched(path: Path) -> None:
    """Change a file's time."""
    os.utime(path, ns=(0, 1))


def linked(path: Path) -> None:
    """Put a link to the file in its place."""
    other = path.rename(path.with_name("elsewhere"))
    path.symlink_to(other)


@pytest.mark.parametrize("change", [Path.unlink, longer, touched])
async def test_a_file_that_does_not_stand_is_fetched_again(
    change: object, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Gone, of another size or changed since: one request mends it."""
    assert callable(change)
    before = {file.path: file.path.read_bytes() for file in (await fetch(omar_client, tmp_path)).files}
    path = tmp_path / "meter-1004_20260101_20260101_pst.csv"
    change(path)
    report = await fetch(omar_client, tmp_path)
    assert report.reused == len(METERS) - 1
    assert [file.path for file in report.files if not file.reused] == [path]
    assert {file.path: file.path.read_bytes() for file in report.files} == before
    assert sent(omar_server, "download") == len(METERS) + 1


async def test_a_link_in_place_of_a_file_is_refused(omar_client: OmarClient, tmp_path: Path) -> None:
    """A symbolic link is neither reused nor followed nor replaced."""
    await fetch(omar_client, tmp_path)
    linked(tmp_path / "meter-1004_20260101_20260101_pst.csv")
    report = await fetch(omar_client, tmp_path)
    assert [type(failure.error) for failure in report.failures] == [DestinationError]


async def test_old_files_are_fetched_again(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """`max_age` counts from when a file was fetched."""
    await fetch(omar_client, tmp_path)
    assert (await fetch(omar_client, tmp_path, max_age=dt.timedelta(hours=1))).reused == len(METERS)
    assert (await fetch(omar_client, tmp_path, max_age=dt.timedelta(0))).reused == 0
    assert sent(omar_server, "download") == 2 * len(METERS)


async def test_files_of_another_server_are_not_reused(omar_config: OmarConfig, tmp_path: Path) -> None:
    """What came from one environment is never taken for the data of another."""
    async with OmarClient(omar_config) as client:
        await fetch(client, tmp_path)
    here = omar_config.environment
    other = Environment("other", str(here.upload_origin), str(here.download_origin).replace("localhost", "127.0.0.1"))
    assert str(other.download_origin) != str(here.download_origin)
    async with OmarClient(attrs.evolve(omar_config, environment=other)) as client:
        assert (await plan(client, tmp_path)).reused == 0


async def test_an_unverified_file_is_reused_only_where_it_is_allowed(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """What nothing proves whole was allowed once; that does not hold for the next call."""
    omar_server.script(raw(b"no table at all"))
    first = await fetch(omar_client, tmp_path, [METER], allow_unverified=True)
    assert [file.completeness for file in first.files] == ["unverified"]
    assert (await fetch(omar_client, tmp_path, [METER], allow_unverified=True)).reused == 1
    report = await fetch(omar_client, tmp_path, [METER])
    assert [(file.reused, file.completeness) for file in report.files] == [(False, "length")]


async def test_another_content_replaces_the_file_and_leaves_its_hash_in_the_history(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A corrected answer stands under the same name; what stood there before can be proved."""
    omar_server.script(raw(b"id,value\r\n1001,1\r\n"))
    (old,) = (await fetch(omar_client, tmp_path, [METER])).files
    (new,) = (await fetch(omar_client, tmp_path, [METER], resume=False)).files
    (same,) = (await fetch(omar_client, tmp_path, [METER], resume=False)).files
    assert old.path == new.path
    assert old.sha256 != new.sha256 == same.sha256
    assert query(tmp_path, "SELECT name, sha256, size, fetched_at, replaced_at FROM history") == [
        (
            old.path.name,
            old.sha256,
            old.size,
            old.fetched_at.isoformat(timespec="microseconds"),
            new.fetched_at.isoformat(timespec="microseconds"),
        )
    ]


async def test_the_catalogue_says_how_a_file_came(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Attempts, completeness and the last error of each file are noted, and a success clears the error."""
    omar_server.script(Status(503), Framing("chunked", match="selectedMeters=1002&"))
    await fetch(omar_client, tmp_path, [METER])
    await fetch(omar_client, tmp_path, [Meter("1002"), UNKNOWN])
    rows = query(tmp_path, "SELECT selection, attempts, completeness, last_error IS NULL FROM files ORDER BY selection")
    assert rows == [("1001", 2, "length", 1), ("1002", 1, "chunked", 1), ("9999", 1, None, 0)]
    (text,) = query(tmp_path, "SELECT last_error FROM files WHERE selection = '9999'")[0]
    assert "page" in str(text)


async def test_a_directory_that_another_process_holds_is_refused(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """The second is told who holds it; nothing is sent, and a plan can be made all the same."""
    program = (
        "import pathlib, sys; from aiomar.transfer import Catalogue\n"
        "catalogue = Catalogue.open(pathlib.Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - it answers at once
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == "ready\n"
        with pytest.raises(DestinationError, match=rf"in use by process {holder.pid} "):
            await fetch(omar_client, tmp_path)
        assert (await plan(omar_client, tmp_path)).requests == len(METERS)
        assert not omar_server.requests
        holder.kill()
    assert len((await fetch(omar_client, tmp_path)).files) == len(METERS)


async def test_a_damaged_catalogue_is_refused(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """It is never guessed around: the error says how to mend it, and nothing is sent or lost."""
    await fetch(omar_client, tmp_path)
    files = on_disk(tmp_path)
    omar_server.clear()
    catalogue_path(tmp_path).write_bytes(b"this is no database at all, but long enough to look like one" * 20)
    with pytest.raises(DestinationError, match="--rebuild"):
        await fetch(omar_client, tmp_path)
    with pytest.raises(DestinationError, match="--rebuild"):
        await plan(omar_client, tmp_path)
    assert on_disk(tmp_path) == files
    assert not omar_server.requests


async def test_two_ranges_share_a_directory(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """Two ranges of one process into one directory go on side by side and know of each other's files."""
    halves = METERS[:5], METERS[5:]
    reports = await asyncio.gather(*(fetch(omar_client, tmp_path, half) for half in halves))
    assert [len(report.files) for report in reports] == [5, 5]
    assert (await fetch(omar_client, tmp_path)).reused == len(METERS)


async def test_part_files_of_a_killed_range_go_at_once(omar_client: OmarClient, tmp_path: Path) -> None:
    """No other process runs a range here, so nobody needs them; those of single downloads may be in use."""
    final = str(tmp_path / "meter-1001_20260101_20260101_pst.csv")
    orphan, single = Path(beside(final, in_range=True)), Path(beside(final))
    for path in (orphan, single):
        path.write_bytes(b"half")
    await fetch(omar_client, tmp_path, [METER])
    assert (orphan.exists(), single.exists()) == (False, True)


async def test_a_closed_client_lets_the_directory_go(omar_config: OmarConfig, tmp_path: Path) -> None:
    """Also when nobody ever came back to the loop over its outcomes."""
    before = descriptors()
    async with OmarClient(omar_config) as client:
        outcomes = client.iter_range(
            METERS, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=tmp_path
        )
        assert isinstance(await anext(outcomes), SavedFile)
    await until(lambda: descriptors() == before)  # the server's ends of the connections are among them
    with Catalogue.open(tmp_path) as catalogue:
        assert catalogue.first
    await outcomes.aclose()
    assert descriptors() == before


async def test_rows_tell_the_truth_about_files_that_were_undone(omar_config: OmarConfig, tmp_path: Path) -> None:
    """Each row that claims a file finds it as it says, wherever a range was cancelled, and a new run completes it."""
    for turns in range(0, 60, 4):
        async with OmarClient(omar_config) as client:
            task = asyncio.create_task(fetch(client, tmp_path, resume=bool(turns % 8)))
            for _ in range(turns * 10):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        catalogue = Catalogue.read(tmp_path)
        if catalogue is not None:
            with catalogue:
                for file in catalogue.all_files():
                    assert file.path.stat().st_size == file.size
        assert not list(tmp_path.glob("*.part"))
    async with OmarClient(omar_config) as client:
        assert len((await fetch(client, tmp_path)).files) == len(METERS)


async def test_a_range_that_is_cancelled_at_its_start_holds_nothing(omar_config: OmarConfig, tmp_path: Path) -> None:
    """Cancelled while its catalogue is being opened, a range or a plan leaves neither the directory held nor a file."""
    async with OmarClient(omar_config) as client:
        await fetch(client, tmp_path, [METER])
        before = descriptors()
        for call in (fetch, plan):
            for turns in range(6):
                task = asyncio.create_task(call(client, tmp_path))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
                assert {name for name in descriptors() if ".aiomar" in name} <= set(before)
        with Catalogue.open(tmp_path) as catalogue:
            assert catalogue.first
