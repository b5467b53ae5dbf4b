"""The control page of an embedded server, as a pure model: see what it saw, script faults, end sessions, begin anew.

It is for the person or the process that tests, never for a client.  So it is kept apart from the site, and from every
other page that the same browser may have open:

- it listens on this machine's own address only, and answers only to that name: a page elsewhere that gives its own name
  this address (DNS rebinding) is refused by the ``Host`` header;
- every address begins with a secret that is made when the server starts, as Jupyter does it: who does not have it can
  neither read nor change anything, also from another account of this machine or by a form on a page elsewhere;
- a change is a POST, and one whose ``Origin`` is another page is refused even with the secret;
- a page loads nothing from elsewhere and runs no script; values of cookies and the bodies of requests are not shown.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

import attrs

from aiomar.protocol import Environment
from aiomar.testing import _control_html, _html
from aiomar.testing._control_faults import form_values, make_fault, plain_fault
from aiomar.testing._faults import Fault
from aiomar.testing._log import RequestRecord
from aiomar.testing._reading import Refusal
from aiomar.testing._site import Reply, Upload, page_reply

_MOST_REQUESTS = 1_000
_MOST_UPLOADS = 100
"""What one answer holds at most, so that it is made in a few milliseconds."""
_DIGITS = 9
"""Of the number of a request; Python refuses to read some thousands of them."""

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
_SAFE = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_FORM = "application/x-www-form-urlencoded"


class Subject(Protocol):
    """What is controlled: an `OmarServer`."""

    @property
    def environment(self) -> Environment: ...
    @property
    def requests(self) -> Sequence[RequestRecord]: ...
    @property
    def uploads(self) -> Sequence[Upload]: ...
    @property
    def logins(self) -> int: ...
    @property
    def live_sessions(self) -> int: ...
    @property
    def waiting_faults(self) -> Sequence[tuple[Fault, int]]: ...
    @property
    def vain_faults(self) -> Sequence[str]: ...
    def script(self, *faults: Fault) -> None: ...
    def forget_faults(self) -> None: ...
    def expire_sessions(self) -> None: ...
    def clear(self) -> None: ...


@attrs.frozen(kw_only=True)
class ControlRequest:
    """The head of a request to the control page."""

    method: str
    target: str = attrs.field(repr=False)
    """Path and query; the secret is in it."""
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)

    def all(self, name: str) -> list[str]:
        """Give every value of a header, in wire order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Control:
    """Answers for one server.

    Args:
        subject: the server.
        port: where the control page listens.
        secret: the first part of every path.

    Attributes:
        url: where a person begins; it holds the secret.
    """

    def __init__(self, subject: Subject, port: int, secret: str) -> None:
        self._subject = subject
        self._secret = secret
        self._hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
        self.url = f"http://127.0.0.1:{port}/{secret}/"
        self._shown: Mapping[str, Callable[[dict[str, str]], Reply]] = {
            "": self._page,
            "requests": self._requests_page,
            "omar.css": lambda _: page_reply(_html.STYLE, content_type="text/css"),
            "state.json": self._state_json,
        }
        self._changes: Mapping[str, Callable[[bytes, bool], None]] = {
            "faults": self._script,
            "forget": lambda _body, _form: self._subject.forget_faults(),
            "expire": lambda _body, _form: self._subject.expire_sessions(),
            "clear": lambda _body, _form: self._subject.clear(),
        }

    def refusal(self, request: ControlRequest) -> Reply | None:
        """Judge the head of a request; `None` for one that may go on."""
        hosts = request.all("Host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _safe(_text("This page answers to 127.0.0.1 and localhost only.", 403))
        secret = request.target.partition("?")[0].split("/")[1:2]
        if not secret or not hmac.compare_digest(secret[0].encode(), self._secret.encode()):
            return _safe(_text("Open the address that was printed at the start: it holds a secret.", 403))
        foreign = any(origin.lower() != f"http://{hosts[0].lower()}" for origin in request.all("Origin"))
        if foreign or (request.method == "POST" and set(request.all("Sec-Fetch-Site")) - {"none", "same-origin"}):
            return _safe(_text("Another page may not do this.", 403))
        return None

    def answer(self, request: ControlRequest, body: bytes | None) -> Reply:
        """Answer a request that is not refused; its body is `None` where it was too long to be read."""
        path, _, query = request.target.partition("?")
        name = path.removeprefix(f"/{self._secret}").removeprefix("/")
        if body is None:
            return _safe(_text("The body is too long.", 413))
        if request.method == "GET" and name in self._shown:
            return _safe(self._shown[name](dict(parse_qsl(query))))
        if request.method == "POST" and name in self._changes:
            return _safe(self._change(name, request, body))
        return _safe(_text("There is no such page.", 404))

    # --- Pages --------------------------------------------------------------------------------------------------------

    def _page(self, query: dict[str, str], problem: str = "", typed: Mapping[str, str] | None = None) -> Reply:
        page = _control_html.page(
            self._summary(),
            self._subject.uploads[-_MOST_UPLOADS:],
            url=self.url,
            chosen=query.get("fault", ""),
            problem=problem,
            typed=typed or {},
        )
        return page_reply(page, 400 if problem else 200)

    def _requests_page(self, query: dict[str, str]) -> Reply:
        return page_reply(_control_html.requests(self._subject.requests, paused="paused" in query))

    # --- JSON ---------------------------------------------------------------------------------------------------------

    def _summary(self) -> dict[str, Any]:
        """Give the state without its lists of requests and uploads."""
        subject = self._subject
        return {
            "upload_origin": subject.environment.upload_origin,
            "download_origin": subject.environment.download_origin,
            "logins": subject.logins,
            "live_sessions": subject.live_sessions,
            "waiting_faults": [{**plain_fault(fault), "left": left} for fault, left in subject.waiting_faults],
            "vain_faults": list(subject.vain_faults),
            "request_count": len(subject.requests),
            "upload_count": len(subject.uploads),
        }

    def _state_json(self, query: dict[str, str]) -> Reply:
        """Give all that there is: the newest requests, or those from a number on, which begins at 1."""
        requests = self._subject.requests
        start = query.get("from", "")[:_DIGITS]
        first = max(int(start), 1) if start.isdecimal() else max(len(requests) - _MOST_REQUESTS, 0) + 1
        return _json(
            {
                **self._summary(),
                "requests": [
                    _plain_request(number, record)
                    for number, record in enumerate(requests[first - 1 : first - 1 + _MOST_REQUESTS], first)
                ],
                "uploads": [_plain_upload(upload) for upload in self._subject.uploads[-_MOST_UPLOADS:]],
            }
        )

    # --- Changes ------------------------------------------------------------------------------------------------------

    def _change(self, name: str, request: ControlRequest, body: bytes) -> Reply:
        """Change something; a form gets the page again, anything else the state as JSON."""
        kinds = [value.partition(";")[0].strip().lower() for value in request.all("Content-Type")]
        form = kinds == [_FORM] and not body.lstrip().startswith((b"{", b"["))
        try:
            self._changes[name](body, form)
        except Refusal as refusal:
            if not form:
                return _json({"error": str(refusal)}, 400)
            typed = _fields(body)
            return self._page({"fault": typed.get("fault", "")}, str(refusal), typed)
        if not form:
            return _json(self._summary())
        return attrs.evolve(_text("Done.", 303), headers=(("Location", "./"),))

    def _script(self, body: bytes, form: bool) -> None:  # noqa: FBT001 - every change is called alike
        if form:
            self._subject.script(make_fault(form_values(_fields(body))))
            return
        try:
            wanted = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refusal("the body is not JSON") from error
        self._subject.script(*[make_fault(values) for values in (wanted if isinstance(wanted, list) else [wanted])])


def _fields(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _plain_request(number: int, record: RequestRecord) -> dict[str, object]:
    return {
        "number": number,
        "time": record.time.isoformat(timespec="milliseconds"),
        "kind": record.kind,
        "door": record.door.value,
        "method": record.method,
        "target": record.target,
        "size": record.size,
        "status": record.status,
        "fault": None if record.fault is None else plain_fault(record.fault),
    }


def _plain_upload(upload: Upload) -> dict[str, object]:
    return {
        "name": upload.name,
        "size": len(upload.content),
        "sha256": upload.sha256,
        "accepted": upload.accepted,
        "file_id": upload.file_id,
        "reason": upload.reason,
    }


def _safe(reply: Reply) -> Reply:
    return attrs.evolve(reply, headers=(*reply.headers, *_SAFE))


def _text(words: str, status: int) -> Reply:
    return page_reply(f"{words}\n".encode(), status, "text/plain; charset=utf-8")


def _json(value: dict[str, Any], status: int = 200) -> Reply:
    return page_reply(f"{json.dumps(value)}\n".encode(), status, "application/json")
