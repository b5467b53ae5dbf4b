"""An outbox that is stopped at any instant: no file is lost, none is sent twice, and each ends in one place."""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

import attrs
import pytest

from aiomar import OmarClient, OmarError, SubmissionRecord, Submissions, SubmissionState
from aiomar._files import FileSystem
from aiomar.submissions import Ledger
from aiomar.testing import Authority, OmarServer
from tests.client.helpers import until
from tests.support.answers import Taking
from tests.support.disturbed import Tripwire, failing_files
from tests.support.killing import quiet
from tests.support.outboxes import Service, in_box, in_tray, make_outbox, once, paper, put
from tests.support.uploading import Errand

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Death(BaseException):
    """What ends a process in the middle of a call to its file system."""


def deadly_files(wire: Tripwire) -> FileSystem:
    """Give this machine's file system, in which a chosen call never comes back."""

    def deadly(name: str, call: Callable[_P, _T]) -> Callable[_P, _T]:
        def die(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            if wire.trips(name):
                raise Death
            return call(*args, **kwargs)

        return die

    real = FileSystem()
    calls = {name: deadly(name, getattr(real, name)) for name in attrs.fields_dict(FileSystem)}
    return attrs.evolve(real, **calls)


@pytest.mark.parametrize(("machine", "step"), [(deadly_files, 1), (failing_files, 4)])
async def test_every_call_to_the_disk_may_be_the_last(
    machine: Callable[[Tripwire], FileSystem],
    step: int,
    tmp_path: Path,
    omar_server: OmarServer,
    omar_client: OmarClient,
) -> None:
    """One after the other fails, or ends the process; the next look puts everything right, and sends nothing twice."""
    box, wire = make_outbox(tmp_path), Tripwire()
    uploader = omar_client._ready().uploader
    broken, whole = attrs.evolve(uploader, files=machine(wire)), uploader
    tripped, number, made = 1, 0, list[int]()
    while tripped:
        number += step
        made.append(number)
        put(box, f"{number}.csv")
        put(box, f"{number}.txt")
        wire.arm(number)
        omar_client._ready().uploader = broken
        with suppress(Death, OmarError):
            await once(omar_client, box)
        tripped = len(wire.failed)
        wire.disarm()
        omar_client._ready().uploader = whole
        await once(omar_client, box)
        assert in_box(box) == []
    assert number > 40
    assert Counter(upload.name for upload in omar_server.uploads) == Counter(f"{each}.csv" for each in made)
    assert in_tray(box, "sent") == sorted(f"{each}.csv" for each in made)
    assert in_tray(box, "refused") == sorted(f"{each}.txt" for each in made)


async def test_a_file_that_is_replaced_on_the_way_and_then_the_end(
    tmp_path: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Whichever call to the disk was the last: what came under a name that was sent is sent, too, and once."""
    box, wire = make_outbox(tmp_path), Tripwire()
    uploader = omar_client._ready().uploader
    broken, whole = attrs.evolve(uploader, files=deadly_files(wire)), uploader
    tripped, number = 1, 0
    while tripped:
        number += 1
        path = put(box, f"{number}.csv", b"old %d" % number)

        def exchange(path: Path = path, number: int = number) -> None:
            put(box, path.name, b"new %d" % number)
            wire.arm(number)

        omar_server.script(Taking(tell=exchange))
        omar_client._ready().uploader = broken
        with suppress(Death, OmarError):
            await once(omar_client, box)
        tripped = len(wire.failed)
        wire.disarm()
        omar_client._ready().uploader = whole
        await once(omar_client, box)
        await once(omar_client, box)  # what was given back a moment ago
        assert in_box(box) == []
        assert (box / "sent" / path.name).read_bytes() == b"new %d" % number
    assert number > 8
    taken = Counter(upload.content for upload in omar_server.uploads)
    assert taken == Counter(b"%s %d" % (age, each) for each in range(1, number + 1) for age in (b"old", b"new"))
    assert len(in_tray(box, "sent")) == number
    assert in_tray(box, "refused") == []


@pytest.fixture
def service(
    omar_authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[OmarServer], Service]:
    """Make a service for a server."""
    if len(tempfile.gettempdir()) > 60:  # the server that children are forked from needs a short path
        monkeypatch.setattr(tempfile, "tempdir", "/tmp")  # noqa: S108 - it makes a directory of its own in it
    (tmp_path / "credentials").mkdir()

    def make(server: OmarServer) -> Service:
        return Service(Errand.to(server, tmp_path / "credentials", tmp_path / "state"), make_outbox(tmp_path))

    return make


def find_out(server: OmarServer, service: Service) -> int:
    """Do what a person does about unknown outcomes: look at the server, and write down what it has."""
    taken = {upload.sha256: upload.file_id for upload in server.uploads if upload.accepted}
    ledgers = Submissions(service.errand.state_dir)
    unknown = list(ledgers.records({SubmissionState.UNKNOWN}))
    for record in unknown:
        file_id = taken.get(record.sha256)
        ledgers.resolve(record.id, accepted=file_id is not None, file_id=file_id, note="looked at the site")
    return len(unknown)


def accepted(ledger: Ledger) -> dict[str, SubmissionRecord]:
    """Give what the ledger has as taken, by name."""
    return {record.name: record for record in ledger.records({SubmissionState.ACCEPTED})}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork servers are not there")
async def test_kills_at_random_instants(service: Callable[[OmarServer], Service], omar_authority: Authority) -> None:
    """The server has every file exactly once in the end, and each is in sent/ with the file id that it was given."""
    rng = random.Random(20260131)  # noqa: S311 - chance for a test
    async with OmarServer(authority=omar_authority) as server:
        served = service(server)
        box, made, doubts = served.box, [], 0
        for life in range(6):
            made += [put(box, f"{life}-{number}.csv").name for number in range(3)]
            decided = asyncio.Event()
            server.script(Taking(tell=decided.set, seconds=0.01))
            child = served.start()
            async with asyncio.timeout(30):
                await decided.wait()
            await asyncio.sleep(rng.uniform(0.0, 0.06))
            child.kill()
            await asyncio.to_thread(child.join)
            assert child.exitcode == -signal.SIGKILL
            child.close()
            await quiet(server)
            there = Counter(in_box(box) + [path.name for path in (box / "sent").glob("*.csv")])
            assert there == Counter(made)
            doubts += await asyncio.to_thread(find_out, server, served)
        assert doubts, "no kill came while a file was on its way"
        child = served.start()
        await until(lambda: len(list((box / "sent").glob("*.receipt.json"))) == len(made))
        child.kill()
        await asyncio.to_thread(child.join)
        child.close()
        await quiet(server)
    assert Counter(upload.name for upload in server.uploads) == Counter(made)
    assert (in_box(box), in_tray(box, "sent"), in_tray(box, "refused")) == ([], sorted(made), [])
    for upload in server.uploads:
        assert paper(box, "sent", upload.name)["file_id"] == upload.file_id
        assert hashlib.sha256((box / "sent" / upload.name).read_bytes()).hexdigest() == upload.sha256
    with served.ledger() as ledger:
        assert {name: record.file_id for name, record in accepted(ledger).items()} == {
            upload.name: upload.file_id for upload in server.uploads
        }
