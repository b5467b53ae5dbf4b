"""What is measured: each workload with its size, what it is compared with, and its goal."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

KB = 1024
MB = 1024 * KB
_BLOCK = MB


@attrs.frozen(kw_only=True)
class Workload:
    """One kind of work, done by every contender that names it.

    Attributes:
        key: one letter; every meter id of the workload begins with it.
        title: for people.
        files: how many downloads.
        size: bytes of each body.
        concurrency: connections at most.
        latency: seconds that the server waits before it answers.
        against: contenders whose slowest is the reference of a round; none where `ideal` or nothing is.
        goal: aiomar's inner time is to be at most this many times the reference.
        aim: the same, wished for.
        seconds_goal: seconds that aiomar may take at most.
        growth_goal: MB that memory may grow by between warm-up and end; the workload then runs in one round only.
        shared_body: whether every meter is answered with the same body: where bodies are not what is measured.
        flat: whether it is only compared with a shorter range, by ``flat.py``.
        offered: how many meters are offered where only the first ones are fetched; `None` for just these.
    """

    key: str
    title: str
    files: int
    size: int
    concurrency: int = 16
    latency: float = 0.0
    against: tuple[str, ...] = ()
    goal: float | None = None
    aim: float | None = None
    seconds_goal: float | None = None
    growth_goal: float | None = None
    shared_body: bool = False
    offered: int | None = None
    flat: bool = False

    @property
    def ideal(self) -> float | None:
        """Seconds that latency alone takes, when every connection is always waiting for an answer."""
        return math.ceil(self.files / self.concurrency) * self.latency or None

    @property
    def scratch_bytes(self) -> int:
        """Memory for the bodies and for one contender's output, files rounded up to pages, with some room."""
        page = 4 * KB
        copies = 1 if self.shared_body else 2
        return int(1.1 * copies * self.files * math.ceil(self.size / page) * page)

    def meters(self) -> Iterator[str]:
        """Give the ids of the meters to fetch, one at a time."""
        return self._meters(self.files)

    def offered_meters(self) -> Iterator[str]:
        """Give the ids of all meters that are offered, one at a time."""
        return self._meters(self.offered or self.files)

    def _meters(self, count: int) -> Iterator[str]:
        return (f"{self.key}{number:06}" for number in range(1, count + 1))

    def reference(self, inner: Mapping[str, float]) -> float | None:
        """Give the seconds to divide by in a round, or `None` where a contender that is needed did not run.

        Args:
            inner: the round's inner seconds by contender.
        """
        if self.ideal:
            return self.ideal
        if not self.against or not inner.keys() >= set(self.against):
            return None
        return max(inner[name] for name in self.against)

    def write_bodies(self, directory: Path) -> None:
        """Write what the server hands out: pseudo-random, so that neither TLS, hash nor memory sees zeros."""
        source = random.Random(self.key)  # noqa: S311 - the same bodies in every run, nothing secret
        names = [self.key] if self.shared_body else list(self.meters())
        for name in names:
            block = b"MDEF" + source.randbytes(min(self.size, _BLOCK) - 4)  # never the "<" that begins a page
            with (directory / name).open("wb") as file:
                for start in range(0, self.size, len(block)):
                    file.write(block[: self.size - start])


PEAK_GOAL = 60.0
"""MB of memory that an aiomar process may take at most, in every workload."""

FLAT_GOAL = 1.1
"""A file of the workload F may cost at most this many times what a file of a small range costs."""

_MANY = 100_000
_HASHED = ("curl", "sha256")
WORKLOADS = (
    Workload(key="A", title="5,000 x 8 KB", files=5_000, size=8 * KB, against=("curl",), goal=2.0, aim=1.5),
    Workload(key="B", title="200 x 2 MB", files=200, size=2 * MB, against=_HASHED, goal=1.2, aim=1.0),
    Workload(key="C", title="one file of 1 GB", files=1, size=1024 * MB, against=_HASHED, goal=1.2, aim=1.0),
    Workload(
        key="D",
        title="400 x 8 KB at 200 ms",
        files=400,
        size=8 * KB,
        concurrency=32,
        latency=0.2,
        goal=1.03,
        shared_body=True,
    ),
    Workload(
        key="M",
        title="1,000,000 selections offered, 100,000 x 1 KB of them fetched",
        files=_MANY,
        size=KB,
        growth_goal=10.0,
        shared_body=True,
        offered=1_000_000,
    ),
    Workload(
        key="R",
        title="a finished range of 100,000 files once more",
        files=_MANY,
        size=KB,
        seconds_goal=5.0,
        shared_body=True,
    ),
    Workload(
        key="F", title="cost of a file in a range of 100,000", files=_MANY, size=8 * KB, shared_body=True, flat=True
    ),
)
