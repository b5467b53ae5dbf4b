"""The short way to aiomar's server: aiohttp's connector, response handler and C parser, without its session.

`aiohttp.ClientSession.request` spends more than 100 µs of Python per request on what this client never uses: cookies,
redirects, proxies, middleware, header merging.  The core renders the request anyway, so here its bytes are written to a
pooled connection and the answer is read from the handler.  What the session does and this must do too:

* skip 1xx answers, save 101, after which nothing else comes;
* repeat a GET once when a pooled connection turns out to be dead before the first byte of an answer;
* give a connection back only after a body that was read to its end, and close it after anything else.

`ResponseHandler.set_response_params` and `Connection.protocol` are not documented by aiohttp, so `usable` looks whether
they are as expected; if not, the session way (`_aiohttp.py`) is taken.  Both pass the same tests.
"""

from __future__ import annotations

import asyncio
import inspect

import aiohttp
import attrs
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

from aiomar.errors import TransportError
from aiomar.protocol import HttpRequest, Origin, ResponseHead
from aiomar.transport._body_reader import BodyReader
from aiomar.transport._failures import no_answer_in_time, no_connection_in_time, translate
from aiomar.transport._pool import Pool, Wiring
from aiomar.transport._seam import Exchange, Trace

_FIRST_FINAL = 200
_SWITCHING = 101
_ALWAYS = "Accept: */*\r\nAccept-Encoding: identity\r\n"
_DEAD = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError, BrokenPipeError)


def usable() -> bool:
    """Whether this aiohttp has the parts that are used here, with the parameters that are passed."""
    try:
        connect = inspect.signature(aiohttp.TCPConnector.connect).parameters
        parameters = inspect.signature(ResponseHandler.set_response_params).parameters
    except (AttributeError, ValueError, TypeError):
        return False
    return (
        aiohttp.__version__.startswith("3.")
        and list(connect)[1:] == ["req", "traces", "timeout"]
        and {"read_until_eof", "auto_decompress"} <= parameters.keys()
        and isinstance(getattr(Connection, "protocol", None), property)
        and hasattr(ResponseHandler, "read")
    )


@attrs.frozen
class _Route:
    """What never changes between requests to one origin."""

    template: aiohttp.ClientRequest
    """Tells the connector where to connect and how; it is never sent."""
    headers: bytes


class LeanTransport:
    """A `Transport` over aiohttp's connector: one pool for logins and downloads, single connections for uploads.

    Must be made inside the event loop that uses it.

    Args:
        wiring: TLS, deadlines, names.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._timeouts = wiring.timeouts
        self._limits = wiring.limits
        self._pooled = Pool(wiring, single=False)
        self._single = Pool(wiring, single=True)
        self._routes: dict[Origin, _Route] = {}
        self._answered = False

    async def send(self, request: HttpRequest, trace: Trace, *, own_connection: bool = False) -> Exchange:
        """Send a request once and wait for the head of its answer; see `Transport.send`."""
        route = self._routes.get(request.origin) or self._add_route(request.origin)
        wire = _render(request, route.headers)
        pool = self._single if own_connection else self._pooled
        while True:
            connection = await self._connect(pool, route, request.origin)
            may_be_dead = not pool.is_new(connection.protocol) and request.method == "GET"
            trace.phase = "request"
            try:
                head, content = await self._converse(connection, wire)
            except BaseException as error:
                connection.close()
                if may_be_dead and isinstance(error, _DEAD):
                    continue  # the server had closed an idle connection and never saw the request
                if isinstance(error, aiohttp.ClientError | OSError | HttpProcessingError):
                    raise self._failure(error, request.origin) from error
                raise
            self._answered = True
            trace.phase = "response"
            return BodyReader(
                head=head,
                origin=request.origin,
                content=content,
                gap_seconds=self._timeouts.read,
                give_back=connection.release,
                give_up=connection.close,
            )

    async def _connect(self, pool: Pool, route: _Route, origin: Origin) -> Connection:
        try:
            return await pool.connect(route.template, [], self._limits)
        except TimeoutError as error:
            raise no_connection_in_time(origin, self._timeouts) from error
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, origin=origin, phase="connect", answered=self._answered) from error

    def _failure(self, error: Exception, origin: Origin) -> TransportError:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
            return no_answer_in_time(origin, self._timeouts)
        return translate(error, origin=origin, phase="request", answered=self._answered)

    async def _converse(self, connection: Connection, wire: bytes) -> tuple[ResponseHead, StreamReader]:
        """Write the request and wait for the head of the final answer."""
        protocol = connection.protocol
        if protocol is None or protocol.transport is None or protocol.transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        protocol.transport.write(wire)
        # A bare timer, as `asyncio.timeout` costs ten times as much; the handler wakes whoever reads from it.
        late = asyncio.get_running_loop().call_later(self._timeouts.first_byte, protocol.set_exception, TimeoutError())
        try:
            while True:
                message, content = await protocol.read()
                if message.code >= _FIRST_FINAL or message.code == _SWITCHING:
                    return ResponseHead(status=message.code, headers=tuple(message.headers.items())), content
        finally:
            late.cancel()

    def _add_route(self, origin: Origin) -> _Route:
        template = aiohttp.ClientRequest(
            "GET",
            yarl.URL(str(origin), encoded=True),
            loop=asyncio.get_running_loop(),
            ssl=self._wiring.context,
            server_hostname=self._wiring.server_hostname,
        )
        headers = f"Host: {origin.netloc}\r\nUser-Agent: {self._wiring.user_agent}\r\n" + _ALWAYS
        route = _Route(template, headers.encode("ascii"))
        self._routes[origin] = route
        return route

    async def aclose(self) -> None:
        """Close every connection at once; a peer that never says goodbye is not waited for."""
        try:
            await self._pooled.close()
        finally:
            await self._single.close()


def _render(request: HttpRequest, headers: bytes) -> bytes:
    """Render a request; aiohttp's own check of headers is not on this way, so one stands here."""
    lines = [f"{request.method} {request.target} HTTP/1.1\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in request.headers]
    text = "".join(lines)
    if not text.isascii() or text.count("\r") != len(lines) or text.count("\n") != len(lines) or " " in request.target:
        raise AssertionError("a request is rendered from checked parts, so it cannot hold line ends or odd characters")
    return b"".join((lines[0].encode("ascii"), headers, "".join(lines[1:]).encode("ascii"), b"\r\n", request.body))
