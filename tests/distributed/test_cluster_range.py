"""Ranges over three worker processes: everything once, never more at once than allowed, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiomar import (
    ConfigError,
    DestinationError,
    FileFormat,
    LoginError,
    Meter,
    OmarConfig,
    PartialDownloadError,
    TimeType,
    verify_directory,
)
from aiomar.testing import Status

pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")

from aiomar.distributed import (
    ClusterError,
    ConfigReference,
    DistributedReport,
    download_range,
    shard_directories,
    shard_directory,
)
from tests.support.cluster import PASSPHRASE, until

if TYPE_CHECKING:
    from tests.support.cluster import Farm

START, END = dt.date(2026, 1, 1), dt.date(2026, 1, 3)
DAYS = 3
METERS = [Meter(str(number)) for number in range(1001, 1025)]
FILES = len(METERS) * DAYS


async def fetched(farm: Farm, meters: Iterable[Meter] = METERS, **others: Any) -> DistributedReport:  # noqa: ANN401
    """Download a range of days, a file for each."""
    return await download_range(
        farm.client,
        others.pop("reference", farm.reference),
        meters,
        START,
        END,
        file_format=FileFormat.MDEF,
        time_type=TimeType.PST,
        into=others.pop("into", farm.into),
        days_per_file=1,
        **others,
    )


def good_files(into: Path) -> list[Path]:
    """Give the files of all directories, each of which is what its catalogue says."""
    checked = [file for shard in shard_directories(into) for file in verify_directory(shard)]
    assert [file.words for file in checked if not file.good or file.problem] == []
    return [file.path for file in checked]


async def test_two_ranges_at_once_keep_the_one_limit(farm: Farm) -> None:
    """Eight downloads at once over all workers and both ranges, each file once and where the rule says."""
    first, second = await asyncio.gather(
        fetched(farm, METERS[:12]), fetched(farm, METERS[12:], into=farm.storage / "b")
    )
    assert (first.files + second.files, first.reused, first.failed, second.failed) == (FILES, 0, 0, 0)
    assert 4 < farm.server.max_concurrent_downloads <= 8
    assert Counter(farm.downloads()).most_common(1)[0][1] == 1
    files = good_files(farm.into) + good_files(farm.storage / "b")
    assert len(files) == FILES
    assert first.bytes + second.bytes == sum(path.stat().st_size for path in files)
    assert all(shard_directory(farm.into, meter).is_dir() for meter in METERS[:12])


async def test_a_range_that_is_run_again_fetches_what_is_missing(farm: Farm) -> None:
    """Finished directories cost neither a request nor a login; what is new, and what was removed, is fetched."""
    told: list[DistributedReport] = []
    await fetched(farm, METERS[:16], progress=told.append)
    assert told[-1].files == 16 * DAYS
    farm.server.clear()
    assert (await fetched(farm, METERS[:16])).reused == 16 * DAYS
    assert farm.server.requests == []
    good_files(farm.into)[0].unlink()
    report = await fetched(farm, (meter for meter in METERS[:20]))
    assert (report.files, report.reused) == (20 * DAYS, 16 * DAYS - 1)
    assert len(farm.downloads()) == 4 * DAYS + 1


async def test_a_killed_worker_costs_nothing(farm: Farm) -> None:
    """Another one does its work; what it had saved is not fetched again, and the limit holds all the while."""
    killed: list[bool] = []

    def kill(_report: DistributedReport) -> None:
        if not any(killed):
            killed.append(farm.kill_busy_worker())

    report = await fetched(farm, progress=kill)
    assert any(killed)
    assert (report.files, report.failed) == (FILES, 0)
    assert len(good_files(farm.into)) == FILES
    again = Counter(farm.downloads())
    assert len(again) == FILES
    # Under way when it died: as many as it had connections, and those whose group was not noted yet.
    assert again.total() - FILES <= 16
    assert farm.server.max_concurrent_downloads <= 8


async def test_workers_that_die_again_and_again_end_the_range(farm: Farm) -> None:
    """Dask gives up a task over which as many died as it allows; the range can be run again."""
    allowed = farm.client.run_on_scheduler(_allow_failures, 0)
    try:
        with pytest.raises(ClusterError, match="1 workers died over the same task"):
            await fetched(farm, progress=lambda _report: farm.kill_busy_worker())
    finally:
        farm.client.run_on_scheduler(_allow_failures, allowed)
    assert (await fetched(farm)).files == FILES


def _allow_failures(number: int, dask_scheduler: Any) -> int:  # noqa: ANN401 - of Dask
    before: int = dask_scheduler.allowed_failures
    dask_scheduler.allowed_failures = number
    return before


async def test_a_cancelled_caller_ends_the_tasks(farm: Farm) -> None:
    """The workers stop and give directories and connections back; the range can be run again at once."""
    task = asyncio.create_task(fetched(farm, concurrency=2))
    await until(lambda: len(farm.downloads()) > 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(farm.idle)
    before = len(farm.downloads())
    assert before < FILES
    report = await fetched(farm)
    assert report.files == FILES
    assert Counter(farm.downloads()).total() - FILES <= 2 + 16
    assert farm.server.max_concurrent_downloads <= 8


async def test_failures_are_counted_and_told(farm: Farm) -> None:
    """A failed download stops no other; the report has it with its reason."""
    with pytest.raises(PartialDownloadError, match=r"3 of 9 downloads failed, the first .meter '7'") as caught:
        await fetched(farm, [*METERS[:2], Meter("7")])
    report: Any = caught.value.report
    assert (report.files, report.failed, len(report.failures)) == (6, 3, 3)


async def test_a_refused_login_ends_the_range(farm: Farm) -> None:
    """Every file would fail with it, so hardly anything is sent."""
    farm.server.script(Status(403, on="login"))
    with pytest.raises(LoginError):
        await fetched(farm, METERS[:1])
    assert farm.downloads() == []


async def test_a_server_that_is_away_for_a_moment_is_borne(farm: Farm) -> None:
    """The login of one worker fails in spite of its repeats; the work goes back and is done later."""
    farm.server.script(Status(503, on="login", times=3))
    assert (await fetched(farm, METERS[:1])).files == DAYS


async def test_what_a_worker_cannot_read_is_told(farm: Farm) -> None:
    """A reference that leads nowhere, and one without a place for shared records."""
    with pytest.raises(ConfigError, match="cannot be read as TOML"):
        await fetched(farm, reference=ConfigReference.from_toml(farm.storage / "absent.toml"))
    profile = farm.storage / "aiomar.toml"
    profile.write_text(profile.read_text().replace("state_dir", "# state_dir"))
    with pytest.raises(ConfigError, match="set state_dir"):
        await fetched(farm)
    assert farm.server.requests == []


async def test_what_cannot_travel_is_refused_here(farm: Farm, omar_config: OmarConfig) -> None:
    """A configuration has a key in it, and relative paths mean another place on every worker."""
    with pytest.raises(ConfigError, match="keys and passphrases never travel"):
        await fetched(farm, reference=omar_config)
    with pytest.raises(ConfigError, match="is relative"):
        ConfigReference.from_toml("aiomar.toml")
    with pytest.raises(DestinationError, match="is relative"):
        await fetched(farm, into="data")


async def test_the_scheduler_never_sees_a_secret(farm: Farm) -> None:
    """Neither key nor passphrase is in what it knows of tasks and workers, nor in the logs, while a range runs."""
    dumps: list[bytes] = []

    def look(_report: DistributedReport) -> None:
        if not dumps:
            dumps.append(_everything(farm.client))

    await fetched(farm, METERS[:8], progress=look)
    key = (farm.storage / "client.key").read_bytes().splitlines()[1]
    container = (farm.storage / "client.p12").read_bytes()
    secrets = [PASSPHRASE.encode(), PASSPHRASE.encode("unicode_escape"), key, container[100:160]]
    assert str(farm.storage / "aiomar.toml").encode() in dumps[0]
    assert [secret for secret in secrets if secret in dumps[0]] == []


def _everything(client: Any) -> bytes:  # noqa: ANN401 - of Dask, which has not typed it
    """Give all that scheduler and workers can tell: states, arguments, events and logs."""
    state = client.run_on_scheduler(_state_of_scheduler)
    logs = client.get_worker_logs(), client.get_scheduler_logs(), client.get_events()
    return b"".join((state, repr(logs).encode()))


def _state_of_scheduler(dask_scheduler: Any) -> bytes:  # noqa: ANN401 - of Dask
    import pickle  # noqa: PLC0415 - runs elsewhere

    specs = [(key, repr(task), pickle.dumps(task.run_spec)) for key, task in dask_scheduler.tasks.items()]
    return b"".join(bytes(spec) for *_, spec in specs) + repr(specs).encode()
