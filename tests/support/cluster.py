"""A Dask cluster of processes on this machine, as an operator would start it, and what tests do to it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import dask
from distributed import Client, Nanny, Scheduler, SpecCluster

from aiomar.distributed import UPLOAD_RESOURCE, ConfigReference
from aiomar.testing import OmarServer

PASSPHRASE = "pässphrase of the workers"
VARIABLE = "AIOMAR_TEST_WORKERS_PASSPHRASE"
WORKERS = 3
"""With eight connections: three want three each, and the last one gets two."""
_PATIENCE = 20.0


@contextlib.contextmanager
def running_cluster(nobody: Path) -> Iterator[Client]:
    """Run a scheduler and three workers, the first of them with the token; each is a process with one thread.

    Args:
        nobody: a path where nothing is: the workers' system trusts no authority, which saves reading them all.
    """
    environ = {VARIABLE: PASSPHRASE, "SSL_CERT_FILE": str(nobody), "SSL_CERT_DIR": str(nobody)}
    options: dict[str, Any] = {"nthreads": 1, "env": environ, "memory_limit": 0, "local_directory": str(nobody.parent)}
    workers: dict[int, dict[str, Any]] = {
        number: {
            "cls": Nanny,
            "options": options | {"host": "127.0.0.1", "resources": {} if number else {UPLOAD_RESOURCE: 1}},
        }
        for number in range(WORKERS)
    }
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}}
    with (
        # Workers are forked from a process that has imported everything: a new one costs a tenth of a second, not two.
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        # Dask has not typed them.
        SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL) as cluster,  # type: ignore[no-untyped-call]
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        client.wait_for_workers(WORKERS)
        yield client


@attrs.frozen
class Farm:
    """A cluster, the server that it talks to, and the storage that its workers share."""

    client: Any  # a Dask client; many of its methods have no types
    server: OmarServer
    storage: Path

    @property
    def into(self) -> Path:
        """Where ranges go."""
        return self.storage / "data"

    @property
    def state_dir(self) -> Path:
        """The records that the workers share."""
        return self.storage / "state"

    @property
    def reference(self) -> ConfigReference:
        """What the workers are told."""
        return ConfigReference.from_toml(self.storage / "aiomar.toml")

    def write_profile(self) -> None:
        """Write the profile, and the credentials that it names."""
        files = self.server.write_credentials(self.storage, PASSPHRASE)
        environment = self.server.environment
        self.storage.joinpath("aiomar.toml").write_text(
            f'[default]\nupload_origin = "{environment.upload_origin}"\n'
            f'download_origin = "{environment.download_origin}"\npkcs12 = "{files.pkcs12}"\n'
            f'passphrase_env = "{VARIABLE}"\nca_file = "{files.ca_file}"\nstate_dir = "state"\n'
        )

    def downloads(self) -> list[str]:
        """Give the target of every download that was asked for, in order."""
        return [request.target for request in self.server.requests if request.kind == "download"]

    def kill_busy_worker(self, *, token: bool = False) -> bool:
        """Kill the process of a worker that runs a task now; false if there is none.

        Args:
            token: the one that may submit.
        """
        busy = {address for address, tasks in self.client.processing().items() if tasks}
        for nanny in self.client.cluster.workers.values():
            if nanny.worker_address in busy and (nanny.name == 0 or not token) and nanny.pid:
                os.kill(nanny.pid, signal.SIGKILL)
                return True
        return False

    def idle(self) -> bool:
        """Whether no worker has a task."""
        return not any(self.client.processing().values())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does.

    Raises:
        TimeoutError: it did not happen.
    """
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - another process cannot set an event here
            await asyncio.sleep(0.01)
