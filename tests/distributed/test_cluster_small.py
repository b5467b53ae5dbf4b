"""A scheduler, and perhaps a worker, in this process: for asynchronous clients, and for clusters without workers."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiomar import ConfigError, FileFormat, Meter, TimeType
from aiomar.protocol import Span
from aiomar.testing import Authority, OmarServer, in_thread
from aiomar.transfer import RangeRequest

pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")

from distributed import Client, Scheduler, Worker

from aiomar.distributed import ClusterError, ConfigReference, download_range, upload_all
from aiomar.distributed._cluster import Cluster
from aiomar.distributed._downloads import _Drive

DAY = dt.date(2026, 1, 1)


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    """A client in this loop, of a scheduler in this loop."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    async with (
        Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler,
        Client(scheduler.address, asynchronous=True) as client,  # type: ignore[no-untyped-call] # Dask has not typed it
    ):
        yield client


@pytest.fixture
def server(omar_authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OmarServer]:
    """A server whose credentials are in this process's environment."""
    with in_thread(OmarServer(authority=omar_authority)) as server:
        for name, text in server.environ(tmp_path).items():
            monkeypatch.setenv(name, text)
        yield server


async def test_an_asynchronous_client_does_as_well(client: Any, server: OmarServer, tmp_path: Path) -> None:  # noqa: ANN401
    """One that lives in the caller's loop; the worker reads its own environment."""
    async with Worker(client.scheduler.address, nthreads=1, dashboard=False, local_directory=str(tmp_path)):
        report = await download_range(
            client,
            ConfigReference.from_env(),
            Meter("1001"),
            DAY,
            DAY,
            file_format=FileFormat.CSV,
            time_type=TimeType.DST,
            into=tmp_path / "data",
        )
    assert (report.files, report.failed, server.logins) == (1, 0, 1)


async def test_a_cluster_without_workers_is_given_up(client: Any, tmp_path: Path) -> None:  # noqa: ANN401 - of Dask
    """After a while, as some clusters start workers only when there is work; for uploads there is a time to wait."""
    request = RangeRequest(
        span=Span(DAY, DAY),
        file_format=FileFormat.CSV,
        time_type=TimeType.DST,
        days_per_file=None,
        resume=True,
        max_age=None,
        allow_unverified=False,
    )
    drive = _Drive(
        reference=ConfigReference.from_env(),
        cluster=Cluster(client),
        request=request,
        into=str(tmp_path),
        most=1,
        progress=None,
        no_workers=0.05,
    )
    with pytest.raises(ClusterError, match="has had no workers"):
        await drive.run(Meter("1001"))
    with pytest.raises(ConfigError, match="no worker offers"):
        await upload_all(client, ConfigReference.from_env(), [tmp_path / "a.csv"], patience=dt.timedelta())


async def test_a_client_of_something_else_is_refused(tmp_path: Path) -> None:
    """One sentence, and nothing is sent."""
    nobody: Any = object()
    with pytest.raises(ConfigError, match=r"must be a distributed\.Client"):
        await upload_all(nobody, ConfigReference.from_env(), [tmp_path / "a.csv"])
