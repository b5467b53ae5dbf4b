"""G18: a client that starts, and is killed at any instant of it, leaves the private key in plain nowhere.

Files come and go within a millisecond, so nobody looks out for them from outside.  Each child tells what it opened for
writing (Python's audit hook misses nothing, on no file system) and what OpenSSL was given to read.  A child that is to
be killed is stopped first, and everything that it holds open is read; what it leaves is read afterwards.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from aiomar.testing import Authority
from tests.support.canaries import Canaries, key_forms, text_forms
from tests.support.gates import Gate
from tests.support.starting import Starts, Told, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, and keeps keys in memory")

PASSPHRASE = "canary-passphrase-0815"


def held_open(child: BaseProcess) -> Iterator[bytes]:
    """Give the content of every file that a stopped process holds open, also of those without a name."""
    for link in Path(f"/proc/{child.pid}/fd").iterdir():
        with suppress(OSError):  # a socket or a pipe
            target = str(link.readlink())
            if target.startswith(("/memfd:", "/")) and not target.startswith("/dev/"):
                yield link.read_bytes()


def stop(child: BaseProcess) -> None:
    """Stop a process, and wait until it stands."""
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"T", "t"}:
        os.sched_yield()


def is_wrong(told: Told, home: Path) -> bool:
    """Whether a start did what it must not: open another file than the one on disk, or give OpenSSL a plain key."""
    files = [Path(path) for path in told.written]
    good = [path for path in files if path.name == "key.pem" and path.is_relative_to(home) and told.way == "disk"]
    return bool(told.wrong) or good != files or (told.way != "client") != told.read


@pytest.mark.gate("G18")
def test_no_key_in_plain(gate: Gate, omar_authority: Authority, tmp_path: Path) -> None:
    """Not in a file that OpenSSL reads, not in one that is held open, not in what a kill leaves behind."""
    canaries = Canaries({"key": key_forms(omar_authority._key), "passphrase": text_forms(PASSPHRASE)})
    home, files = tmp_path / "home", tmp_path / "files"
    home.mkdir()
    files.mkdir()
    credentials = omar_authority.write(files, PASSPHRASE)
    wanted = Starts(
        certificate=credentials.certificate,
        key=credentials.key,
        passphrase=PASSPHRASE,
        ca_file=credentials.ca_file,
        home=home,
        canaries=canaries,
    )
    starts, kills = 0, 0
    wrong: list[object] = []
    while starts < gate.count(ci=1_000, long=10_000):
        child, tells = start(wanted)
        with tells:
            for _ in range(gate.rng.randint(1, 60)):
                told = tells.recv()
                starts += 1
                wrong += [told] if is_wrong(told, home) else []
            threading.Event().wait(gate.rng.uniform(0.0, 0.01))  # any instant of a start, which takes as long
            stop(child)
            wrong += [found for content in held_open(child) if (found := canaries.found_in(content))]
            child.kill()
            child.join()
        child.close()
        kills += 1
        wrong += canaries.found_below(home)
    gate.record(starts, len(wrong), "starts of a client")
    gate.record(kills, len(wrong), "kills in the middle of a start")
    assert wrong == []
    assert canaries.found_below(files) == {}


@pytest.mark.gate("G18")
def test_a_plain_key_would_be_found(gate: Gate, omar_authority: Authority, tmp_path: Path) -> None:
    """The search finds the key in every form in which it could stand in a file, and no encrypted one."""
    canaries = Canaries({"key": key_forms(omar_authority._key)})
    plain = omar_authority.write(tmp_path)
    key = omar_authority._key.private_numbers().private_value
    (tmp_path / "number").write_text(f"{{'d': {key}}}")
    (tmp_path / "traditional").write_bytes(omar_authority._client.private_key_pem.bytes())
    found = canaries.found_below(tmp_path)
    names = {plain.key.name, "number", "traditional", plain.pkcs12.name}
    gate.record(len(names), len(names ^ {Path(path).name for path in found}), "planted keys that are found")
    assert {Path(path).name for path in found} == names
    plain.key.write_bytes(omar_authority.key_pem(PASSPHRASE))
    assert canaries.found_in(plain.key.read_bytes()) == set()
