"""A process that starts clients until it is killed, and tells what became of the key on the way to OpenSSL.

Three things are told of each start: every file that was opened for writing, wherever it is; what stood in the file from
which OpenSSL took the key; and who may read it.
"""

from __future__ import annotations

import multiprocessing
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import attrs

from aiomar import ClientIdentity, Environment, OmarClient, OmarConfig, Trust
from aiomar.transport import build_context
from aiomar.transport._trust import KeyFile, disk_file, memory_file
from tests.support.canaries import Canaries

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@attrs.frozen(kw_only=True)
class Starts:
    """What a child does; everything in it pickles.

    Args:
        certificate: a PEM file.
        key: likewise, encrypted.
        passphrase: opens it.
        ca_file: whom to trust.
        home: working directory, temporary directory and home of the child.
        canaries: what must be nowhere.
    """

    certificate: Path
    key: Path
    passphrase: str
    ca_file: Path
    home: Path
    canaries: Canaries


@attrs.frozen
class Told:
    """What is told of one start."""

    way: str
    written: tuple[str, ...]
    """Files that were opened for writing."""
    read: int
    """Key files that were looked into."""
    wrong: tuple[str, ...]
    """What must not be."""


@attrs.define
class _Watch:
    canaries: Canaries
    written: list[str] = attrs.field(factory=list)
    wrong: list[str] = attrs.field(factory=list)
    read: int = 0

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        """Be an audit hook; a bare descriptor is one whose path was noted before, or a file in memory."""
        if event == "open" and isinstance(arguments[0], str) and isinstance(flags := arguments[2], int):
            self.written += [arguments[0]] if flags & _WRITING else []

    def over(self, key_file: KeyFile) -> KeyFile:
        """Look into the file while OpenSSL may read it."""

        @contextmanager
        def watched(content: bytes) -> Iterator[str]:
            with key_file(content) as name:
                path = Path(name)
                self.read += 1
                self.wrong += self.canaries.found_in(path.read_bytes())
                if (
                    path.parent.name.startswith("aiomar-")
                    and (path.stat().st_mode | path.parent.stat().st_mode) & _OTHERS
                ):
                    self.wrong.append("readable by others")
                yield name

        return watched

    def tell(self, way: str) -> Told:
        """Give what was seen since the last time."""
        told = Told(way, tuple(self.written), self.read, tuple(self.wrong))
        self.written, self.wrong, self.read = [], [], 0
        return told


def _run(wanted: Starts, told: Connection) -> None:
    os.chdir(wanted.home)
    os.environ |= {"TMPDIR": str(wanted.home), "HOME": str(wanted.home), "XDG_STATE_HOME": str(wanted.home)}
    tempfile.tempdir = str(wanted.home)  # or it would try out the directory first, with a file
    environment = Environment("started", "https://localhost:1", "https://localhost:2")
    watch = _Watch(wanted.canaries)
    sys.addaudithook(watch.note)
    while True:
        for way in ("client", "memory", "disk"):
            identity = ClientIdentity.from_pem(wanted.certificate, wanted.key, wanted.passphrase)
            trust = Trust(ca_file=wanted.ca_file)
            if way == "client":
                OmarClient(OmarConfig(identity, environment, trust=trust))
            else:
                build_context(identity, trust, key_file=watch.over(memory_file if way == "memory" else disk_file))
            told.send(watch.tell(way))


def start(wanted: Starts) -> tuple[BaseProcess, Connection]:
    """Start a child; gives where it tells of its starts."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(wanted, theirs), daemon=True)
    child.start()
    theirs.close()
    return child, ours
