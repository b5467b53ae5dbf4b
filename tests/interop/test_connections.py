"""What becomes of a connection between two requests and after the last, on both ways of sending."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDict

from aiomar import DeadlineError, OmarConfig, Timeouts, TransportError
from aiomar._threads import Threads
from aiomar.protocol import HttpRequest, Origin, ResponseHead
from aiomar.transport import (
    AiohttpTransport,
    Exchange,
    LeanTransport,
    ThreadsResolver,
    Trace,
    Transport,
    Wiring,
    build_context,
    make_transport,
)
from aiomar.transport._body_reader import BodyReader
from aiomar.transport._watch import Watch
from tests.support.names import Addresses
from tests.support.proxy import Proxy
from tests.support.raw import Answer, Port, RawSite, Then, whole

Make = Callable[..., Transport]
BODY = b"a,b\r\n1,2\r\n"
SILENT_END = Answer(b"", Then.CLOSE)


class Nowhere(Addresses):
    """Looks up for ever."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Wait."""
        await asyncio.Event().wait()
        return await super().resolve(host, port, family)


@pytest.fixture
def wiring(configure: Callable[..., OmarConfig]) -> Wiring:
    """Give what both ways are made of."""
    config = configure("https://localhost:1")
    context = build_context(config.identity, config.trust)
    return Wiring(
        context=context, timeouts=Timeouts(), user_agent="test", server_hostname=None, resolver=Addresses("127.0.0.1")
    )


@pytest.fixture(params=[True, False], ids=["lean", "session"])
def make(request: pytest.FixtureRequest, wiring: Wiring) -> Make:
    """Make a transport of either way, with changes to its wiring."""
    return lambda **changes: make_transport(attrs.evolve(wiring, **changes), proxy=None, lean=request.param)


def to(site: Port, target: str = "/data", *, method: str = "GET") -> HttpRequest:
    """Give a request."""
    return HttpRequest("GET" if method == "GET" else "POST", Origin("localhost", site.number), target)


async def read(exchange: Exchange) -> bytes:
    """Read an answer to its end and close it."""
    pieces = []
    while piece := await exchange.read():
        pieces.append(piece)
    exchange.close()
    return b"".join(pieces)


async def ask(transport: Transport, site: Port, *, own_connection: bool = False) -> bytes:
    """Send a request and read its answer."""
    return await read(await transport.send(to(site), Trace(), own_connection=own_connection))


async def ended(site: Port, number: int) -> None:
    """Wait until so many connections have come to their end, as the server sees it."""
    async with asyncio.timeout(5):
        while sum(task.done() for task in site._tasks) < number:
            pending = [task for task in site._tasks if not task.done()]
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)


def test_the_way_is_chosen(wiring: Wiring) -> None:
    """The short way is taken unless it is switched off or there is a proxy."""

    async def kind(proxy: str | None, *, lean: bool) -> type[Transport]:
        transport = make_transport(wiring, proxy=proxy, lean=lean)
        await transport.aclose()
        return type(transport)

    assert asyncio.run(kind(None, lean=True)) is LeanTransport
    assert asyncio.run(kind(None, lean=False)) is AiohttpTransport
    assert asyncio.run(kind("http://localhost:1", lean=True)) is AiohttpTransport


async def test_one_connection_after_another(make: Make, server_context: ssl.SSLContext) -> None:
    """Requests one after the other share a connection; those at the same time have their own, and are used again."""
    async with RawSite(server_context, whole(BODY)) as site:
        transport = make()
        for _ in range(3):
            assert await ask(transport, site) == BODY
        assert site.connections == 1
        for _ in range(2):
            assert await asyncio.gather(*(ask(transport, site) for _ in range(3))) == [BODY] * 3
        assert site.connections == 3
        await transport.aclose()


async def test_what_a_trace_says(make: Make, server_context: ssl.SSLContext) -> None:
    """The wait for the head counts from the request, on a new connection and on one that was idle."""
    async with RawSite(server_context, whole(BODY), Answer(b"", Then.STALL)) as site:
        loop = asyncio.get_running_loop()
        transport = make(timeouts=Timeouts(first_byte=0.05))
        began = loop.time()
        trace = Trace()
        await read(await transport.send(to(site), trace))
        assert trace.phase == "response"
        assert 0 < trace.waited < loop.time() - began + 0.002  # uvloop's clock counts in milliseconds
        trace = Trace()
        with pytest.raises(DeadlineError):
            await transport.send(to(site), trace)
        assert (trace.phase, trace.waited) == ("request", 0.0)
        await transport.aclose()


@pytest.mark.fault(5)
async def test_own_connection(make: Make, server_context: ssl.SSLContext) -> None:
    """A request that wants a connection of its own gets a new one, which nobody uses afterwards."""
    async with RawSite(server_context, whole(BODY)) as site:
        transport = make()
        await ask(transport, site)
        await ask(transport, site, own_connection=True)
        await ask(transport, site, own_connection=True)
        assert site.connections == 3
        await ended(site, 2)
        await ask(transport, site)
        assert site.connections == 3
        await transport.aclose()


@pytest.mark.fault(5)
async def test_dead_idle_connection(make: Make, server_context: ssl.SSLContext) -> None:
    """A GET on an idle connection that turns out to be dead is sent once more, on a new one, and not a third time."""
    async with RawSite(server_context, whole(BODY), SILENT_END, whole(BODY), SILENT_END) as site:
        transport = make()
        await ask(transport, site)
        assert await ask(transport, site) == BODY
        assert (site.connections, len(site.targets)) == (2, 3)
        with pytest.raises(TransportError, match="lost"):
            await ask(transport, site)
        assert (site.connections, len(site.targets)) == (3, 5)
        await transport.aclose()


@pytest.mark.fault(5)
async def test_many_dead_idle_connections(make: Make, server_context: ssl.SSLContext) -> None:
    """However many idle connections are dead, a GET is sent twice at most, and the second time on a new one."""
    async with RawSite(server_context, *[whole(BODY)] * 4, SILENT_END, whole(BODY)) as site:
        transport = make()
        await asyncio.gather(*(ask(transport, site) for _ in range(4)))
        assert await ask(transport, site) == BODY
        assert len(site.targets) == 6
        await transport.aclose()


@pytest.mark.fault(5)
async def test_connection_that_dies_in_an_answer(make: Make, server_context: ssl.SSLContext) -> None:
    """Once a byte of an answer has come, an idle connection was not dead, and nothing is sent again."""
    async with RawSite(server_context, whole(BODY), Answer(b"HTTP/1.1 2"), whole(BODY)) as site:
        transport = make()
        await ask(transport, site)
        with pytest.raises(TransportError):
            await ask(transport, site)
        assert len(site.targets) == 2
        await transport.aclose()


async def test_connection_that_dies_after_1xx(wiring: Wiring, server_context: ssl.SSLContext) -> None:
    """A 1xx shows as well that an idle connection was alive; aiohttp's session does not tell of it."""
    async with RawSite(server_context, whole(BODY), Answer(b"HTTP/1.1 102 Busy\r\n\r\n"), whole(BODY)) as site:
        transport = LeanTransport(wiring)
        await ask(transport, site)
        with pytest.raises(TransportError):
            await ask(transport, site)
        assert len(site.targets) == 2
        await transport.aclose()


@pytest.mark.fault(5)
async def test_post_on_a_dead_connection(make: Make, server_context: ssl.SSLContext) -> None:
    """A POST is never sent twice, whatever its connection was."""
    async with RawSite(server_context, whole(BODY), SILENT_END, whole(BODY)) as site:
        transport = make()
        await ask(transport, site)
        trace = Trace()
        with pytest.raises(TransportError):
            await transport.send(to(site, method="POST"), trace)
        assert len(site.targets) == 2
        assert trace.phase == "request"
        await transport.aclose()


async def test_idle_for_too_long(make: Make, server_context: ssl.SSLContext) -> None:
    """Idle connections are closed after their time, without a request; the next one gets a new connection."""
    async with RawSite(server_context, whole(BODY)) as site:
        transport = make(keep_alive=0.02)
        await asyncio.gather(*(ask(transport, site) for _ in range(3)))
        await ended(site, 3)
        await ask(transport, site)
        assert site.connections == 4
        await ended(site, 4)
        await transport.aclose()


async def test_idle_while_the_loop_stood_still(wiring: Wiring, server_context: ssl.SSLContext) -> None:
    """A connection that was idle for too long is not used, even where its timer had no chance to close it."""
    async with RawSite(server_context, whole(BODY)) as site:
        transport = LeanTransport(wiring)
        await ask(transport, site)
        (route,) = transport._routes.values()
        assert route.shelf.take(monotonic() + wiring.keep_alive) is None
        await ended(site, 1)
        await transport.aclose()


async def test_nothing_is_left(make: Make, server_context: ssl.SSLContext) -> None:
    """Closing ends connections that are idle, that are read from, and that come back only afterwards."""
    stall = Answer(b"HTTP/1.1 200 OK\r\n\r\n", Then.STALL)
    async with RawSite(server_context, stall, whole(BODY)) as site:
        transport = make()
        unread = await transport.send(to(site), Trace())
        idle, late = await asyncio.gather(*(transport.send(to(site), Trace()) for _ in range(2)))
        await read(idle)
        while await late.read():
            pass
        await transport.aclose()
        late.close()
        unread.close()
        await ended(site, 3)


async def test_closed_by_the_answer(make: Make, server_context: ssl.SSLContext) -> None:
    """A connection whose server says that it will close it is closed at once, and not used again."""
    async with RawSite(server_context, whole(BODY, "Connection: close")) as site:
        transport = make()
        await ask(transport, site)
        await ended(site, 1)
        await ask(transport, site)
        assert site.connections == 2
        await transport.aclose()


class Mute(Port):
    """A site that completes the handshake and never says another word, not even goodbye.

    Args:
        context: the server's side of TLS.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(self._listen)
        self._tls = context
        self.asked = False
        """Whether a request has come, or its beginning."""

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._tls.wrap_bio(received, to_send, server_side=True)
        while piece := await reader.read(65_536):
            received.write(piece)
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                self.asked |= bool(tls.read(1))
            writer.write(to_send.read())


@pytest.mark.fault(74)
@pytest.mark.parametrize("way", ["lean", "session", "proxy"])
async def test_given_up_while_it_connects(wiring: Wiring, server_context: ssl.SSLContext, way: str) -> None:
    """At whatever turn of the loop somebody gives up, a peer that says no goodbye does not keep the connection open."""
    async with Mute(server_context) as site, Proxy() as proxy:
        turns = 0
        while not site.asked:
            transport = make_transport(wiring, proxy=proxy.address if way == "proxy" else None, lean=way == "lean")
            call = asyncio.create_task(transport.send(to(site), Trace()))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
            await transport.aclose()
            await ended(proxy, proxy.connections)
            await ended(site, site.connections)
            turns += 1


@pytest.mark.fault(1, 3)
async def test_name_that_is_looked_up_for_ever(make: Make) -> None:
    """A look-up that hangs runs into the deadline of connecting, for each who waits for it, and closing does not."""
    transport = make(resolver=Nowhere(), timeouts=Timeouts(connect=0.05))
    request = HttpRequest("GET", Origin("omar.invalid", 443), "/")
    results = await asyncio.gather(*(transport.send(request, Trace()) for _ in range(2)), return_exceptions=True)
    assert [error.phase for error in results if isinstance(error, DeadlineError)] == ["connect", "connect"]
    await transport.aclose()


async def test_one_look_up_for_all() -> None:
    """Whoever asks for a host while it is being looked up gets the same addresses, each with their own port."""
    threads = Threads(1)
    resolver = ThreadsResolver(threads)
    found = await asyncio.gather(*(resolver.resolve("localhost", port) for port in (443, 444)))
    assert [{each["port"] for each in answer} for answer in found] == [{443}, {444}]
    assert {each["host"] for each in found[0]} <= {"127.0.0.1", "::1"}
    await resolver.close()
    await threads.aclose()


class Nobody:
    """Takes no connection back."""

    def release(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def connected(client: ssl.SSLContext, server: ssl.SSLContext, said: bytes) -> ssl.SSLObject:
    """Give a client's side of TLS that has received something and handed nothing on."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    mine = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (mine, theirs, mine, theirs):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    theirs.write(said)
    return mine


@pytest.mark.fault(48)
@pytest.mark.parametrize(("headers", "rest"), [((), BODY), ((("Content-Length", "0"),), b"")], ids=["close", "length"])
async def test_bytes_that_the_loop_left_behind(
    wiring: Wiring, server_context: ssl.SSLContext, headers: tuple[tuple[str, str], ...], rest: bytes
) -> None:
    """What TLS still holds at the end belongs to a body that ends with its connection, and to no other."""
    tls = connected(wiring.context, server_context, BODY)
    head = ResponseHead(200, CIMultiDict(headers))
    reader = BodyReader(head, Origin("localhost", 443), EMPTY_PAYLOAD, Watch(1.0), Nobody(), tls)
    assert await reader.read() == rest
    assert await reader.read() == b""


class Loop(asyncio.SelectorEventLoop):
    """Notes how long a handshake may take."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        """Note it where there is a handshake."""
        if kwargs.get("ssl"):
            self.seconds.append(kwargs.get("ssl_handshake_timeout"))
        return await super().create_connection(*args, **kwargs)

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        """Note it."""
        self.seconds.append(kwargs.get("ssl_handshake_timeout"))
        return await super().start_tls(*args, **kwargs)


@pytest.mark.parametrize("way", ["lean", "session", "proxy"])
def test_handshake_has_the_time_of_connecting(wiring: Wiring, server_context: ssl.SSLContext, way: str) -> None:
    """A handshake may last as long as connecting may, and not only the 60 s that asyncio gives it unasked."""

    async def look() -> None:
        async with RawSite(server_context, whole(BODY)) as site, Proxy() as proxy:
            patient = attrs.evolve(wiring, timeouts=Timeouts(connect=90))
            address = proxy.address if way == "proxy" else None
            transport = make_transport(patient, proxy=address, lean=way == "lean")
            assert await ask(transport, site) == BODY
            await transport.aclose()

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(look())
        loop = runner.get_loop()
    assert isinstance(loop, Loop)
    assert loop.seconds == [90]


@pytest.mark.parametrize(
    ("target", "cookie"),
    [("/a b", "c"), ("/a\r\nX: y", "c"), ("/a\nb", "c"), ("/é", "c"), ("/a", "c\r\nX: y"), ("/a", "c\nd"), ("/a", "é")],
)
async def test_unchecked_request(wiring: Wiring, server_context: ssl.SSLContext, target: str, cookie: str) -> None:
    """A target or a header that would break the request in two never leaves, should the core ever let it pass."""
    async with RawSite(server_context, whole(BODY)) as site:
        transport = LeanTransport(wiring)
        request = HttpRequest("GET", Origin("localhost", site.number), target, (("Cookie", cookie),))
        with pytest.raises(AssertionError):
            await transport.send(request, Trace())
        assert site.connections == 0
        await transport.aclose()
