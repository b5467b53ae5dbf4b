"""The short way to aiomar's server: aiohttp's connector, response handler and C parser, without its session.

`aiohttp.ClientSession.request` spends more than 100 µs of Python per request on what this client never uses: cookies,
redirects, proxies, middleware, header merging.  The core says what the request is anyway, so here its bytes are written
to an idle connection (`_shelf.py`) and the answer is read from the handler.  What the session does and this must do
too:

* skip 1xx answers, save 101, after which nothing else comes;
* repeat a GET once, on a new connection, when an idle one turns out to be dead before the first byte of an answer and
  the caller lets it;
* keep a connection only after a body that was read to its end, and close it after anything else.

`ResponseHandler.set_response_params` and `Connection.protocol` are not documented by aiohttp, so `usable` looks whether
they are as expected; if not, the session way (`_aiohttp.py`) is taken.  Both pass the same tests.
"""

from __future__ import annotations

import asyncio
import inspect
from time import monotonic

import aiohttp
import attrs
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError

from aiomar.errors import TransportError
from aiomar.protocol import HttpRequest, Origin, ResponseHead
from aiomar.transport._body_reader import BodyReader
from aiomar.transport._failures import no_answer_in_time, no_connection_in_time, nothing_came, translate
from aiomar.transport._pool import Pool, Wiring
from aiomar.transport._seam import Exchange, Trace
from aiomar.transport._secret import Secret
from aiomar.transport._shelf import Line, Shelf
from aiomar.transport._watch import Watch

_FIRST_FINAL = 200
_SWITCHING = 101
_ALWAYS = "Accept: */*\r\nAccept-Encoding: identity\r\n"


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
        and all(hasattr(ResponseHandler, name) for name in ("closed", "read", "set_exception", "should_close"))
    )


@attrs.define
class _Route:
    """What is the same for many requests to one origin."""

    template: aiohttp.ClientRequest
    """Tells the connector where to connect and how; it is never sent."""
    headers: str
    """Those of every request."""
    shelf: Shelf
    _own_headers: tuple[tuple[str, str], ...] | None = attrs.field(default=None, repr=False)  # the cookie is among them
    _tail: str = attrs.field(default="", repr=False)
    """What follows the target, with the headers that the last request had of its own."""

    def render(self, request: HttpRequest) -> bytes:
        """Render a request; aiohttp's own check of headers is not on this way, so one stands here."""
        target = request.target
        if not target.isascii() or " " in target or "\r" in target or "\n" in target:
            raise _unchecked()
        if request.headers != self._own_headers:
            self._tail = f" HTTP/1.1\r\n{self.headers}{_render_headers(request.headers)}\r\n"
            self._own_headers = request.headers
        return f"{request.method} {target}{self._tail}".encode("ascii") + request.body


def _render_headers(headers: tuple[tuple[str, str], ...]) -> str:
    lines = [f"{name}: {value}" for name, value in headers]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise _unchecked()
    return "".join(f"{line}\r\n" for line in lines)


def _unchecked() -> AssertionError:
    return AssertionError("a request is rendered from checked parts, so it cannot hold line ends or odd characters")


class LeanTransport:
    """A `Transport` over aiohttp's connector: logins and downloads share connections, uploads have their own.

    Must be made inside the event loop that uses it.

    Args:
        wiring: TLS, deadlines, names.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._timeouts = wiring.timeouts
        self._limits = wiring.limits
        self._pool = Pool(wiring)
        self._routes: dict[Origin, _Route] = {}
        self._answered = False
        self._first_byte = Watch(wiring.timeouts.first_byte)
        self._gap = Watch(wiring.timeouts.read)

    async def send(self, request: HttpRequest, trace: Trace, *, own_connection: bool = False) -> Exchange:
        """Send a request once and wait for the head of its answer; see `Transport.send`."""
        origin = request.origin
        route = self._routes.get(origin) or self._add_route(origin)
        wire = Secret(route.render(request))  # no traceback that prints local variables shall show cookie or content
        line = None if own_connection else route.shelf.take(monotonic())
        while True:
            if line is None:
                line = await self._connect(route, origin, shelf=None if own_connection else route.shelf)
            trace.phase = "request"
            try:
                return await self._converse(line, wire, origin, trace)
            except BaseException as error:
                line.close()
                if line.may_be_dead and request.method == "GET" and nothing_came(error) and trace.repeat():
                    line = None  # the server had closed an idle connection and never saw the request
                elif isinstance(error, aiohttp.ClientError | OSError | HttpProcessingError):
                    raise self._failure(error, origin) from error
                else:
                    raise

    async def _converse(self, line: Line, wire: Secret[bytes], origin: Origin, trace: Trace) -> BodyReader:
        """Write the request and wait for the head of the final answer."""
        protocol = line.protocol
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        line.transport.write(wire.reveal())
        started = monotonic()
        self._first_byte.begin(protocol, started)
        try:
            message, content = await protocol.read()
            line.may_be_dead = False
            while message.code < _FIRST_FINAL and message.code != _SWITCHING:
                message, content = await protocol.read()
        finally:
            self._first_byte.end(protocol)
        trace.waited = monotonic() - started
        trace.phase = "response"
        self._answered = True
        head = ResponseHead(message.code, message.headers)
        return BodyReader(head, origin, content, self._gap, line, line.tls if message.should_close else None)

    async def _connect(self, route: _Route, origin: Origin, shelf: Shelf | None) -> Line:
        try:
            connection, _ = await self._pool.take(route.template, [], self._limits)
        except TimeoutError as error:
            raise no_connection_in_time(origin, self._timeouts) from error
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, origin=origin, phase="connect", answered=self._answered) from error
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None or transport.is_closing():
            connection.close()
            raise self._failure(aiohttp.ServerDisconnectedError(), origin)
        return Line(connection, protocol, transport, transport.get_extra_info("ssl_object"), shelf)

    def _failure(self, error: Exception, origin: Origin) -> TransportError:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
            return no_answer_in_time(origin, self._timeouts)
        return translate(error, origin=origin, phase="request", answered=self._answered)

    def _add_route(self, origin: Origin) -> _Route:
        template = aiohttp.ClientRequest(
            "GET",
            yarl.URL(str(origin), encoded=True),
            loop=asyncio.get_running_loop(),
            ssl=self._wiring.context,
            server_hostname=self._wiring.server_hostname,
        )
        headers = f"Host: {origin.netloc}\r\nUser-Agent: {self._wiring.user_agent}\r\n" + _ALWAYS
        route = _Route(template, headers, Shelf(self._wiring.keep_alive))
        self._routes[origin] = route
        return route

    async def aclose(self) -> None:
        """Close every connection at once; a peer that never says goodbye is not waited for."""
        self._first_byte.close()
        self._gap.close()
        for route in self._routes.values():
            route.shelf.close()
        try:
            await self._pool.close()
        finally:
            await self._wiring.resolver.close()
