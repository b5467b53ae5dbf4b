"""Not knocking where nobody lets us in: what has failed for good, or over and over, is not asked for again.

Two rules.  A certificate that was refused for certain, ours or the server's, stays refused: that origin gets no further
connection from this client.  And after five logins in a row that failed, or five sessions that the server gave and did
not honour, there are no logins for half a minute, then one, and so on; an account is easily locked by a program that
tries for ever.  Meanwhile everybody gets what happened last, as a fresh copy of that error.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import attrs

from aiomar.errors import CertificateRejectedError, ExchangeError
from aiomar.protocol import Origin

_FAILURES = 5
_SECONDS = 30.0
_E = TypeVar("_E", bound=ExchangeError)


@attrs.define
class Circuit:
    """Opens after so many failures in a row, and lets one attempt through when it has been open for a while.

    That it is only one is seen to by whoever asks: logins are made one at a time.
    """

    clock: Callable[[], float]
    failures: int = attrs.field(default=0, init=False)
    _last: ExchangeError | None = attrs.field(default=None, init=False)
    _opened_at: float = attrs.field(default=0.0, init=False)

    @property
    def is_open(self) -> bool:
        """Whether nothing may be tried now."""
        return self.failures >= _FAILURES and self.clock() < self._opened_at + _SECONDS

    def check(self) -> None:
        """Do nothing while something may be tried.

        Raises:
            ExchangeError: what failed last.
        """
        if self._last is not None and self.is_open:
            raise_again(self._last)

    def fail(self, error: ExchangeError) -> None:
        """Count a failure; with the fifth in a row it opens, with every later one it opens again."""
        self.failures += 1
        self._last = without_traceback(error)
        self._opened_at = self.clock()

    def succeed(self) -> None:
        """Forget the failures."""
        self.failures = 0
        self._last = None


@attrs.define
class Breaker:
    """What a client does not try any more, or not now.

    Args:
        clock: seconds that never step back.
    """

    clock: Callable[[], float]
    logins: Circuit = attrs.field(init=False)
    """Requests for a session that failed in a row."""
    sessions: Circuit = attrs.field(init=False)
    """Sessions that were opened and not honoured, in a row."""
    refused: dict[Origin, CertificateRejectedError] = attrs.field(factory=dict, init=False)
    """Origins where one side does not accept the other's certificate, for certain."""

    def __attrs_post_init__(self) -> None:
        self.logins = Circuit(self.clock)
        self.sessions = Circuit(self.clock)

    def check(self, origin: Origin) -> None:
        """Do nothing if the origin may be asked.

        Raises:
            CertificateRejectedError: no; nothing was sent.
        """
        error = self.refused.get(origin)
        if error is not None:
            raise_again(error)

    def check_login(self, origin: Origin) -> None:
        """Do nothing if a login may be tried at its origin now.

        Raises:
            ExchangeError: why not; nothing was sent.
        """
        self.check(origin)
        self.logins.check()
        self.sessions.check()

    def note(self, origin: Origin, error: CertificateRejectedError) -> None:
        """Remember a certain refusal; one that is only likely may be an accident of the network."""
        if error.certain:
            self.refused[origin] = without_traceback(error)

    @contextmanager
    def guard(self, origin: Origin) -> Iterator[None]:
        """Check the origin before, and note a refusal after, whatever is asked of it inside."""
        self.check(origin)
        try:
            yield
        except CertificateRejectedError as error:
            self.note(origin, error)
            raise


def raise_again(error: ExchangeError) -> NoReturn:
    """Raise a copy of an error, so that those who get it do not hang their tracebacks on one another's.

    Raises:
        ExchangeError: always.
    """
    raise without_traceback(error) from error.__cause__


def without_traceback(error: _E) -> _E:
    """Copy an error with its cause and without the frames that it came through."""
    again = copy.copy(error)
    again.__cause__ = error.__cause__
    return again
