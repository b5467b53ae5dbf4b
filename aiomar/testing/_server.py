"""An OMAR-Online in this process: two ports, mutual TLS, a strict site, and trouble on demand.

The site (`_site.py`) decides what is said, a fault (`_faults.py`) what becomes of it, and this file carries it out.  It
is the only one that knows aiohttp's server.  A whole answer goes out through aiohttp; everything else is written to the
transport as raw bytes, because aiohttp rightly refuses to send broken HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import logging
import socket
import ssl
import struct
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs
from aiohttp import web
from multidict import CIMultiDict

from aiomar.protocol import Environment, FileFormat, Meter, Selection, Span, TimeType
from aiomar.testing._authority import Authority, Credentials
from aiomar.testing._capacity import Workers
from aiomar.testing._faults import Fault, FaultScript
from aiomar.testing._listener import Listener
from aiomar.testing._log import Connections, Log, RequestRecord
from aiomar.testing._reading import Query
from aiomar.testing._sessions import CookieMode, Sessions
from aiomar.testing._site import Door, Site, SiteRequest, Upload, busy
from aiomar.testing._wire import Delivery, Ending, whole
from aiomar.transport import ClientIdentity, Trust

DEFAULT_METERS = tuple(str(number) for number in range(1001, 1061))
"""Sixty meters, 1001 to 1060."""
DEFAULT_GROUPS: Mapping[str, Sequence[str]] = {"123": DEFAULT_METERS[:3]}
"""The group of the sample address in DL 3.1, with three meters."""

_PASSPHRASE = "correct horse"  # noqa: S105 - it protects a certificate that only the embedded server accepts
_PATIENCE = 1.0
"""Seconds that a handler gets to end after its connection was cut; it needs a few turns of the loop."""
_NOT_RUNNING = "the server is not running: enter it with 'async with' first"
_LINGER_NONE = struct.pack("ii", 1, 0)
_PIECE = 65_536
_log = logging.getLogger("aiomar.testing")


def _ids(values: Iterable[str | Meter]) -> tuple[str, ...]:
    return tuple(value.id if isinstance(value, Meter) else value for value in values)


class OmarServer:
    """An embedded OMAR-Online, as ``async with OmarServer() as server``.

    Args:
        meters: the meters that have data, as ids or `Meter` values.
        groups: the groups that have data, each with its meters; a group's file holds all of them.
        faults: the first faults of the script; `script` adds more.
        cookies: what the cookies of a login look like.
        session_requests: uploads and downloads after which a session ends; `None` for never.
        single_session: whether a login during a session gives the cookie of that session again.
        latency: seconds that every answer waits before its first byte.
        capacity: how many downloads are worked on at once; what comes beyond is refused at once with HTTP 503, and each
            refusal adds a twentieth of `service_time` to every download under way.  `None` for no such limit.
        service_time: seconds that each download is worked on; it counts only where there is a `capacity`.
        upload_port: port of login and upload; 0 for any free one.
        download_port: port of the downloads; 0 for any free one.
        maximum_tls: the newest version of TLS to speak; `None` for the newest there is.
        authority: who signs the certificates; `None` for a new one.

    Raises:
        UnusedFaultError: on exit without another exception, if a scripted fault never fired.
        OSError: on entry, if a port is taken.
    """

    def __init__(
        self,
        *,
        meters: Iterable[str | Meter] = DEFAULT_METERS,
        groups: Mapping[str, Iterable[str | Meter]] = DEFAULT_GROUPS,
        faults: Iterable[Fault] = (),
        cookies: CookieMode = CookieMode.DISTINCT,
        session_requests: int | None = None,
        single_session: bool = False,
        latency: float = 0.0,
        capacity: int | None = None,
        service_time: float = 0.02,
        upload_port: int = 0,
        download_port: int = 0,
        maximum_tls: ssl.TLSVersion | None = None,
        authority: Authority | None = None,
    ) -> None:
        self._known = frozenset(_ids(meters)), {group: _ids(members) for group, members in groups.items()}
        self._sessions = functools.partial(Sessions, cookies, requests=session_requests, single=single_session)
        self._site = self._new_site()
        self._log = Log()
        self._faults = FaultScript(faults)
        self._latency = latency
        self._workers = None if capacity is None else Workers(capacity, service_time)
        self._ports = {Door.UPLOAD: upload_port, Door.DOWNLOAD: download_port}
        self._maximum_tls = maximum_tls
        self._authority = Authority() if authority is None else authority
        self._web: dict[Door, web.Server] = {}
        self._listeners: dict[Door, Listener] = {}
        self._closing = contextlib.AsyncExitStack()
        self._directory: Path | None = None

    def _new_site(self) -> Site:
        return Site(*self._known, self._sessions())

    def _both(self) -> tuple[Listener, Listener]:
        if len(self._listeners) != len(Door):
            raise RuntimeError(_NOT_RUNNING)
        return self._listeners[Door.UPLOAD], self._listeners[Door.DOWNLOAD]

    # --- Life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open both ports."""
        async with contextlib.AsyncExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiomar-")))
            self.ca_file.write_bytes(self._authority.ca_pem)
            context = self._authority.server_context(self._maximum_tls)
            for door, port in self._ports.items():
                server = web.Server(
                    functools.partial(self._handle, door),
                    handler_cancellation=True,
                    access_log=None,
                    logger=_log,
                    lingering_time=0,
                    auto_decompress=False,
                )
                self._web[door] = server
                stack.push_async_callback(self._hang_up, server)
                self._listeners[door] = Listener(server, context, port)
                stack.push_async_callback(self._listeners[door].close)
            self._closing = stack.pop_all()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cut every connection, close the ports, remove the files; then complain about faults that never fired."""
        await self._closing.aclose()
        if exc_type is None:
            self.check_faults()

    @staticmethod
    async def _hang_up(server: web.Server) -> None:
        for handler in server.connections:
            if handler.transport is not None:
                handler.transport.abort()
        await server.shutdown(_PATIENCE)

    # --- What a client needs ------------------------------------------------------------------------------------------

    @property
    def environment(self) -> Environment:
        """The two origins."""
        upload, download = (f"https://localhost:{listener.port}" for listener in self._both())
        return Environment("embedded", upload, download)

    @property
    def ca_file(self) -> Path:
        """The authority's certificate as a PEM file, in a private directory that goes away with the server."""
        if self._directory is None:
            raise RuntimeError(_NOT_RUNNING)
        return self._directory / "ca.pem"

    @property
    def trust(self) -> Trust:
        """Trust in this server's authority."""
        return Trust(ca_file=self.ca_file)

    def identity(self) -> ClientIdentity:
        """Give a client certificate that this server accepts."""
        return ClientIdentity.from_pkcs12(self.pkcs12(_PASSPHRASE), _PASSPHRASE)

    def pkcs12(self, passphrase: str | None = None) -> bytes:
        """Give that certificate and its key as the content of a ``.p12`` file."""
        return self._authority.pkcs12(passphrase)

    def write_credentials(self, directory: str | Path, passphrase: str | None = None) -> Credentials:
        """Write the client's files (PKCS#12, PEM, authority) into a directory that exists."""
        return self._authority.write(Path(directory), passphrase)

    # --- Trouble ------------------------------------------------------------------------------------------------------

    def script(self, *faults: Fault) -> None:
        """Queue faults; each fires for the next request that it is for, in order."""
        self._faults.add(faults)

    def check_faults(self) -> None:
        """Do nothing if every scripted fault has fired.

        Raises:
            UnusedFaultError: naming those that did not.
        """
        self._faults.check()

    def expire_sessions(self) -> None:
        """End every session: the next request under each gets the login page."""
        self._site.expire_sessions()

    def clear(self) -> None:
        """Forget requests, uploads, sessions and faults, as if just started; connections stay open and counted."""
        self._site, self._log, self._faults = self._new_site(), Log(), FaultScript()
        if self._workers:
            self._workers.clear()

    # --- What it saw --------------------------------------------------------------------------------------------------

    @property
    def requests(self) -> Sequence[RequestRecord]:
        """Every request, in the order in which the answers were decided."""
        return self._log.requests

    @property
    def uploads(self) -> Sequence[Upload]:
        """Every file that came, taken or refused."""
        return self._site.uploads

    @property
    def logins(self) -> int:
        """How many logins gave a session."""
        return self._site.logins

    @property
    def max_concurrent_uploads(self) -> int:
        """The largest number of uploads that ran at the same time."""
        return self._log.most["upload"]

    @property
    def max_concurrent_downloads(self) -> int:
        """The largest number of downloads that ran at the same time."""
        return self._log.most["download"]

    @property
    def worked(self) -> Sequence[int]:
        """How many downloads each worker has done, where there is a `capacity`.

        A download goes to the first that is idle, so the first number tells how many times of service passed, one after
        the other.
        """
        return tuple(self._workers.done) if self._workers else ()

    @property
    def connections(self) -> Connections:
        """TCP connections since the start; where none was refused, it is the number of TLS handshakes too."""
        upload, download = self._both()
        refused = upload.refused + download.refused
        return Connections(upload=upload.accepted, download=download.accepted, refused=refused)

    def data(
        self, selection: Selection, start: dt.date, end: dt.date, *, file_format: FileFormat, time_type: TimeType
    ) -> bytes:
        """Give the bytes that a good download of these has.

        Raises:
            LookupError: if there is no data.
        """
        span = Span(start, end)
        query = Query(selection=selection, start=span.start, end=span.end, time_type=time_type)
        found = self._site.data(query, file_format)
        if found is None:
            raise LookupError(f"this server has no data for {selection} from {start} to {end}")
        return found

    # --- One request --------------------------------------------------------------------------------------------------

    async def _handle(self, door: Door, request: web.BaseRequest) -> web.StreamResponse:
        now = dt.datetime.now(dt.UTC)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers)
        asked = SiteRequest(door=door, method=request.method, target=request.raw_path, headers=headers)
        site, log, faults = self._site, self._log, self._faults
        with log.running(asked.kind):
            fault = faults.take(asked.kind, asked.target)
            delivery = None
            try:
                if fault is None or not fault.unread:
                    asked = attrs.evolve(asked, body=await request.content.read())
                if fault is not None:
                    delivery = fault.deliver(site, asked)
                elif asked.kind == "download" and self._workers and not await self._workers.work():
                    delivery = whole(busy())
                else:
                    delivery = whole(site.answer(asked))
            finally:
                log.add(asked, fault, time=now, status=None if delivery is None else delivery.status)
            if fault is not None and delivery.misfire:
                faults.misfired(fault, delivery.misfire)
            # Without latency too, one turn of the loop: requests that came together are then seen to run together.
            await asyncio.sleep(delivery.wait + self._latency)
            return await self._carry_out(delivery, request)

    @staticmethod
    async def _carry_out(delivery: Delivery, request: web.BaseRequest) -> web.StreamResponse:
        """Send an answer whole, or write its bytes and end the connection as it says."""
        if delivery.reply is not None:
            reply = delivery.reply
            return web.Response(status=reply.status, body=reply.body, headers=CIMultiDict(reply.headers))
        for at in range(0, len(delivery.wire), _PIECE):
            await request.writer.write(delivery.wire[at : at + _PIECE])
        await request.writer.drain()
        if delivery.ending is Ending.STALL:
            # Cancelled when the connection ends, from either side.
            await asyncio.get_running_loop().create_future()
        if delivery.ending is Ending.RESET:
            _reset(request.transport)
        request.protocol.force_close()
        # The connection is gone: aiohttp notices when it tries to send this, and ends the handler without a word.
        return web.Response()


def _reset(transport: asyncio.Transport | None) -> None:
    """End a connection with a TCP reset: no lingering, no goodbye."""
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()
