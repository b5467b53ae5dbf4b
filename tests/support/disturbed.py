"""A machine that fails on demand: the k-th call to its file system or network, for tests that try every k.

`Tripwire` counts the calls and says which one fails; `failing_files` and `failing_sockets` lead every call past it, and
`opened` gives a client that lives on such a machine.  A call that fails leaves what it would leave on a real one: half
of what was to be written, a descriptor that is closed all the same.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import attrs
import pytest

from aiomar import OmarClient, OmarConfig
from aiomar._assembly import Effects, assemble
from aiomar._files import FileSystem
from tests.client.helpers import client_threads, descriptors, until

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from aiomar.transfer import Observer
    from aiomar.transport import SocketFactory

_P = ParamSpec("_P")
_T = TypeVar("_T")

_NUMBERS: Mapping[str, Sequence[int]] = {
    "open": (errno.ENOSPC, errno.EACCES, errno.EMFILE, errno.EIO),
    "read": (errno.EIO,),
    "write": (errno.ENOSPC, errno.EIO, errno.EDQUOT),
    "fstat": (errno.EIO,),
    "fsync": (errno.EIO, errno.ENOSPC),
    "sync_all": (errno.EIO,),
    "close": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "link": (errno.EACCES, errno.ENOSPC, errno.EIO),
    "replace": (errno.EACCES, errno.EIO, errno.ENOSPC),
    "unlink": (errno.EACCES, errno.EIO),
    "scandir": (errno.EMFILE, errno.EACCES),
    "socket": (errno.EMFILE, errno.ENOBUFS),
    "connect": (errno.ENETUNREACH, errno.ECONNREFUSED, errno.ETIMEDOUT),
    "getsockopt": (errno.ECONNREFUSED, errno.ETIMEDOUT),
    "recv": (errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH),
    "recv_into": (errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH),
    "send": (errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT),
    "sendmsg": (errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT),
}
"""What may go wrong with a call; which of them does goes round."""


@attrs.define
class Tripwire:
    """Counts calls; the armed ones fail, and in a lasting failure every one after the first, too.

    Attributes:
        failed: the names of the calls that failed, with the numbers of their errors.
        count: how many calls came since it was armed.
    """

    failed: list[tuple[str, int]] = attrs.field(factory=list)
    count: int = 0
    _at: frozenset[int] = frozenset()
    _lasting: bool = False
    _turn: threading.Lock = attrs.field(factory=threading.Lock)

    def arm(self, *at: int, lasting: bool = False) -> None:
        """Count from the beginning, and let these calls fail, by their numbers from 1."""
        self._at, self._lasting, self.count, self.failed = frozenset(at), lasting, 0, []

    def disarm(self) -> None:
        """Let nothing fail any more; `failed` stays."""
        self._at = frozenset()

    def trips(self, name: str) -> OSError | None:
        """Count a call, and give the error if it is to fail."""
        with self._turn:
            self.count += 1
            if self.count not in self._at and not (self._lasting and self._at and self.count > min(self._at)):
                return None
            numbers = _NUMBERS[name]
            number = numbers[(min(self._at) + len(self.failed)) % len(numbers)]
            self.failed.append((name, number))
            return OSError(number, os.strerror(number))


@attrs.frozen
class _FailingFiles:
    """What leads calls to this machine's file system past a tripwire."""

    wire: Tripwire
    links: bool
    most_written: int | None
    real: FileSystem = attrs.field(factory=FileSystem)

    def guarded(self, name: str, call: Callable[_P, _T]) -> Callable[_P, _T]:
        """Lead a call past the tripwire that does nothing when it fails."""

        def guard(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            if error := self.wire.trips(name):
                raise error
            return call(*args, **kwargs)

        return guard

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write; a failing call leaves half of it."""
        if error := self.wire.trips("write"):
            self.real.write(fd, data[: len(data) // 2])
            raise error
        return self.real.write(fd, data[: self.most_written])

    def link(self, source: str, target: str, *, follow_symlinks: bool) -> None:
        """Link, where there are links."""
        if not self.links:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        self.real.link(source, target, follow_symlinks=follow_symlinks)

    def close(self, fd: int) -> None:
        """Close; the descriptor is gone also when that fails."""
        self.real.close(fd)
        if error := self.wire.trips("close"):
            raise error


def failing_files(wire: Tripwire, *, links: bool = True, most_written: int | None = None) -> FileSystem:
    """Give this machine's file system with a tripwire; nothing waits for a disk there, syncs end at once.

    Args:
        wire: says which calls fail.
        links: whether it has hard links.
        most_written: how many bytes one call writes at most.
    """
    failing, real = _FailingFiles(wire, links, most_written), FileSystem()
    return FileSystem(
        open=failing.guarded("open", real.open),
        read=failing.guarded("read", real.read),
        write=failing.write,
        fstat=failing.guarded("fstat", real.fstat),
        fsync=failing.guarded("fsync", lambda _: None),
        sync_all=lambda _: wire.trips("sync_all") is None,
        close=failing.close,
        link=failing.guarded("link", failing.link),
        replace=failing.guarded("replace", real.replace),
        unlink=failing.guarded("unlink", real.unlink),
        scandir=failing.guarded("scandir", real.scandir),
    )


class _FailingSocket(socket.socket):
    """A socket with a tripwire, in what asyncio calls."""

    wire = Tripwire()  # of its own one when it is made

    def _guard(self, name: str) -> None:
        if error := self.wire.trips(name):
            raise error

    def connect(self, address: Any, /) -> None:  # noqa: ANN401 - the socket's
        self._guard("connect")
        super().connect(address)

    def getsockopt(self, level: int, name: int, *rest: int) -> Any:  # noqa: ANN401 - the socket's
        """Give an option; how a connect ended comes as a number, not as an exception."""
        if name == socket.SO_ERROR and (error := self.wire.trips("getsockopt")):
            return error.errno
        return super().getsockopt(level, name, *rest)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self._guard("recv")
        return super().recv(size, flags)

    def recv_into(self, buffer: WriteableBuffer, size: int = 0, flags: int = 0) -> int:
        self._guard("recv_into")
        return super().recv_into(buffer, size, flags)

    def send(self, data: ReadableBuffer, flags: int = 0, /) -> int:
        self._guard("send")
        return super().send(data, flags)

    def sendmsg(self, *args: Any) -> int:  # noqa: ANN401 - the socket's
        self._guard("sendmsg")
        return super().sendmsg(*args)


def failing_sockets(wire: Tripwire) -> SocketFactory:
    """Give sockets with a tripwire; making one counts as a call, too."""

    def make(address: tuple[Any, ...]) -> socket.socket:
        if error := wire.trips("socket"):
            raise error
        family, kind, protocol, *_ = address
        made = _FailingSocket(family, kind, protocol)
        made.wire = wire
        return made

    return make


@asynccontextmanager
async def opened(config: OmarConfig, effects: Effects, observer: Observer | None = None) -> AsyncIterator[OmarClient]:
    """Give an open client with other effects."""
    client = OmarClient(config, observer=observer)
    client._parts = assemble(config, client._context, observer, effects)
    async with client:
        yield client


def tasks_of_client() -> list[str]:
    """Name the tasks of this loop that belong neither to a test nor to the embedded server, with what they run."""
    others = ("/tests/", "/testing/", "web_protocol", "pytest")
    found = []
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        coroutine = task.get_coro()
        code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "ag_code", None)
        if not any(other in (code.co_filename if code else "") for other in others):
            found.append(f"{task.get_name()}: {coroutine!r}")
    return found


def open_below(directory: Path) -> list[str]:
    """Name the open descriptors that lead to files below a directory."""
    return [lead for lead in descriptors() if lead.startswith(str(directory))]


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Hold what happens inside to leaving no task, thread or descriptor; the peer gets some turns for its ends."""
    before = descriptors()
    yield
    try:
        await until(lambda: not tasks_of_client() and not client_threads() and descriptors() == before)
    except TimeoutError:
        left = [*tasks_of_client(), *client_threads(), *(Counter(descriptors()) - Counter(before))]
        pytest.fail(f"{left} did not end")
