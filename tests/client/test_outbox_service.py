"""The outbox as a service: it waits for what mends itself, stops for what does not, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import attrs
import pytest

from aiomar import (
    CertificateRejectedError,
    ConfigError,
    ConnectError,
    DestinationError,
    DiskError,
    Hint,
    LoginError,
    OmarClient,
    OmarConfig,
    OmarError,
    Outbox,
    OutboxPassedOver,
    OutboxSent,
    OutboxWaiting,
    OutcomeUnknownError,
    StatusError,
    Submissions,
    SubmissionState,
    UploadBlockedError,
    UsageError,
)
from aiomar._files import REAL_FILES
from aiomar._outbox._patience import Patience
from aiomar.testing import Authority, DropAnswer, OmarServer, Status
from tests.client.helpers import Clock, client_tasks, client_threads, descriptors, give_waiting, sent, until
from tests.support import sleepless
from tests.support.answers import Taking
from tests.support.outboxes import in_box, in_tray, make_outbox, once, put


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """An empty outbox."""
    return make_outbox(tmp_path)


@asynccontextmanager
async def serving(client: OmarClient, box: Path) -> AsyncIterator[asyncio.Task[object]]:
    """Serve an outbox beside the test; it is cancelled in the end."""
    service: asyncio.Task[object] = asyncio.create_task(Outbox(client, box, settle=0.0).run())
    try:
        yield service
    finally:
        service.cancel()
        await asyncio.wait([service])


async def test_files_are_sent_as_they_appear(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """What lies there already, what is renamed into it, and what is written in place; each once."""
    put(box, "there.csv")
    async with serving(omar_client, box):
        await until(lambda: len(omar_server.uploads) == 1)
        put(box, "renamed.csv")
        await until(lambda: len(omar_server.uploads) == 2)
        (box / "written.csv").write_bytes(b"1")
        await until(lambda: len(omar_server.uploads) == 3)
        await until(lambda: in_box(box) == [])
    assert [upload.name for upload in omar_server.uploads] == ["there.csv", "renamed.csv", "written.csv"]
    assert in_tray(box, "sent") == ["renamed.csv", "there.csv", "written.csv"]


async def test_it_ends_at_once_and_leaves_nothing(box: Path, omar_client: OmarClient) -> None:
    """No task, thread, descriptor or lock, however often it is cancelled while it waits for files."""
    put(box, "a.csv")
    await once(omar_client, box)
    (before, sockets), threads = _descriptors(), len(client_threads())
    for _ in range(3):
        async with serving(omar_client, box) as service:
            await until(lambda: len(client_threads()) > threads)
        assert service.cancelled()
    await until(lambda: _descriptors()[0] == before)  # the system's watch goes a moment after whoever asked for it
    assert _descriptors()[1] <= sockets  # an idle connection has its time, on a busy machine in the middle of this
    assert client_tasks() == []
    assert len(client_threads()) <= 4  # the client's own


def _descriptors() -> tuple[list[str], set[str]]:
    """Name what open descriptors lead to: sockets, each of which has a number of its own, and all else."""
    leads = descriptors()
    sockets = {lead for lead in leads if lead.startswith("socket:")}
    return [lead for lead in leads if lead not in sockets], sockets


async def test_a_stop_lets_the_file_under_way_arrive(
    box: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """A cancellation comes after the receipt, so that nothing is in doubt."""
    put(box, "a.csv", age=5)
    put(box, "b.csv")
    omar_server.script(Taking(seconds=0.05))
    async with serving(omar_client, box) as service:
        await until(lambda: len(omar_server.uploads) == 1)
    assert service.cancelled()
    assert (in_tray(box, "sent"), in_box(box)) == (["a.csv"], ["b.csv"])


async def test_a_second_cancellation_is_heeded_at_once(
    box: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """The upload is given up, and the ledger knows that nobody knows."""
    put(box, "a.csv")
    omar_server.script(Taking(seconds=30.0))
    service = asyncio.create_task(Outbox(omar_client, box, settle=0.0).run())
    await until(lambda: len(omar_server.uploads) == 1)
    for _ in range(2):
        service.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await service
    (record,) = Submissions(omar_config.state_dir).records()
    assert (record.state, in_box(box)) == (SubmissionState.UNKNOWN, ["a.csv"])


async def test_closing_the_client_ends_it(box: Path, omar_client: OmarClient) -> None:
    """Also while it waits for files."""
    async with serving(omar_client, box) as service:
        under_way = omar_client._ready().operations._under_way
        await until(lambda: any(not operation.timed for operation in under_way))
        await omar_client.aclose()
        await asyncio.wait([service])
        assert isinstance(service.exception(), UsageError)


def serve_without_sleep(
    server_faults: list[Status], box: Path, config_of: OmarConfig, authority: Authority, enough: int
) -> tuple[Clock, list[object], OmarServer]:
    """Serve until so many files were sent, in a loop in which nobody sleeps; with what was waited for and told."""
    clock, events = Clock(), list[object]()

    async def run() -> OmarServer:
        async with OmarServer(authority=authority) as server:
            server.script(*server_faults)
            config = attrs.evolve(config_of, environment=server.environment, trust=server.trust)
            async with OmarClient(config, observer=events.append) as client:
                give_waiting(client, clock.waiting())
                async with serving(client, box) as service:
                    await until(lambda: service.done() or (len(server.uploads) == enough and in_box(box) == []))
                    if service.done():
                        await service
            return server

    return clock, events, sleepless.run(clock, run())


def test_it_waits_for_the_server(
    box: Path, omar_config: OmarConfig, omar_authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """With growing pauses; told once; files stay in the meantime and are sent afterwards."""
    put(box, "a.csv")
    attempts = omar_config.retry.attempts
    with caplog.at_level(logging.WARNING, "aiomar"):
        clock, events, server = serve_without_sleep(
            [Status(503, on="login", times=4 * attempts)], box, omar_config, omar_authority, 1
        )
    assert [wait for wait in clock.slept if wait >= 5.0][:4] == [5.0, 10.0, 20.0, 40.0]
    (waiting,) = [event for event in events if isinstance(event, OutboxWaiting)]
    assert isinstance(waiting.error, StatusError)
    assert (waiting.directory, waiting.wait) == (box, 5.0)
    assert [record.message for record in caplog.records if "outbox waits" in record.message] == [
        f"the outbox waits: {waiting.error}"
    ]
    assert isinstance(events[-1], OutboxSent)
    assert len(server.uploads) == 1


def test_it_goes_on_by_itself(box: Path, omar_config: OmarConfig, omar_authority: Authority) -> None:
    """Once somebody has resolved what was in doubt; told once, however often it looked."""
    put(box, "lost.csv", age=5)
    put(box, "next.csv")
    clock, events = Clock(), list[object]()

    async def run() -> list[str]:
        async with OmarServer(authority=omar_authority) as server:
            server.script(DropAnswer())
            config = attrs.evolve(omar_config, environment=server.environment, trust=server.trust)
            async with OmarClient(config, observer=events.append) as client:
                give_waiting(client, clock.waiting())
                async with serving(client, box):
                    await until(lambda: len(clock.slept) > 5)
                    (waiting,) = [event for event in events if isinstance(event, OutboxWaiting)]
                    assert isinstance(waiting.error, OutcomeUnknownError)
                    assert waiting.error.ledger_id is not None
                    assert len(server.uploads) == 1
                    await asyncio.to_thread(
                        Submissions(config.state_dir).resolve, waiting.error.ledger_id, accepted=True, note="seen"
                    )
                    await until(lambda: in_box(box) == [])
            return [upload.name for upload in server.uploads]

    assert sleepless.run(clock, run()) == ["lost.csv", "next.csv"]
    assert in_tray(box, "sent") == ["lost.csv", "next.csv"]
    assert max(clock.slept) <= 30.0


async def test_it_stops_for_what_will_not_mend_itself(
    box: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """A refused login ends it: trying over and over could lock the account."""
    put(box, "a.csv")
    omar_server.script(Status(403, on="login"))
    with pytest.raises(LoginError):
        await Outbox(omar_client, box, settle=0.0).run()
    assert (sent(omar_server, "login"), in_box(box)) == (1, ["a.csv"])


async def test_a_directory_that_goes_away(box: Path, omar_client: OmarClient) -> None:
    """Is an error, and not an outbox without files."""
    service = asyncio.create_task(Outbox(omar_client, box, settle=0.0, rescan=0.05).run())
    await until((box / ".aiomar" / "outbox.lock").exists)
    box.rename(box.with_name("gone"))
    with pytest.raises(DestinationError, match="cannot be read"):
        await service


async def test_a_link_is_told_of_once(
    box: Path, omar_config: OmarConfig, omar_server: OmarServer, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is looked at; the line goes on."""
    (box / "link.csv").symlink_to(box)
    events: list[object] = []
    looks: list[str | os.PathLike[str]] = []

    def scandir(directory: str | os.PathLike[str]) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        looks.append(directory)
        return os.scandir(directory)

    async with OmarClient(omar_config, observer=events.append) as client:
        parts = client._ready()
        parts.uploader = attrs.evolve(parts.uploader, files=attrs.evolve(REAL_FILES, scandir=scandir))
        with caplog.at_level(logging.WARNING, "aiomar"):
            service = asyncio.create_task(Outbox(client, box, settle=0.0, rescan=0.001).run())
            await until(lambda: any(isinstance(event, OutboxPassedOver) for event in events))
            put(box, "a.csv")
            await until(lambda: len(omar_server.uploads) == 1)
            before = looks.count(box)
            await until(lambda: looks.count(box) > before + 5)
            service.cancel()
            await asyncio.wait([service])
    assert sum(isinstance(event, OutboxPassedOver) for event in events) == 1
    assert len([record for record in caplog.records if "link.csv" in record.message]) == 1


async def test_a_full_disk(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Where the receipt has no room: told, the file stays, the ledger knows, and it is not sent again."""
    full = False

    def write(fd: int, data: bytes | memoryview) -> int:
        if full:
            os.write(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(fd, data)

    def fill() -> None:
        nonlocal full
        full = True

    parts = omar_client._ready()
    parts.uploader = attrs.evolve(parts.uploader, files=attrs.evolve(REAL_FILES, write=write))
    path = put(box, "a.csv", age=5)
    put(box, "b.csv")
    omar_server.script(Taking(tell=fill))
    report = await once(omar_client, box)
    (failure,) = report.failures
    assert isinstance(failure.error, DiskError)
    assert (failure.source, failure.error.errno) == (path, errno.ENOSPC)
    assert (in_box(box), in_tray(box, "sent"), len(report.not_sent)) == (["a.csv", "b.csv"], [], 1)
    full = False
    assert len((await once(omar_client, box)).receipts) == 2
    assert [upload.name for upload in omar_server.uploads] == ["a.csv", "b.csv"]
    assert in_tray(box, "sent") == ["a.csv", "b.csv"]


async def test_watchfiles_is_an_extra(
    box: Path, omar_client: OmarClient, monkeypatch: pytest.MonkeyPatch, omar_server: OmarServer
) -> None:
    """Without it there is a sentence, and single looks."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    put(box, "a.csv")
    with pytest.raises(ConfigError, match=r"pip install 'aiomar\[outbox\]'"):
        await Outbox(omar_client, box, settle=0.0).run()
    assert len((await once(omar_client, box)).receipts) == 1


async def test_a_system_that_tells_nothing(
    box: Path, omar_server: OmarServer, omar_client: OmarClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a network file system: the outbox looks by itself."""

    class Deaf:
        """Hears of nothing."""

        @staticmethod
        def watch(*_: object, **__: object) -> None:
            """Say what the system says where it cannot watch."""
            raise OSError(errno.ENOSPC, "OS file watch limit reached")

    monkeypatch.setitem(sys.modules, "watchfiles", Deaf)
    monkeypatch.setattr("aiomar._outbox._outbox.check_watchfiles", lambda: None)
    service = asyncio.create_task(Outbox(omar_client, box, settle=0.0, rescan=0.02).run())
    await until((box / ".aiomar" / "outbox.lock").exists)
    put(box, "a.csv")
    await until(lambda: len(omar_server.uploads) == 1)
    service.cancel()
    await asyncio.wait([service])
    assert service.cancelled()


@pytest.mark.parametrize(
    ("errors", "waits"),
    [
        ([ConnectError("away: wait")] * 9, [5, 10, 20, 40, 80, 160, 300, 300, 300]),
        ([StatusError("busy: wait", status=503, retry_after=600.0, hint=Hint.RETRY)] * 2, [600, 600]),
        ([OutcomeUnknownError("who knows: ask", phase="page")] * 5, [5, 10, 20, 30, 30]),
        ([UploadBlockedError("another: wait")] * 2, [5, 10]),
        ([DiskError("full: make room", errno=errno.ENOSPC)] * 2, [5, 10]),
        ([DiskError("damaged: keep it", errno=None)], []),
        ([CertificateRejectedError("perhaps: check", side="client", certain=False)] * 2, [5]),
        ([CertificateRejectedError("for certain: check", side="server")], []),
        ([StatusError("not here: check", status=404)], []),
        ([LoginError("no: check")], []),
        ([ConfigError("no: mend")], []),
    ],
    ids=lambda value: type(value[0]).__name__ if value and isinstance(value[0], OmarError) else "",
)
def test_what_is_waited_for(errors: list[OmarError], waits: list[float]) -> None:
    """A server, a network, a disk, a person; no login, no certificate, no mistake of ours."""
    patience = Patience()
    assert [patience.next_wait(error) for error in errors[: len(waits)]] == waits
    if waits == [] or len(waits) < len(errors):
        with pytest.raises(type(errors[-1])):
            patience.next_wait(errors[-1])
    patience.renew()
    assert patience.is_news(errors[0])
    assert not patience.is_news(errors[0])
