"""The door to aiohttp's client: sends what it is given, decides nothing.

What is switched off, and why: cookies (it would keep the last of a repeated name), redirects (it would send an
upload's body again, anywhere), decompression (it takes a cut stream for a whole one), its own total timeout (it kills
healthy transfers) and the environment's proxies.  Addresses go in as `yarl.URL(…, encoded=True)`, because it would
write ``%2F`` as ``/``.

The phase of an exchange is taken where aiohttp hands out a connection (`_Connector.connect`): before that nothing can
have left, after it anything may have.  That moment also starts the wait for the first byte.

aiohttp repeats a GET by itself when a pooled connection turns out to be dead; that is harmless and left to it.  A
POST is never repeated, and uploads have a connection of their own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp
import yarl

from aiomar.errors import DeadlineError
from aiomar.protocol import HttpRequest, ResponseHead
from aiomar.transport._body_reader import BodyReader
from aiomar.transport._failures import translate
from aiomar.transport._seam import Exchange, Timeouts, Trace

if TYPE_CHECKING:
    from aiohttp.tracing import Trace as ForeignTrace

# A pooled connection that was idle for longer is not used again; servers of the documents' time kept them for 15–60 s.
_KEEP_ALIVE = 15.0
_NAMES_KEPT = 300

_ON_CONNECTED: ContextVar[Callable[[], None]] = ContextVar("aiomar_on_connected")


class _Connector(aiohttp.TCPConnector):
    """Tells the request in whose context it runs when its connection is there."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[ForeignTrace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        _ON_CONNECTED.get()()
        return connection


class AiohttpTransport:
    """A `Transport` over aiohttp: one pool for logins and downloads, single connections for uploads.

    Must be made inside the event loop that uses it.

    Args:
        context: TLS with the client certificate; shared by every connection.
        timeouts: the deadlines of each phase.
        user_agent: sent with every request.
        server_hostname: the name to expect in the server's certificate; `None` for the origin's host.
        proxy: ``http://host:port`` of a CONNECT proxy, or `None`.
        resolver: looks up names.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext,
        timeouts: Timeouts,
        user_agent: str,
        server_hostname: str | None,
        proxy: str | None,
        resolver: aiohttp.abc.AbstractResolver,
    ) -> None:
        self._timeouts = timeouts
        self._server_hostname = server_hostname
        self._proxy = proxy
        self._answered = False
        headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}

        def session(*, single: bool) -> aiohttp.ClientSession:
            connector = _Connector(
                ssl=context,
                limit=0,
                ttl_dns_cache=_NAMES_KEPT,
                resolver=resolver,
                force_close=single,
                keepalive_timeout=None if single else _KEEP_ALIVE,
            )
            return aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=timeouts.connect, sock_connect=None, sock_read=None, ceil_threshold=1e9
                ),
            )

        self._pooled = session(single=False)
        self._single = session(single=True)

    async def send(self, request: HttpRequest, trace: Trace, *, own_connection: bool = False) -> Exchange:
        """Send a request once and wait for the head of its answer; see `Transport.send`."""
        response = await self._send(request, trace, self._single if own_connection else self._pooled)
        self._answered = True
        trace.phase = "response"
        return BodyReader(
            head=ResponseHead(status=response.status, headers=tuple(response.headers.items())),
            origin=request.origin,
            content=response.content,
            gap_seconds=self._timeouts.read,
            give_back=response.release,
            give_up=response.close,
        )

    async def _send(self, request: HttpRequest, trace: Trace, session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
        scope = asyncio.timeout(None)

        def connected() -> None:
            trace.phase = "request"
            scope.reschedule(asyncio.get_running_loop().time() + self._timeouts.first_byte)

        token = _ON_CONNECTED.set(connected)
        try:
            async with scope:
                return await session.request(
                    request.method,
                    yarl.URL(request.url, encoded=True),
                    headers=request.headers,
                    data=request.body or None,
                    allow_redirects=False,
                    server_hostname=self._server_hostname,
                    proxy=self._proxy,
                )
        except aiohttp.ConnectionTimeoutError as error:
            raise DeadlineError(
                f"no connection to {request.origin} within {self._timeouts.connect:g} s: check the network, then try "
                "again",
                phase="connect",
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            if scope.expired():
                raise DeadlineError(
                    f"{request.origin} sent no answer within {self._timeouts.first_byte:g} s: try again, or raise "
                    "Timeouts.first_byte",
                    phase="first_byte",
                ) from error
            raise translate(error, origin=request.origin, phase=trace.phase, answered=self._answered) from error
        finally:
            _ON_CONNECTED.reset(token)

    async def aclose(self) -> None:
        """Close every connection at once; a peer that never says goodbye is not waited for."""
        await self._pooled.close()
        await self._single.close()
