"""What repeats may cost a client in all: an outage is not to be made worse by those who suffer from it."""

from __future__ import annotations

import attrs

from aiomar.errors import DeadlineError, ExchangeError

_FULL = 100
_RETRY = 5
# A server that does not even answer is worse off than one that says no.
_RETRY_AFTER_TIMEOUT = 10


@attrs.define
class RetryBudget:
    """A bucket of tokens that all downloads and logins of a client share, as in the AWS SDKs' standard retry mode.

    A repeat takes tokens, a success brings one, and a success after repeats also brings theirs back.  While nearly
    everything fails the bucket runs dry, and calls fail at once with their own cause: 100 calls in a full outage make
    120 requests at most, or 110 when they time out.
    """

    tokens: int = attrs.field(default=_FULL, init=False)

    def spend(self, error: ExchangeError) -> int:
        """Pay for a repeat.

        Args:
            error: why the attempt failed.

        Returns:
            What it cost; 0 when there is not enough left for a repeat.
        """
        cost = _RETRY_AFTER_TIMEOUT if isinstance(error, DeadlineError) else _RETRY
        if cost > self.tokens:
            return 0
        self.tokens -= cost
        return cost

    def spend_on_transport(self) -> bool:
        """Pay for a repeat that a transport makes by itself, because an idle connection was dead.

        Returns:
            Whether there was enough left for it.
        """
        if self.tokens < _RETRY:
            return False
        self.tokens -= _RETRY
        return True

    def refund_transport(self) -> None:
        """Give back what such a repeat had cost, once it has brought data or a session."""
        self.tokens = min(_FULL, self.tokens + _RETRY)

    def earn(self, spent: int = 0) -> None:
        """Take in what a success brings.

        Args:
            spent: what its repeats had cost.
        """
        if self.tokens < _FULL:
            self.tokens = min(_FULL, self.tokens + spent + 1)
