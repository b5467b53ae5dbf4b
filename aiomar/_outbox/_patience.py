"""What an outbox waits for by itself, and how long between two attempts.

It waits for what may mend itself: a server or a network that is away, a full disk, another process that submits, a
person who finds out what became of a file.  A login or a certificate that is refused is not of that kind: trying it
over and over can lock an account.
"""

from __future__ import annotations

import attrs

from aiomar.errors import (
    CertificateRejectedError,
    DiskError,
    ExchangeError,
    Hint,
    OmarError,
    StatusError,
    UploadBlockedError,
)
from aiomar.transfer import InDoubt

_FIRST, _LONGEST = 5.0, 300.0
"""Seconds between attempts while something is away."""
_LONGEST_LOOK = 30.0
"""Seconds between looks into the ledger, which cost nothing."""
_LONGEST_ASKED_FOR = 3600.0
_DOUBTS = 2
"""How often in a row a certificate may seem to be refused."""


@attrs.define
class Patience:
    """The pauses between attempts in a row that failed."""

    _pause: float = attrs.field(default=_FIRST, init=False)
    _doubts: int = attrs.field(default=0, init=False)
    _told: str | None = attrs.field(default=None, init=False)

    def renew(self) -> None:
        """Begin anew: something has succeeded."""
        self._pause, self._doubts, self._told = _FIRST, 0, None

    def next_wait(self, error: OmarError) -> float:
        """Give the seconds until the next attempt.

        Raises:
            OmarError: the same, if it will not mend itself.
        """
        is_look = isinstance(error, InDoubt | UploadBlockedError)
        if not is_look and not self._may_pass(error):
            raise error
        wait = min(self._pause, _LONGEST_LOOK) if is_look else self._pause
        self._pause = min(2 * self._pause, _LONGEST)
        asked_for = error.retry_after if isinstance(error, StatusError) else None
        return max(wait, min(asked_for or 0.0, _LONGEST_ASKED_FOR))

    def is_news(self, error: OmarError) -> bool:
        """Whether this has not been told since something succeeded."""
        last, self._told = self._told, getattr(error, "ledger_id", None) or str(error)
        return last != self._told

    def _may_pass(self, error: OmarError) -> bool:
        if isinstance(error, DiskError):
            return error.errno is not None  # without a number it is a record that is damaged
        if isinstance(error, CertificateRejectedError):
            self._doubts += 1
            return not error.certain and self._doubts < _DOUBTS
        return isinstance(error, ExchangeError) and error.hint is Hint.RETRY
