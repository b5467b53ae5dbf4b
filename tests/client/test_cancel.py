"""Cancelling every call at each of its awaits: never swallowed, and nothing half done is left.

The call runs in a task of its own, step by step: at its k-th await the task is cancelled, for every k that there is.
"""
# ruff: noqa: FBT001 - pytest gives parameters and fixtures by name

from __future__ import annotations

import asyncio
import datetime as dt
import types
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiomar import FileFormat, Meter, OmarClient, OmarConfig, TimeType
from aiomar.testing import OmarServer
from tests.client.helpers import DAY, METER, client_tasks, client_threads, data, fetch, fetch_range, on_disk, until

MOST = 200
"""More awaits than any call has."""


@types.coroutine
def _stepping(call: Coroutine[Any, Any, object], cancel_at: int) -> Generator[Any, Any, int]:
    """Run a call, cancelling the task at one of its awaits; give the number of its awaits."""
    steps = 0
    step: Callable[[], Any] = lambda: call.send(None)  # noqa: E731 - replaced at each turn
    while True:
        try:
            waited_for = step()
        except StopIteration:
            return steps
        steps += 1
        if steps == cancel_at:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        try:
            value = yield waited_for
        except BaseException as error:  # noqa: BLE001 - handed on to the call, as a task does
            step = lambda error=error: call.throw(error)  # type: ignore[misc]  # noqa: E731
        else:
            step = lambda value=value: call.send(value)  # type: ignore[misc]  # noqa: E731


async def cancelled_at(call: Coroutine[Any, Any, object], step: int) -> bool:
    """Run a call and cancel it at an await; whether it got that far."""

    async def run() -> int:
        return await _stepping(call, step)

    task = asyncio.create_task(run())
    async with asyncio.timeout(10):
        await asyncio.wait([task])
    if task.cancelled():
        return True
    assert task.result() < step, "the cancellation was swallowed"
    return False


@pytest.mark.fault(74)
@pytest.mark.parametrize("old", [None, b"old"], ids=["absent", "old file"])
@pytest.mark.parametrize("durable", [True, False])
async def test_download(
    old: bytes | None,
    durable: bool,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
) -> None:
    """After a cancelled download the final path is exactly what it was; after one that returned it is complete."""
    final = tmp_path / "x.csv"
    before = {} if old is None else {"x.csv": old}
    async with OmarClient(attrs.evolve(omar_config, durable=durable)) as client:
        for step in range(1, MOST):
            if old is not None:
                final.write_bytes(old)
            if not await cancelled_at(fetch(client, tmp_path, name="x.csv", overwrite=True), step):
                break
            assert on_disk(tmp_path) == before, step
            await until(lambda: not client_tasks())
            if step % 2:
                omar_server.expire_sessions()
        assert on_disk(tmp_path) == {"x.csv": data(omar_server)}
        assert 3 < step < MOST


@pytest.mark.fault(74)
async def test_download_of_a_large_file(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """The same for a body that goes to the disk in many pieces and in a thread."""
    end = DAY + dt.timedelta(days=300)
    for step in range(1, MOST):
        call = omar_client.download(
            METER, DAY, end, file_format=FileFormat.MDEF, time_type=TimeType.PST, into=tmp_path, name="x.dat"
        )
        if not await cancelled_at(call, step):
            break
        assert on_disk(tmp_path) == {}, step
        assert client_tasks() == []
    assert len(on_disk(tmp_path)["x.dat"]) > 100_000
    assert step < MOST


@pytest.mark.fault(74)
async def test_login(omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """A cancelled login leaves a client that can log in."""
    for step in range(1, MOST):
        async with OmarClient(omar_config) as client:
            far_enough = await cancelled_at(client.login(), step)
            await client.login()
        assert client_tasks() == []
        if not far_enough:
            break
    assert 1 < step < MOST


@pytest.mark.fault(74)
async def test_upload(omar_server: OmarServer, omar_client: OmarClient, sources: Path) -> None:
    """A cancelled upload is sent once at most, and the next one has its turn."""
    for step in range(1, MOST):
        source = sources / f"{step}.csv"
        source.write_bytes(b"%d\r\n" % step)
        if not await cancelled_at(omar_client.upload(source), step):
            break
        await until(lambda: not client_tasks())
    assert 2 < step < MOST
    names = [upload.name for upload in omar_server.uploads]
    assert len(names) == len(set(names))
    assert f"{step}.csv" in names
    assert omar_server.max_concurrent_uploads <= 2  # the server may still read what its peer has given up


@pytest.mark.fault(74)
async def test_stream(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """A cancelled stream frees its place."""

    async def read() -> None:
        async with omar_client.open_download(
            METER, DAY, DAY, file_format=FileFormat.MDEF, time_type=TimeType.PST
        ) as body:
            async for piece in body:
                assert piece
                await asyncio.sleep(0)

    for step in range(1, MOST):
        if not await cancelled_at(read(), step):
            break
        await until(lambda: not client_tasks())
    assert 1 < step < MOST


@pytest.mark.fault(74)
async def test_range(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """A cancelled range ends all its workers; what is on disk is complete, and nothing else is there."""
    meters = [Meter(str(number)) for number in range(1001, 1005)]
    for step in range(1, MOST):
        into = tmp_path / str(step)
        if not await cancelled_at(fetch_range(omar_client, meters, into), step):
            break
        assert client_tasks() == [] or step < 5
        found = on_disk(into)
        assert all(found[name] == data(omar_server, Meter(name[6:10])) for name in found), step
    assert 2 < step < MOST
    assert len(on_disk(into)) == 4


@pytest.mark.fault(74)
async def test_range_at_every_moment(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """The same where its workers are at work: cancelled after every number of turns of the loop."""
    meters = [Meter(str(number)) for number in range(1001, 1009)]
    await omar_client.login()
    for turns in range(0, 120, 3):
        into = tmp_path / str(turns)
        task = asyncio.create_task(fetch_range(omar_client, meters, into))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert client_tasks() == []
        found = on_disk(into) if into.exists() else {}
        assert all(found[name] == data(omar_server, Meter(name[6:10])) for name in found), turns
        assert task.cancelled() or len(found) == 8


@pytest.mark.fault(74)
async def test_closing(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """A cancelled close still closes: no task, thread or connection is left."""
    for step in range(1, MOST):
        client = OmarClient(omar_config)
        calls = [asyncio.create_task(fetch(client, tmp_path, name=f"{step}-{number}")) for number in range(3)]
        for _ in range(step * 5 % 60):
            await asyncio.sleep(0)
        far_enough = await cancelled_at(client.aclose(), step)
        await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: not client_tasks() and not client_threads())
        if not far_enough and step > 20:
            break
    assert step < MOST
