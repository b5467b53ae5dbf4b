"""The eight classic toxics of a network, after Toxiproxy's list: what each makes of the bytes that pass it.

A toxic is a frozen value and does nothing by itself: it turns the bytes that arrive into steps (wait, send, end), which
the relay (`relay.py`) carries out.  So toxics compose: the steps of one are the bytes of the next.  Between TLS peers
it is ciphertext that they delay, slice and cut.

A toxic that destroys something may be given a number of times; when it is used up the network is healthy again.
"""

from __future__ import annotations

import abc
import enum
import random
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Literal

import attrs

Stream = Literal["downstream", "upstream"]
"""From the server to the client, or the other way."""

_DRIP = 4_096
"""A bandwidth lets through so many bytes at a time."""


class Ending(enum.Enum):
    """What becomes of a connection."""

    CLOSE = "close"
    """Both sides see it end in order, as far as TCP goes."""
    RESET = "reset"
    """Both sides see a TCP reset, and lose what is on its way."""
    HOLE = "hole"
    """It stays open, and nothing comes through any more."""


@attrs.frozen
class Step:
    """What the relay does next with a stream."""

    data: bytes = b""
    wait: float = 0.0
    """Seconds before the data."""
    ending: Ending | None = None
    """After the data."""
    linger: float | None = 0.0
    """Seconds before the ending; `None`, of a hole, for good."""


@attrs.define(eq=False)
class Dose:
    """A toxic at work on one stream of one connection.

    Args:
        toxic: what is at work.
        rng: chance.
        spend: asked before each effect; false when the toxic is used up.
    """

    toxic: Toxic
    rng: random.Random
    spend: Callable[[], bool]
    passed: int = 0
    """Bytes that have come so far."""

    def steps(self, data: bytes) -> list[Step]:
        """Say what becomes of the bytes that have come."""
        return self.toxic._steps(self, data)

    def before_close(self) -> float:
        """Give the seconds that an orderly end is held back."""
        return self.toxic._before_close(self)


@attrs.frozen(kw_only=True, eq=False)
class Toxic(abc.ABC):
    """Base of the toxics.

    Args:
        stream: which way it works.
        toxicity: how likely a connection gets it, from 0 to 1.
        times: how often it takes effect, over all connections; `None` for ever.
    """

    name: ClassVar[str]
    stream: Stream = "downstream"
    toxicity: float = 1.0
    times: int | None = None

    @abc.abstractmethod
    def _steps(self, dose: Dose, data: bytes) -> list[Step]:
        """Say what becomes of some bytes."""

    def _before_close(self, dose: Dose) -> float:  # noqa: ARG002 - most do not care
        """Give the seconds that an orderly end is held back."""
        return 0.0


@attrs.frozen(eq=False)
class Latency(Toxic):
    """Holds everything back for a while."""

    name = "latency"
    seconds: float
    jitter: float = 0.0
    """Up to this much more or less."""

    def _steps(self, dose: Dose, data: bytes) -> list[Step]:
        wait = max(0.0, self.seconds + self.jitter * dose.rng.uniform(-1, 1)) if dose.spend() else 0.0
        return [Step(data, wait)]


@attrs.frozen(eq=False)
class Bandwidth(Toxic):
    """Lets so many bytes a second through."""

    name = "bandwidth"
    rate: float

    def _steps(self, dose: Dose, data: bytes) -> list[Step]:
        if not dose.spend():
            return [Step(data)]
        return [Step(piece, len(piece) / self.rate) for piece in _pieces(data, iter(lambda: _DRIP, 0))]


@attrs.frozen(eq=False)
class Slicer(Toxic):
    """Cuts what comes into small pieces and sends them one by one."""

    name = "slicer"
    average: int
    variation: int = 0
    """A piece has up to so many bytes more or less."""
    seconds: float = 0.0
    """Between two pieces."""

    def _steps(self, dose: Dose, data: bytes) -> list[Step]:
        if not dose.spend():
            return [Step(data)]
        sizes = iter(lambda: max(1, self.average + dose.rng.randint(-self.variation, self.variation)), 0)
        return [Step(piece, self.seconds if at else 0.0) for at, piece in enumerate(_pieces(data, sizes))]


@attrs.frozen(eq=False)
class SlowClose(Toxic):
    """Holds the end of a stream back."""

    name = "slow_close"
    seconds: float

    def _steps(self, dose: Dose, data: bytes) -> list[Step]:  # noqa: ARG002 - only its end
        return [Step(data)]

    def _before_close(self, dose: Dose) -> float:
        return self.seconds if dose.spend() else 0.0


@attrs.frozen(eq=False)
class _Deadly(Toxic):
    """Ends a connection."""

    ending: ClassVar[Ending]
    after: int = 0
    """Bytes that still pass."""
    seconds: float | None = 0.0
    """Between the last byte and the end; `None` for a hole that stays until somebody gives it up."""

    def _steps(self, dose: Dose, data: bytes) -> list[Step]:
        room = max(0, self.after - dose.passed)
        dose.passed += len(data)
        if dose.passed < self.after or not dose.spend():
            return [Step(data)]
        return [Step(data[:room], ending=self.ending, linger=self.seconds)]


@attrs.frozen(eq=False)
class LimitData(_Deadly):
    """Closes the connection when so many bytes have passed."""

    name = "limit_data"
    ending = Ending.CLOSE


@attrs.frozen(eq=False)
class Timeout(_Deadly):
    """Lets nothing through any more and closes the connection after a while, or leaves it open for good."""

    name = "timeout"
    ending = Ending.HOLE


@attrs.frozen(eq=False)
class ResetPeer(_Deadly):
    """Resets the connection."""

    name = "reset_peer"
    ending = Ending.RESET


@attrs.frozen(eq=False)
class Down(Toxic):
    """Nobody listens: open connections are closed and new ones refused, for as long as the relay has it."""

    name = "down"

    def _steps(self, dose: Dose, data: bytes) -> list[Step]:  # noqa: ARG002 - there is nobody whom bytes could reach
        return [Step(data)]


NAMES = tuple(kind.name for kind in (Latency, Bandwidth, SlowClose, Timeout, ResetPeer, Slicer, LimitData, Down))
"""All eight."""


def through(doses: Sequence[Dose], data: bytes) -> list[Step]:
    """Send bytes through toxics, one after the other; nothing follows an ending."""
    steps = [Step(data)]
    for dose in doses:
        steps = [again for step in steps for again in _renewed(dose, step)]
    last = next((at for at, step in enumerate(steps) if step.ending), len(steps))
    return steps[: last + 1]


def _renewed(dose: Dose, step: Step) -> list[Step]:
    """Give one step as the next toxic makes it: the first wait and the last ending stay."""
    if not step.data:
        return [step]
    steps = dose.steps(step.data)
    steps[0] = attrs.evolve(steps[0], wait=steps[0].wait + step.wait)
    if steps[-1].ending is None:
        steps[-1] = attrs.evolve(steps[-1], ending=step.ending, linger=step.linger)
    return steps


def _pieces(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
        if at >= len(data):
            break
    return pieces
