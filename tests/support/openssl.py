"""Programs of OpenSSL for tests: a server that nobody here wrote, and files as other software makes them."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

_READY = re.compile(r"^ACCEPT .*:(\d+)$")


def require_openssl() -> str:
    """Give the program's path; skips the test where there is none."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl program is not installed")
    return program


def run_openssl(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    return subprocess.run([require_openssl(), *arguments], check=check, capture_output=True, stdin=subprocess.DEVNULL)


@functools.cache
def has_legacy_provider() -> bool:
    """Say whether the program can write the ciphers of old browsers."""
    command = ("list", "-providers", "-provider", "legacy")
    return shutil.which("openssl") is not None and b"active" in run_openssl(*command, check=False).stdout


class SServer:
    """A running ``openssl s_server``.

    Attributes:
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.port = int(self.wait_for(_READY.pattern)[1])
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def output(self) -> str:
        """Everything that it has printed so far."""
        with self._changed:
            return "\n".join(self._lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it prints a line in which the pattern is found; fails when it ends without having done so."""
        with self._changed:
            seen = 0
            while True:
                for line in self._lines[seen:]:
                    if found := re.search(pattern, line):
                        return found
                seen = len(self._lines)
                if self._ended:
                    raise AssertionError(f"s_server ended without {pattern!r}; it printed:\n" + "\n".join(self._lines))
                self._changed.wait()

    def tell(self, text: str) -> None:
        """Type a line into it; without ``-www`` it goes to the client, and a lone ``c`` asks for its certificate."""
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End it, and wait until it has ended."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def s_server(*arguments: str | Path, cwd: Path | None = None) -> Iterator[SServer]:
    """Run ``openssl s_server`` on a free port of 127.0.0.1 for as long as the context lasts.

    Args:
        *arguments: options, such as ``"-cert", path, "-key", path, "-Verify", "3", "-www"``.  With ``-www`` it answers
            every request with a page about the connection, with ``-WWW`` with the file that is asked for.
        cwd: the directory that ``-WWW`` serves.
    """
    command = [require_openssl(), "s_server", "-accept", "127.0.0.1:0", *arguments]
    process = subprocess.Popen(
        command, cwd=cwd, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    server = SServer(process)
    try:
        yield server
    finally:
        server.close()
