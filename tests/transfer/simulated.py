"""Servers and a client that never has enough, simulated event by event: no loop, no clock, a seed for chance."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from typing import Protocol

import attrs

from aiomar.transfer._limit import Limit


class Server(Protocol):
    """How long a request that comes now takes, and whether it is refused."""

    def arrive(self, now: float, running: int) -> tuple[float, bool]:
        """Take a request.

        Args:
            now: seconds.
            running: requests under way, this one among them.
        """


@attrs.define
class Queue:
    """Some workers, and a queue before them that refuses nobody: the wait grows with its length."""

    workers: int
    seconds: float
    _free: list[float] = attrs.field(factory=list)

    def arrive(self, now: float, running: int) -> tuple[float, bool]:  # noqa: ARG002, D102 - see Server
        start = now if len(self._free) < self.workers else max(now, heapq.heappop(self._free))
        heapq.heappush(self._free, start + self.seconds)
        return start + self.seconds - now, False


@attrs.define
class Thrashing:
    """Works on all at once; beyond its capacity each takes longer with the square of the overload."""

    capacity: int
    seconds: float

    def arrive(self, now: float, running: int) -> tuple[float, bool]:  # noqa: ARG002, D102 - see Server
        return self.seconds * max(1.0, running / self.capacity) ** 2, False


@attrs.define
class Refusing:
    """Refuses at once what it cannot work on at once."""

    capacity: int
    seconds: float
    _ends: list[float] = attrs.field(factory=list)

    def arrive(self, now: float, running: int) -> tuple[float, bool]:  # noqa: ARG002, D102 - see Server
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        if len(self._ends) >= self.capacity:
            return self.seconds / 20, True
        heapq.heappush(self._ends, now + self.seconds)
        return self.seconds, False


@attrs.define
class Varied:
    """Bears everything; its answers differ in kind, so their waits spread widely (lognormal, sigma 1).

    Args:
        seconds: the median.
        slower_from: the moment from which everything takes twice as long.
        refused: the share of requests that are refused for no reason.
    """

    seconds: float
    chance: random.Random
    slower_from: float = float("inf")
    refused: float = 0.0

    def arrive(self, now: float, running: int) -> tuple[float, bool]:  # noqa: ARG002, D102 - see Server
        seconds = self.seconds * self.chance.lognormvariate(0, 1) * (2 if now >= self.slower_from else 1)
        return seconds, self.chance.random() < self.refused


@attrs.frozen
class History:
    """What came of a run."""

    limits: Sequence[int]
    """After each answer."""
    refused: Sequence[bool]
    """Of each answer."""
    seconds: float

    @property
    def settled(self) -> float:
        """The mean limit in the second half."""
        half = self.limits[len(self.limits) // 2 :]
        return sum(half) / len(half)


def run(limit: Limit, server: Server, answers: int, chance: random.Random) -> History:
    """Ask a server as fast as the limit allows, until so many answers are there; each comes up to a tenth later."""
    now = 0.0
    coming: list[tuple[float, int, float, bool]] = []
    limits: list[int] = []
    refusals: list[bool] = []
    while len(limits) < answers:
        while limit.taken < limit.whole:
            number = limit.begin()
            wait, refused = server.arrive(now, limit.taken)
            wait *= chance.uniform(1.0, 1.1)
            heapq.heappush(coming, (now + wait, number, wait, refused))
        now, number, wait, refused = heapq.heappop(coming)
        if refused:
            limit.badly(number)
        else:
            limit.well(number, wait)
        limit.end()
        limits.append(limit.whole)
        refusals.append(refused)
    return History(limits, refusals, now)
