"""A server that bears six downloads at once, and what a client does with it that is allowed 64."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ClientIdentity,
    Event,
    FileFormat,
    LimitChanged,
    Meter,
    OmarClient,
    OmarConfig,
    RangeReport,
    RetryPolicy,
    TimeType,
)
from aiomar.errors import ExchangeError
from aiomar.testing import Authority, OmarServer
from aiomar.transfer import Limiter
from tests.client.helpers import DAY, sent

CAPACITY = 6
FILES = 300


class Fixed(Limiter):
    """A limiter that learns nothing."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._limit.whole = most

    def went_well(self, number: int, waited: float) -> None:
        """Change nothing."""

    def went_badly(self, number: int, error: ExchangeError) -> None:
        """Change nothing."""


@pytest.fixture
async def weak_server(omar_authority: Authority) -> AsyncGenerator[OmarServer]:
    """Give a server that works on six downloads at once."""
    meters = [str(number) for number in range(FILES)]
    async with OmarServer(meters=meters, capacity=CAPACITY, service_time=0.02, authority=omar_authority) as server:
        yield server


@pytest.fixture
def config(weak_server: OmarServer, omar_identity: ClientIdentity) -> OmarConfig:
    """Allow 64; repeats are as many as by default, and come almost at once."""
    retry = RetryPolicy(first_wait=0.001, longest_wait=0.002)
    config = OmarConfig(omar_identity, weak_server.environment, trust=weak_server.trust, retry=retry, durable=False)
    return attrs.evolve(config, concurrency=64)


@asynccontextmanager
async def opened(config: OmarConfig, limiter: Limiter) -> AsyncGenerator[OmarClient]:
    """Open a client with another limiter."""
    async with OmarClient(config) as client:
        parts = client._ready()
        parts.ranges.downloader = attrs.evolve(parts.downloader, limiter=limiter)
        yield client


async def fetch_all(client: OmarClient, into: Path, files: int = FILES) -> RangeReport:
    """Download a day of so many meters."""
    return await client.download_range(
        [Meter(str(number)) for number in range(files)],
        DAY,
        DAY,
        file_format=FileFormat.CSV,
        time_type=TimeType.PST,
        into=into,
        errors="collect",
    )


async def test_a_client_that_is_allowed_64_settles_near_what_the_server_bears(
    weak_server: OmarServer, config: OmarConfig, tmp_path: Path
) -> None:
    """All files come within the ordinary attempts, few requests are refused, and the limit ends up about six."""
    events: list[Event] = []
    async with OmarClient(config, observer=events.append) as client:
        report = await fetch_all(client, tmp_path)
    assert (len(report.files), len(report.failures)) == (FILES, 0)
    assert sent(weak_server, "download") <= 1.15 * FILES
    limits = [event.limit for event in events if isinstance(event, LimitChanged)]
    # Down from 16, at once or when all connections are made; from then on the seventh place is tried now and then.
    low = next(place for place, limit in enumerate(limits) if limit < CAPACITY)
    assert max(limits[:low]) <= 2 * 16
    assert max(limits[low:]) <= CAPACITY + 1
    assert weak_server.max_concurrent_downloads <= 16
    # Of six places, more than four are used all the time.
    assert weak_server.worked[0] < FILES / 4


async def test_it_beats_a_fixed_64(weak_server: OmarServer, config: OmarConfig, tmp_path: Path) -> None:
    """A client that always has 64 under way loses most of the files, as an outage is what it makes of the server."""
    async with opened(config, Fixed(64)) as client:
        report = await fetch_all(client, tmp_path)
    assert len(report.failures) > FILES / 2


async def test_it_beats_a_fixed_2(weak_server: OmarServer, config: OmarConfig, tmp_path: Path) -> None:
    """A client that always has two under way is refused nothing, and takes as long for half of the files."""
    async with opened(config, Fixed(2)) as client:
        report = await fetch_all(client, tmp_path, FILES // 2)
    assert (len(report.files), sent(weak_server, "download")) == (FILES // 2, FILES // 2)
    assert weak_server.worked[0] >= FILES / 4
