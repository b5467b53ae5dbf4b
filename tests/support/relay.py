"""A TCP relay between client and server that poisons what passes: Toxiproxy's idea, in this event loop, with a seed.

Toxics (`toxics.py`) are added and cleared while connections live, and take hold of those too.  Every effect is counted
by the toxic's name, and one that was asked for and took no effect is an error at the end: a test must not pass because
its trouble did not happen.  Chance comes from a seed and the number of the connection, so it does not depend on which
of two connections is served first.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from functools import partial
from types import TracebackType
from typing import Self

from tests.support.toxics import Dose, Down, Ending, Step, Stream, Toxic, through

_PIECE = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)


class UnusedToxicError(AssertionError):
    """A toxic never took effect."""


class Relay:
    """A port of 127.0.0.1 that leads to another one.

    Args:
        target: the port of the server.
        seed: where chance comes from.
    """

    def __init__(self, target: int, seed: object = 0) -> None:
        self._target = target
        self._seed = seed
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._toxics: dict[Toxic, int] = {}
        """With how often each has taken effect."""
        self._accepting: asyncio.Task[None] | None = None
        self._problems: list[BaseException] = []
        self.connections = 0
        self.fired: Counter[str] = Counter()
        """How often toxics took effect, by name."""

    async def __aenter__(self) -> Self:
        """Listen."""
        # Holds the number while nobody listens there: another process could get it otherwise.
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]
        self._listen()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cut everything; then raise what went wrong here, or name the toxics that never took effect."""
        tasks = self._tasks | ({self._accepting} if self._accepting else set())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._holder.close()
        if exc_type is None:
            for problem in self._problems:
                raise problem
            self.check()

    @property
    def origin(self) -> str:
        """Its address for an `Environment`."""
        return f"https://localhost:{self.port}"

    # --- Toxics -------------------------------------------------------------------------------------------------------

    @property
    def toxics(self) -> list[Toxic]:
        """Those that it has now."""
        return list(self._toxics)

    def add(self, *toxics: Toxic) -> None:
        """Poison the connections that are open and all that will be."""
        for toxic in toxics:
            self._toxics[toxic] = 0
            if isinstance(toxic, Down):
                self._stop_listening(toxic)
        for link in self._links:
            self._poison(link, toxics)

    def remove(self, *toxics: Toxic) -> None:
        """Take toxics away; connections of which something was swallowed are reset."""
        for toxic in toxics:
            self._toxics.pop(toxic, None)
        for link in self._links:
            link.doses = [dose for dose in link.doses if dose.toxic in self._toxics]
            if link.swallowed:
                link.finish(Ending.RESET)
        if self._accepting is None and not any(isinstance(toxic, Down) for toxic in self._toxics):
            self._listen()

    def clear(self) -> None:
        """Be healthy again."""
        self.remove(*self._toxics)

    def check(self) -> None:
        """Do nothing if every toxic took effect.

        Raises:
            UnusedToxicError: naming those that did not.
        """
        if unused := [str(toxic) for toxic, count in self._toxics.items() if not count]:
            raise UnusedToxicError(f"never took effect: {', '.join(unused)}")

    def _poison(self, link: _Link, toxics: tuple[Toxic, ...]) -> None:
        for toxic in toxics:
            if link.rng.random() < toxic.toxicity:
                link.doses.append(Dose(toxic, link.rng, partial(self._spend, toxic)))

    def _spend(self, toxic: Toxic) -> bool:
        count = self._toxics.get(toxic)
        if count is None or (toxic.times is not None and count >= toxic.times):
            return False
        self._toxics[toxic] = count + 1
        self.fired[toxic.name] += 1
        return True

    # --- Connections --------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        listener = _bound(self.port)
        listener.listen(128)
        self._accepting = asyncio.create_task(self._accept(listener))
        self._accepting.add_done_callback(partial(self._stopped, listener))

    def _stop_listening(self, toxic: Toxic) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            self._accepting = None
        for link in self._links:
            link.finish(Ending.CLOSE)
        self._spend(toxic)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(listener)
            self.connections += 1
            link = _Link(near, random.Random(f"{self._seed} {self.connections}"))  # noqa: S311 - no secret
            self._poison(link, tuple(self._toxics))
            self._links.add(link)
            task = asyncio.create_task(link.run(self._target))
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, link))

    def _stopped(self, listener: socket.socket, task: asyncio.Task[None]) -> None:
        listener.close()
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._problems.append(problem)

    def _ended(self, link: _Link, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._links.discard(link)
        link.close()  # also of one that was cancelled before it began
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._problems.append(problem)


class _Link:
    """One connection and its other half.

    Args:
        near: the client's side.
        rng: chance.
    """

    def __init__(self, near: socket.socket, rng: random.Random) -> None:
        self._near = _prepared(near)
        self._far = _prepared(socket.socket())
        self.rng = rng
        self.doses: list[Dose] = []
        self.swallowed = False
        """Whether bytes are missing on one of the sides."""
        self._over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def finish(self, ending: Ending) -> None:
        """End it now, from outside or from one of its streams."""
        if not self._over.done():
            self._over.set_result(ending)

    def close(self) -> None:
        """Close both sides."""
        self._near.close()
        self._far.close()

    async def run(self, target: int) -> None:
        """Carry bytes both ways until both ways have ended, or one of them ends it all."""
        pumps: list[asyncio.Task[None]] = []
        try:
            try:
                await asyncio.get_running_loop().sock_connect(self._far, ("127.0.0.1", target))
            except OSError:
                self.finish(Ending.RESET)
            pumps = [
                asyncio.create_task(self._pump(self._near, self._far, "upstream")),
                asyncio.create_task(self._pump(self._far, self._near, "downstream")),
            ]
            for pump in pumps:
                pump.add_done_callback(lambda _: self.finish(Ending.CLOSE) if all(map(_is_done, pumps)) else None)
            if await self._over is Ending.RESET:
                for side in (self._near, self._far):
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        finally:
            for pump in pumps:
                pump.cancel()
            # Only then: the loop must not wait at a number that has become somebody else's.
            results = await asyncio.gather(*pumps, return_exceptions=True)
            self.close()
        for problem in results:
            if isinstance(problem, Exception):
                raise problem

    async def _pump(self, source: socket.socket, target: socket.socket, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(source, _PIECE):
                doses = [dose for dose in self.doses if dose.toxic.stream == stream]
                for step in through(doses, data) if doses else (Step(data),):
                    if step.wait:
                        await asyncio.sleep(step.wait)
                    if step.data:
                        await loop.sock_sendall(target, step.data)
                    if step.ending:
                        await self._end(source, step)
                        return
            for dose in self.doses:
                if dose.toxic.stream == stream and (seconds := dose.before_close()):
                    await asyncio.sleep(seconds)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # one of the sides went away with a reset: so does the other
            self.finish(Ending.RESET)

    async def _end(self, source: socket.socket, step: Step) -> None:
        """Carry out an ending; a hole swallows the rest until its time is over or its peer gives up."""
        self.swallowed = True
        if step.ending is not Ending.HOLE:
            await asyncio.sleep(step.linger or 0.0)
            self.finish(step.ending or Ending.CLOSE)
            return
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(step.linger):
                while await loop.sock_recv(source, _PIECE):
                    pass
                if step.linger is not None:
                    await loop.create_future()
        except TimeoutError:
            self.finish(Ending.CLOSE)


def _bound(port: int) -> socket.socket:
    """Give a socket with a number that several may have, as only one of them listens."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    bound.setblocking(False)  # noqa: FBT003 - the name of the method says it
    return bound


def _is_done(task: asyncio.Task[None]) -> bool:
    return task.done()


def _prepared(side: socket.socket) -> socket.socket:
    side.setblocking(False)  # noqa: FBT003 - the name of the method says it
    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return side
