"""Opening a session: the certificate's dates, the request with its repeats, the cookie, and the pages that say no.

A login is also when a certificate that will soon expire is told of: a certificate is renewed by people, who need some
weeks, and nothing else in a running client would remind them.

Every failed request counts for the breaker, also those that the policy repeats within one login; when the breaker has
opened there is no further repeat.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import attrs

from aiomar._breaker import Breaker
from aiomar._retry import GivenUpError, Retries
from aiomar.errors import CertificateRejectedError, ExchangeError, LoginError, OmarError
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
from aiomar.transfer import CertificateExpiring, Event, LoggedIn, LoginFailed, LoginRetrying
from aiomar.transport import ClientIdentity, Exchange, Trace, Transport

_log = logging.getLogger("aiomar")

_REMIND_DAYS = 30
_REMIND_EVERY = 86_400.0  # seconds: a client that lives for months reminds once a day, not at every login

_REFUSED = frozenset({401, 403})
# nginx answers 400 where it refuses a client certificate; 495 and 496 are its own numbers for the same.
_CERTIFICATE_STATUSES = frozenset({400, 495, 496})


@attrs.define(kw_only=True)
class _Reminder:
    """Tells that the certificate expires soon, at most once a day.

    Args:
        identity: whose certificate.
        notify: tells the observer.
        clock: seconds that never step back, for how long ago it was told.
    """

    identity: ClientIdentity
    notify: Callable[[Event], None]
    clock: Callable[[], float]
    _told_at: float | None = attrs.field(default=None, init=False)

    def look(self) -> None:
        """Tell it if it is time to."""
        identity, now = self.identity, self.clock()
        days_left = identity.days_left()
        if days_left > _REMIND_DAYS or (self._told_at is not None and now - self._told_at < _REMIND_EVERY):
            return
        self._told_at = now
        _log.warning(
            "the client certificate %.200a expires on %s UTC (days left: %d): get a new one",
            identity.subject,
            f"{identity.not_after:%Y-%m-%d %H:%M}",
            days_left,
        )
        self.notify(CertificateExpiring(identity.subject, identity.not_after, days_left))


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
    _reminder: _Reminder = attrs.field(init=False)

    @request.default
    def _build(self) -> HttpRequest:
        return build_login(self.environment)

    @_reminder.default
    def _remind(self) -> _Reminder:
        return _Reminder(identity=self.identity, notify=self.notify, clock=self.retries.waiting.clock)

    async def run(self, *, renewed: bool) -> SessionCookie:
        """Open a session.

        Args:
            renewed: whether it replaces another one.

        Raises:
            IdentityError: the certificate's time is over, or has not come.
            ExchangeError: no session could be opened.
        """
        clock = self.retries.waiting.clock
        started = clock()

        def on_retry(error: ExchangeError, number: int, wait: float) -> None:
            self.notify(LoginRetrying(error, number, wait))

        try:
            self.identity.ensure_valid()
            self._reminder.look()
            cookie = await self.retries.run(self._try, seconds=self.seconds, on_retry=on_retry)
        except OmarError as error:
            self.notify(LoginFailed(self.environment.name, error, clock() - started))
            raise
        self.notify(LoggedIn(self.environment.name, clock() - started, renewed=renewed))
        return cookie

    async def _try(self, _: int) -> SessionCookie:
        circuit = self.breaker.logins
        try:
            with self.breaker.guard(self.request.origin):
                cookie = await self._ask()
        except ExchangeError as error:
            circuit.fail(error)
            if circuit.is_open:
                raise GivenUpError(error) from None  # or the error would be its own cause
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


async def read_page(exchange: Exchange, beginning: list[bytes] | None = None) -> bytes:
    """Read a page up to `PAGE_LIMIT`, and one byte more if it is longer; a longer one is given up there."""
    pieces = list(beginning or ())
    size = sum(map(len, pieces))
    while size <= PAGE_LIMIT:
        piece = await exchange.read()
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)[: PAGE_LIMIT + 1]
