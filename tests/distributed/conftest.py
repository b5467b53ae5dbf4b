"""One cluster and one server for all tests of a process that need them; starting a cluster takes a second and more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiomar.testing import Authority, OmarServer, in_thread

if TYPE_CHECKING:
    from tests.support.cluster import Farm


@pytest.fixture(scope="session")
def dask_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a cluster of three processes."""
    pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")
    from tests.support.cluster import running_cluster  # noqa: PLC0415 - Dask may be missing

    with running_cluster(tmp_path_factory.mktemp("workers") / "nobody") as client:
        yield client


@pytest.fixture(scope="session")
def far_server(omar_authority: Authority) -> Iterator[OmarServer]:
    """A server in a thread of its own, a few milliseconds away, so that downloads meet."""
    with in_thread(OmarServer(authority=omar_authority, latency=0.03)) as server:
        yield server


@pytest.fixture
def farm(dask_client: Any, far_server: OmarServer, tmp_path: Path) -> Iterator[Farm]:  # noqa: ANN401 - Dask may be missing
    """The cluster with storage of the test's own, and a server that remembers nothing."""
    from tests.support.cluster import WORKERS, Farm  # noqa: PLC0415 - Dask may be missing

    far_server.clear()
    dask_client.wait_for_workers(WORKERS)
    farm = Farm(dask_client, far_server, tmp_path)
    farm.write_profile()
    yield farm
    far_server.check_faults()
