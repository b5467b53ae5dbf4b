"""What begins also ends for an observer, and once: whatever is cancelled, left or closed, and at whichever moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from aiomar import (
    DownloadFailed,
    DownloadFinished,
    DownloadStarted,
    DownloadStopped,
    Event,
    FileFormat,
    LoggedIn,
    LoginError,
    LoginFailed,
    LoginRetrying,
    Meter,
    OmarClient,
    OmarConfig,
    RangeFinished,
    RangeStarted,
    RangeStopped,
    SubmissionRejectedError,
    Submissions,
    SubmissionState,
    TimeType,
    UploadFailed,
    UploadFinished,
    UploadStarted,
    UploadStopped,
    UsageError,
)
from aiomar.testing import OmarServer, Page, Stall, Status
from tests.client.helpers import DAY, METER, fetch, fetch_range, iterate, sent, until
from tests.client.test_cancel import MOST, cancelled_at

METERS = [Meter(str(number)) for number in range(1001, 1009)]
STORIES = (
    (DownloadStarted, (DownloadFinished, DownloadFailed, DownloadStopped)),
    (RangeStarted, (RangeFinished, RangeStopped)),
    (UploadStarted, (UploadFinished, UploadFailed, UploadStopped)),
)
"""Beginnings, and how each may end."""


def check(events: list[Event]) -> None:
    """Hold events to this: at no moment more has ended than begun, and in the end as much."""
    for beginning, endings in STORIES:
        depth = 0
        for event in events:
            depth += isinstance(event, beginning)
            depth -= isinstance(event, endings)
            assert depth >= 0, event
        assert depth == 0, beginning


ROUNDS = 20
"""How often a call is cancelled at all its awaits until it was met in the short while when the ledger is told."""


async def at_every_await(
    events: list[Event], call: Callable[[int], Coroutine[Any, Any, object]], look: Callable[[], object] = lambda: None
) -> set[type[Event]]:
    """Cancel a call at each of its awaits and hold its events to having an end; give the kinds of the last ones."""
    last: set[type[Event]] = set()
    for step in range(1, MOST):
        events.clear()
        far_enough = await cancelled_at(call(step), step)
        check(events)
        if not far_enough:
            break
        look()
        last |= {type(event) for event in events[-1:]}
    assert 3 < step < MOST
    return last


async def test_a_download_that_is_cancelled(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """It ends with `DownloadStopped`, at each of its awaits."""
    events: list[Event] = []
    async with OmarClient(omar_config, observer=events.append) as client:
        assert DownloadStopped in await at_every_await(events, lambda step: fetch(client, tmp_path, name=f"{step}.csv"))
        omar_server.script(Stall(10))
        events.clear()
        call = asyncio.create_task(fetch(client, tmp_path))
        await until(lambda: any(record.fault for record in omar_server.requests))
        call.cancel()
        await asyncio.wait([call])
    path = tmp_path / "meter-1001_20260101_20260101_pst.csv"
    assert events[-1] == DownloadStopped(METER, DAY, DAY, path, 1, FileFormat.CSV, TimeType.PST)


async def test_a_range_that_is_cancelled(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """All its files end, and after them the range, after any number of turns of the loop."""
    events: list[Event] = []
    async with OmarClient(omar_config, observer=events.append) as client:
        await client.login()
        for turns in range(0, 120, 5):
            events.clear()
            task = asyncio.create_task(fetch_range(client, METERS, tmp_path / str(turns)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            check(events)
            if events and task.cancelled():
                assert isinstance(events[-1], RangeStopped)
                assert (events[-1].into, events[-1].error) == (tmp_path / str(turns), None)


async def test_a_range_that_is_left(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """It stops with what its caller had got by then."""
    events: list[Event] = []
    async with OmarClient(omar_config, observer=events.append) as client:
        outcomes = iterate(client, METERS, tmp_path)
        first = await anext(outcomes)
        await outcomes.aclose()
        check(events)
    last = events[-1]
    assert isinstance(last, RangeStopped)
    assert (last.files, last.failures, last.reused, last.error) == (1, 0, 0, None)
    assert first.path.stat().st_size == last.bytes  # type: ignore[union-attr] # none of them fails


async def test_a_range_whose_client_is_closed(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """It stops with the error that its caller gets."""
    events: list[Event] = []
    omar_server.script(Stall(times=len(METERS)))
    client = OmarClient(omar_config, observer=events.append)
    call = asyncio.create_task(fetch_range(client, METERS, tmp_path))
    await until(lambda: sent(omar_server, "download") == len(METERS))
    await client.aclose()
    with pytest.raises(UsageError) as caught:
        await call
    check(events)
    assert isinstance(events[-1], RangeStopped)
    assert events[-1].error is caught.value


async def test_a_range_that_its_selections_break(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """An error that is not aiomar's is not handed to the observer."""
    events: list[Event] = []
    async with OmarClient(omar_config, observer=events.append) as client:
        with pytest.raises(ZeroDivisionError):
            await fetch_range(client, (Meter(str(1 // number)) for number in (1, 0)), tmp_path)
    check(events)
    assert isinstance(events[-1], RangeStopped)
    assert events[-1].error is None


async def test_an_upload_that_is_cancelled(omar_server: OmarServer, omar_config: OmarConfig, sources: Path) -> None:
    """It ends, and says that the file may have been taken just where the ledger does."""
    events: list[Event] = []
    submissions = Submissions(omar_config.state_dir)
    wanted = {(UploadStopped, False), (UploadStopped, True), (UploadFinished, None)}
    seen: set[tuple[type[Event], bool | None]] = set()

    async def upload(_: int) -> None:
        await client.upload(sources / "file1.csv", resend=True)

    def look() -> None:
        last = events[-1] if events else None
        if isinstance(last, UploadFinished):
            assert last.receipt.ledger_id is not None
            assert submissions.record(last.receipt.ledger_id).state is SubmissionState.ACCEPTED
        elif isinstance(last, UploadStopped):
            state = None if last.ledger_id is None else submissions.record(last.ledger_id).state
            assert (state is SubmissionState.UNKNOWN) == last.in_doubt
        if last is not None:
            seen.add((type(last), getattr(last, "in_doubt", None)))

    async with OmarClient(omar_config, observer=events.append) as client:
        for _ in range(ROUNDS):
            await at_every_await(events, upload, look)
            if wanted <= seen:
                break
    assert wanted <= seen


async def test_a_refusal_is_told_although_cancelled(
    omar_server: OmarServer, omar_config: OmarConfig, sources: Path
) -> None:
    """An upload that is cancelled while its refusal is written down ends with that, not as one in doubt."""
    events: list[Event] = []
    refused = Page("Error in File Processing: no", on="upload", times=MOST)
    async with OmarClient(omar_config, observer=events.append) as client:
        await client.login()
        omar_server.script(refused)

        async def upload(_: int) -> None:
            with suppress(SubmissionRejectedError):
                await client.upload(sources / "file1.csv", resend=True)

        seen: set[type[Event]] = set()
        for _ in range(ROUNDS):
            seen |= await at_every_await(events, upload)
            if UploadFailed in seen:
                break
        assert seen == {UploadStopped, UploadFailed}
    omar_server.clear()


async def test_a_login_that_fails(omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """It is told with its error after its repeats, and the next one anew."""
    events: list[Event] = []
    omar_server.script(Status(503, on="login"), Status(403, on="login"))
    async with OmarClient(omar_config, observer=events.append) as client:
        with pytest.raises(LoginError) as caught:
            await client.login()
        await client.login()
    assert [type(event) for event in events] == [LoginRetrying, LoginFailed, LoggedIn]
    failed = events[1]
    assert isinstance(failed, LoginFailed)
    assert (failed.environment, failed.error) == (omar_config.environment.name, caught.value)
    assert failed.elapsed >= 0
