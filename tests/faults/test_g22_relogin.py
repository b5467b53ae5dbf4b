"""G22: a session that dies under fifty parallel downloads is renewed by one login, and nothing is lost.

Each round chooses when it dies (before the first answer, or in front of any of the fifty), how the server says so, and
which answers are late, so that login pages of the old session come in before, during and after the fresh login.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import attrs
import pytest

from aiomar import Meter, OmarClient, OmarConfig
from aiomar.testing import ExpireSession, Fault, OmarServer, SlowFirstByte
from tests.client.helpers import data, fetch, sent
from tests.support.gates import Gate

METERS = [Meter(str(number)) for number in range(1001, 1051)]
PARTS = 4


def script(chance: random.Random) -> list[Fault]:
    """Choose before whose answer the session ends, and who is answered late, in the old session or in the new one."""
    *late, dying = chance.sample(METERS, 4)
    faults: list[Fault] = [ExpireSession(match=f"={dying.id}&")]
    faults += [SlowFirstByte(chance.choice((0.0, 0.002, 0.01)), match=f"={meter.id}&") for meter in late]
    if chance.random() < 0.5:
        faults.append(SlowFirstByte(chance.choice((0.002, 0.01)), on="login"))
    return faults


@pytest.mark.fault(51)
@pytest.mark.gate("G22")
@pytest.mark.parametrize("part", range(PARTS))
async def test_a_session_that_dies_is_renewed_once(
    part: int, gate: Gate, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Exactly one fresh login a round, each download asked for at most twice, each file the server's own bytes."""
    rounds = gate.count(ci=60, long=10_000) // PARTS
    wanted = {meter: data(omar_server, meter) for meter in METERS}
    bad: list[str] = []
    config = attrs.evolve(omar_config, concurrency=50, durable=False, lean=part % 2 == 0)
    async with OmarClient(config) as client:
        await client.login()
        client._ready().downloader.limiter._limit.whole = 50  # as after a while without trouble
        for number in range(rounds):
            logins, before = sent(omar_server, "login"), len(omar_server.requests)
            omar_server.script(*script(gate.rng))
            files = await asyncio.gather(*(fetch(client, tmp_path, meter, overwrite=True) for meter in METERS))
            omar_server.check_faults()
            asked = Counter(record.target for record in omar_server.requests[before:] if record.kind == "download")
            good = all(file.path.read_bytes() == wanted[meter] for file, meter in zip(files, METERS, strict=True))
            renewed = sent(omar_server, "login") - logins
            if renewed != 1 or max(asked.values()) > 2 or len(asked) != len(METERS) or not good:
                bad.append(f"round {number}: {renewed} logins, {max(asked.values())} requests for one file")
            if len(omar_server.requests) > 5_000:  # the log of thousands of rounds is of no use
                del omar_server._log.requests[:]
    gate.record(rounds, len(bad), f"rounds of {len(METERS)} downloads; bad: not one login, or a file that is wrong")
    assert bad == []
    # More than one was under way when the session died, else nothing was tried.
    assert omar_server.max_concurrent_downloads > 10
