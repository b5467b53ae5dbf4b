"""An OMAR-Online in this process: two ports, mutual TLS, a strict site, and trouble on demand.

The site (`_site.py`) decides what is said, a fault (`_faults.py`) what becomes of it, and a port (`_http.py`) carries
it out.  This file puts them together.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import ssl
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from aiomar.protocol import Environment, FileFormat, Meter, Selection, Span, TimeType
from aiomar.testing._authority import Authority, Credentials
from aiomar.testing._capacity import Workers
from aiomar.testing._control_port import ControlPort
from aiomar.testing._faults import Fault, FaultScript
from aiomar.testing._home import Home
from aiomar.testing._http import Answered, Exchange, Port
from aiomar.testing._listener import Listener
from aiomar.testing._log import Connections, Log, RequestRecord
from aiomar.testing._reading import Query
from aiomar.testing._sessions import CookieMode, Sessions
from aiomar.testing._site import Door, Site, SiteRequest, Upload, busy
from aiomar.testing._wire import whole
from aiomar.transport import ClientIdentity, Trust

DEFAULT_METERS = tuple(str(number) for number in range(1001, 1061))
"""Sixty meters, 1001 to 1060."""
DEFAULT_GROUPS: Mapping[str, Sequence[str]] = {"123": DEFAULT_METERS[:3]}
"""The group of the sample address in DL 3.1, with three meters."""

_PASSPHRASE = "correct horse"  # noqa: S105 - it protects a certificate that only the embedded server accepts
_NOT_RUNNING = "the server is not running: enter it with 'async with' first"


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
        control_port: port of the control page (`control_url`), which only this machine reaches; 0 for any free one,
            `None` for no such page.
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
        control_port: int | None = None,
        maximum_tls: ssl.TLSVersion | None = None,
        authority: Authority | None = None,
    ) -> None:
        self._known = _ids(meters), {group: _ids(members) for group, members in groups.items()}
        self._sessions = functools.partial(Sessions, cookies, requests=session_requests, single=single_session)
        self._wanted = {Door.UPLOAD: upload_port, Door.DOWNLOAD: download_port}
        self._ports: dict[Door, Port] = {}
        self._site = self._new_site()
        self._log = Log()
        self._faults = FaultScript(faults)
        self._latency = latency
        self._workers = None if capacity is None else Workers(capacity, service_time)
        self._control = None if control_port is None else ControlPort(self, control_port)
        self._maximum_tls = maximum_tls
        self._authority = Authority() if authority is None else authority
        self._closing = contextlib.AsyncExitStack()
        self._directory: Path | None = None
        self._home = Home()

    def _new_site(self) -> Site:
        return Site(*self._known, self._sessions(), self.environment if len(self._ports) == len(Door) else None)

    def _both(self) -> tuple[Listener, Listener]:
        if len(self._ports) != len(Door):
            raise RuntimeError(_NOT_RUNNING)
        return self._ports[Door.UPLOAD].listener, self._ports[Door.DOWNLOAD].listener

    # --- Life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the ports."""
        async with contextlib.AsyncExitStack() as stack:
            self._home.enter()
            stack.callback(self._home.leave)
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiomar-")))
            self.ca_file.write_bytes(self._authority.ca_pem)
            context = self._authority.server_context(self._maximum_tls)
            for door, port in self._wanted.items():
                self._ports[door] = Port(functools.partial(self._handle, door), context, port)
                stack.push_async_callback(self._ports[door].close)
            if self._control is not None:
                await stack.enter_async_context(self._control)
            # The pages of the site link from one port to the other; nobody has been answered yet.
            self._site = self._new_site()
            self._closing = stack.pop_all()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cut every connection, close the ports, remove the files; then complain about faults that never fired."""
        await self._closing.aclose()
        if exc_type is None:
            self.check_faults()

    # --- What a client needs ------------------------------------------------------------------------------------------

    @property
    def environment(self) -> Environment:
        """The two origins."""
        upload, download = (f"https://localhost:{listener.port}" for listener in self._both())
        return Environment("embedded", upload, download)

    @property
    def control_url(self) -> str:
        """Where the control page is, its secret included; there is one only with a `control_port`."""
        if self._control is None:
            raise RuntimeError("there is no control page: give OmarServer a control_port")
        return self._control.control.url

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
        return ClientIdentity.from_pkcs12(self.pkcs12())

    def pkcs12(self, passphrase: str | None = None) -> bytes:
        """Give that certificate and its key as the content of a ``.p12`` file."""
        return self._authority.pkcs12(passphrase)

    def write_credentials(self, directory: str | Path, passphrase: str | None = None) -> Credentials:
        """Write the client's files (PKCS#12, PEM, authority) into a directory that exists."""
        return self._authority.write(Path(directory), passphrase)

    def environ(self, directory: str | Path, passphrase: str = _PASSPHRASE) -> dict[str, str]:
        """Write the client's files into a directory that exists; give the ``AIOMAR_*`` variables that lead here.

        They are all that another process, or `OmarConfig.from_env`, needs; its ledger is below that directory too.
        """
        return self.write_credentials(directory, passphrase).environ(self.environment, passphrase)

    # --- Trouble ------------------------------------------------------------------------------------------------------

    def script(self, *faults: Fault) -> None:
        """Queue faults; each fires for the next request that it is for, in order."""
        self._home.change(lambda: self._faults.add(faults))

    def check_faults(self) -> None:
        """Do nothing if every scripted fault has fired.

        Raises:
            UnusedFaultError: naming those that did not.
        """
        self._home.change(self._faults.check)

    def forget_faults(self) -> None:
        """Take back the faults that still wait; those that fired in vain are forgotten too."""
        self._home.change(self._faults.forget)

    def expire_sessions(self) -> None:
        """End every session: the next request under each gets the login page."""
        self._home.change(self._site.expire_sessions)

    def clear(self) -> None:
        """Forget requests, uploads, sessions and faults, as if just started; connections stay open and counted."""
        self._home.change(self._clear)

    def _clear(self) -> None:
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
    def live_sessions(self) -> int:
        """How many sessions have not ended."""
        return self._site.live_sessions

    @property
    def waiting_faults(self) -> Sequence[tuple[Fault, int]]:
        """The scripted faults that have not fired as often as they should, each with how often it still will."""
        return self._faults.waiting

    @property
    def vain_faults(self) -> Sequence[str]:
        """The faults that met a request and could do nothing, in words."""
        return self._faults.misfires

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

    async def _handle(self, door: Door, exchange: Exchange) -> Answered:
        now = dt.datetime.now(dt.UTC)
        asked = SiteRequest(door=door, method=exchange.method, target=exchange.target, headers=exchange.headers)
        site, log, faults = self._site, self._log, self._faults
        with log.running(asked.kind):
            fault = faults.take(asked.kind, asked.target)
            delivery = None
            try:
                if fault is None or not fault.unread:
                    asked = attrs.evolve(asked, body=await exchange.body())
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
            return await exchange.carry_out(delivery)
