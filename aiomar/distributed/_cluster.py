"""All talk with Dask from the driver's side: one task at a time, its result, and its end when nobody waits any more.

A client of Dask lives in a loop of its own unless it was made asynchronous in ours; either kind does.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import attrs
from distributed import Client, KilledWorker

from aiomar.errors import ConfigError, OmarError

_T = TypeVar("_T")


class ClusterError(OmarError):
    """The cluster could not do its part: it has no workers, gave a task up, or lost workers again and again over one.

    A range may be run again as it is; of an upload the ledger knows.
    """


@attrs.frozen
class Cluster:
    """A cluster, as this package needs it.

    Args:
        client: of Dask, connected; it stays its maker's.

    Raises:
        ConfigError: it is something else.
    """

    client: Client = attrs.field()

    @client.validator
    def _check(self, _attribute: attrs.Attribute[Client], value: object) -> None:
        if not isinstance(value, Client):
            raise ConfigError(f"dask_client must be a distributed.Client, not {type(value).__name__}")

    async def run(self, function: Callable[..., _T], *args: object, resources: Mapping[str, float] | None = None) -> _T:
        """Run a function on a worker; it is cancelled there when the caller is.

        A worker that dies is replaced by another, on which the function runs again.

        Args:
            function: by name importable there.
            args: what it is called with; they travel.
            resources: what the worker must offer.

        Raises:
            ClusterError: the cluster gave it up.
        """
        # The name is all that shows in logs and on dashboards.
        key = f"aiomar-{function.__name__}-{uuid.uuid4().hex}"
        return await self._at_home(lambda: self._run(function, args, key, resources))

    async def workers(self) -> dict[str, Mapping[str, float]]:
        """Give the workers, each with what it offers."""
        found = await self._at_home(self._identity)
        return {address: worker.get("resources") or {} for address, worker in found["workers"].items()}

    async def _identity(self) -> dict[str, Any]:
        dask: Any = self.client  # its hints do not tell what a connected one has
        found: dict[str, Any] = await dask.scheduler.identity(n_workers=-1)
        return found

    async def _run(
        self,
        function: Callable[..., _T],
        args: tuple[object, ...],
        key: str,
        resources: Mapping[str, float] | None,
    ) -> _T:
        dask: Any = self.client
        future = dask.submit(function, *args, key=key, pure=False, retries=0, resources=resources)
        # Results of several tasks come together, and who is cancelled while waiting would cancel all the others.
        result: asyncio.Future[_T] = asyncio.ensure_future(_awaited(future))
        try:
            return await asyncio.shield(result)
        except asyncio.CancelledError:
            await dask.cancel([future], asynchronous=True)
            await asyncio.wait({result})
            raise
        except KilledWorker as error:
            raise ClusterError(
                f"{error.allowed_failures + 1} workers died over the same task, the last of them "
                f"{error.last_worker.address}: look into its log, then run it again"
            ) from error
        except concurrent.futures.CancelledError as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise ClusterError(f"the cluster gave a task up ({reason}): see to it, then run it again") from error
        finally:
            future.release()

    async def _at_home(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run in the client's own loop."""
        dask: Any = self.client
        home: asyncio.AbstractEventLoop = dask.loop.asyncio_loop
        if home is asyncio.get_running_loop():
            return await make()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(make(), home))


async def _awaited(future: Any) -> Any:  # noqa: ANN401 - of Dask
    return await future
