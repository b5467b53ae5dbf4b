"""The seam between what is to be said and how it gets there: one method that opens an exchange, and a close.

A transport sends what it is given and decides nothing about OMAR.  It turns every failure of the network into an
`ExchangeError` and keeps the deadlines of `Timeouts` on connecting, on the first byte and on the gap between bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import attrs

from aiomar._checks import number
from aiomar.protocol import HttpRequest, ResponseHead

Phase = Literal["connect", "request", "response"]
"""How far an exchange has come: nothing sent, a byte of the request may have left, the head of the answer is here."""


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long each phase may take, in seconds, on a clock that never steps back.

    There is no limit on a whole healthy transfer but `operation`.

    Args:
        connect: name look-up, TCP and TLS together.
        first_byte: from the request to the first byte of the answer; generous, as the server queries a database.
        read: the longest gap between two bytes of an answer.
        operation: one download or upload with its retries and logins; `None` for no limit.
        minimum_rate: bytes per second, averaged over a minute, below which a transfer counts as stalled; 0 for no
            limit.

    Raises:
        ConfigError: for a number out of range.
    """

    connect: float = attrs.field(default=10.0, validator=number(above=0))
    first_byte: float = attrs.field(default=300.0, validator=number(above=0))
    read: float = attrs.field(default=60.0, validator=number(above=0))
    operation: float | None = attrs.field(default=1800.0, validator=number(above=0, optional=True))
    minimum_rate: float = attrs.field(default=1024.0, validator=number())


@attrs.define
class Trace:
    """Filled in by the transport while it works, so that the caller knows how far a failed exchange had come."""

    may_repeat: Callable[[], bool] | None = None
    """Asked before a request goes out once more by the transport itself; `None` lets it."""
    phase: Phase = "connect"
    """Once it is ``"request"`` a byte may have left, and only the server knows what it did with it."""
    waited: float = 0.0
    """Seconds from the request to the head of its answer, once that is there."""
    repeated: bool = False
    """Whether the transport has sent the request once more by itself."""

    def repeat(self) -> bool:
        """Ask whether the request may go out once more, and note it."""
        self.repeated = self.may_repeat is None or self.may_repeat()
        return self.repeated


class Exchange(Protocol):
    """One answer that is being read."""

    @property
    def head(self) -> ResponseHead:
        """Status and headers."""

    async def read(self) -> bytes:
        """Give the next piece of the body as it came; empty at its end.

        Raises:
            TruncatedBodyError: the body is shorter than announced.
            DeadlineError: phase ``"read"``.
            TransportError: the connection failed.
        """

    def close(self) -> None:
        """Give the connection back if the body has ended, else give it up; safe to call twice."""


class Transport(Protocol):
    """Sends requests; pools connections."""

    async def send(self, request: HttpRequest, trace: Trace, *, own_connection: bool = False) -> Exchange:
        """Send a request once and wait for the head of its answer; the caller closes the exchange.

        A GET whose idle connection turns out to be dead goes out once more on another one, if `trace` lets it.

        Args:
            request: sent exactly as it is.
            trace: filled in on the way.
            own_connection: make a connection for this request alone and close it afterwards.

        Raises:
            TransportError: or one of its kinds.
        """

    async def aclose(self) -> None:
        """Close every connection."""
