"""One process at a time on one thing, and words about who it is."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aiomar._process_lock import LockHeldError, acquire

HOLDER = """
import sys
from pathlib import Path
from aiomar._process_lock import acquire
sys.argv[0] = "/somewhere/holder"
lock = acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
lock.release()
print("free", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a lock."""
    return tmp_path / "lock"


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that holds a lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def say(process: subprocess.Popen[str]) -> None:
    """Let the other process go on."""
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_second_process_is_told_who_holds_it(path: Path) -> None:
    """The words name process, program, host and time; after the release the lock is free."""
    with holder(path) as process:
        with pytest.raises(LockHeldError) as caught:
            acquire(path)
        words = caught.value.holder
        assert words.startswith(f"process {process.pid} (holder) on host ")
        assert " since 20" in words
        say(process)
        assert process.stdout
        assert process.stdout.readline() == "free\n"
        with acquire(path):
            pass


@pytest.mark.fault(72)
def test_a_killed_holder_does_not_block(path: Path) -> None:
    """The kernel frees the lock of a process that was killed; the note that it left is replaced."""
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        note = path.with_name("lock.holder.json")
        assert json.loads(note.read_bytes())["pid"] == process.pid
        with acquire(path):
            assert json.loads(note.read_bytes())["pid"] == os.getpid()


def test_one_process_shares_its_lock(path: Path, tmp_path: Path) -> None:
    """Two shares by two names of one file: the lock is free after the second is given back, and not before."""
    (tmp_path / "other").symlink_to(tmp_path)
    first, second = acquire(path), acquire(tmp_path / "other" / "lock")
    first.release()
    first.release()
    assert not is_free(path)
    second.release()
    assert is_free(path)


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (True, True)])
def test_a_lock_held_alone_is_not_shared(path: Path, *, first: bool, second: bool) -> None:
    """Who asks for it alone gets it alone, in one process too, and the words say whose it is."""
    with acquire(path, alone=first), pytest.raises(LockHeldError, match="this process itself"):
        acquire(path, alone=second)
    with acquire(path, alone=second):
        pass


def test_many_threads_take_and_give_back(path: Path) -> None:
    """Threads that come and go at once never see their own process as a stranger, and leave the lock free."""
    failures: list[Exception] = []

    def often() -> None:
        try:
            for _ in range(50):
                acquire(path).release()
        except Exception as error:  # noqa: BLE001 # any is a failure of the test
            failures.append(error)

    threads = [threading.Thread(target=often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert is_free(path)


@pytest.mark.fault(75)
def test_a_forked_child_has_no_share(path: Path) -> None:
    """What a parent holds, its child does not: it is told so instead of working beside it."""
    code = f"""
import os
from pathlib import Path
from aiomar._process_lock import LockHeldError, acquire
lock = acquire(Path({str(path)!r}))
child = os.fork()
if child == 0:
    try:
        acquire(Path({str(path)!r}))
    except LockHeldError as error:
        os._exit(3)
    os._exit(4)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"


def test_files_are_private_and_the_lock_file_stays(path: Path) -> None:
    """Both files have mode 0600; a release removes the note only, because a file that is locked must not go."""
    lock = acquire(path)
    note = path.with_name("lock.holder.json")
    assert [found.stat().st_mode & 0o777 for found in (path, note)] == [0o600, 0o600]
    lock.release()
    assert (path.exists(), note.exists()) == (True, False)


def test_a_note_that_cannot_be_read_is_no_obstacle(path: Path) -> None:
    """The note is a courtesy: whatever stands in it, the second process is told that there is a first."""
    with locked(path):
        for content in (b"", b"{", b"[]", b"null", b'{"pid": 1}', b"\xff\xfe"):
            path.with_name("lock.holder.json").write_bytes(content)
            with pytest.raises(LockHeldError, match="another process"):
                acquire(path)


def test_a_note_cannot_write_on_the_terminal(path: Path) -> None:
    """Control characters and length of a note that somebody else wrote do not reach the message."""
    facts = {"pid": 1, "program": "\x1b[31m" + "x" * 1000, "host": "h\nh", "since": None}
    path.with_name("lock.holder.json").write_text(json.dumps(facts), encoding="utf-8")
    with locked(path), pytest.raises(LockHeldError) as caught:
        acquire(path)
    assert caught.value.holder.isprintable()
    assert len(caught.value.holder) < 200


@pytest.mark.parametrize("name", ["file/lock", "directory", "link"])
def test_a_place_that_cannot_be_locked_is_an_error_of_the_system(tmp_path: Path, name: str) -> None:
    """A file for a directory, a directory or a link in its place: `OSError`, and nothing is held."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for _ in range(2):
        with pytest.raises(OSError, match=r"."):
            acquire(tmp_path / name)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock as a process that knows nothing of ours would: the kernel tells open files apart, not processes."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def is_free(path: Path) -> bool:
    """Whether a process that knows nothing of ours gets the lock."""
    try:
        with locked(path):
            return True
    except BlockingIOError:
        return False
