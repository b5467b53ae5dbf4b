"""The connections that both ways of sending draw from."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiohttp
import attrs

from aiomar.transport._seam import Timeouts

if TYPE_CHECKING:
    from aiohttp.tracing import Trace as ForeignTrace

# A pooled connection that was idle for longer is not used again; servers of the documents' time kept them for 15-60 s.
_KEEP_ALIVE = 15.0
_NAMES_KEPT = 300


@attrs.frozen(kw_only=True)
class Wiring:
    """What both ways of sending are made of.

    Args:
        context: TLS with the client certificate; shared by every connection.
        timeouts: the deadlines of each phase.
        user_agent: sent with every request.
        server_hostname: the name to expect in the server's certificate; `None` for the origin's host.
        resolver: looks up names.
    """

    context: ssl.SSLContext
    timeouts: Timeouts
    user_agent: str
    server_hostname: str | None
    resolver: aiohttp.abc.AbstractResolver

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

    def __init__(self, wiring: Wiring, *, single: bool) -> None:
        super().__init__(
            ssl=wiring.context,
            limit=0,
            ttl_dns_cache=_NAMES_KEPT,
            resolver=wiring.resolver,
            force_close=single,
            keepalive_timeout=None if single else _KEEP_ALIVE,
        )
        self._seen: WeakSet[object] = WeakSet()
        # aiohttp forgets a connection as soon as it begins to close it, and TLS may take its time to say goodbye.
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[ForeignTrace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> aiohttp.connector.Connection:
        """Give a connection, but none on which something came unasked: it would pass for the next answer."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None:
                return connection
            if protocol not in self._seen:
                if protocol.transport is not None:
                    self._transports.add(protocol.transport)
                return connection
            if not protocol.should_close:
                return connection
            connection.close()

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close every connection at once, also those that still wait for their peer's goodbye."""
        await super().close(abort_ssl=abort_ssl)
        for transport in list(self._transports):
            transport.abort()
        await asyncio.sleep(0)  # in which the sockets are closed

    def is_new(self, protocol: object) -> bool:
        """Whether a connection, by its protocol, is asked about for the first time."""
        if protocol in self._seen:
            return False
        self._seen.add(protocol)
        return True
