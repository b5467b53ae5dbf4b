"""Files on disk: complete under their final name, or exactly as they were before."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from aiomar import DestinationError, DiskError
from aiomar._threads import Threads
from aiomar.transfer import Disk, PartFile, check_directory, check_final, hold, let_go
from aiomar.transfer._publish import Publication, arrange, beside

PIECES = {
    "small": [b"a" * 1_000, b"b" * 7_192],
    "at the edge": [b"a" * 65_535],
    "just over the edge": [b"a" * 65_536, b"b"],
    "one large piece": [os.urandom(1_000_000)],
    "many pieces": [os.urandom(10_000) for _ in range(150)],
}


@pytest_asyncio.fixture(params=[True, False], ids=["durable", "not durable"])
async def disk(request: pytest.FixtureRequest) -> AsyncIterator[Disk]:
    """Give a disk, with and without syncing."""
    threads = Threads(2)
    disk = Disk(threads, durable=request.param)
    yield disk
    await disk.aclose()
    await threads.aclose()


async def written(part: PartFile, pieces: list[bytes]) -> PartFile:
    """Write pieces into a part file."""
    for piece in pieces:
        await part.write(piece)
    return part


def names(directory: Path) -> list[str]:
    """Give what is in a directory, hidden files too."""
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
@pytest.mark.clause("DL 3.3")
async def test_what_was_written_stands_under_the_final_name(disk: Disk, tmp_path: Path, pieces: list[bytes]) -> None:
    """Every byte is there, the hash is the bytes', the mode is 0600 and no part file is left."""
    final = tmp_path / "file.dat"
    part = await written(disk.part(str(final), overwrite=False, existed=False), pieces)
    sha256 = await part.finish()
    await part.publish()
    await part.discard()
    content = b"".join(pieces)
    assert final.read_bytes() == content
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert part.size == len(content)
    assert stat.S_IMODE(final.stat().st_mode) == 0o600
    assert names(tmp_path) == ["file.dat"]


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
async def test_a_discarded_file_leaves_nothing(disk: Disk, tmp_path: Path, pieces: list[bytes]) -> None:
    """Giving a file up removes its part file, and the old file stands as it was."""
    final = tmp_path / "file.dat"
    final.write_bytes(b"old")
    part = await written(disk.part(str(final), overwrite=True, existed=True), pieces)
    await part.discard()
    assert final.read_bytes() == b"old"
    assert names(tmp_path) == ["file.dat"]


@pytest.mark.fault(68)
async def test_an_old_file_is_replaced_only_when_it_may_be(disk: Disk, tmp_path: Path) -> None:
    """With overwrite the new bytes stand there; without, a file that appeared in the meantime wins."""
    final = tmp_path / "file.dat"
    final.write_bytes(b"old")
    part = await written(disk.part(str(final), overwrite=True, existed=True), [b"new"])
    await part.finish()
    await part.publish()
    assert final.read_bytes() == b"new"

    part = await written(disk.part(str(final), overwrite=False, existed=False), [b"newer"])
    await part.finish()
    with pytest.raises(DestinationError):
        await part.publish()
    await part.discard()
    assert final.read_bytes() == b"new"
    assert names(tmp_path) == ["file.dat"]


async def test_many_files_are_published_in_groups(tmp_path: Path) -> None:
    """Files that become ready while a group is being synced share the next one; all of them arrive."""
    threads = Threads(2)
    disk = Disk(threads, durable=True)

    async def save(number: int) -> str:
        part = disk.part(str(tmp_path / f"{number}.dat"), overwrite=False, existed=False)
        await part.write(b"%d" % number)
        sha256 = await part.finish()
        await part.publish()
        return sha256

    sums = await asyncio.gather(*(save(number) for number in range(50)))
    await threads.aclose()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        f"{number}.dat": b"%d" % number for number in range(50)
    }
    assert sums == [hashlib.sha256(b"%d" % number).hexdigest() for number in range(50)]


@pytest.mark.fault(74)
@pytest.mark.parametrize("old", [None, b"old"], ids=["no old file", "an old file"])
@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
async def test_a_cancelled_commit_is_undone(disk: Disk, tmp_path: Path, old: bytes | None, pieces: list[bytes]) -> None:
    """Cancelled at any turn of the loop, the final path is what it was; not cancelled in time, it is whole."""
    final = tmp_path / "file.dat"
    for turns in range(60):
        if old is not None:
            final.write_bytes(old)
        part = disk.part(str(final), overwrite=True, existed=old is not None)

        async def save(part: PartFile = part) -> None:
            try:
                await written(part, pieces)
                await part.finish()
                await part.publish()
            finally:
                await part.discard()

        task = asyncio.create_task(save())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        found = final.read_bytes() if final.exists() else None
        assert found == (old if task.cancelled() else b"".join(pieces)), turns
        assert names(tmp_path) == ([] if found is None else ["file.dat"])
        final.unlink(missing_ok=True)


@pytest.mark.fault(74)
async def test_a_double_cancellation_still_waits_for_the_thread(tmp_path: Path) -> None:
    """A caller that is cancelled twice gets its error only after the thread is done."""
    threads = Threads(1)
    done: list[bool] = []

    def slow() -> None:
        time.sleep(0.05)
        done.append(True)

    task = asyncio.create_task(threads.run(slow))
    for _ in range(2):
        await asyncio.sleep(0.005)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]
    await threads.aclose()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as a quota would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.fault(65, 66)
@pytest.mark.parametrize("pieces", [PIECES["small"], PIECES["many pieces"]], ids=["small", "large"])
async def test_a_full_disk_is_a_disk_error(disk: Disk, tmp_path: Path, pieces: list[bytes]) -> None:
    """Writing beyond what the disk takes raises a DiskError with its number, and the old file stands."""
    final = tmp_path / "file.dat"
    final.write_bytes(b"old")
    part = disk.part(str(final), overwrite=True, existed=True)

    async def save() -> None:
        await written(part, pieces)
        await part.finish()
        await part.publish()

    with largest_file(4_096), pytest.raises(DiskError) as caught:
        await save()
    await part.discard()
    assert caught.value.errno == 27  # EFBIG
    assert final.read_bytes() == b"old"
    assert names(tmp_path) == ["file.dat"]


@pytest.mark.fault(65)
async def test_a_directory_that_vanishes_is_a_disk_error(disk: Disk, tmp_path: Path) -> None:
    """Whoever removes the directory under a download makes it fail, not crash."""
    directory = tmp_path / "gone"
    part = disk.part(str(directory / "file.dat"), overwrite=True, existed=False)
    await part.write(b"data")
    with pytest.raises(DiskError):
        await part.finish()
    await part.discard()
    assert names(tmp_path) == []


def test_a_publication_that_fails_to_sync_its_directory_is_undone(tmp_path: Path) -> None:
    """An error after the rename brings the old state back."""
    final = tmp_path / "file.dat"
    final.write_bytes(b"old")
    part = beside(str(final))
    fd = os.open(part, os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"new")
    item = Publication(fd=fd, part=part, final=str(final), overwrite=True, existed=True)
    (together,) = arrange([item])
    together.sync()
    assert together.move(1.0)
    together.complete(durable=True)
    assert item.error is None
    assert final.read_bytes() == b"new"
    item.undo()
    assert final.read_bytes() == b"old"
    assert names(tmp_path) == ["file.dat"]


@pytest.mark.fault(72)
async def test_orphans_are_swept_once_they_are_old(disk: Disk, tmp_path: Path) -> None:
    """Part files of a killed process go after an hour; younger ones and other files stay."""
    old, young, other = beside(str(tmp_path / "a.dat")), beside(str(tmp_path / "b.dat")), str(tmp_path / ".x.part")
    for path in (old, young, other):
        Path(path).write_bytes(b"")
    for path in (old, other):
        os.utime(path, (1, 1))
    await disk.sweep(tmp_path)
    assert names(tmp_path) == sorted(Path(path).name for path in (young, other))


@pytest.mark.parametrize("name", ["é" * 120, "x" * 250, "a.dat"], ids=["wide", "long", "short"])
def test_a_part_name_fits_whatever_the_final_name_is(tmp_path: Path, name: str) -> None:
    """A part file's name stays below what file systems allow, is hidden and never the same twice."""
    made = {Path(beside(str(tmp_path / name))).name for _ in range(50)}
    assert len(made) == 50
    assert all(len(item.encode()) <= 255 and item.startswith(".") and item.endswith(".part") for item in made)


def symlink(path: Path) -> None:
    """Make a link to a file."""
    (path.parent / "target").write_bytes(b"")
    path.symlink_to(path.parent / "target")


@pytest.mark.fault(68, 70)
@pytest.mark.parametrize(
    ("make", "overwrite"),
    [(Path.touch, False), (symlink, True), (Path.mkdir, True), (lambda path: path.symlink_to("nowhere"), True)],
    ids=["exists", "symbolic link", "directory", "dangling link"],
)
def test_a_final_path_that_may_not_be_replaced(
    tmp_path: Path, make: Callable[[Path], object], *, overwrite: bool
) -> None:
    """An existing file without overwrite, a link and a directory are refused before anything is sent."""
    final = tmp_path / "file.dat"
    make(final)
    with pytest.raises(DestinationError):
        check_final(str(final), overwrite=overwrite)


@pytest.mark.fault(69)
def test_a_final_path_is_held_by_one_download(tmp_path: Path) -> None:
    """A second download to the same path is refused until the first has let go."""
    path = str(tmp_path / "file.dat")
    hold(path)
    with pytest.raises(DestinationError):
        hold(path)
    let_go(path)
    hold(path)
    let_go(path)


@pytest.mark.fault(67)
def test_only_the_last_component_of_a_directory_is_made(tmp_path: Path) -> None:
    """A missing directory is made with 0700, a missing parent is an error, and looking makes nothing."""
    made = check_directory(tmp_path / "new", make=True)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    check_directory(tmp_path / "other", make=False)
    assert names(tmp_path) == ["new"]
    for bad in (tmp_path / "a" / "b", tmp_path / "new" / "x\0y"):
        with pytest.raises(DestinationError):
            check_directory(bad, make=True)
    (tmp_path / "file").touch()
    with pytest.raises(DestinationError, match="is not a directory"):
        check_directory(tmp_path / "file", make=True)


def test_a_directory_may_be_made_by_several_at_once(tmp_path: Path) -> None:
    """Who finds that another one was faster takes the directory as it is."""
    together = threading.Barrier(4)

    def make(number: int) -> Path:
        together.wait()
        return check_directory(tmp_path / str(number), make=True)

    with ThreadPoolExecutor(4) as threads:
        turns = [threads.submit(lambda: [make(number) for number in range(100)]) for _ in range(4)]
        assert [len(turn.result()) for turn in turns] == [100] * 4
