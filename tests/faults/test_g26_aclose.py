"""G26: closing is bounded, and leaves nothing, whatever the transfers are stuck in and however mute the peers are.

The server runs in a thread of its own that is stopped in the middle of everything: no byte, no TLS goodbye, no answer
to one, also for connections that are made later.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest

from aiomar import (
    FailedDownload,
    Meter,
    OmarClient,
    OmarConfig,
    OutcomeUnknownError,
    RangeReport,
    UploadReceipt,
    UsageError,
)
from aiomar.testing import Authority, Stall
from tests.client.helpers import (
    client_tasks,
    client_threads,
    descriptors,
    fetch,
    fetch_range,
    iterate,
    on_disk,
    sent,
    until,
)
from tests.support.gates import Gate
from tests.support.mute import HangingServer

STUCK = 16
BOUND = 5.5
"""Seconds by the loop's clock.  Where nothing hangs but peers it is a few turns of the loop."""
METERS = [Meter(str(number)) for number in range(1001, 1001 + STUCK)]


@attrs.frozen
class Way:
    """A way to be stuck.

    Args:
        stall: bytes of the body after which the server falls silent; `None` for no answer at all.
        frozen_first: whether the server hangs before the transfers begin, so that they are stuck in connecting.
    """

    stall: int | None = None
    frozen_first: bool = False


WAYS = {
    "body": Way(stall=500),
    "head": Way(),
    "connecting": Way(frozen_first=True),
}
Call = Callable[[OmarClient, Path, Meter], Coroutine[Any, Any, object]]


def why(task: asyncio.Task[object]) -> BaseException | None:
    """Give the reason for which a download ended; a range that had not begun its file yet may have it in its report."""
    if task.exception() is None and isinstance(report := task.result(), RangeReport):
        return report.failures[0].error
    return task.exception()


async def _iterate(client: OmarClient, into: Path, meter: Meter) -> None:
    async for outcome in iterate(client, [meter], into):
        assert isinstance(outcome, FailedDownload)
        raise outcome.error


CALLS: tuple[Call, ...] = (
    fetch,
    lambda client, into, meter: fetch_range(client, [meter], into / meter.id, errors="collect"),
    lambda client, into, meter: _iterate(client, into / meter.id, meter),
    lambda client, into, meter: fetch(client, into, meter, overwrite=True),
)


def sockets_to(ports: set[int | None]) -> int:
    """Count our ends of connections to these ports; the other ends are in this process too, and are the server's."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor that listed the directory is gone
            copy = os.dup(int(link.name))
            try:
                connection = socket.socket(fileno=copy)
            except OSError:  # no socket
                os.close(copy)
                continue
            with connection:
                peer = connection.getpeername()
                count += isinstance(peer, tuple) and peer[1] in ports
    return count


async def get_stuck(
    client: OmarClient, hanging: HangingServer, way: Way, directory: Path, *, turns: int
) -> tuple[list[asyncio.Task[object]], asyncio.Task[UploadReceipt]]:
    """Log in, then get sixteen downloads and an upload stuck; the server does nothing any more."""
    server = hanging.server
    await client.login()
    if way.frozen_first:
        hanging.freeze()
    else:
        server.script(Stall(way.stall, times=STUCK), Stall(None, on="upload"))
    into, source = directory / "data", directory / "x.csv"
    downloads = [
        asyncio.create_task(CALLS[place % len(CALLS)](client, into, meter)) for place, meter in enumerate(METERS)
    ]
    upload = asyncio.create_task(client.upload(source))
    if way.frozen_first:
        for _ in range(turns):  # nobody can see how far they are
            await asyncio.sleep(0)
    else:
        await until(lambda: sent(server, "download") == STUCK and sent(server, "upload") == 1)
        hanging.freeze()
    return downloads, upload


async def close_stuck(config: OmarConfig, hanging: HangingServer, way: Way, directory: Path, *, turns: int) -> float:
    """Close a client that is stuck; give the seconds that it took."""
    server, loop = hanging.server, asyncio.get_running_loop()
    origins = (server.environment.upload_origin, server.environment.download_origin)
    ports = {urlsplit(origin).port for origin in origins}
    client = OmarClient(attrs.evolve(config, environment=server.environment, trust=server.trust))
    downloads, upload = await get_stuck(client, hanging, way, directory, turns=turns)
    began = loop.time()
    await client.aclose()
    seconds = loop.time() - began
    assert client_tasks() == []
    assert client_threads() == []
    await asyncio.wait([*downloads, upload])
    await until(lambda: sockets_to(ports) == 0)
    assert {type(why(task)) for task in downloads} == {UsageError}
    # Nothing of an upload can have left before there was a connection.
    assert type(upload.exception()) is (UsageError if way.frozen_first else OutcomeUnknownError)
    assert on_disk(directory / "data") == {}
    return seconds


@pytest.mark.fault(13, 31)
@pytest.mark.gate("G26")
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "session"])
@pytest.mark.parametrize("stuck_in", WAYS)
async def test_closing_is_bounded(
    stuck_in: str, *, lean: bool, gate: Gate, omar_authority: Authority, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Sixteen downloads and an upload that are stuck end in their errors, and nothing of the client is left."""
    (tmp_path / "data").mkdir()
    config = attrs.evolve(omar_config, lean=lean, concurrency=STUCK, state_dir=tmp_path / "state")
    seconds: list[float] = []
    for number in range(gate.count(ci=2, long=50)):
        (tmp_path / "x.csv").write_bytes(b"a,b\r\n%d,2\r\n" % number)
        before = descriptors()
        with HangingServer(omar_authority) as hanging:
            turns = gate.rng.randrange(2_000)
            seconds.append(await close_stuck(config, hanging, WAYS[stuck_in], tmp_path, turns=turns))
        await until(lambda: set(descriptors()) <= set(before))  # noqa: B023 - ends in this round
    late = sum(length >= BOUND for length in seconds)
    gate.record(len(seconds) * (STUCK + 1), late, "stuck transfers whose client was closed; bad: beyond 5.5 s")
    assert late == 0
