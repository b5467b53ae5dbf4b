"""Opening a session: the certificate's dates, the request with its repeats, the cookie, and the pages that say no.

Every failed request counts for the breaker, also those that the policy repeats within one login; when the breaker has
opened there is no further repeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from aiomar._breaker import Breaker
from aiomar._retry import GivenUpError, Retries
from aiomar.errors import CertificateRejectedError, ExchangeError, LoginError
from aiomar.protocol import (
    PAGE_LIMIT,
    Environment,
    HttpRequest,
    SessionCookie,
    build_login,
    first_cookie,
    is_login_location,
    redirect_location,
    status_error,
    unexpected_redirect,
)
from aiomar.transfer import Event, LoggedIn, LoginRetrying
from aiomar.transport import ClientIdentity, Exchange, Trace, Transport

_REFUSED = frozenset({401, 403})
# nginx answers 400 where it refuses a client certificate; 495 and 496 are its own numbers for the same.
_CERTIFICATE_STATUSES = frozenset({400, 495, 496})


@attrs.frozen(kw_only=True)
class Login:
    """Asks for sessions on behalf of a client.

    Args:
        environment: where to.
        identity: whose dates are checked first.
        transport: sends requests.
        retries: what is repeated, and the clock.
        seconds: how long a login may take with its repeats; `None` for no limit.
        breaker: told how requests end.
        notify: tells the observer.
        wall_clock: seconds since the epoch.
    """

    environment: Environment
    identity: ClientIdentity
    transport: Transport
    retries: Retries
    seconds: float | None
    breaker: Breaker
    notify: Callable[[Event], None]
    wall_clock: Callable[[], float] = time.time
    request: HttpRequest = attrs.field(init=False)

    @request.default
    def _build(self) -> HttpRequest:
        return build_login(self.environment)

    async def run(self, *, renewed: bool) -> SessionCookie:
        """Open a session.

        Args:
            renewed: whether it replaces another one.

        Raises:
            IdentityError: the certificate's time is over, or has not come.
            ExchangeError: no session could be opened.
        """
        self.identity.ensure_valid()
        started = self.retries.waiting.clock()

        def on_retry(error: ExchangeError, number: int, wait: float) -> None:
            self.notify(LoginRetrying(error, number, wait))

        cookie = await self.retries.run(self._try, seconds=self.seconds, on_retry=on_retry)
        self.notify(LoggedIn(self.environment.name, self.retries.waiting.clock() - started, renewed=renewed))
        return cookie

    async def _try(self, _: int) -> SessionCookie:
        circuit = self.breaker.logins
        try:
            with self.breaker.guard(self.request.origin):
                cookie = await self._ask()
        except ExchangeError as error:
            circuit.fail(error)
            if circuit.is_open:
                raise GivenUpError(error) from error
            raise
        circuit.succeed()
        return cookie

    async def _ask(self) -> SessionCookie:
        """Ask for the authentication page once and take its first cookie (SUB 3.1.1.2)."""
        budget = self.retries.budget
        trace = Trace(budget.spend_on_transport)
        exchange = await self.transport.send(self.request, trace)
        head = exchange.head
        try:
            page = await read_page(exchange)
        finally:
            exchange.close()
        location = redirect_location(head)
        if location is not None:
            if is_login_location(location):
                raise LoginError("the login page points back to itself: check the account and its certificate")
            raise unexpected_redirect(head.status, location)
        check_certificate_page(head.status, page)
        if head.status in _REFUSED:
            raise LoginError(f"the login was refused with HTTP {head.status}: check the account and its certificate")
        if head.status != 200:  # noqa: PLR2004 - OK
            raise status_error(head, now=self.wall_clock())
        cookie = first_cookie(head.all("Set-Cookie"))
        if trace.repeated:
            budget.refund_transport()
        return cookie


def check_certificate_page(status: int, page: bytes) -> None:
    """Recognise a refused client certificate where a gateway says so by a page.

    Raises:
        CertificateRejectedError: it is one.
    """
    if status in _CERTIFICATE_STATUSES and b"ssl certificate" in page.lower():
        raise CertificateRejectedError(
            f"the server refuses the client certificate (HTTP {status}): check that it is the right one and is "
            "registered there",
            side="client",
        )


async def read_page(exchange: Exchange, beginning: list[bytes] | None = None, *, limit: int = PAGE_LIMIT) -> bytes:
    """Read a page up to so many bytes, and one more if it is longer; a longer one is given up there."""
    pieces = list(beginning or ())
    size = sum(map(len, pieces))
    while size <= limit:
        piece = await exchange.read()
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)[: limit + 1]
