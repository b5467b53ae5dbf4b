"""One upload in flight: between the tasks of a client, between clients, and between processes."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from aiomar import (
    OmarClient,
    OmarConfig,
    OutcomeUnknownError,
    Submissions,
    SubmissionState,
    Timeouts,
    UploadBlockedError,
    UsageError,
)
from aiomar.testing import OmarServer, SlowFirstByte, Stall
from tests.client.helpers import sent, until
from tests.support.uploading import Child, Errand

in_processes = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork servers are not there")


@pytest.fixture(autouse=True)
def short_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server that children are forked from have its socket under a short path."""
    if len(tempfile.gettempdir()) > 60:
        monkeypatch.setattr(tempfile, "tempdir", "/tmp")  # noqa: S108 - it makes a directory of its own in it


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Six files, no two alike."""
    paths = [tmp_path / f"file{number}.csv" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_text(f"id,value\r\n1001,{number}\r\n")
    return paths


@pytest.fixture
def errand(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> Errand:
    """What another process needs to submit under the ledger of `omar_config`."""
    assert omar_config.state_dir is not None
    directory = tmp_path / "credentials"
    directory.mkdir()
    return Errand.to(omar_server, directory, Path(omar_config.state_dir))


@asynccontextmanager
async def holding(client: OmarClient, server: OmarServer, source: Path) -> AsyncIterator[asyncio.Task[object]]:
    """Have an upload in flight to which the server never says a word."""
    server.script(Stall(None, on="upload"))
    count = sent(server, "upload")
    upload = asyncio.create_task(client.upload(source))
    await until(lambda: sent(server, "upload") == count + 1)
    try:
        yield upload
    finally:
        upload.cancel()
        await asyncio.wait([upload])


async def waiting(client: OmarClient, source: Path) -> asyncio.Task[object]:
    """Begin an upload that has to wait for its turn, and let it come that far."""
    upload = asyncio.create_task(client.upload(source))
    turn = client._ready().uploader.turn
    if turn._mine.locked():
        before = len(turn._mine._waiters or ())
        await until(lambda: len(turn._mine._waiters or ()) > before)
    else:
        await until(turn._mine.locked)
    return upload


async def test_between_two_clients(omar_config: OmarConfig, omar_server: OmarServer, files: list[Path]) -> None:
    """Clients with one ledger send one file after the other, and every file gets there."""
    omar_server.script(SlowFirstByte(0.002, on="upload", times=len(files)))
    async with OmarClient(omar_config) as one, OmarClient(attrs.evolve(omar_config, lean=False)) as other:
        uploads = (client.upload(source) for client, source in zip([one, other] * 3, files, strict=True))
        receipts = await asyncio.gather(*uploads)
    assert omar_server.max_concurrent_uploads == 1
    assert {receipt.file_id for receipt in receipts} == {upload.file_id for upload in omar_server.uploads}
    assert len(omar_server.uploads) == len(files)


async def test_ledgers_of_their_own(
    omar_config: OmarConfig, omar_server: OmarServer, files: list[Path], tmp_path: Path
) -> None:
    """Who keeps another ledger does not wait."""
    other_config = attrs.evolve(omar_config, state_dir=tmp_path / "other")
    async with OmarClient(omar_config) as one, OmarClient(other_config) as other, holding(one, omar_server, files[0]):
        await other.upload(files[1])
    assert omar_server.max_concurrent_uploads == 2


@in_processes
@pytest.mark.fault(72)
async def test_between_processes(
    omar_client: OmarClient, omar_server: OmarServer, errand: Errand, files: list[Path]
) -> None:
    """Two processes with one ledger send one file after the other, and every file gets there."""
    omar_server.script(SlowFirstByte(0.002, on="upload", times=len(files)))
    child = Child(attrs.evolve(errand, sources=tuple(files[:3])))
    for source in files[3:]:
        await omar_client.upload(source)
    assert await child.end() == 0
    assert len(child.said("accepted")) == 3
    assert omar_server.max_concurrent_uploads == 1
    assert len(omar_server.uploads) == len(files)


async def test_the_wait_is_bounded(omar_config: OmarConfig, omar_server: OmarServer, files: list[Path]) -> None:
    """After `Timeouts.operation` the waiting client says who is at it, and has sent nothing."""
    hasty = attrs.evolve(omar_config, timeouts=Timeouts(operation=0.5))
    async with OmarClient(omar_config) as one, OmarClient(hasty) as other, holding(one, omar_server, files[0]):
        before = len(omar_server.requests)
        with pytest.raises(UploadBlockedError, match="under way in this process itself: wait until") as caught:
            await other.upload(files[1])
        assert caught.value.ledger_id is None
        assert len(omar_server.requests) == before
    assert [upload.name for upload in omar_server.uploads] == ["file0.csv"]


@in_processes
@pytest.mark.fault(72)
async def test_a_holder_in_another_process_is_named_and_its_death_frees_the_turn(
    omar_config: OmarConfig, omar_server: OmarServer, errand: Errand, files: list[Path]
) -> None:
    """Its process id is told; once it is killed, who waits goes on, and finds its submission unknown."""
    omar_server.script(Stall(None, on="upload"))
    child = Child(attrs.evolve(errand, sources=tuple(files[:1])))
    await until(lambda: sent(omar_server, "upload") == 1)
    async with OmarClient(attrs.evolve(omar_config, timeouts=Timeouts(operation=0.5))) as hasty:
        with pytest.raises(UploadBlockedError, match=rf"process {child.process.pid} \(.*\) on host .* since "):
            await hasty.upload(files[1])
    assert len(omar_server.requests) == 2  # the login and the upload of the child
    async with OmarClient(omar_config) as client:
        upload = await waiting(client, files[1])
        child.kill()
        await upload
        assert await child.end() < 0
        with pytest.raises(UploadBlockedError) as caught:
            await client.upload(files[0])
    left = Submissions(omar_config.state_dir).record(caught.value.ledger_id or "")
    assert (left.state, left.name, left.phase) == (SubmissionState.UNKNOWN, "file0.csv", "request")
    assert [upload.name for upload in omar_server.uploads] == ["file0.csv", "file1.csv"]


@pytest.mark.fault(74)
@pytest.mark.parametrize("same", [True, False], ids=["in one client", "in two clients"])
async def test_cancelling_who_waits(
    omar_config: OmarConfig, omar_server: OmarServer, files: list[Path], *, same: bool
) -> None:
    """Nothing of it was sent or recorded, and it leaves no turn behind that nobody has."""
    async with OmarClient(omar_config) as one, OmarClient(omar_config) as other:
        async with holding(one, omar_server, files[0]):
            upload = await waiting(one if same else other, files[1])
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
            assert [upload.name for upload in omar_server.uploads] == ["file0.csv"]
        await one.upload(files[2])
        await other.upload(files[1])
    assert [upload.name for upload in omar_server.uploads] == ["file0.csv", "file2.csv", "file1.csv"]
    states = {record.name: record.state.value for record in Submissions(omar_config.state_dir).records()}
    assert states == {"file0.csv": "unknown", "file1.csv": "accepted", "file2.csv": "accepted"}


@pytest.mark.parametrize("same", [True, False], ids=["in one client", "in two clients"])
async def test_closing_the_client_of_who_waits(
    omar_config: OmarConfig, omar_server: OmarServer, files: list[Path], *, same: bool
) -> None:
    """Who waits is told so, and has sent nothing; who was sending knows as little as after any cut."""
    async with OmarClient(omar_config) as one, OmarClient(omar_config) as other:
        async with holding(one, omar_server, files[0]) as first:
            upload = await waiting(one if same else other, files[1])
            await (one if same else other).aclose()
            with pytest.raises(UsageError, match="client was closed"):
                await upload
            assert first.done() == same
            if same:
                with pytest.raises(OutcomeUnknownError):
                    await first
        assert [upload.name for upload in omar_server.uploads] == ["file0.csv"]
    async with OmarClient(omar_config) as third:
        await third.upload(files[1])


async def test_the_note_of_a_lock_does_not_outlive_it(
    omar_config: OmarConfig, omar_client: OmarClient, files: list[Path]
) -> None:
    """After an upload nobody is named any more: the lock file stays, its note goes."""
    await omar_client.upload(files[0])
    assert omar_config.state_dir is not None
    left = [path.name for path in Path(omar_config.state_dir).rglob("lock*")]
    assert left == ["lock"]
