"""The policy of repeats as a table of steps, and what a server's ``Retry-After`` does to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from email.utils import format_datetime
from pathlib import Path

import attrs
import pytest

from aiomar import (
    CertificateRejectedError,
    ConfigError,
    ConnectError,
    DeadlineError,
    EmptyBodyError,
    ExchangeError,
    Hint,
    LoginError,
    OmarClient,
    OmarConfig,
    RetryPolicy,
    StatusError,
    TruncatedBodyError,
    UnexpectedPageError,
)
from aiomar._retry import with_retries
from aiomar.testing import OmarServer, Status
from tests.client.helpers import Clock, fetch, give_downloads, sent

LOST = ConnectError("lost")
BUSY = StatusError("busy", status=503, hint=Hint.RETRY)
CUT = TruncatedBodyError("cut", received=1, expected=2)
UNPROVEN = TruncatedBodyError("unproven", received=1, expected=None, hint=Hint.NEVER)
LATE = DeadlineError("late", phase="read")
EMPTY = EmptyBodyError("empty")
GONE = StatusError("gone", status=404)
PAGE = UnexpectedPageError("page", title="", excerpt="")
NO = LoginError("no")
REFUSED = CertificateRejectedError("refused", side="client")
PERHAPS = CertificateRejectedError("perhaps", side="client", certain=False, hint=Hint.RETRY)


def asked(seconds: float) -> StatusError:
    """Make the error of a server that asks for a wait."""
    return StatusError("busy", status=503, retry_after=seconds, hint=Hint.RETRY)


@attrs.frozen
class Step:
    """One case: how attempts end, and the waits and the number of attempts that must come of it."""

    id: str
    errors: Sequence[ExchangeError]
    waits: Sequence[float]
    attempts: int
    good: bool
    policy: RetryPolicy = attrs.field(factory=RetryPolicy)
    random: float = 1.0
    deadline: float | None = None


STEPS = [
    Step("at once", [], [], 1, good=True),
    Step("second attempt", [LOST], [0.5], 2, good=True),
    Step("third attempt", [LOST, BUSY], [0.5, 1.0], 3, good=True),
    Step("three and no more", [CUT, LATE, EMPTY], [0.5, 1.0], 3, good=False),
    Step("full jitter", [LOST, LOST], [0.125, 0.25], 3, good=True, random=0.25),
    Step("no jitter left", [LOST, LOST], [0.0, 0.0], 3, good=True, random=0.0),
    Step("a single attempt", [LOST], [], 1, good=False, policy=RetryPolicy(attempts=1)),
    Step(
        "waits double up to the longest",
        [LOST] * 5,
        [4.0, 8.0, 10.0, 10.0, 10.0],
        6,
        good=True,
        policy=RetryPolicy(attempts=6, first_wait=4.0, longest_wait=10.0),
    ),
    Step(
        "many attempts do not overflow", [LOST] * 2000, [20.0] * 5, 2001, good=True, policy=RetryPolicy(attempts=2001)
    ),
    Step("Retry-After is a lower bound", [asked(7.0)], [7.0], 2, good=True),
    Step("jitter may be longer than Retry-After", [asked(0.1)], [0.5], 2, good=True),
    Step("Retry-After is capped", [asked(9_999.0)], [60.0], 2, good=True),
    Step("with a cap of its own", [asked(9.0)], [3.0], 2, good=True, policy=RetryPolicy(retry_after_cap=3.0)),
    Step("the cap does not shorten jitter", [asked(9.0)], [0.5], 2, good=True, policy=RetryPolicy(retry_after_cap=0.0)),
    *(Step(f"never {error}", [error], [], 1, good=False) for error in (GONE, PAGE, NO, REFUSED, UNPROVEN)),
    Step("no after yes", [LOST, GONE], [0.5], 2, good=False),
    Step("a refusal that may be one is tried once more", [PERHAPS, PERHAPS], [0.5], 2, good=False),
    Step("the deadline forbids the wait", [LOST, LOST], [0.5], 2, good=False, deadline=1.2),
    Step("the deadline allows the wait", [LOST, LOST], [0.5, 1.0], 3, good=True, deadline=1.6),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
async def test_steps(step: Step) -> None:
    """Given errors lead to these waits, this number of attempts, and the last error or the result."""
    clock = Clock(now=0.0)
    numbers: list[int] = []
    told: list[tuple[str, int, float]] = []

    async def attempt(number: int) -> str:
        numbers.append(number)
        if number <= len(step.errors):
            raise step.errors[number - 1]
        return "done"

    call = with_retries(
        attempt,
        policy=step.policy,
        waiting=clock.waiting(lambda: step.random),
        deadline=step.deadline,
        on_retry=lambda error, number, wait: told.append((str(error), number, wait)),
    )
    if step.good:
        assert await call == "done"
    else:
        with pytest.raises(ExchangeError) as caught:
            await call
        assert caught.value is step.errors[step.attempts - 1]
    assert numbers == list(range(1, step.attempts + 1))
    assert clock.slept[-len(step.waits) :] == list(step.waits)
    assert len(clock.slept) == step.attempts - 1
    assert told == [(str(step.errors[at]), at + 1, wait) for at, wait in enumerate(clock.slept)]


async def test_what_is_no_exchange_is_not_repeated() -> None:
    """A mistake in a program comes out at once, as it is."""
    clock = Clock()

    async def attempt(_: int) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await with_retries(
            attempt, policy=RetryPolicy(), waiting=clock.waiting(), deadline=None, on_retry=lambda *_: None
        )
    assert clock.slept == []


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (7, 7.0),
        ("120", 60.0),
        ("99999999999999999999", 0.001),
        ("-5", 0.001),
        ("1e3", 0.001),
        ("\u0667".encode().decode("latin-1"), 0.001),
        ("soon", 0.001),
        ("", 0.001),
        (format_datetime(dt.datetime(2000, 1, 1, tzinfo=dt.UTC), usegmt=True), 0.001),
        (format_datetime(dt.datetime(2099, 1, 1, tzinfo=dt.UTC), usegmt=True), 60.0),
    ],
)
async def test_retry_after_on_the_wire(
    header: int | str, wait: float, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Seconds and dates are honoured up to the cap; nonsense is as if the server had not asked."""
    omar_server.script(Status(503, retry_after=header))
    clock = Clock()
    async with OmarClient(omar_config) as client:
        give_downloads(client, clock.waiting())
        await fetch(client, tmp_path)
    assert clock.slept == [wait]
    assert sent(omar_server, "download") == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"attempts": 0},
        {"attempts": 1.5},
        {"attempts": True},
        {"first_wait": -1},
        {"longest_wait": float("nan")},
        {"retry_after_cap": "60"},
    ],
    ids=repr,
)
def test_a_policy_checks_its_numbers(arguments: dict[str, int]) -> None:
    """A number out of range is a `ConfigError` that names it."""
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        RetryPolicy(**arguments)


def test_the_documented_defaults() -> None:
    """Three attempts, half a second doubling to twenty, a minute at most for the server's own wish."""
    policy = RetryPolicy()
    assert (policy.attempts, policy.first_wait, policy.longest_wait, policy.retry_after_cap) == (3, 0.5, 20.0, 60.0)
