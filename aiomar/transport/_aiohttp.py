"""The door to aiohttp's client: sends what it is given, decides nothing.

What is switched off, and why: cookies (it would keep the last of a repeated name), redirects (it would send an
upload's body again, anywhere), decompression (it takes a cut stream for a whole one), its own total timeout (it kills
healthy transfers) and the environment's proxies.  Addresses go in as `yarl.URL(…, encoded=True)`, because it would
write ``%2F`` as ``/``.

The phase of an exchange is taken where aiohttp hands out a connection (`_TellingPool.connect`): before that nothing can
have left, after it anything may have.  That moment also starts the wait for the first byte.

aiohttp repeats a GET by itself when its connection is lost without an answer.  That is left to it where a pooled
connection turns out to be dead and the caller lets it; on a new connection it would double every attempt of the retry
policy, so it is kept from it (`_Attempt.guard`).  A POST is never repeated, and uploads have a connection of their own.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING

import aiohttp
import yarl

from aiomar.errors import TransportError
from aiomar.protocol import HttpRequest, Origin, ResponseHead
from aiomar.transport._body_reader import BodyReader
from aiomar.transport._failures import bare, no_answer_in_time, no_connection_in_time, nothing_came, translate
from aiomar.transport._pool import Pool, Wiring
from aiomar.transport._seam import Exchange, Trace
from aiomar.transport._watch import Watch

if TYPE_CHECKING:
    from aiohttp.tracing import Trace as ForeignTrace


class _LostError(aiohttp.ClientError):
    """A connection was lost, and not an idle one; this is none of the errors after which aiohttp begins anew."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__()
        self.error = error


class _Attempt:
    """One request on its way."""

    def __init__(self, trace: Trace, first_byte: float) -> None:
        self.trace = trace
        self._first_byte = first_byte
        self._on_new = True  # as long as there is none
        self._started = 0.0
        self.scope = asyncio.timeout(None)

    def connected(self, *, new: bool) -> None:
        """Note that from now on bytes may leave, and begin to wait for the first one that comes back."""
        self._on_new = new
        self.trace.phase = "request"
        self._started = monotonic()
        self.scope.reschedule(asyncio.get_running_loop().time() + self._first_byte)

    def answered(self) -> None:
        """Note that the head of the answer is here."""
        self.trace.phase = "response"
        self.trace.waited = monotonic() - self._started

    async def guard(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Be aiohttp's middleware: let it repeat what was lost on a pooled connection, and nothing else."""
        try:
            return await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if self._on_new or self.trace.repeated or not nothing_came(error) or not self.trace.repeat():
                raise _LostError(error) from error
            raise


_ATTEMPT: ContextVar[_Attempt] = ContextVar("aiomar_attempt")


class _TellingPool(Pool):
    """Tells the attempt in whose context it runs when its connection is there."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[ForeignTrace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> aiohttp.connector.Connection:
        connection, new = await self.take(req, traces, timeout)
        _ATTEMPT.get().connected(new=new)
        return connection


class AiohttpTransport:
    """A `Transport` over aiohttp: one pool for logins and downloads, single connections for uploads.

    Must be made inside the event loop that uses it.

    Args:
        wiring: TLS, deadlines, names.
        proxy: ``http://host:port`` of a CONNECT proxy, or `None`.
    """

    def __init__(self, wiring: Wiring, *, proxy: str | None) -> None:
        self._timeouts = wiring.timeouts
        self._server_hostname = wiring.server_hostname
        self._resolver = wiring.resolver
        self._proxy = proxy
        self._answered = False
        self._gap = Watch(wiring.timeouts.read)

        def session(*, single: bool) -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=_TellingPool(wiring, single=single),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": wiring.user_agent, "Accept": "*/*", "Accept-Encoding": "identity"},
                auto_decompress=False,
                trust_env=False,
                timeout=wiring.limits,
            )

        self._pooled = session(single=False)
        self._single = session(single=True)

    async def send(self, request: HttpRequest, trace: Trace, *, own_connection: bool = False) -> Exchange:
        """Send a request once and wait for the head of its answer; see `Transport.send`."""
        response = await self._send(request, trace, self._single if own_connection else self._pooled)
        self._answered = True
        head = ResponseHead(response.status, response.headers)
        connection = response.connection  # gone if the whole answer is here
        transport = connection and connection.transport
        tls = transport.get_extra_info("ssl_object") if transport else None
        return BodyReader(head, request.origin, response.content, self._gap, response, tls)

    async def _send(self, request: HttpRequest, trace: Trace, session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
        attempt = _Attempt(trace, self._timeouts.first_byte)
        token = _ATTEMPT.set(attempt)
        try:
            async with attempt.scope:
                response = await session.request(
                    request.method,
                    yarl.URL(request.url, encoded=True),
                    headers=request.headers,
                    data=request.body or None,
                    allow_redirects=False,
                    server_hostname=self._server_hostname,
                    proxy=self._proxy,
                    middlewares=(attempt.guard,),
                )
            attempt.answered()
        except _LostError as wrapper:
            raise self._failure(wrapper.error, request.origin, attempt) from bare(wrapper.error)
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(error, request.origin, attempt) from bare(error)
        finally:
            _ATTEMPT.reset(token)
        return response

    def _failure(self, error: Exception, origin: Origin, attempt: _Attempt) -> TransportError:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return no_connection_in_time(origin, self._timeouts)
        if attempt.scope.expired():
            return no_answer_in_time(origin, self._timeouts)
        return translate(error, origin=origin, phase=attempt.trace.phase, answered=self._answered)

    async def aclose(self) -> None:
        """Close every connection at once; a peer that never says goodbye is not waited for."""
        self._gap.close()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._resolver.close)
            stack.push_async_callback(self._single.close)
            stack.push_async_callback(self._pooled.close)
