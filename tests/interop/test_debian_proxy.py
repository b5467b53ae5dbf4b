"""A CONNECT proxy that nobody here wrote: what goes through it, what it refuses, and what is left when it dies."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ConfigError,
    ConnectError,
    DownloadRetrying,
    Event,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    OutcomeUnknownError,
    RetryPolicy,
    SavedFile,
    Submissions,
    SubmissionState,
    TimeType,
    UploadBlockedError,
)
from aiomar.testing import OmarServer, Stall
from tests.client.helpers import until
from tests.support.debian_proxy import RunningProxy, debian_proxy

pytestmark = pytest.mark.interop

DAY = dt.date(2026, 1, 1)
WEEK = dt.date(2026, 1, 7)
Run = Callable[..., RunningProxy]

both = pytest.mark.parametrize("name", ["tinyproxy", "squid"])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start a proxy, and end it with the test."""
    with ExitStack() as stack:

        def start(name: str, *ports: int, more: str = "") -> RunningProxy:
            return stack.enter_context(debian_proxy(name, tmp_path, ports, more))

        yield start


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a file that may be submitted."""
    path = tmp_path / "meter.csv"
    path.write_bytes(b"1,2\r\n")
    return path


def ports_of(server: OmarServer) -> tuple[int, ...]:
    """Give the ports that a proxy has to connect to."""
    origins = server.environment.upload_origin, server.environment.download_origin
    return tuple(int(origin.rpartition(":")[2]) for origin in origins)


def through(config: OmarConfig, proxy: RunningProxy, attempts: int = 2) -> OmarConfig:
    """Give a configuration that goes through a proxy, and does not wait for long."""
    retry = RetryPolicy(attempts=attempts, first_wait=0.001, longest_wait=0.002)
    return attrs.evolve(config, proxy=proxy.address, retry=retry)


def fetch(client: OmarClient, into: Path) -> Coroutine[object, object, SavedFile]:
    """Download a meter's day."""
    return client.download(
        Meter("1001"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=into / "data"
    )


@both
async def test_everything_goes_through_it(
    name: str, run: Run, omar_config: OmarConfig, omar_server: OmarServer, source: Path
) -> None:
    """Login, a range of both kinds of connections, and an upload; each connection is one of the proxy's."""
    proxy = run(name, *ports_of(omar_server))
    async with OmarClient(through(omar_config, proxy)) as client:
        meters = [Meter(str(number)) for number in range(1001, 1011)]
        report = await client.download_range(
            meters, DAY, WEEK, file_format=FileFormat.MDEF, time_type=TimeType.PST, into=source.parent / "data"
        )
        receipt = await client.upload(source)
    assert [file.completeness for file in report.files] == ["length"] * len(meters)
    assert omar_server.uploads[0].file_id == receipt.file_id
    proxy.kill()
    async with OmarClient(through(omar_config, proxy)) as client:
        with pytest.raises(ConnectError):  # nobody goes around it
            await client.login()


@both
async def test_a_port_that_it_refuses(name: str, run: Run, omar_config: OmarConfig, omar_server: OmarServer) -> None:
    """A ConnectError that blames the proxy, with its status, and no knock at the server."""
    proxy = run(name, 443)
    async with OmarClient(through(omar_config, proxy)) as client:
        with pytest.raises(ConnectError, match=r"^the proxy made no connection to .*, it answered 403: "):
            await client.login()
    assert omar_server.requests == []


async def test_a_proxy_that_wants_a_name_and_a_password(
    run: Run, omar_config: OmarConfig, omar_server: OmarServer
) -> None:
    """A ConnectError that says so: aiomar has none to give."""
    proxy = run("tinyproxy", *ports_of(omar_server), more="BasicAuth somebody secret")
    async with OmarClient(through(omar_config, proxy)) as client:
        with pytest.raises(ConnectError, match="wants a name and a password"):
            await client.login()
    assert omar_server.requests == []


@pytest.mark.parametrize("user", ["somebody:secret@", "somebody@", ":secret@"])
def test_a_name_and_a_password_in_the_address(user: str, omar_config: OmarConfig) -> None:
    """A ConfigError that does not repeat them."""
    with pytest.raises(ConfigError, match="without a name and a password") as caught:
        attrs.evolve(omar_config, proxy=f"http://{user}127.0.0.1:3128")
    assert "secret" not in str(caught.value)


@both
async def test_a_proxy_that_dies_in_the_middle_of_a_download(
    name: str, run: Run, omar_config: OmarConfig, omar_server: OmarServer, tmp_path: Path
) -> None:
    """Nothing stands under the final name, and the error blames the proxy; once there is one again, it all works."""
    proxy, ports = run(name, *ports_of(omar_server)), ports_of(omar_server)
    omar_server.script(Stall(after=1_000))
    retries: list[Event] = []

    def observe(event: Event) -> None:
        if isinstance(event, DownloadRetrying):
            retries.append(event)

    async with OmarClient(through(omar_config, proxy), observer=observe) as client:
        await client.login()
        task = asyncio.create_task(fetch(client, tmp_path))
        await until(lambda: omar_server.requests[-1].fault is not None)
        proxy.kill()
        with pytest.raises(ConnectError, match="proxy="):
            await task
    assert len(retries) == 1
    assert list((tmp_path / "data").glob("*.csv")) == []
    async with OmarClient(through(omar_config, run(name, *ports))) as client:
        assert (await fetch(client, tmp_path)).completeness == "length"


@both
async def test_a_proxy_that_dies_in_the_middle_of_an_upload(
    name: str, run: Run, omar_config: OmarConfig, omar_server: OmarServer, source: Path
) -> None:
    """The outcome is unknown, the ledger holds it as that, and no other proxy sends it a second time."""
    proxy, ports = run(name, *ports_of(omar_server)), ports_of(omar_server)
    omar_server.script(Stall(on="upload", after=None))
    async with OmarClient(through(omar_config, proxy)) as client:
        await client.login()
        task = asyncio.create_task(client.upload(source))
        await until(lambda: omar_server.requests[-1].fault is not None)
        proxy.kill()
        with pytest.raises(OutcomeUnknownError):
            await task
    async with OmarClient(through(omar_config, run(name, *ports))) as client:
        with pytest.raises(UploadBlockedError):
            await client.upload(source)
    assert omar_config.state_dir is not None
    [record] = Submissions(omar_config.state_dir).records()
    assert record.state is SubmissionState.UNKNOWN
