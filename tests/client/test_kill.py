"""A range that is killed at random instants and run again, over and over: nothing torn, nothing lost, no row that lies.

SIGKILL shows what a process leaves behind at any instant; what a power loss leaves is another matter, as the page
cache outlives a process.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from aiomar import DestinationError, FileFormat, Meter, TimeType, verify_directory
from aiomar.testing import Authority, OmarServer
from tests.client.helpers import sent
from tests.support.killed import DAY, Range, start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork servers are not there")


class Scene:
    """A server, a directory, and what should be in it."""

    def __init__(self, server: OmarServer, wanted: Range) -> None:
        self.server = server
        self.wanted = wanted
        self.good = self.standing = 0
        self.content = {
            f"meter-{meter}_20260101_20260101_pst.csv": server.data(
                Meter(meter), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST
            )
            for meter in wanted.meters
        }

    def begin_anew(self) -> None:
        """Remove everything."""
        self.good = self.standing = 0
        shutil.rmtree(self.wanted.into)
        self.wanted.into.mkdir()

    def files(self) -> dict[str, bytes]:
        """Give what is there under final names."""
        return {path.name: path.read_bytes() for path in self.wanted.into.iterdir() if path.name[0] != "."}

    def check(self) -> int:
        """Hold that what is there is whole and right, and that every row tells the truth; count the good rows."""
        assert self.files().items() <= self.content.items()
        try:
            problems = [checked.problem for checked in verify_directory(self.wanted.into)]
        except DestinationError as error:  # killed before the catalogue was made, and one that was there never goes
            if self.good or "has no catalogue" not in str(error):
                raise
            return 0
        # A file whose row was not written yet when its process was killed is fetched again: too little, never too much.
        assert set(problems) <= {None, "not_recorded", "leftover"}
        self.good, self.standing = problems.count(None), self._count_standing()
        return self.good

    @property
    def doubtful(self) -> int:
        """How many files are good and will be fetched again: their rows do not know when they were written."""
        return self.good - self.standing

    def _count_standing(self) -> int:
        with closing(sqlite3.connect(self.wanted.into / ".aiomar" / "catalogue.sqlite3")) as rows:
            written = dict(rows.execute("SELECT name, mtime_ns FROM files WHERE size IS NOT NULL"))
        return sum((self.wanted.into / name).stat().st_mtime_ns == moment for name, moment in written.items())


async def live(scene: Scene) -> float:
    """Let a process download everything; give the seconds that it took on this machine, as busy as it is now."""
    child = start(scene.wanted)  # it is back once there is a child, also the first time, when its parent is made too
    begun = time.monotonic()
    await asyncio.to_thread(child.join)
    lived = time.monotonic() - begun
    assert child.exitcode == 0
    child.close()
    assert scene.check() == len(scene.wanted.meters)
    scene.begin_anew()
    return lived


async def kill_some(scene: Scene, kills: int, chance: random.Random) -> int:
    """Start, kill at a random instant, look; count how often a process was killed with the range unfinished."""
    unfinished = 0
    longest = await live(scene)
    for _ in range(kills):
        wanted, doubtful = attrs.evolve(scene.wanted, resume=chance.random() < 0.8), scene.doubtful
        child = start(wanted)
        await asyncio.to_thread(child.join, chance.uniform(0.0, longest))
        child.kill()
        await asyncio.to_thread(child.join, 10)
        assert child.exitcode in {0, -signal.SIGKILL}
        child.close()
        good = await asyncio.to_thread(scene.check)
        # Only who fetches all anew, and is killed between a file and its row, puts a file in the place of its like.
        assert scene.doubtful >= 0
        assert not wanted.resume or scene.doubtful <= doubtful
        unfinished += good < len(scene.wanted.meters)
        if good == len(scene.wanted.meters) and chance.random() < 0.5:
            scene.begin_anew()
    return unfinished


@pytest.mark.fault(72)
async def test_a_range_that_is_killed_and_run_again(
    omar_authority: Authority, tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the end every file is there once and right, no part file is left, and only the rest was fetched."""
    seed = pytestconfig.getoption("--kill-seed") or random.SystemRandom().randrange(1 << 32)
    kills = pytestconfig.getoption("--kills")
    print(f"{kills} kills with --kill-seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    if len(tempfile.gettempdir()) > 60:  # the server that children are forked from has a socket there
        monkeypatch.setattr(tempfile, "tempdir", "/tmp")  # noqa: S108 - it makes a directory of its own in it
    meters = tuple(str(number) for number in range(1001, 1001 + pytestconfig.getoption("--kill-files")))
    async with OmarServer(meters=meters, authority=omar_authority) as server:
        certificate = tmp_path / "client.p12"
        certificate.write_bytes(server.pkcs12())
        into = tmp_path / "data"
        into.mkdir()
        wanted = Range(
            meters=meters,
            upload_origin=str(server.environment.upload_origin),
            download_origin=str(server.environment.download_origin),
            ca_file=server.ca_file,
            certificate=certificate,
            into=into,
        )
        scene = Scene(server, wanted)
        assert await kill_some(scene, kills, random.Random(seed)) > 0  # noqa: S311 - to be repeated, not to be secret
        scene.check()
        standing, before = scene.standing, sent(server, "download")
        report = await wanted.download()
        assert (len(report.files), report.reused) == (len(meters), standing)
        assert sent(server, "download") - before == len(meters) - standing
        assert scene.files() == scene.content
        assert scene.check() == scene.standing == len(meters)
        assert sorted(path.name for path in into.iterdir()) == sorted([".aiomar", *scene.content])
