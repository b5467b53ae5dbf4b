"""The commands of the sandbox: ``aiomar`` and ``pytest``, processes of their own that start at once, and ``python``.

Importing aiomar and its command line takes most of a second, and the pages have a hundred commands.  So one process has
imported everything and waits.  A command on the sandbox's PATH is a small script (``_CLIENT``) that hands over its
arguments, directory, environment and its three streams through a socket; the waiting process forks, and the child runs
the command with them.  What the script gets back is the child's number, to which it passes signals on, and the exit
code.  The waiting process ends with the standard input that it was given.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.documents.guard import guarded

NAMES = ("aiomar", "pytest")
_MOST = 1 << 20
"""Bytes of arguments and environment."""

_CLIENT = """\
#!{python} -IS
import json, os, signal, socket, sys

connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect({address!r})
asked = [os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), dict(os.environ)]
socket.send_fds(connection, [json.dumps(asked).encode()], [0, 1, 2])
child = int(connection.recv(64))
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(child, number))
sys.exit(int(connection.recv(64) or 137))
"""


@contextlib.contextmanager
def waiting(directory: Path) -> Iterator[Path]:
    """Start the process that waits, and give the directory with the commands.

    Args:
        directory: an empty one, with a path that is short enough for a socket.
    """
    address, place = directory / "socket", directory / "bin"
    place.mkdir()
    client = place / NAMES[0]
    client.write_text(_CLIENT.format(python=sys.executable, address=str(address)), encoding="utf-8")
    client.chmod(0o700)
    for name in NAMES[1:]:
        (place / name).symlink_to(client.name)
    python = place / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    python.chmod(0o700)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.documents.commands", str(address)],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},  # or it is measured too
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # who interrupts the tests means them, and not this
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield place


def _door() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def main(address: str) -> None:
    """Wait for commands until standard input ends."""
    import aiomar.cli._app  # noqa: PLC0415 - what this process is for
    import aiomar.testing._server  # noqa: F401, PLC0415 - the same, for `aiomar simulate`

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children here
    with guarded(), _door() as door, selectors.DefaultSelector() as selector:
        door.bind(address)
        door.listen()
        selector.register(door, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        gc.freeze()
        os.write(1, b"ready\n")
        while all(key.fileobj is door for key, _ in selector.select()):
            connection, _ = door.accept()
            with connection:
                asked, streams, _, _ = socket.recv_fds(connection, _MOST, 3)
                if os.fork() == 0:
                    _become(connection, asked, streams)
                for stream in streams:
                    os.close(stream)


def _become(connection: socket.socket, asked: bytes, streams: Sequence[int]) -> None:
    """Be the command, to its end."""
    code = 1
    name, arguments, directory, environ = json.loads(asked)
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        # What is there remembers of its old files whether they can be sought in.
        sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - the same
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environ)
        sys.path[0] = ""
        connection.send(str(os.getpid()).encode())
        code = _run(name, arguments)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            connection.send(str(code).encode())
        os._exit(code)


def _run(name: str, arguments: list[str]) -> int:
    try:
        if name == "aiomar":
            from aiomar.cli import main as aiomar  # noqa: PLC0415 - is imported already

            return aiomar(arguments)
        if name == "pytest":
            import pytest  # noqa: PLC0415 - few pages need it

            return int(pytest.main(arguments))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as Python does it at the end of a program
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    main(sys.argv[1])
