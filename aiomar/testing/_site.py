"""The embedded OMAR-Online as a pure model: one request in, one reply out, no I/O.

It is as strict as the two documents and refuses in their way.  Where they are silent, the choices are:

- the session is judged before the request: without one, everything but the login gives the login page with status 200;
- a download that cannot be done gives an HTML error page with status 200 (bad request, unknown id: "No data");
- data comes as ``text/html`` (CSV) or ``application/octet-stream`` (MDEF), so no client can tell a page by its type;
- a program answers on its own port only: login and upload on one, the downloads on the other; the rest is a 404 page.

Beside the programs there are pages for people (`_pages.py`).  On those the certificate alone logs a visitor in, and
whoever comes from them gets the programs' answers in a frame with links, and data with a name to be saved under.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import attrs

from aiomar.protocol import Environment, FileFormat, Group, Meter, Span, file_name
from aiomar.testing import _data, _html, _pages
from aiomar.testing._pages import Pages
from aiomar.testing._reading import Query, Refusal, check_part, read_part, read_query
from aiomar.testing._sessions import CookieMode, Sessions, Visit

FIRST_FILE_ID = 528_527
"""The one in the sample of SUB 3.3.1."""

Kind = Literal["login", "upload", "download", "page", "other"]
"""What a request asks for; "page" is what only people need, "other" everything that gets a 404 page."""


class Door(enum.Enum):
    """The two ports (443 and 444 in production)."""

    UPLOAD = "upload"
    """Login and upload (SUB 3.1)."""
    DOWNLOAD = "download"
    """The two download programs (DL 3.1)."""


_KINDS: Mapping[tuple[Door, str], Kind] = {
    (Door.UPLOAD, "/fr_top.jsp"): "login",
    (Door.UPLOAD, "/uploadProcess.jsp"): "upload",
    (Door.DOWNLOAD, "/getMDEF.jsp"): "download",
    (Door.DOWNLOAD, "/getSQMDCsvForDownload.jsp"): "download",
    (Door.UPLOAD, _pages.START): "page",
    (Door.UPLOAD, _pages.UPLOAD_FORM): "page",
    (Door.UPLOAD, _pages.STYLE): "page",
    (Door.DOWNLOAD, _pages.START): "page",
    (Door.DOWNLOAD, _pages.DOWNLOAD_FORM): "page",
    (Door.DOWNLOAD, _pages.STYLE): "page",
}
_FORMATS = {"/getMDEF.jsp": FileFormat.MDEF, "/getSQMDCsvForDownload.jsp": FileFormat.CSV}
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
"""What a person's browser may do with a page: nothing that comes from elsewhere."""
_UNKNOWN_PLACE = Environment("embedded", "https://localhost", "https://localhost:444")
_TYPES = {FileFormat.CSV: "text/html; charset=ISO-8859-1", FileFormat.MDEF: "application/octet-stream"}


@attrs.frozen(kw_only=True)
class SiteRequest:
    """A request as it came over the wire."""

    door: Door
    method: str
    target: str
    """Path and query, never decoded."""
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(default=b"", repr=lambda body: f"<{len(body)} bytes>")

    @property
    def program(self) -> str:
        """The path."""
        return self.target.partition("?")[0]

    @property
    def kind(self) -> Kind:
        """What is asked for, by port and path."""
        return _KINDS.get((self.door, self.program), "other")

    def all(self, name: str) -> list[str]:
        """Give every value of a header, in wire order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@attrs.frozen(kw_only=True)
class Reply:
    """What the site says; framing is not its business."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    file_name: str | None = None
    """What a person would save it as; `None` for a page."""


@attrs.frozen(kw_only=True)
class Upload:
    """One file that came, taken or not."""

    name: str
    """As sent; empty where the form could not be read."""
    content: bytes = attrs.field(repr=lambda content: f"<{len(content)} bytes>")
    accepted: bool
    file_id: str | None
    """`None` for a refused one."""
    reason: str
    """Why it was refused; empty for an accepted one."""

    @property
    def sha256(self) -> str:
        """Of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def page_reply(body: bytes, status: int = 200, content_type: str = "text/html; charset=ISO-8859-1") -> Reply:
    """Make a reply of a page."""
    return Reply(status=status, headers=(("Content-Type", content_type),), body=body)


def busy() -> Reply:
    """Give the page of a server that has no worker left for a request."""
    return page_reply(_html.error("503 Service Unavailable", "The server is busy."), 503)


class Site:
    """The site's state and verdicts.

    Args:
        meters: the ids that have data.
        groups: the groups that have data, each with the ids of its meters.
        sessions: who is logged in.
        environment: where its two ports are, for links between them; `None` where nobody follows them.
    """

    def __init__(
        self,
        meters: Iterable[str],
        groups: Mapping[str, Iterable[str]],
        sessions: Sessions,
        environment: Environment | None = None,
    ) -> None:
        known = tuple(meters)
        self._meters = frozenset(known)
        self._groups = {group: tuple(members) for group, members in groups.items()}
        self._sessions = sessions
        self._pages = Pages(known, self._groups, environment or _UNKNOWN_PLACE)
        self._programs: Mapping[Kind, Callable[[SiteRequest], Reply]] = {
            "login": self._login,
            "upload": self._upload,
            "download": self._download,
            "page": self._page,
        }
        self.uploads: list[Upload] = []
        self.logins: int = 0

    @classmethod
    def plain(cls, mode: CookieMode = CookieMode.DISTINCT) -> Site:
        """Make a small site: meter 1001, and group 123 of 1001 and 1002."""
        return cls(("1001", "1002"), {"123": ("1001", "1002")}, Sessions(mode))

    def expire_sessions(self) -> None:
        """End every session: the next request of each gets the login page."""
        self._sessions.expire()

    def answer(self, request: SiteRequest) -> Reply:
        """Answer one request."""
        program = self._programs.get(request.kind)
        if program is None:
            return page_reply(_html.error("404 Not Found", "The requested resource is not available."), 404)
        if request.kind in {"login", "page"}:
            return program(request)
        cookies = request.all("Cookie")
        visit = self._sessions.visit(cookies)
        if not self._sessions.prove(cookies):
            return self._login_again(visit)
        reply = program(request)
        return self._for_a_person(request, reply) if visit is Visit.LIVE else reply

    def _for_a_person(self, request: SiteRequest, reply: Reply) -> Reply:
        """Put a frame around a page; let a browser save data, which it would show as a page otherwise."""
        if reply.file_name is not None:
            disposition = "Content-Disposition", f'attachment; filename="{reply.file_name}"'
            return attrs.evolve(reply, headers=(*reply.headers, disposition))
        return self._framed(reply, "Submit a file" if request.kind == "upload" else "Get meter data")

    def _framed(self, reply: Reply, heading: str) -> Reply:
        return attrs.evolve(reply, headers=(*reply.headers, *_SAFE), body=self._pages.framed(reply.body, heading))

    @property
    def live_sessions(self) -> int:
        """How many sessions have not ended."""
        return self._sessions.live

    def login_page(self) -> Reply:
        """Give the page that asks for a login; like a servlet's it carries a cookie, which is good for nothing."""
        reply = page_reply(_html.login())
        return attrs.evolve(reply, headers=(*reply.headers, ("Set-Cookie", self._sessions.anonymous())))

    def _login_again(self, visit: Visit) -> Reply:
        return self._framed(self.login_page(), "Log in") if visit is Visit.GONE else self.login_page()

    def _login(self, request: SiteRequest) -> Reply:
        if request.method != "GET" or request.target != request.program:
            return page_reply(_html.error("Bad request", "fr_top.jsp takes a plain GET"))
        self.logins += 1
        reply = page_reply(_html.welcome())
        cookies = tuple(("Set-Cookie", line) for line in self._sessions.open())
        return attrs.evolve(reply, headers=(*reply.headers, *cookies))

    def _page(self, request: SiteRequest) -> Reply:
        """Show a page for people; who comes without a session of theirs is logged in by the certificate (DL 2.1)."""
        if request.method != "GET":
            return page_reply(_html.error("Bad request", "this page takes a GET"))
        if request.program == _pages.STYLE:
            style = page_reply(_html.STYLE, content_type="text/css")
            return attrs.evolve(style, headers=(*style.headers, ("Cache-Control", "max-age=600")))
        visit = self._sessions.visit(request.all("Cookie"))
        if visit is Visit.GONE and request.program != _pages.START:
            return self._login_again(visit)
        reply = self._shown(request)
        headers = (*reply.headers, *_SAFE)
        if visit is not Visit.LIVE:
            self.logins += 1
            headers = (*headers, ("Set-Cookie", self._sessions.welcome()))
        return attrs.evolve(reply, headers=headers)

    def _shown(self, request: SiteRequest) -> Reply:
        if request.program == _pages.UPLOAD_FORM:
            return page_reply(self._pages.upload_form())
        if request.program == _pages.START:
            return page_reply(self._pages.start())
        query = request.target.partition("?")[2]
        if not query:
            return page_reply(self._pages.download_form(query))
        try:
            location = _pages.download_target(query)
        except Refusal as refusal:
            return page_reply(self._pages.download_form(query, str(refusal)))
        moved = page_reply(_html.error("Moved", "The data are elsewhere."), 302)
        return attrs.evolve(moved, headers=(*moved.headers, ("Location", location)))

    def _upload(self, request: SiteRequest) -> Reply:
        name, content = "", b""
        try:
            if request.target != request.program:
                raise Refusal("uploadProcess.jsp takes no parameters")  # noqa: TRY301 - one place says what refusal is
            part = read_part(request.method, request.all("Content-Type"), request.body)
            name, content = part.name, part.content
            check_part(part)
        except Refusal as refusal:
            reason = str(refusal)
            self.uploads.append(Upload(name=name, content=content, accepted=False, file_id=None, reason=reason))
            return page_reply(_html.refused(reason))
        file_id = FIRST_FILE_ID + sum(upload.accepted for upload in self.uploads)
        self.uploads.append(Upload(name=name, content=content, accepted=True, file_id=str(file_id), reason=""))
        return page_reply(_html.receipt(name, len(content), file_id))

    def _download(self, request: SiteRequest) -> Reply:
        file_format = _FORMATS[request.program]
        try:
            query = read_query(request.method, request.target.partition("?")[2], file_format)
        except Refusal as refusal:
            return page_reply(_html.error("Bad request", str(refusal)))
        data = self.data(query, file_format)
        if data is None:
            return page_reply(_html.error("No data", "No data was found for the selected meters and dates."))
        name = file_name(
            query.selection, Span(query.start, query.end), file_format=file_format, time_type=query.time_type
        )
        return Reply(headers=(("Content-Type", _TYPES[file_format]),), body=data, file_name=name)

    def data(self, query: Query, file_format: FileFormat) -> bytes | None:
        """Give the data of a good request; `None` where there is none."""
        match query.selection:
            case Group(group):
                meters = self._groups.get(group, ())
            case Meter(meter):
                meters = (meter,) if meter in self._meters else ()
        years = query.start.year >= _data.FIRST_YEAR and query.end.year <= _data.LAST_YEAR
        if not meters or not years or (query.end - query.start).days >= _data.MOST_DAYS:
            return None
        make = _data.mdef if file_format is FileFormat.MDEF else _data.csv
        return make(meters, query.start, query.end, query.time_type)
