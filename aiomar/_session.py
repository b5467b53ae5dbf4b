"""The login session: one login for everybody who waits for it, and one fresh login when the server has forgotten us.

Two rules hold the file together.  A session has a generation number; whoever finds that it has ended says which
generation that was, so that fifty downloads that see the login page together cause one login.  And nothing is asked
more than twice: after a fresh login a login page is a `LoginError`, another page an `UnexpectedPageError` (SUB
3.1.1.2, DL 2).

Sessions are opened on demand and never kept alive by background traffic (SUB/DL 1.3).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import attrs

from aiomar._breaker import Breaker
from aiomar._login import Login, check_certificate_page, read_page
from aiomar._retry import GivenUpError
from aiomar._threads import Threads
from aiomar.errors import (
    CertificateRejectedError,
    EmptyBodyError,
    ExchangeError,
    LoginError,
    StatusError,
    UnexpectedPageError,
)
from aiomar.protocol import (
    CookieStyle,
    HeadVerdict,
    HttpRequest,
    PageSniffer,
    is_login_page,
    judge_head,
    page_words,
)
from aiomar.transfer import RetryBudget
from aiomar.transport import Exchange, Trace, Transport

# Blanks in front of a page are held back up to this many bytes; beyond it they are passed on and judged on the way.
_HELD = 65_536
# Pages are of one kind when their titles differ in numbers only; a server whose titles differ more than this tells its
# pages apart by file, and a login for each would help nobody.
_NUMBERS = re.compile(r"[0-9]+")
_MOST_KINDS = 3


@attrs.frozen
class Lease:
    """The right to use a session for one request."""

    generation: int
    cookie: str = attrs.field(repr=False)

    def apply(self, request: HttpRequest) -> HttpRequest:
        """Give the request with the cookie; requests are only ever made for the session's two origins."""
        headers = (*request.headers, ("Cookie", self.cookie))
        return HttpRequest(request.method, request.origin, request.target, headers, request.body)


@attrs.frozen
class DataAnswer:
    """An answer whose head and first bytes are those of data; the rest is still to be read.

    Whoever gets it closes its exchange.
    """

    exchange: Exchange
    beginning: list[bytes] = attrs.field(repr=False)
    sniffer: PageSniffer | None
    """Still undecided after a long run of blanks; it goes on judging."""
    waited_s: float = 0.0
    """From the request to the head of its answer."""


@attrs.frozen
class _LoginWanted:
    """The server asks for a login in place of an answer."""


@attrs.frozen
class _Page:
    """Some other page in place of data."""

    title: str
    excerpt: str

    @property
    def kind(self) -> str:
        return _NUMBERS.sub("0", self.title)

    def error(self) -> UnexpectedPageError:
        named = f'"{self.title}"' if self.title else "without a title"
        return UnexpectedPageError(
            f"the server sent a page {named} where data was due: check the id and the dates",
            title=self.title,
            excerpt=self.excerpt,
        )


class Session:
    """Logs in on demand and asks for data under the session.

    Args:
        transport: sends requests.
        login: opens sessions.
        threads: where pages are read.
        breaker: says what is not asked any more.
        budget: pays for repeats that the transport makes by itself.
        cookie_style: how the cookie goes back.
        max_age: a session older than this is replaced by a fresh one; `None` for no limit.
        on_ended: called when the server says that the session is over.
        clock: seconds that never step back.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        login: Login,
        threads: Threads,
        breaker: Breaker,
        budget: RetryBudget,
        cookie_style: CookieStyle,
        max_age: timedelta | None,
        on_ended: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._opener = login
        self._threads = threads
        self.breaker = breaker
        self._budget = budget
        self._may_repeat = budget.spend_on_transport
        self._style = cookie_style
        self._max_age = max_age
        self._on_ended = on_ended
        self._clock = clock
        self._wall_clock = wall_clock
        self._lease: Lease | None = None
        self._opened_at = 0.0
        self._generation = 0
        self._login: asyncio.Task[Lease] | None = None
        self._doubt = asyncio.Lock()
        self._hopeless: set[str] = set()

    async def lease(self) -> Lease:
        """Give the current session, logging in first if there is none; all who wait share one login.

        Raises:
            GivenUpError: the login failed for good, or is not tried now because the last ones did; its repeats are used
                up and must not be multiplied by the caller's.
        """
        self._forget_if_old()
        if self._lease is not None:
            return self._lease
        try:
            if self._login is None:
                self.breaker.check_login(self._opener.request.origin)
                self._login = asyncio.create_task(self._log_in(), name="aiomar login")
                self._login.add_done_callback(self._logged_in)
            # Shielded: a caller that goes away must not take the login away from the others.
            return await asyncio.shield(self._login)
        except ExchangeError as error:
            raise GivenUpError(error) from None  # or the error would be its own cause

    def end(self, lease: Lease) -> None:
        """Say that the session of this lease is over; a newer one is left alone."""
        if self._lease == lease:
            self._lease = None
            self._hopeless.clear()
            self._on_ended()

    def _forget_if_old(self) -> None:
        if self._lease and self._max_age and self._clock() - self._opened_at >= self._max_age.total_seconds():
            self._lease = None
            self._hopeless.clear()

    async def _log_in(self) -> Lease:
        cookie = await self._opener.run(renewed=self._generation > 0)
        self._generation += 1
        self._lease = Lease(generation=self._generation, cookie=cookie.header(self._style))
        self._opened_at = self._clock()
        return self._lease

    def _logged_in(self, task: asyncio.Task[Lease]) -> None:
        self._login = None
        if not task.cancelled():
            task.exception()  # every waiter may have gone; asyncio must not complain about it

    async def ask(self, request: HttpRequest) -> DataAnswer:
        """Ask for data under the session; log in and ask once more when the server has forgotten it.

        A page that is not recognised may be a login page that nobody has seen yet, so the first of its kind gets the
        same second chance, one at a time; when it comes again, every later one is an error at once.

        Raises:
            LoginError: the login page came again right after a fresh login.
            UnexpectedPageError: another page came where data was due.
            ExchangeError: anything else that can go wrong.
        """
        lease = await self.lease()
        answer = await self._ask_once(request, lease)
        if isinstance(answer, DataAnswer):
            if self.breaker.sessions.failures:
                self.breaker.sessions.succeed()
            return answer
        if isinstance(answer, _LoginWanted):
            self.end(lease)
            return await self._ask_again(request)
        async with self._doubt:
            if answer.kind in self._hopeless or len(self._hopeless) >= _MOST_KINDS:
                raise answer.error()
            if self._lease == lease:
                self._lease = None
            return await self._ask_again(request)

    async def _ask_again(self, request: HttpRequest) -> DataAnswer:
        answer = await self._ask_once(request, await self.lease())
        if isinstance(answer, DataAnswer):
            self.breaker.sessions.succeed()
            return answer
        if isinstance(answer, _LoginWanted):
            error = LoginError("the server asks for a login again right after a fresh one: check the account")
            self.breaker.sessions.fail(error)
            raise error
        self._hopeless.add(answer.kind)
        raise answer.error()

    async def _ask_once(self, request: HttpRequest, lease: Lease) -> DataAnswer | _LoginWanted | _Page:
        breaker = self.breaker
        if breaker.refused:
            breaker.check(request.origin)
        trace = Trace(self._may_repeat)
        exchange: Exchange | None = None
        answer: DataAnswer | _LoginWanted | _Page | None = None
        try:
            exchange = await self._transport.send(lease.apply(request), trace)
            answer = await self._judge(exchange, trace)
        except CertificateRejectedError as error:
            breaker.note(request.origin, error)
            raise
        finally:
            if exchange is not None and not isinstance(answer, DataAnswer):
                exchange.close()
        if trace.repeated and isinstance(answer, DataAnswer):
            self._budget.refund_transport()
        return answer

    async def _judge(self, exchange: Exchange, trace: Trace) -> DataAnswer | _LoginWanted | _Page:
        try:
            verdict_of_head = judge_head(exchange.head, now=self._wall_clock())
        except StatusError:
            # Read to its end, the error's page leaves a connection that can be used again.
            page = b""
            with suppress(ExchangeError):
                page = await read_page(exchange)
            check_certificate_page(exchange.head.status, page)
            del page  # it may hold data; no traceback that prints local variables shall show it
            raise
        if verdict_of_head is HeadVerdict.LOGIN:
            return _LoginWanted()
        sniffer = PageSniffer()
        beginning, verdict = await _begin(exchange, sniffer)
        if not beginning:
            raise EmptyBodyError("the server sent no bytes at all, which is not the same as no readings: try again")
        if not verdict:
            return DataAnswer(exchange, beginning, sniffer if verdict is None else None, trace.waited)
        page = await read_page(exchange, beginning)
        try:
            return await self._threads.read_page(_read, page)
        except TimeoutError as error:
            raise UnexpectedPageError(
                "the server sent a page where data was due that takes too long to read: ask the operator what it is",
                title="",
                excerpt="",
            ) from error

    async def aclose(self) -> None:
        """Stop a login that is under way."""
        if self._login is not None:
            self._login.cancel()
            await asyncio.wait([self._login])


def _read(page: bytes) -> _LoginWanted | _Page:
    if is_login_page(page):
        return _LoginWanted()
    words = page_words(page)
    return _Page(words.title, words.excerpt)


async def _begin(exchange: Exchange, sniffer: PageSniffer) -> tuple[list[bytes], bool | None]:
    """Read until it is clear whether this is a page."""
    beginning: list[bytes] = []
    held = 0
    verdict: bool | None = None
    while verdict is None and held < _HELD:
        piece = await exchange.read()
        if not piece:
            break
        beginning.append(piece)
        held += len(piece)
        verdict = sniffer.feed(piece)
    return beginning, verdict
