"""Uploads over a cluster: through the one worker with the token, and never twice, also when it dies over a file."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiomar import (
    ConfigError,
    OmarConfig,
    OutcomeUnknownError,
    PartialUploadError,
    SourceError,
    Submissions,
    UploadBlockedError,
)
from aiomar.submissions import SubmissionState
from aiomar.testing import SlowFirstByte

pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")

from aiomar.distributed import UPLOAD_RESOURCE, ConfigReference, upload_all
from tests.support.cluster import until

if TYPE_CHECKING:
    from tests.support.cluster import Farm

AT_ONCE = dt.timedelta()


async def _offer(number: int, dask_worker: Any) -> None:  # noqa: ANN401 - of Dask
    await dask_worker.set_resources(**{UPLOAD_RESOURCE: number})


@contextlib.contextmanager
def offering(client: Any, address: str, number: int) -> Iterator[None]:  # noqa: ANN401 - of Dask
    """Have a worker offer so many tokens for a while."""
    client.run(_offer, number, workers=[address])
    try:
        yield
    finally:
        client.run(_offer, 1 - number, workers=[address])


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three files that keep to every rule."""
    folder = tmp_path / "outgoing"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.csv").write_bytes(b"id,value\r\n" * (number + 1))
    return sorted(folder.iterdir())


async def test_files_go_one_after_the_other_through_the_token(farm: Farm, files: list[Path]) -> None:
    """Each with its receipt; the ledger on shared storage has them, and a second call sends nothing."""
    report = await upload_all(farm.client, farm.reference, files)
    assert [receipt.source_name for receipt in report.receipts] == ["0.csv", "1.csv", "2.csv"]
    assert [record.file_id for record in Submissions(farm.state_dir).records()] == [
        receipt.file_id for receipt in report.receipts
    ]
    with pytest.raises(PartialUploadError, match="0 files were accepted, 3 failed") as caught:
        await upload_all(farm.client, farm.reference, files)
    assert all(isinstance(failure.error, UploadBlockedError) for failure in caught.value.report.failures)
    again = await upload_all(farm.client, farm.reference, files[:1], resend=True)
    assert len(again.receipts) == 1
    assert len(farm.server.uploads) == 4
    assert farm.server.max_concurrent_uploads == 1


@pytest.mark.parametrize("resend", [False, True])
async def test_a_worker_that_dies_over_a_file_sends_it_once(farm: Farm, files: list[Path], *, resend: bool) -> None:
    """The task is run again and finds it in the ledger; the outcome is told as unknown, and the rest waits."""
    farm.server.script(SlowFirstByte(60, on="upload"))
    task = asyncio.create_task(upload_all(farm.client, farm.reference, files, errors="collect", resend=resend))
    await until(lambda: len(farm.server.uploads) == 1)
    assert farm.kill_busy_worker(token=True)
    report = await task
    assert len(farm.server.uploads) == 1
    (failure,) = report.failures
    assert isinstance(failure.error, OutcomeUnknownError)
    (record,) = Submissions(farm.state_dir).records()
    assert (record.id, record.state) == (failure.error.ledger_id, SubmissionState.UNKNOWN)
    assert report.not_sent == tuple(files[1:])


async def test_a_cancelled_caller_begins_no_other_file(farm: Farm, files: list[Path]) -> None:
    """The file that is under way is not cut off: its outcome is in the ledger."""
    farm.server.script(SlowFirstByte(0.2, on="upload"))
    task = asyncio.create_task(upload_all(farm.client, farm.reference, files))
    await until(lambda: len(farm.server.uploads) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    submissions = Submissions(farm.state_dir)
    await until(lambda: [record.state for record in submissions.records()] == [SubmissionState.ACCEPTED])
    await until(farm.idle)
    assert len(farm.server.uploads) == 1


async def test_rules_are_checked_for_all_files_first(farm: Farm, files: list[Path]) -> None:
    """One that breaks a rule holds all back, or is left out; the same content twice is sent once."""
    bad = files[0].with_name("bad.txt")
    bad.write_bytes(b"x")
    with pytest.raises(PartialUploadError) as caught:
        await upload_all(farm.client, farm.reference, [*files, bad])
    assert caught.value.report.not_sent == tuple(files)
    assert not farm.server.uploads
    twin = files[0].with_name("twin.csv")
    twin.write_bytes(files[0].read_bytes())
    report = await upload_all(farm.client, farm.reference, [files[0], bad, twin], errors="collect")
    assert [upload.name for upload in farm.server.uploads] == ["0.csv"]
    assert [failure.source for failure in report.failures] == [bad, twin]


async def test_exactly_one_worker_may_submit(farm: Farm, files: list[Path]) -> None:
    """Without the token, and with two of them, nothing is sent, and one sentence says what to do."""
    workers = farm.client.scheduler_info()["workers"]
    (able,) = [address for address, worker in workers.items() if worker["resources"]]
    other = next(address for address in workers if address != able)
    with offering(farm.client, able, 0), pytest.raises(ConfigError, match=r"no worker offers .* start exactly one"):
        await upload_all(farm.client, farm.reference, files, patience=AT_ONCE)
    with offering(farm.client, other, 1), pytest.raises(ConfigError, match=r"2 workers offer .* start exactly one"):
        await upload_all(farm.client, farm.reference, files, patience=AT_ONCE)
    assert farm.server.requests == []


async def test_what_the_worker_cannot_use_is_told(farm: Farm, files: list[Path], omar_config: OmarConfig) -> None:
    """Nothing is sent without a ledger, from a relative path, or with a configuration that would travel."""
    with pytest.raises(SourceError, match="is relative"):
        await upload_all(farm.client, farm.reference, ["a.csv"])
    with pytest.raises(ConfigError, match="never travel"):
        await upload_all(farm.client, omar_config, files)  # type: ignore[arg-type] # the mistake
    profile = farm.storage / "aiomar.toml"
    profile.write_text(profile.read_text().replace("state_dir", "# state_dir"))
    with pytest.raises(ConfigError, match="set state_dir"):
        await upload_all(farm.client, farm.reference, files)
    with pytest.raises(ConfigError, match="cannot be imported"):
        await upload_all(farm.client, ConfigReference.from_function("nonesuch:config"), files)
    assert farm.server.requests == []
