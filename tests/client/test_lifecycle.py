"""Opening and closing: afterwards nothing of the client is left, whatever was under way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiomar import (
    ConfigError,
    Environment,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    OutcomeUnknownError,
    TimeType,
    UsageError,
)
from aiomar.testing import OmarServer, Stall
from tests.client.helpers import (
    DAY,
    METER,
    client_tasks,
    client_threads,
    data,
    descriptors,
    fetch,
    fetch_range,
    iterate,
    on_disk,
    sent,
    until,
)

METERS = [Meter(str(number)) for number in range(1001, 1017)]


async def settled() -> None:
    """Wait until the server has seen that its peers went away."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_nothing_is_left_after_closing(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, sources: Path
) -> None:
    """No task, no thread, no socket and no other descriptor stays."""
    before = descriptors()
    async with OmarClient(omar_config) as client:
        await fetch_range(client, METERS, tmp_path / "data")
        await client.upload_all(sources.iterdir())
        assert client_threads() != []
    assert client_tasks() == []
    assert client_threads() == []
    await until(lambda: set(descriptors()) <= set(before))


@asynccontextmanager
async def frozen(environment: Environment) -> AsyncIterator[tuple[Environment, Callable[[], None]]]:
    """Stand between client and server, and fall silent on command: no byte, no goodbye, nothing."""
    stopped = asyncio.Event()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            if stopped.is_set():
                await asyncio.get_running_loop().create_future()
            writer.write(piece)

    async def relay(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        tasks = {asyncio.create_task(copy(reader, back)), asyncio.create_task(copy(there, writer))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            writer.transport.abort()
            back.transport.abort()

    servers, origins, relays = [], [], set[asyncio.Task[None]]()
    for origin in (environment.upload_origin, environment.download_origin):
        port = int(origin.rpartition(":")[2])

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port) -> None:
            task = asyncio.current_task()
            assert task is not None
            relays.add(task)
            await relay(port, reader, writer)

        servers.append(await asyncio.start_server(accept, "127.0.0.1", 0))
        origins.append(f"https://localhost:{servers[-1].sockets[0].getsockname()[1]}")
    try:
        yield Environment("relay", *origins), stopped.set
    finally:
        for server in servers:
            server.close()
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


@pytest.mark.fault(31)
async def test_closing_does_not_wait_for_mute_peers(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Peers that never say goodbye, idle or in the middle of a body, do not hold a client back."""
    omar_server.script(Stall(500, times=8))
    async with frozen(omar_server.environment) as (environment, freeze):
        client = OmarClient(attrs.evolve(omar_config, environment=environment))
        await client.login()
        calls = [asyncio.create_task(fetch(client, tmp_path, meter)) for meter in METERS[:8]]
        await until(lambda: sent(omar_server, "download") == 8)
        freeze()
        async with asyncio.timeout(5):
            await client.aclose()
        await asyncio.wait(calls)
    assert {type(call.exception()) for call in calls} == {UsageError}
    assert client_tasks() == []
    assert client_threads() == []
    assert on_disk(tmp_path) == {}


Call = Callable[[OmarClient, Path], Coroutine[Any, Any, object]]


async def _stream(client: OmarClient, _: Path) -> None:
    async with client.open_download(METER, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST) as body:
        async for piece in body:
            assert piece


async def _iterate(client: OmarClient, into: Path) -> None:
    async for outcome in iterate(client, METERS, into):
        assert outcome.selection in METERS


CALLS: dict[str, Call] = {
    "login": lambda client, _: client.login(),
    "download": fetch,
    "stream": _stream,
    "download_range": lambda client, into: fetch_range(client, METERS, into, errors="collect"),
    "iter_range": _iterate,
    "plan_range": lambda client, into: client.plan_range(
        METERS, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=into
    ),
    "upload": lambda client, into: client.upload(into / "x.csv"),
    "upload_all": lambda client, into: client.upload_all([into / "x.csv"], errors="collect"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_closed_client_does_nothing(
    name: str, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Every call of a closed client is a `UsageError`, and nothing is sent or written."""
    client = OmarClient(omar_config)
    await client.aclose()
    await client.aclose()
    with pytest.raises(UsageError):
        await CALLS[name](client, tmp_path / "data")
    with pytest.raises(UsageError):
        await client.__aenter__()
    assert not omar_server.requests
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"plan_range", "upload_all"}))
async def test_closing_ends_what_is_under_way(
    name: str, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Whoever is in the middle of a call gets a `UsageError`, after the first byte of an upload an unknown outcome."""
    (tmp_path / "x.csv").write_bytes(b"1,2\r\n")
    kind = {"login": "login", "upload": "upload"}.get(name, "download")
    omar_server.script(Stall(None if name in {"login", "upload"} else 500, on=kind, times=20))  # type: ignore[arg-type] # one of three words
    async with OmarClient(omar_config) as client:
        if name != "login":
            await client.login()
        call = asyncio.create_task(CALLS[name](client, tmp_path))
        await until(lambda: sent(omar_server, kind) > 0)
        async with asyncio.timeout(5):
            await client.aclose()
        assert client_tasks() == []
        assert client_threads() == []
        await asyncio.wait([call])
    assert type(call.exception()) is (OutcomeUnknownError if name == "upload" else UsageError)
    assert set(on_disk(tmp_path)) == {"x.csv"}
    omar_server.clear()


async def test_closing_ends_those_who_wait(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, sources: Path
) -> None:
    """Calls that wait for a place, for the turn to upload or for a login end too, and none of them sends anything."""
    omar_server.script(Stall(None, on="upload"), Stall(500))
    async with OmarClient(attrs.evolve(omar_config, concurrency=1)) as client:
        await client.login()
        calls = [asyncio.create_task(client.upload(path)) for path in sorted(sources.iterdir())]
        calls_down = [asyncio.create_task(fetch(client, tmp_path / "data", meter)) for meter in METERS]
        await until(lambda: sent(omar_server, "upload") + sent(omar_server, "download") == 2)
        await settled()
        await client.aclose()
        await asyncio.wait([*calls, *calls_down])
    assert sorted(type(call.exception()).__name__ for call in calls) == ["OutcomeUnknownError", *["UsageError"] * 2]
    assert {type(call.exception()) for call in calls_down} == {UsageError}
    assert len(omar_server.requests) == 3


async def test_closing_in_the_middle_of_ones_own_stream(omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """A task may close the client inside of its own ``async with``; it is not waited for by itself."""
    client = OmarClient(omar_config)
    async with client.open_download(METER, DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST):
        async with asyncio.timeout(4):
            await client.aclose()
    assert client_tasks() == []


async def test_closing_in_the_middle_of_ones_own_range(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """The loop over a range ends with a `UsageError` when its own body closes the client."""
    client = OmarClient(omar_config)

    async def call() -> None:
        async for _ in iterate(client, METERS, tmp_path):
            await client.aclose()

    with pytest.raises(UsageError):
        await call()
    assert client_tasks() == []


async def test_a_range_that_begins_after_closing(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """An iterator that was made before closing and is begun after it raises, and sends nothing."""
    client = OmarClient(omar_config)
    outcomes = iterate(client, METERS, tmp_path)
    await client.aclose()
    with pytest.raises(UsageError):
        await anext(outcomes)
    assert not omar_server.requests


async def test_leaving_by_an_exception_closes_too(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """The caller's exception comes out, and nothing is left."""
    client = OmarClient(omar_config)

    async def call() -> None:
        async with client:
            await fetch(client, tmp_path)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await call()
    assert client_tasks() == []
    with pytest.raises(UsageError):
        await client.login()


async def test_a_client_works_without_async_with(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A client may be made anywhere, used, and closed by hand."""
    client = await asyncio.to_thread(OmarClient, omar_config)
    try:
        assert (await fetch(client, tmp_path)).path.read_bytes() == data(omar_server)
        assert client.config is omar_config
    finally:
        await client.aclose()


@pytest.mark.fault(75)
async def test_a_client_belongs_to_one_loop(omar_config: OmarConfig, tmp_path: Path) -> None:
    """Another event loop gets a `UsageError` and no half-broken socket."""
    async with OmarClient(omar_config) as client:
        await client.login()
        kinds: list[type[BaseException]] = []

        def elsewhere() -> None:
            try:
                asyncio.run(client.login())
            except UsageError as error:
                kinds.append(type(error))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await until(lambda: not thread.is_alive())
        thread.join()
        assert kinds == [UsageError]
        await fetch(client, tmp_path)


async def test_two_clients_share_nothing(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """Each client has a session of its own, and closing one leaves the other alone."""
    async with OmarClient(omar_config) as one:
        async with OmarClient(omar_config) as two:
            await asyncio.gather(fetch(one, tmp_path / "one"), fetch(two, tmp_path / "two"))
        await fetch(one, tmp_path / "more")
    assert sent(omar_server, "login") == 2


def test_a_client_needs_a_configuration() -> None:
    """Anything else is a `ConfigError`."""
    with pytest.raises(ConfigError):
        OmarClient({})  # type: ignore[arg-type] # on purpose
