"""The connections that both ways of sending draw from."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import aiohttp.abc
import attrs

from aiomar.transport._seam import Timeouts

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace as ForeignTrace

_NAMES_KEPT = 300
SocketFactory = aiohttp.SocketFactoryType

_PATIENCE = 1.0  # seconds for sockets to be closed, which takes one or two turns of the loop


@attrs.frozen(kw_only=True)
class Wiring:
    """What both ways of sending are made of.

    Args:
        context: TLS with the client certificate; shared by every connection.
        timeouts: the deadlines of each phase.
        user_agent: sent with every request.
        server_hostname: the name to expect in the server's certificate; `None` for the origin's host.
        resolver: looks up names; closed with the transport.
        keep_alive: a connection that was idle for longer, in seconds, is not used again; servers of the documents' time
            kept them for 15-60 s.
        socket_factory: makes sockets from what a name look-up gives; `None` for plain ones.
    """

    context: ssl.SSLContext
    timeouts: Timeouts
    user_agent: str
    server_hostname: str | None
    resolver: aiohttp.abc.AbstractResolver
    keep_alive: float = 15.0
    socket_factory: SocketFactory | None = None

    @property
    def limits(self) -> aiohttp.ClientTimeout:
        """The deadlines that aiohttp keeps: on connecting, and none besides; it never rounds them up."""
        return aiohttp.ClientTimeout(
            total=None, connect=self.timeouts.connect, sock_connect=None, sock_read=None, ceil_threshold=1e9
        )


class Pool(aiohttp.TCPConnector):
    """aiohttp's connector, without a limit of its own: how much runs at once is the limiter's to say.

    Args:
        wiring: TLS and names.
        single: close each connection after its request.
    """

    def __init__(self, wiring: Wiring, *, single: bool = False) -> None:
        super().__init__(
            ssl=wiring.context,
            limit=0,
            ttl_dns_cache=_NAMES_KEPT,
            resolver=wiring.resolver,
            force_close=single,
            keepalive_timeout=None if single else wiring.keep_alive,
            socket_factory=wiring.socket_factory,
        )
        self._connect_seconds = wiring.timeouts.connect
        # aiohttp forgets a connection as soon as it begins to close it, and TLS may take its time to say goodbye.
        self._open: dict[ResponseHandler, asyncio.Transport] = {}

    async def take(
        self,
        req: aiohttp.ClientRequest,
        traces: list[ForeignTrace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> tuple[Connection, bool]:
        """Give a connection and whether it is new.

        One on which something came unasked is not given: that would pass for the next answer.
        """
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or self._is_new(protocol):
                return connection, True
            if not protocol.should_close:
                return connection, False
            connection.close()

    def _is_new(self, protocol: ResponseHandler) -> bool:
        if protocol in self._open:
            return False
        self._keep(protocol)
        return True

    def _keep(self, protocol: ResponseHandler) -> None:
        """Know a connection until it is closed."""
        closed = protocol.closed
        if closed is not None and protocol.transport is not None:
            self._open[protocol] = protocol.transport
            closed.add_done_callback(partial(self._forget, protocol))

    def _forget(self, protocol: ResponseHandler, closed: asyncio.Future[None]) -> None:
        del self._open[protocol]
        if not closed.cancelled():
            closed.exception()  # looked at, so that asyncio does not complain about it

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close every connection at once, also those that still wait for their peer's goodbye."""
        await super().close(abort_ssl=abort_ssl)
        for transport in list(self._open.values()):
            transport.abort()
        if closing := [closed for protocol in self._open if (closed := protocol.closed) is not None]:
            await asyncio.wait(closing, timeout=_PATIENCE)

    # asyncio ends a handshake after 60 s unless told otherwise, as if the peer had hung up; aiohttp has no parameter
    # for it.  And where somebody gives up in the very turn in which the handshake is done, asyncio waits 30 s for the
    # peer's goodbye, on a connection that nobody knows.  The two methods below are aiohttp's own; in a version that has
    # others, both are back.

    async def _wrap_create_connection(
        self,
        *args: Any,  # noqa: ANN401 - passed on
        **kwargs: Any,  # noqa: ANN401 - passed on
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """Connect, with TLS if asked; the deadline of connecting holds for the handshake too."""
        if kwargs.get("ssl"):
            kwargs.setdefault("ssl_handshake_timeout", self._connect_seconds)
        make, *rest = args
        protocol: ResponseHandler = make()
        try:
            return await super()._wrap_create_connection(lambda: protocol, *rest, **kwargs)
        except BaseException:
            self._keep(protocol)
            protocol.abort()
            raise

    async def _start_tls_connection(
        self,
        underlying_transport: asyncio.Transport,
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
        client_error: type[Exception] = aiohttp.ClientConnectorError,
    ) -> tuple[asyncio.BaseTransport, ResponseHandler]:
        """Begin TLS behind a proxy; aiohttp takes the total, which nobody else looks at, as the handshake's limit."""
        limits = attrs.evolve(timeout, total=self._connect_seconds)
        return await super()._start_tls_connection(underlying_transport, req, limits, client_error)
