"""What can be made to go wrong, as frozen values.

A fault says where it belongs (`on`, `match`), how often it fires (`times`) and what it makes of an exchange; the server
only carries that out.  Faults are scripted in order, and one that never fired is an error: a test must not pass because
its trouble did not happen.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import ClassVar, get_args

import attrs

from aiomar.testing import _html
from aiomar.testing._site import Kind, Site, SiteRequest, page_reply
from aiomar.testing._wire import Delivery, Ending, FramingKind, body, cut, framed, head, whole


class UnusedFaultError(AssertionError):
    """A scripted fault never fired, or found nothing that it could break."""


@attrs.frozen(kw_only=True)
class Fault(abc.ABC):
    """Base of all faults.

    Args:
        on: ``"login"``, ``"download"`` or ``"upload"``; ``"page"`` for a page that only people need, ``"other"`` for a
            path that the site does not have.
        times: how many matching requests it meets before it is used up.
        match: text that must be in the request target (path and query as on the wire); `None` for any.
    """

    on: Kind = attrs.field(default="download", validator=attrs.validators.in_(get_args(Kind)))
    times: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    match: str | None = None
    unread: ClassVar[bool] = False
    """Whether it fires before the request's body is read."""

    def meets(self, kind: Kind, target: str) -> bool:
        """Tell whether it is for this request."""
        return kind == self.on and (self.match is None or self.match in target)

    @abc.abstractmethod
    def deliver(self, site: Site, request: SiteRequest) -> Delivery:
        """Say what the client gets.  An upload is taken by the site only where this asks the site for an answer."""


# --- The answer is good, its way is not: the site answers (and takes an upload) ---------------------------------------


@attrs.frozen
class CutBody(Fault):
    """Ends the connection in the middle of the body.

    Args:
        after: bytes of the body that go out; negative counts from its end (-1: all but the last byte).
        framing: how the answer's end is announced; with ``"close"`` a client cannot see the cut.
        reset: a TCP reset instead of an orderly close; of many bytes it may take away those still on their way.
    """

    after: int = 0
    framing: FramingKind = "length"
    reset: bool = attrs.field(default=False, kw_only=True)

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:
        return cut(site.answer(request), self.after, self.framing, Ending.RESET if self.reset else Ending.CLOSE)


@attrs.frozen
class DropAnswer(Fault):
    """Takes an upload, then ends the connection before its answer, or in the middle of it.

    Args:
        after: bytes of the answer page that go out, after its head; `None` for not even a status line.
        reset: a TCP reset instead of an orderly close.
    """

    on: Kind = attrs.field(default="upload", kw_only=True)
    after: int | None = None
    reset: bool = attrs.field(default=False, kw_only=True)

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:
        reply, ending = site.answer(request), Ending.RESET if self.reset else Ending.CLOSE
        return Delivery(status=None, ending=ending) if self.after is None else cut(reply, self.after, "length", ending)


@attrs.frozen
class Stall(Fault):
    """Falls silent without closing, until the client leaves or the server stops.

    Args:
        after: bytes of the body that go out first; `None` for not even a status line.
        framing: how the answer's end is announced.
    """

    after: int | None = 0
    framing: FramingKind = "length"

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:
        reply = site.answer(request)
        if self.after is None:
            return Delivery(status=None, ending=Ending.STALL)
        wire = head(reply, self.framing) + body(reply.body[: self.after], self.framing, last=False)
        return Delivery(wire=wire, status=reply.status, ending=Ending.STALL)


@attrs.frozen
class SlowFirstByte(Fault):
    """Answers well, but late.

    Args:
        seconds: silence before the status line.
    """

    seconds: float

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:
        return attrs.evolve(whole(site.answer(request)), wait=self.seconds)


@attrs.frozen
class Framing(Fault):
    """Not a fault: a healthy answer whose end is shown in one of the three ways.

    Args:
        kind: ``"length"``, ``"chunked"`` or ``"close"``; the connection closes afterwards with each.
    """

    kind: FramingKind

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:
        return framed(site.answer(request), self.kind)


@attrs.frozen
class ExpireSession(Fault):
    """Ends every session just before the request is judged, so it gets the login page."""

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:
        site.expire_sessions()
        return whole(site.answer(request))


# --- Something else answers: the site never sees the request, an upload is not taken ----------------------------------


@attrs.frozen
class Disconnect(Fault):
    """Reads the request and closes without a byte."""

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:  # noqa: ARG002 - it asks nobody
        return Delivery(status=None, ending=Ending.CLOSE)


@attrs.frozen
class Reset(Fault):
    """Resets the TCP connection before the status line, as soon as the head of the request is there."""

    unread: ClassVar[bool] = True

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:  # noqa: ARG002 - it asks nobody
        return Delivery(status=None, ending=Ending.RESET)


@attrs.frozen
class Status(Fault):
    """Answers with a status and a small page.

    Args:
        status: the HTTP status code.
        retry_after: the ``Retry-After`` header, as seconds or as raw text (a date, or nonsense).
    """

    status: int
    retry_after: int | str | None = attrs.field(default=None, kw_only=True)

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:  # noqa: ARG002 - it asks nobody
        reply = page_reply(_html.error(f"Status {self.status}", "The server is not available."), self.status)
        extra = () if self.retry_after is None else (("Retry-After", str(self.retry_after)),)
        return whole(attrs.evolve(reply, headers=(*reply.headers, *extra)))


@attrs.frozen
class LoginPage(Fault):
    """Answers with the login page and status 200, although the session lives on."""

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:  # noqa: ARG002 - it is the same for all
        return whole(site.login_page())


@attrs.frozen
class Redirect(Fault):
    """Points to another place.

    Args:
        location: the ``Location`` header, as it stands.
        status: 301, 302, 303, 307 or 308.
    """

    location: str = "/fr_top.jsp"
    status: int = 302

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:  # noqa: ARG002 - it asks nobody
        reply = page_reply(_html.error("Moved", "The document has moved."), self.status)
        return whole(attrs.evolve(reply, headers=(*reply.headers, ("Location", self.location))))


@attrs.frozen
class Page(Fault):
    """Answers with any page, or with any other body.

    Args:
        html: the body; text goes out as UTF-8.
        status: the HTTP status code.
        content_type: the ``Content-Type`` header.
    """

    html: str | bytes
    status: int = 200
    content_type: str = attrs.field(default="text/html", kw_only=True)

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:  # noqa: ARG002 - it asks nobody
        content = self.html.encode() if isinstance(self.html, str) else self.html
        return whole(page_reply(content, self.status, self.content_type))


@attrs.frozen
class Raw(Fault):
    """Sends any bytes, HTTP or not, and closes.

    Args:
        data: everything from the status line on.
    """

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:  # noqa: ARG002 - it asks nobody
        return Delivery(wire=self.data, status=None, ending=Ending.CLOSE)


class FaultScript:
    """The faults still to come, in order.

    Args:
        faults: the first ones.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._waiting: list[tuple[Fault, int]] = []
        self._misfires: list[str] = []
        self.add(faults)

    def add(self, faults: Iterable[Fault]) -> None:
        """Queue faults behind those that wait."""
        self._waiting += [(fault, fault.times) for fault in faults]

    @property
    def waiting(self) -> tuple[tuple[Fault, int], ...]:
        """The faults that wait, each with the number of requests that it still will meet."""
        return tuple(self._waiting)

    @property
    def misfires(self) -> tuple[str, ...]:
        """What fired and could do nothing, in words."""
        return tuple(self._misfires)

    def forget(self) -> None:
        """Forget all of them, also what fired in vain."""
        self._waiting.clear()
        self._misfires.clear()

    def take(self, kind: Kind, target: str) -> Fault | None:
        """Give the first waiting fault that is for this request, and count it as fired."""
        for place, (fault, left) in enumerate(self._waiting):
            if fault.meets(kind, target):
                self._waiting[place : place + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None

    def misfired(self, fault: Fault, why: str) -> None:
        """Remember a fault that met its request and could do nothing."""
        self._misfires.append(f"{fault} fired in vain: {why}")

    def check(self) -> None:
        """Do nothing if every fault fired.

        Raises:
            UnusedFaultError: naming those that did not.
        """
        unused = [f"{fault} still waits for {left} of {fault.times} requests" for fault, left in self._waiting]
        if problems := (*unused, *self._misfires):
            raise UnusedFaultError("; ".join(problems))
