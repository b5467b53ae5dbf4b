"""Where a ledger stands, who may read it, and what is said when it cannot be used."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import attrs
import pytest

from aiomar._files import REAL_FILES, FileSystem
from aiomar.errors import ConfigError, DiskError
from aiomar.submissions import Ledger, SubmissionState, ledger_directory
from tests.support.ledgers import NOW, ended, intend

T = TypeVar("T")
HOLDER = "ab" * 32
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="rights and links are other things there")


def test_each_environment_and_holder_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """The name can be read, is safe on every system, and always the same."""
    origins = ["https://omar-online.caiso.com", "https://omar-online.caiso.com:444", "https://[::1]:8443"]
    folders = [ledger_directory(tmp_path, origin, holder) for origin in origins for holder in (HOLDER, "cd" * 32)]
    assert len(set(folders)) == 6
    assert {folder.parent for folder in folders} == {tmp_path / "submissions"}
    assert folders[0].name.startswith("omar-online.caiso.com-")
    assert folders[4].name.startswith("___1__8443-")
    assert ledger_directory(tmp_path, origins[0], HOLDER) == folders[0]


@pytest.mark.skipif(sys.platform != "linux", reason="the variable is of the free desktops")
def test_the_platform_says_where_state_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a state directory it is the user's own, below the name of aiomar."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert ledger_directory(None, "https://x", HOLDER).parent == tmp_path / "aiomar" / "submissions"


def test_a_state_directory_counts_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative one is where the program was started, and stays there."""
    monkeypatch.chdir(tmp_path)
    assert ledger_directory("state", "https://x", HOLDER).parent == tmp_path / "state" / "submissions"


@POSIX
def test_only_its_owner_can_read_it(folder: Path) -> None:
    """Directories 0700 and files 0600, the journal and the answers too, whatever the umask is."""
    old = os.umask(0)
    try:
        with Ledger.open(folder) as ledger:
            ledger.keep_answer(intend(ledger), b"<html>")
    finally:
        os.umask(old)
    made = [folder.parents[1], folder.parent, folder, *folder.rglob("*")]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
    assert {mode for path, mode in zip(made, modes.values(), strict=True) if path.is_dir()} == {0o700}
    assert {mode for path, mode in zip(made, modes.values(), strict=True) if path.is_file()} == {0o600}
    assert {"ledger.sqlite3", "ledger.sqlite3-journal"} <= modes.keys()


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as shell:
        shell.execute("CREATE TABLE t (x)")


def _newer(path: Path) -> None:
    with Ledger.open(path.parent), closing(sqlite3.connect(path)) as shell:
        shell.execute("PRAGMA user_version = 99")


def _torn(path: Path) -> None:
    with Ledger.open(path.parent) as ledger:
        intend(ledger)
    path.write_bytes(path.read_bytes()[:4000])


def _incomplete(path: Path) -> None:
    with Ledger.open(path.parent), closing(sqlite3.connect(path)) as shell:
        shell.execute("DROP TABLE changes")


def _linked(path: Path) -> None:
    with Ledger.open(path.parent.with_name("elsewhere")):
        path.symlink_to(path.parent.with_name("elsewhere") / path.name)


def _linked_journal(path: Path) -> None:
    Ledger.open(path.parent).close()
    journal = path.with_name("ledger.sqlite3-journal")
    journal.unlink()
    journal.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_foreign, r"ledger\.sqlite3 is not a ledger of aiomar: move it away, or set state_dir"),
        (_newer, r"written by a newer version of aiomar: update aiomar"),
        (_torn, r"is damaged .*: keep it, it is proof of what was submitted; move it aside"),
        (_incomplete, r"is damaged \(no such table: changes\)"),
        (lambda path: path.write_bytes(b"what is this?" * 100), r"is damaged \(file is not a database\)"),
        (lambda path: path.mkdir(), r"is not a file: remove it"),
        pytest.param(_linked, r"is not a file: remove it", marks=POSIX),
    ],
)
def test_what_cannot_be_used_is_refused_and_left_as_it_is(
    folder: Path, spoil: Callable[[Path], object], words: str
) -> None:
    """Each case has its words and its advice; a ledger never begins anew by itself."""
    folder.mkdir(parents=True)
    path = folder / "ledger.sqlite3"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigError, match=words):
        Ledger.open(folder)
    assert (path.read_bytes() if path.is_file() else None) == before


@POSIX
def test_a_journal_that_is_a_link_is_not_written_through(folder: Path) -> None:
    """Nothing is written elsewhere, and nothing is recorded."""
    folder.mkdir(parents=True)
    _linked_journal(folder / "ledger.sqlite3")
    with Ledger.open(folder) as ledger, pytest.raises(DiskError):
        intend(ledger)
    assert not (folder / "elsewhere").exists()


def test_a_place_where_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    """A file in the way is named, with what to do."""
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"no file is submitted without a record: .* set state_dir"):
        Ledger.open(ledger_directory(tmp_path / "state", "https://x", HOLDER))


def test_damage_that_comes_while_it_is_open_is_said(ledger: Ledger, folder: Path) -> None:
    """Nothing is guessed: the file is named, and to be kept."""
    ended(ledger, SubmissionState.ACCEPTED, os.urandom(20_000))
    path = folder / "ledger.sqlite3"
    whole = path.read_bytes()
    # With another number of changes in its head, so that nothing is taken from memory.
    path.write_bytes(whole[:24] + b"\x00\x00\xff\xff" + whole[28:4096] + b"\xff" * (len(whole) - 4096))
    for call in (lambda: list(ledger.records()), lambda: intend(ledger)):
        with pytest.raises(DiskError, match=r"ledger\.sqlite3 is damaged .*: keep it, it is proof"):
            call()


def test_many_that_open_it_first_at_once_all_get_it(folder: Path) -> None:
    """Whoever is faster makes it, and everybody writes to the same."""
    together = threading.Barrier(8)

    def submit(_: int) -> str:
        together.wait()
        with Ledger.open(folder) as ledger:
            return intend(ledger)

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(submit, range(8)))
    with Ledger.open(folder) as ledger:
        assert {record.id for record in ledger.records()} == ids
    assert len(ids) == 8


@attrs.define
class Failing:
    """A file system whose k-th call fails, counted over all its calls."""

    left: int
    number: int = errno.EIO
    fired: bool = False

    def files(self) -> FileSystem:
        """Give it; closing always works, as a descriptor is gone even if it says otherwise."""
        counted = self._counted
        return FileSystem(open=counted(os.open), write=counted(os.write), fsync=counted(os.fsync))

    def _counted(self, call: Callable[..., T]) -> Callable[..., T]:
        def counted(*arguments: object) -> T:
            self.left -= 1
            if self.left == 0:
                self.fired = True
                raise OSError(self.number, os.strerror(self.number))
            return call(*arguments)

        return counted


@POSIX
@pytest.mark.fault(65)
@pytest.mark.parametrize("why", [errno.EIO, errno.ENOSPC])
def test_whichever_call_fails_when_it_is_made_the_next_one_makes_it(tmp_path: Path, why: int) -> None:
    """Each failure is a `DiskError`, and leaves nothing that is in the way."""
    for number in range(1, 100):
        failing = Failing(number, why)
        folder = tmp_path / str(number) / "submissions" / "x"
        try:
            Ledger.open(folder, failing.files()).close()
        except DiskError as error:
            assert error.errno == why  # noqa: PT017 - the last round raises nothing
        if not failing.fired:
            break
        with Ledger.open(folder) as ledger:
            assert ledger.record(intend(ledger)).content_kept
    assert number == 9  # four directories and the file's name: opened and synced


@POSIX
@pytest.mark.fault(65)
def test_whichever_call_fails_when_an_answer_is_kept_nothing_half_is_left(folder: Path) -> None:
    """Each failure is a `DiskError`; the page is not there, or whole."""
    with Ledger.open(folder) as ledger:
        ids = [intend(ledger) for _ in range(20)]
    for number, ledger_id in enumerate(ids, 1):
        failing = Failing(10_000)
        with Ledger.open(folder, failing.files()) as ledger:
            failing.left = number
            try:
                assert ledger.keep_answer(ledger_id, b"<p>page").read_bytes() == b"<p>page"
            except DiskError as error:
                assert error.errno == errno.EIO  # noqa: PT017 - the last round raises nothing
        kept = folder / "answers" / f"{ledger_id}.html"
        if not failing.fired:
            break
        assert not kept.exists() or kept.read_bytes() == b"<p>page"
    assert number == 6


def test_an_answer_is_kept_once_and_whole(folder: Path) -> None:
    """Also when the system takes one byte at a time; a second page for the same submission is refused."""
    files = attrs.evolve(REAL_FILES, write=lambda fd, data: os.write(fd, data[:1]))
    with Ledger.open(folder, files) as ledger:
        ledger_id = intend(ledger)
        path = ledger.keep_answer(ledger_id, b"<html>what?")
        assert path == folder / "answers" / f"{ledger_id}.html"
        with pytest.raises(DiskError) as caught:
            ledger.keep_answer(ledger_id, b"other")
    assert path.read_bytes() == b"<html>what?"
    assert caught.value.errno == errno.EEXIST


@POSIX
def test_an_answer_is_never_written_through_a_link(ledger: Ledger, folder: Path) -> None:
    """Neither at its own name nor at that of its directory."""
    first, second = intend(ledger), intend(ledger)
    (folder / "elsewhere").mkdir()
    (folder / "answers").symlink_to(folder / "elsewhere")
    with pytest.raises(DiskError):
        ledger.keep_answer(first, b"<p>")
    (folder / "answers").unlink()
    ledger.keep_answer(first, b"<p>")
    (folder / "answers" / f"{second}.html").symlink_to(folder / "elsewhere" / "page")
    with pytest.raises(DiskError):
        ledger.keep_answer(second, b"<p>")
    assert list((folder / "elsewhere").iterdir()) == []


def test_an_intent_outlives_the_clock_and_the_opener(folder: Path) -> None:
    """Closed and opened again, everything is as it was."""
    with Ledger.open(folder) as ledger:
        ids = [ended(ledger, state, now=NOW) for state in SubmissionState]
        before = list(ledger.records())
    with Ledger.open(folder) as ledger:
        assert list(ledger.records()) == before
    assert [record.id for record in before] == ids
