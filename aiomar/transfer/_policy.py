"""When to try again, and how long to wait first: pure arithmetic over an error, an attempt and a random number."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aiomar.errors import CertificateRejectedError, ConfigError, ExchangeError, Hint, OmarError, StatusError


def _number(instance: object, attribute: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ConfigError(f"RetryPolicy.{attribute.name} must be a number of at least 0, not {value!r:.40}")


def _count(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"RetryPolicy.{attribute.name} must be a whole number of at least 1, not {value!r:.40}")


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

    attempts: int = attrs.field(default=3, validator=_count)
    first_wait: float = attrs.field(default=0.5, validator=_number)
    longest_wait: float = attrs.field(default=20.0, validator=_number)
    retry_after_cap: float = attrs.field(default=60.0, validator=_number)

    def wait_before_next(self, error: OmarError, attempt: int, random: Callable[[], float]) -> float | None:
        """Give the seconds to wait before the next attempt, or `None` to give up.

        Args:
            error: why the attempt failed.
            attempt: its number, from 1.
            random: gives a number from 0 up to 1.
        """
        if not isinstance(error, ExchangeError) or error.hint is not Hint.RETRY:
            return None
        # A server that just hangs up on the very first exchange most likely refuses the certificate: once more, no more.
        attempts = min(self.attempts, 2) if isinstance(error, CertificateRejectedError) else self.attempts
        if attempt >= attempts:
            return None
        bound = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        wait = bound * random()
        if isinstance(error, StatusError) and error.retry_after is not None:
            wait = max(wait, min(error.retry_after, self.retry_after_cap))
        return wait
