"""When to try again, and how long to wait first: pure arithmetic over an error, an attempt and a random number."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aiomar._checks import number, whole_number
from aiomar.errors import (
    CertificateRejectedError,
    DeadlineError,
    EmptyBodyError,
    ExchangeError,
    Hint,
    OmarError,
    StatusError,
    TransportError,
)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How failed downloads and logins are repeated; uploads never are.

    Waits follow "full jitter": a random time between 0 and a bound that doubles with each attempt, so that clients that
    failed together do not come back together (Marc Brooker, "Exponential Backoff And Jitter", 2015).

    Args:
        attempts: how often something is tried in all.
        first_wait: seconds; the bound of the first wait.
        longest_wait: seconds; no bound grows beyond it.
        retry_after_cap: seconds; a server's ``Retry-After`` is a lower bound of the wait, up to this.

    Raises:
        ConfigError: for a number out of range.
    """

    attempts: int = attrs.field(default=3, validator=whole_number)
    first_wait: float = attrs.field(default=0.5, validator=number())
    longest_wait: float = attrs.field(default=20.0, validator=number())
    retry_after_cap: float = attrs.field(default=60.0, validator=number())

    def wait_before_next(self, error: OmarError, attempt: int, random: Callable[[], float]) -> float | None:
        """Give the seconds to wait before the next attempt, or `None` to give up.

        Args:
            error: why the attempt failed.
            attempt: its number, from 1.
            random: gives a number from 0 up to 1.
        """
        if not isinstance(error, ExchangeError) or error.hint is not Hint.RETRY:
            return None
        if attempt >= (min(self.attempts, 2) if _will_most_likely_stay(error) else self.attempts):
            return None
        # Bounded, because a float has no room for more doublings.
        doubled = self.first_wait * 2.0 ** min(attempt - 1, 1000)
        wait = min(self.longest_wait, doubled) * random()
        if isinstance(error, StatusError) and error.retry_after is not None:
            wait = max(wait, min(error.retry_after, self.retry_after_cap))
        return wait


def _will_most_likely_stay(error: ExchangeError) -> bool:
    """Whether one repeat is enough to see that a failure is no accident.

    A fault in the server's program, an answer without a byte, one that is not HTTP, a drip, and a server that hangs up
    on the very first exchange, which most likely refuses the certificate.
    """
    return (
        (isinstance(error, StatusError) and error.status == 500)  # noqa: PLR2004 - internal server error
        or isinstance(error, EmptyBodyError | CertificateRejectedError)
        or (isinstance(error, DeadlineError) and error.phase == "rate")
        or (isinstance(error, TransportError) and error._malformed)  # noqa: SLF001 - made for this place
    )
