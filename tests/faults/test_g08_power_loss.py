"""G8: the power goes away after any step of a download; no file is torn, and the catalogue claims only what is whole.

Downloads are carried out once on a file system that remembers, and then every disk that a power loss could have left is
looked at, moment by moment (`tests/support/power.py` says how).  Some of these disks, drawn by chance, are laid out for
real, and the same range must find its way from there.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from aiomar import (
    DownloadFinished,
    Event,
    FailedDownload,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    SavedFile,
    TimeType,
)
from aiomar._assembly import Effects
from aiomar._downloads import Order, Wanted
from aiomar.protocol import Span
from aiomar.testing import OmarServer
from aiomar.transfer import Job, Notebook, Terms
from aiomar.transfer._catalogue_rows import SavedRow
from tests.client.helpers import DAY, METER, data, fetch_range, on_disk
from tests.support.disturbed import opened
from tests.support.gates import Gate
from tests.support.power import Disk, File, Journal, NotedCatalogue

METERS = [Meter(str(number)) for number in range(1001, 1013)]
LARGE_END = DAY + dt.timedelta(days=600)
EARLIER = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
OLD = b"id,time,value\r\n1001,01:00,1\r\n"


def _name(meter: Meter) -> str:
    return f"meter-{meter.id}_20260101_20260101_pst.csv"


@attrs.define
class Judge:
    """Looks at every disk that a power loss could leave.

    Attributes:
        cases: how many pairs of a name and what it may lead to were looked at.
        bad: what was wrong.
    """

    old: dict[str, bytes]
    new: dict[str, bytes]
    cases: int = 0
    bad: list[str] = attrs.field(factory=list)
    _claimed: dict[str, set[tuple[int, int, str]]] = attrs.field(factory=dict)

    def look(self, disk: Disk) -> None:
        """Look at each name with each file that it may lead to."""
        for name, claim in disk.claims.items():
            self._claimed.setdefault(name, set()).add((claim.size, claim.mtime_ns, claim.sha256))
        for name in self.new:
            for file in disk.leads(name):
                self.cases += 1
                self.bad += [f"{name} {complaint}" for complaint in self._complaints(disk, name, file)]

    def _complaints(self, disk: Disk, name: str, file: File | None) -> Iterator[str]:
        if file is None:
            if name in self.old:
                yield "may be gone"
            if name in disk.claims:
                yield "is claimed and may be gone"
            if name in disk.told:
                yield "was said to be saved and may be gone"
            return
        if file.safe < len(file.content) or file.content not in {self.old.get(name), self.new[name]}:
            yield f"may be torn ({file.safe} safe of {len(file.content)} written)"
        if name in disk.told and file.content != self.new[name]:
            yield "was said to be saved and may be the old one"
        # The last commits of the catalogue may be lost too, so what it ever claimed counts.
        for size, mtime_ns, sha256 in self._claimed.get(name, ()):
            looks_the_same = (size, mtime_ns) == (len(file.content), file.mtime_ns)
            if looks_the_same and hashlib.sha256(file.content).hexdigest() != sha256:
                yield "is claimed to be what it is not"


@attrs.define
class Told:
    """Notes what the caller is told."""

    journal: Journal

    def __call__(self, event: Event) -> None:
        """Hear an event."""
        if isinstance(event, DownloadFinished):
            self.journal.told(event.file.path.name)


@attrs.define
class Range:
    """A dozen files of a range, of which some were there before."""

    journal: Journal
    catalogue: NotedCatalogue
    terms: Terms
    old: dict[str, bytes]

    def prepare(self) -> None:
        """Let old files stand there, with rows that claim them."""
        for meter in METERS:
            if body := self.old.get(name := _name(meter)):
                mtime_ns = self.journal.had(name, body)
                sha256 = hashlib.sha256(body).hexdigest()
                place = self.journal.directory / name
                kinds = FileFormat.CSV, TimeType.PST
                file = SavedFile(place, len(body), sha256, meter, DAY, DAY, *kinds, EARLIER, "length")
                self.catalogue.record([SavedRow(name, file, self.terms, mtime_ns, 1)])

    def fetch(self, client: OmarClient) -> list[asyncio.Task[SavedFile | FailedDownload]]:
        """Fetch them all, as a range does."""
        directory = self.journal.directory
        order = Order(
            wanted=Wanted(file_format=FileFormat.CSV, time_type=TimeType.PST, allow_unverified=False),
            directory=directory,
            real=str(directory),
            overwrite=True,
            notebook=Notebook(self.catalogue, self.terms),
        )
        downloader = client._ready().downloader
        return [
            asyncio.create_task(downloader.save(Job(meter, Span(DAY, DAY), _name(meter)), order)) for meter in METERS
        ]


async def _recover(client: OmarClient, into: Path, judge: Judge) -> list[str]:
    """Run the range where the power went away; name the files that are not as they must be then."""
    await fetch_range(client, METERS, into)
    found = on_disk(into)
    good = {name: {judge.old.get(name, body), body} for name, body in judge.new.items()}
    return [f"{name} after the next run" for name in {*found, *good} if found.get(name) not in good.get(name, ())]


@pytest.mark.gate("G8", "G13")
@pytest.mark.fault(73)
@pytest.mark.parametrize("cancelled", [0, 5], ids=["whole", "some cancelled"])
@pytest.mark.parametrize("part", range(2))
async def test_range(
    part: int, cancelled: int, *, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """A range: every moment, every disk that there can be; and from many of them the next run reaches its end."""
    new = {_name(meter): data(omar_server, meter) for meter in METERS}
    old = dict.fromkeys([_name(meter) for meter in METERS[part::2]], OLD)
    terms = Terms(
        origin=str(omar_server.environment.download_origin), file_format=FileFormat.CSV, time_type=TimeType.PST
    )
    judge = Judge(old, new)
    (tmp_path / "data").mkdir()
    journal = Journal((tmp_path / "data").resolve())
    async with opened(omar_config, Effects(files=journal.files()), Told(journal)) as client:
        with NotedCatalogue.open(journal.directory) as catalogue:
            catalogue.journal = journal
            todo = Range(journal, catalogue, terms, old)
            todo.prepare()
            began = len(journal)
            tasks = todo.fetch(client)
            for task in gate.rng.sample(tasks, cancelled):
                moment = began + gate.rng.randrange(90)
                while len(journal) < moment and not all(task.done() for task in tasks):  # noqa: ASYNC110 - see until
                    await asyncio.sleep(0)
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, SavedFile) for outcome in outcomes) >= len(METERS) - cancelled
    recovered = 0
    async with OmarClient(attrs.evolve(omar_config, durable=False)) as client:
        for moment, disk in enumerate(journal.replay()):
            if moment < began:
                continue
            judge.look(disk)
            for number in range(gate.count(ci=1, long=10)) if moment % 2 == part else ():
                disk.lay_out(into := tmp_path / f"{moment} {number}", gate.rng)
                judge.bad += await _recover(client, into, judge)
                recovered += 1
    assert moment > began + 2 * len(METERS)
    gate.record(judge.cases, len(judge.bad), "names on disks that a power loss may leave")
    gate.record(recovered, 0, "such disks from which a range went on")
    assert judge.bad == []


@pytest.mark.gate("G8", "G13")
@pytest.mark.fault(73)
@pytest.mark.parametrize("over", [False, True], ids=["new", "over old"])
@pytest.mark.parametrize("size", ["small", "large"])
async def test_single_download(
    size: str, *, over: bool, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """A single file: the same, also where it comes in batches."""
    end = DAY if size == "small" else LARGE_END
    new = {"x": omar_server.data(METER, DAY, end, file_format=FileFormat.MDEF, time_type=TimeType.PST)}
    judge = Judge({"x": OLD} if over else {}, new)
    (tmp_path / "data").mkdir()
    journal = Journal((tmp_path / "data").resolve())
    if over:
        journal.had("x", OLD)
    began = len(journal)
    async with opened(omar_config, Effects(files=journal.files()), Told(journal)) as client:
        await client.download(
            METER,
            DAY,
            end,
            file_format=FileFormat.MDEF,
            time_type=TimeType.PST,
            into=journal.directory,
            name="x",
            overwrite=over,
        )
    for moment, disk in enumerate(journal.replay()):
        if moment >= began:
            judge.look(disk)
    assert disk.told == {"x"}
    assert moment > began + 5
    gate.record(judge.cases, len(judge.bad), "names on disks that a power loss may leave")
    assert judge.bad == []


async def test_a_careless_writer_is_seen(tmp_path: Path) -> None:
    """Whoever renames a file that is not synced, in a directory that is not either, is found out by this gate."""
    journal = Journal(tmp_path.resolve())
    files = journal.files()
    journal.had("x", OLD)
    began = len(journal)
    fd = files.open(str(tmp_path / "y"), os.O_WRONLY | os.O_CREAT)
    files.write(fd, b"new")
    files.replace(str(tmp_path / "y"), str(tmp_path / "x"))
    journal.told("x")
    files.close(fd)
    judge = Judge({"x": OLD}, {"x": b"new"})
    for moment, disk in enumerate(journal.replay()):
        if moment >= began:
            judge.look(disk)
    assert {complaint.partition(" (")[0] for complaint in judge.bad} == {
        "x may be torn",
        "x was said to be saved and may be the old one",
    }
