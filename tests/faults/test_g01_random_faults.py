"""G1, G2, G13: downloads through a network that does its worst, by the thousand."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from aiomar import ClientIdentity, Environment, OmarConfig, RetryPolicy, Timeouts, Trust
from aiomar.testing import Authority
from tests.support.data_site import DataSite
from tests.support.gates import Gate
from tests.support.lanes import Lane, Tally
from tests.support.relay import Relay
from tests.support.toxics import NAMES

PARTS = 8
LANES = 8
TLS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def _config(lane: int, relay: Relay, identity: ClientIdentity, ca_file: Path) -> OmarConfig:
    """Give every lane another way: TLS version by the first bit, transport by the second, syncing by the third."""
    return OmarConfig(
        identity,
        Environment("faulty", relay.origin, relay.origin),
        trust=Trust(ca_file=ca_file),
        # Only a black hole has to wait for them; everything else is over in milliseconds, also on a busy machine.
        timeouts=Timeouts(connect=2, first_byte=2, read=2, operation=60),
        retry=RetryPolicy(first_wait=0.001, longest_wait=0.002),
        concurrency=4,
        lean=bool(lane & 2),
        durable=lane & 4 == 0 and lane & 1 == 0,
    )


async def _drive(enough: int, rng: random.Random, made: tuple[Authority, ClientIdentity, Path]) -> Tally:
    """Run lanes beside one another until they have done enough downloads."""
    authority, identity, directory = made
    ca_file = directory / "ca.pem"
    ca_file.write_bytes(authority.ca_pem)
    tally = Tally()
    async with AsyncExitStack() as stack:
        running = []
        for number in range(LANES):
            chance = random.Random(rng.random())  # noqa: S311 - no secret
            site = await stack.enter_async_context(
                DataSite(authority.server_context(TLS[number & 1]), f"site {chance.random()}")
            )
            relay = await stack.enter_async_context(Relay(site.port, f"relay {chance.random()}"))
            into = directory / str(number)
            into.mkdir()
            config = _config(number, relay, identity, ca_file)
            running.append(Lane(site, relay, config, directory=into, rng=chance, tally=tally))
        async with asyncio.TaskGroup() as group:
            for lane in running:
                group.create_task(lane.run(enough))
    return tally


@pytest.fixture
def made(
    omar_authority: Authority, omar_identity: ClientIdentity, tmp_path: Path
) -> tuple[Authority, ClientIdentity, Path]:
    """Give what all lanes share: who signs, who asks, and where files go."""
    return omar_authority, omar_identity, tmp_path


@pytest.mark.gate("G1", "G2", "G13")
@pytest.mark.fault(2, 4, 6, 7, 8, 9)
@pytest.mark.parametrize("part", range(PARTS))
async def test_random_faults(
    part: int, gate: Gate, made: tuple[Authority, ClientIdentity, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Final paths hold what the server sent or what they held before; what can succeed does; errors are public."""
    enough = gate.count(ci=10_000, long=200_000) // PARTS
    tally = await _drive(enough, gate.rng, made)
    allowed = tally.promised // 1_000
    gate.record(tally.done, len(tally.corrupt), "faulty downloads; bad: files that must not be there (G1)")
    gate.record(
        tally.promised, max(0, len(tally.broken) - allowed), "faults that end in time; bad: failures over 0.1 % (G2)"
    )
    gate.record(tally.done - tally.saved, len(tally.foreign), "failed downloads; bad: errors that are not public (G13)")
    assert tally.corrupt == []
    assert tally.foreign == []
    assert len(tally.broken) <= allowed, tally.broken
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    # That nothing went wrong counts only where much could have.
    assert tally.fired.keys() == set(NAMES)
    assert tally.faulty > tally.done / 2
    assert tally.done - tally.saved > tally.done / 20
    assert tally.repeated["TruncatedBodyError"] > tally.done / 50
