"""No example may reach a real OMAR-Online: a process that is guarded asks for no host but its own machine."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator

_HERE = {None, "", "localhost", "127.0.0.1", "::1"}


class _Guard:
    """Hears of every look-up of a name in this process, as audit hooks do; one is never taken back."""

    def __init__(self) -> None:
        self.up = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.getaddrinfo" and self.up and arguments[0] not in _HERE:
            words = f"an example asks for the host {arguments[0]!r}, and must not leave this machine"
            os.write(2, f"{words}\n".encode())  # whatever becomes of the error
            raise PermissionError(words)


_guard = functools.cache(_Guard)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Guard this process."""
    guard = _guard()
    guard.up = True
    try:
        yield
    finally:
        guard.up = False
