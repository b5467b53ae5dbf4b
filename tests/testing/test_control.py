"""The control page over plain HTTP: what it shows, what it changes, and whom it refuses."""

from __future__ import annotations

import asyncio
import http.client
import inspect
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import attrs
import pytest
import pytest_asyncio

from aiomar import testing
from aiomar.testing import Authority, Fault, OmarServer
from aiomar.testing._control_faults import FAULTS, form_values, make_fault, parameters, plain_fault, short, summary
from aiomar.testing._reading import Refusal
from tests.testing.wire import Wire

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - a test says what it expects there
        """The body as a value."""
        return json.loads(self.body)


@attrs.frozen
class Asker:
    """Speaks to the control page of a server."""

    server: OmarServer

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.server.control_url).port or 0

    async def raw(
        self, method: str, path: str, body: str | bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request with a path of any kind."""
        return await asyncio.to_thread(self._talk, method, path, body, headers or {})

    def _talk(self, method: str, path: str, body: str | bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    async def get(self, name: str = "") -> Answer:
        """Ask for a page."""
        return await self.raw("GET", urlsplit(self.server.control_url).path + name)

    async def post(self, name: str, body: object = b"", **headers: str) -> Answer:
        """Change something; what is neither text nor bytes is sent as JSON."""
        sent = body if isinstance(body, str | bytes) else json.dumps(body)
        path = urlsplit(self.server.control_url).path + name
        return await self.raw("POST", path, sent, {key.replace("_", "-"): value for key, value in headers.items()})


@pytest_asyncio.fixture
async def server(omar_authority: Authority) -> AsyncIterator[OmarServer]:
    """A server with a control page."""
    async with OmarServer(authority=omar_authority, control_port=0) as running:
        yield running


@pytest.fixture
def control(server: OmarServer) -> Asker:
    """Its control page."""
    return Asker(server)


@pytest.fixture
def wire(server: OmarServer, connect: Callable[[OmarServer], Wire]) -> Wire:
    """A client for it."""
    return connect(server)


# --- Who may ----------------------------------------------------------------------------------------------------------


async def test_nothing_is_told_without_the_secret(server: OmarServer, control: Asker) -> None:
    """A path that does not begin with the whole secret gets a refusal, and no word of the server."""
    secret = server.control_url.split("/")[3]
    assert len(secret) >= 24
    paths = ("/", "/state.json", "//", "/x/", f"/{secret[:12]}/", f"/{secret}x/", f"/x/{secret}/", f"/?{secret}")
    answers = [await control.raw(method, path) for path in paths for method in ("GET", "POST")]
    said = b"Open the address that was printed at the start: it holds a secret.\n"
    assert {(answer.status, answer.body) for answer in answers} == {(403, said)}


async def test_another_name_is_refused(server: OmarServer, control: Asker) -> None:
    """A page elsewhere that points its own name here (DNS rebinding) gets nothing, even with the secret."""
    path, port = urlsplit(server.control_url).path, control.port
    for host in ("localhost", "evil.test", f"evil.test:{port}", "127.0.0.1:1", f"127.0.0.2:{port}", ""):
        refused = await control.raw("GET", path, headers={"Host": host})
        assert (refused.status, b"answers to 127.0.0.1 and localhost only" in refused.body) == (403, True), host
    for host in (f"127.0.0.1:{port}", f"LOCALHOST:{port}"):
        assert (await control.raw("GET", path, headers={"Host": host})).status == 200


async def test_a_form_elsewhere_changes_nothing(server: OmarServer, control: Asker) -> None:
    """A POST that another page sent is refused even with the secret (CSRF); one of the page's own is not."""
    body = urlencode({"fault": "Reset"})
    for origin in ("https://evil.test", "null", "http://127.0.0.1", f"https://127.0.0.1:{control.port}"):
        refused = await control.post("faults", body, **FORM, Origin=origin)
        assert (refused.status, list(server.waiting_faults)) == (403, []), origin
    refused = await control.post("faults", body, **FORM, **{"Sec-Fetch-Site": "cross-site"})
    assert (refused.status, list(server.waiting_faults)) == (403, [])
    taken = await control.post("faults", body, **FORM, Origin=f"http://127.0.0.1:{control.port}")
    assert (taken.status, taken.headers["Location"]) == (303, "./")
    assert list(server.waiting_faults) == [(testing.Reset(), 1)]
    server.forget_faults()


async def test_a_change_is_a_post(server: OmarServer, control: Asker) -> None:
    """A link or an image cannot change anything."""
    path = urlsplit(server.control_url).path
    for name in ("faults", "expire", "clear", "forget"):
        answers = [await control.raw(method, path + name) for method in ("GET", "PUT", "DELETE", "HEAD")]
        assert [answer.status for answer in answers] == [404] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of its own on Linux only")
async def test_it_listens_on_this_machine_only(control: Asker) -> None:
    """Nothing listens on another address of the machine, not even on another one of the loopback."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", control.port), timeout=5)


async def test_it_is_there_only_where_it_is_asked_for(omar_server: OmarServer, omar_authority: Authority) -> None:
    """Without a port there is no page, its address is new with each start, and it ends with the server."""
    with pytest.raises(RuntimeError, match="control_port"):
        _ = omar_server.control_url
    server = OmarServer(authority=omar_authority, control_port=0)
    with pytest.raises(RuntimeError, match="async with"):
        _ = server.control_url
    async with server:
        first = server.control_url
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(first).port or 0), timeout=5)
    async with server:
        assert server.control_url.split("/")[3] != first.split("/")[3]


async def test_every_answer_says_what_a_browser_may_do(control: Asker) -> None:
    """No script, nothing from elsewhere, in no other page's frame, and nothing is kept."""
    for name in ("", "requests", "state.json", "omar.css", "nothing"):
        headers = (await control.get(name)).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';")
        assert "script-src" not in policy
        assert "frame-ancestors 'self'" in policy
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_a_body_has_an_end(control: Asker) -> None:
    """More than a mebibyte is not read."""
    assert (await control.post("faults", b"[" * 1_048_577)).status == 413
    assert (await control.post("faults", b"[" * 1_048_576)).json == {"error": "the body is not JSON"}


# --- What it shows ----------------------------------------------------------------------------------------------------


async def test_the_state_tells_what_happened_and_no_secret(server: OmarServer, control: Asker, wire: Wire) -> None:
    """Requests, uploads and faults, without the value of a cookie and without a body."""
    cookie = await wire.cookie()
    server.script(testing.Page("<p>in-the-page", on="upload"), testing.Raw(b"in-the-raw"))
    await wire.upload(cookie, "a.csv", b"in-the-first")
    await wire.upload(cookie, "b.csv", b"in-the-file")
    await wire.upload(cookie, "b.txt", b"in-the-file")
    state = (await control.get("state.json")).json
    assert [(one["number"], one["kind"], one["status"]) for one in state["requests"]] == [
        (1, "login", 200),
        (2, "upload", 200),
        (3, "upload", 200),
        (4, "upload", 200),
    ]
    assert state["requests"][1]["fault"]["fault"] == "Page"
    assert state["requests"][0].keys() == {
        *("number", "time", "kind", "door", "method", "target", "size", "status", "fault")
    }
    assert state["waiting_faults"] == [
        {"fault": "Raw", "data": "<10 bytes>", "on": "download", "times": 1, "match": None, "left": 1}
    ]
    assert [(one["name"], one["size"], one["file_id"]) for one in state["uploads"]] == [
        ("b.csv", 11, "528527"),
        ("b.txt", 11, None),
    ]
    assert (state["logins"], state["live_sessions"]) == (1, 1)
    value = cookie.partition("=")[2]
    for name in ("", "requests", "state.json"):
        shown = (await control.get(name)).body
        assert not [secret for secret in (value.encode(), b"in-the-", b"JSESSIONID") if secret in shown]
    server.clear()


async def test_requests_can_be_read_from_a_number_on(control: Asker, wire: Wire) -> None:
    """Another process asks for what is new to it; nonsense and numbers beyond the end give what there is."""
    for _ in range(3):
        await wire.login()
    numbers = {
        query: [one["number"] for one in (await control.get(f"state.json?from={query}")).json["requests"]]
        for query in ("", "0", "2", "4", "-1", "x")
    }
    assert numbers == {"": [1, 2, 3], "0": [1, 2, 3], "2": [2, 3], "4": [], "-1": [1, 2, 3], "x": [1, 2, 3]}


async def test_the_pages_are_of_text(server: OmarServer, control: Asker, wire: Wire) -> None:
    """What came from a client stands on the pages as text, and the frame can be paused."""
    await wire.get(server.environment.upload_origin, "/<script>?a=&amp;")
    await wire.upload(await wire.cookie(), "<i>.csv")
    server.script(testing.Redirect("/<b>", match="<u>"))
    page, frame = (await control.get()).body, (await control.get("requests")).body
    assert not [tag for tag in (b"<script", b"<i>", b"<u>", b"/<b>") if tag in page + frame]
    assert b"/&lt;script&gt;?a=&amp;amp;" in frame
    assert b'http-equiv="refresh"' in frame
    assert b'http-equiv="refresh"' not in page
    paused = (await control.get("requests?paused=1")).body
    assert b"refresh" not in paused
    server.clear()
    assert b"Nothing has come yet." in (await control.get("requests")).body


# --- What it changes --------------------------------------------------------------------------------------------------


async def test_another_process_scripts_a_fault(server: OmarServer, control: Asker, wire: Wire) -> None:
    """The next upload meets it, and the state shows that it did."""
    scripted = await control.post("faults", {"fault": "Status", "status": 503, "on": "upload"})
    assert [(one["fault"], one["left"]) for one in scripted.json["waiting_faults"]] == [("Status", 1)]
    assert (await wire.upload(await wire.cookie())).head.startswith("HTTP/1.1 503")
    state = (await control.get("state.json")).json
    assert state["waiting_faults"] == []
    assert state["requests"][-1]["fault"] == {
        "fault": "Status",
        "status": 503,
        "retry_after": None,
        "on": "upload",
        "times": 1,
        "match": None,
    }
    server.check_faults()


async def test_several_faults_are_scripted_together_or_not_at_all(server: OmarServer, control: Asker) -> None:
    """A list is taken in its order; with one bad fault in it nothing of it is."""
    good = [{"fault": "Reset", "times": 2}, {"fault": "CutBody", "after": 100, "framing": "chunked"}]
    refused = await control.post("faults", [*good, {"fault": "Crash"}])
    assert refused.status == 400
    assert refused.json["error"].startswith("there is no such fault: choose one of Status, ")
    assert list(server.waiting_faults) == []
    assert (await control.post("faults", good)).status == 200
    assert [fault for fault, _ in server.waiting_faults] == [
        testing.Reset(times=2),
        testing.CutBody(100, framing="chunked"),
    ]
    assert (await control.post("forget")).json["waiting_faults"] == []
    server.check_faults()


@pytest.mark.parametrize("as_form", [False, True])
async def test_sessions_end_and_all_is_forgotten(
    server: OmarServer, control: Asker, wire: Wire, *, as_form: bool
) -> None:
    """`expire` ends sessions and `clear` forgets everything, for a form by way of the page."""
    headers = FORM if as_form else {}
    cookie = await wire.cookie()
    await wire.upload(cookie)
    expired = await control.post("expire", **headers)
    assert expired.status == (303 if as_form else 200)
    assert (server.live_sessions, server.logins) == (0, 1)
    assert b"fr_top.jsp" in (await wire.download(cookie)).body
    server.script(testing.Reset())
    await control.post("clear", **headers)
    assert (len(server.requests), len(server.uploads), len(server.waiting_faults)) == (0, 0, 0)


async def test_a_fault_that_fired_in_vain_is_shown(server: OmarServer, control: Asker, wire: Wire) -> None:
    """A cut that cut nothing is on the page and in the state until it is taken back."""
    server.script(testing.CutBody(after=10**9, on="login"))
    await wire.login()
    assert "fired in vain" in (await control.get("state.json")).json["vain_faults"][0]
    page = (await control.get()).body
    assert b"fired in vain" in page
    assert b'action="forget"' in page
    await control.post("forget", **FORM)
    server.check_faults()


async def test_a_bad_form_comes_back_with_what_was_typed(server: OmarServer, control: Asker) -> None:
    """The page says what is wrong and keeps the fields; nothing is scripted."""
    typed = {"fault": "Redirect", "location": '/"<x>', "status": "99", "on": "upload", "times": "1", "match": ""}
    answer = await control.post("faults", urlencode(typed), **FORM)
    assert answer.status == 400
    assert b'role="alert">status must be from 200 to 599' in answer.body
    assert b'value="/&quot;&lt;x&gt;"' in answer.body
    assert b'<option value="upload" selected>' in answer.body
    assert list(server.waiting_faults) == []


# --- Faults as plain values -------------------------------------------------------------------------------------------


def test_every_fault_is_there_and_explained() -> None:
    """The list has all exported faults, and the words of each parameter come from its class."""
    exported = {
        name
        for name in testing.__all__
        if inspect.isclass(kind := getattr(testing, name)) and issubclass(kind, Fault) and kind is not Fault
    }
    assert set(FAULTS) == exported
    for kind in FAULTS.values():
        assert summary(kind).endswith(".")
        assert [parameter.name for parameter in parameters(kind) if not parameter.words] == []


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"fault": "Status", "status": "503"}, testing.Status(503)),
        ({"fault": "Status", "status": "503", "retry_after": "7"}, testing.Status(503, retry_after=7)),
        ({"fault": "Status", "status": "503", "retry_after": "soon"}, testing.Status(503, retry_after="soon")),
        ({"fault": "LoginPage", "times": "3", "match": "1001"}, testing.LoginPage(times=3, match="1001")),
        ({"fault": "ExpireSession", "on": "upload"}, testing.ExpireSession(on="upload")),
        ({"fault": "Redirect"}, testing.Redirect()),
        (
            {"fault": "Page", "html": "<p>\r\n", "content_type": "text/csv"},
            testing.Page("<p>\r\n", content_type="text/csv"),
        ),
        ({"fault": "CutBody", "after": "-1", "reset": "yes"}, testing.CutBody(-1, reset=True)),
        ({"fault": "DropAnswer", "after": ""}, testing.DropAnswer()),
        ({"fault": "DropAnswer", "after": "30"}, testing.DropAnswer(30)),
        ({"fault": "Stall", "after": ""}, testing.Stall(after=None)),
        ({"fault": "SlowFirstByte", "seconds": "0.5"}, testing.SlowFirstByte(0.5)),
        ({"fault": "Framing", "kind": "close"}, testing.Framing("close")),
        ({"fault": "Disconnect"}, testing.Disconnect()),
        ({"fault": "Reset", "on": "other"}, testing.Reset(on="other")),
        ({"fault": "Raw", "data": "HTTP/1.1 200\r\n\r\n"}, testing.Raw(b"HTTP/1.1 200\r\n\r\n")),
    ],
)
def test_a_form_makes_every_fault(fields: dict[str, str], fault: Fault) -> None:
    """Numbers, choices, ticks and bodies arrive; an empty field is nothing, or the usual value."""
    usual = {parameter.name: parameter.default for parameter in parameters(type(fault))}
    shown = {name: "" if value is None else str(value) for name, value in usual.items() if not isinstance(value, bool)}
    assert make_fault(form_values({**shown, **fields})) == fault
    assert plain_fault(fault)["fault"] == type(fault).__name__
    assert short(fault).startswith(f"{type(fault).__name__}(")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Reset", "a fault is an object with its name under 'fault'"),
        ({}, "there is no such fault"),
        ({"fault": ["Reset"]}, "there is no such fault"),
        ({"fault": "Fault"}, "there is no such fault"),
        ({"fault": "Reset", "after": 1}, "Reset does not take after: it takes on, times, match"),
        ({"fault": "Status"}, "Status needs status"),
        ({"fault": "Status", "status": "503"}, "status must be a whole number"),
        ({"fault": "Status", "status": True}, "status must be a whole number"),
        ({"fault": "Status", "status": 99}, "status must be from 200 to 599"),
        ({"fault": "Status", "status": 503, "retry_after": 1.5}, "retry_after must be a whole number or text or null"),
        ({"fault": "Status", "status": 503, "times": 0}, "times must be from 1"),
        ({"fault": "Reset", "on": "downloads"}, "on must be one of login, upload, download, page, other"),
        ({"fault": "Reset", "on": ["login"]}, "on must be one of"),
        ({"fault": "Reset", "match": 1}, "match must be text or null"),
        ({"fault": "CutBody", "reset": 1}, "reset must be true or false"),
        ({"fault": "CutBody", "after": None}, "after must be a whole number"),
        ({"fault": "SlowFirstByte", "seconds": float("nan")}, "seconds must be from 0"),
        ({"fault": "SlowFirstByte", "seconds": -1}, "seconds must be from 0"),
        ({"fault": "Redirect", "location": "/\r\nSet-Cookie: a=b"}, "location must be one line"),
        ({"fault": "Raw", "data": "\u20ac"}, "data must be text that can be written as latin-1"),
        ({"fault": "Page", "html": "\ud800"}, "html must be text that can be written as utf-8"),
        ({"fault": "Raw", "data": 1}, "data must be text"),
    ],
)
def test_what_is_no_fault_is_refused(value: object, said: str) -> None:
    """Names, kinds of values and ranges are checked before anything is scripted."""
    with pytest.raises(Refusal) as caught:
        make_fault(value)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "there is no such fault"),
        ({"fault": "Status", "status": "many"}, "status must be a whole number"),
        ({"fault": "SlowFirstByte", "seconds": "soon"}, "seconds must be a number"),
    ],
)
def test_a_form_with_a_bad_number_is_refused(fields: dict[str, str], said: str) -> None:
    """A number that is none is told by its name."""
    with pytest.raises(Refusal, match=said):
        form_values(fields)
