"""G16: the loop goes on while pages that are made to be slow are read, and while half a megabyte is hashed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiomar import ClientIdentity, Environment, OmarClient, OmarConfig, OmarError, Trust
from aiomar.testing import Authority, Page
from tests.cli.conftest import Place, serving
from tests.client.helpers import METER, fetch
from tests.protocol.test_hostile_pages import BOMBS
from tests.support.gates import Gate
from tests.support.stalls import MeasuredLoop

pytestmark = pytest.mark.gate("G16")

MOST = 0.050
"""Seconds of processor time in one turn of the loop."""
LARGEST = 511_999
SHARES = 4


@pytest.fixture
def place(omar_authority: Authority, tmp_path: Path) -> Iterator[Place]:
    """A server in a thread of its own: only what the client does counts."""
    with serving(omar_authority, tmp_path) as place:
        yield place


def configure(place: Place, identity: ClientIdentity, state_dir: Path) -> OmarConfig:
    """Make a client's configuration for a server in another thread."""
    server = place.server.environment
    return OmarConfig(
        identity,
        Environment("stalls", server.upload_origin, server.download_origin),
        trust=Trust(ca_file=place.server.ca_file),
        state_dir=state_dir,
    )


@pytest.mark.parametrize("part", range(SHARES))
def test_no_page_and_no_file_holds_the_loop(
    part: int, gate: Gate, place: Place, omar_identity: ClientIdentity, tmp_path: Path
) -> None:
    """Every page of the collection, in place of data and as the answer to an upload of the largest size."""
    source = tmp_path / "large.csv"
    loop = MeasuredLoop()
    bombs = list(BOMBS.values())[part::SHARES]
    rounds = gate.count(ci=1, long=20)
    stalls: list[float] = []

    async def one(client: OmarClient, page: bytes, number: int) -> float:
        await asyncio.to_thread(source.write_bytes, gate.rng.randbytes(LARGEST))
        loop.longest = 0.0
        place.server.script(Page(page, on="upload"))
        with pytest.raises(OmarError):
            await client.upload(source)
        place.server.script(Page(page, times=2))
        with contextlib.suppress(OmarError):  # not every one of them is a page: some are data
            await fetch(client, tmp_path / "data", METER, name=f"{number}.csv", overwrite=True)
        place.server.clear()
        return loop.longest

    async def main() -> None:
        async with OmarClient(configure(place, omar_identity, tmp_path / "state")) as client:
            await client.login()
            for number, page in enumerate(bombs * rounds):
                # What is slow is slow each time; what is slow once met the collector, or a processor that did worse.
                seconds = [await one(client, page, number)]
                while seconds[-1] >= MOST and len(seconds) < 3:
                    seconds.append(await one(client, page, number))
                stalls.append(min(seconds))

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    late = [seconds for seconds in stalls if seconds >= MOST]
    gate.record(
        len(stalls), len(late), f"uploads of {LARGEST:,} bytes with a hostile page as answer; bad: 50 ms or more"
    )
    assert late == []
