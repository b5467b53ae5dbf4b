"""The places of a whole cluster: never more than there are, and given back by whoever dies."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from aiomar import ConfigError
from aiomar._process_lock import LockHeldError

pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")

from aiomar.distributed._slots import slots

HOLDER = """
import asyncio, sys
from pathlib import Path
from aiomar.distributed._slots import slots

async def hold():
    async with slots(Path(sys.argv[1]), most=3, wanted=3, patience=0) as taken:
        print(taken, flush=True)
        await asyncio.sleep(600)

asyncio.run(hold())
"""


async def test_the_sum_is_never_more_than_there_are(tmp_path: Path) -> None:
    """Who comes later gets what is left, or waits; a smaller number of places is among the larger one."""
    async with slots(tmp_path / "slots", most=8, wanted=5, patience=0) as first:
        async with slots(tmp_path / "slots", most=8, wanted=5, patience=0) as second:
            assert (first, second) == (5, 3)
            with pytest.raises(LockHeldError):
                async with slots(tmp_path / "slots", most=8, wanted=1, patience=0.01):
                    pytest.fail("there was no place left")
        with pytest.raises(LockHeldError):
            async with slots(tmp_path / "slots", most=4, wanted=1, patience=0):
                pytest.fail("the first four are taken")


async def test_who_waits_gets_what_becomes_free(tmp_path: Path) -> None:
    """And comes before those who begin to wait later."""
    order: list[str] = []

    async def wait(name: str) -> None:
        async with slots(tmp_path, most=1, wanted=1, patience=10):
            order.append(name)

    async with slots(tmp_path, most=1, wanted=1, patience=0):
        first = asyncio.create_task(wait("first"))
        await asyncio.sleep(0)
        second = asyncio.create_task(wait("second"))
        await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(first, second)
    assert order == ["first", "second"]


async def test_a_killed_process_gives_its_places_back(tmp_path: Path) -> None:
    """At once, by the kernel: no time has to pass first."""
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, tmp_path, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"3\n"
    with pytest.raises(LockHeldError, match=f"process {holder.pid} "):
        async with slots(tmp_path, most=3, wanted=1, patience=0):
            pytest.fail("the other process has them all")
    holder.kill()
    await holder.wait()
    async with slots(tmp_path, most=3, wanted=3, patience=0) as taken:
        assert taken == 3


async def test_a_place_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "slots").touch()
    with pytest.raises(ConfigError, match="cannot be locked"):
        async with slots(tmp_path / "slots", most=1, wanted=1, patience=0):
            pytest.fail("there are no places")
