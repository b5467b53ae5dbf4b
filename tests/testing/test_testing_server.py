"""The embedded server over real mutual TLS, seen by a client that shares nothing with aiomar."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar import testing
from aiomar.errors import IdentityError
from aiomar.protocol import FileFormat, Group, Meter, TimeType
from aiomar.testing import Authority, CookieMode, OmarServer, Stall
from aiomar.testing._wire import FramingKind
from aiomar.transport import ClientIdentity
from tests.testing.wire import DOWNLOAD, Wire, until

Connect = Callable[[OmarServer], Wire]
DAYS = dt.date(2000, 7, 5), dt.date(2000, 7, 8)


def data(server: OmarServer) -> bytes:
    """Give what `DOWNLOAD` is answered with."""
    return server.data(Meter("1001"), *DAYS, file_format=FileFormat.MDEF, time_type=TimeType.PST)


async def test_login_download_and_upload(omar_server: OmarServer, wire: Wire) -> None:
    """The three exchanges of the documents work over mutual TLS, and the server's log holds each of them."""
    cookie = await wire.cookie()
    assert (await wire.download(cookie)).body == data(omar_server)
    assert b"Saved As 528527_test5.csv" in (await wire.upload(cookie)).body
    assert [(record.kind, record.program, record.status) for record in omar_server.requests] == [
        ("login", "/fr_top.jsp", 200),
        ("download", "/getMDEF.jsp", 200),
        ("upload", "/uploadProcess.jsp", 200),
    ]
    assert omar_server.requests[1].target == DOWNLOAD
    assert omar_server.requests[1].header("cookie") == cookie
    assert omar_server.requests[1].header("X-None") is None
    assert cookie not in repr(omar_server.requests)
    assert [upload.name for upload in omar_server.uploads] == ["test5.csv"]
    assert omar_server.logins == 1
    assert omar_server.connections == testing.Connections(upload=2, download=1, refused=0)
    assert (omar_server.max_concurrent_downloads, omar_server.max_concurrent_uploads) == (1, 1)


@pytest.mark.parametrize("mode", CookieMode)
async def test_first_cookie_only(mode: CookieMode, connect: Connect, omar_authority: Authority) -> None:
    """Of the cookies that a login sets, the first gives data and every other the login page."""
    async with OmarServer(cookies=mode, authority=omar_authority) as server:
        wire = connect(server)
        lines = (await wire.login()).all("Set-Cookie")
        for place, line in enumerate(lines):
            pair = line.partition(";")[0]
            seen = await wire.download(f'$Version=1; {pair}; $Path="/"' if mode is CookieMode.VERSION_1 else pair)
            assert (seen.body == data(server)) is (place == 0)
            assert (b"fr_top.jsp" in seen.body) is (place > 0)


async def test_sessions_expire_on_demand(omar_server: OmarServer, wire: Wire) -> None:
    """After `expire_sessions` a good cookie gets the login page, and a fresh one data."""
    old = await wire.cookie()
    omar_server.expire_sessions()
    assert b"fr_top.jsp" in (await wire.download(old)).body
    assert (await wire.download(await wire.cookie())).body == data(omar_server)


async def test_clear_forgets_everything(omar_server: OmarServer, wire: Wire) -> None:
    """After `clear` there are no requests, uploads, logins, sessions or faults, and file ids begin again."""
    cookie = await wire.cookie()
    await wire.upload(cookie)
    omar_server.script(testing.Reset())
    omar_server.clear()
    assert (list(omar_server.requests), list(omar_server.uploads), omar_server.logins) == ([], [], 0)
    assert omar_server.max_concurrent_uploads == 0
    assert b"fr_top.jsp" in (await wire.download(cookie)).body
    assert b"528527_test5.csv" in (await wire.upload(await wire.cookie())).body


# --- Faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    ("after", "framing", "header", "kept"),
    [
        (1000, "length", "Content-Length", 1000),
        (-1, "length", "Content-Length", -1),
        (1000, "close", None, 1000),
        (1000, "chunked", "Transfer-Encoding", 1000),
    ],
)
async def test_cut_body(
    *,
    after: int,
    framing: FramingKind,
    header: str | None,
    kept: int,
    reset: bool,
    omar_server: OmarServer,
    wire: Wire,
) -> None:
    """A body is cut after n bytes in each framing, by an orderly close or by a TCP reset."""
    omar_server.script(testing.CutBody(after=after, framing=framing, reset=reset))
    seen = await wire.download(await wire.cookie())
    chunked = framing == "chunked"
    assert seen.body == (b"3e8\r\n" if chunked else b"") + data(omar_server)[:kept] + (b"\r\n" if chunked else b"")
    assert seen.end == ("reset" if reset else "eof")
    assert [name for name in ("Content-Length", "Transfer-Encoding") if seen.all(name)] == ([header] if header else [])


async def test_a_chunked_body_can_lack_its_end_only(omar_server: OmarServer, wire: Wire) -> None:
    """A chunked body may be cut after its last byte, where only the closing chunk is missing."""
    size = len(data(omar_server))
    omar_server.script(testing.CutBody(after=size, framing="chunked"))
    seen = await wire.download(await wire.cookie())
    assert seen.body.endswith(data(omar_server)[-100:] + b"\r\n")


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_healthy_framings(framing: FramingKind, omar_server: OmarServer, wire: Wire) -> None:
    """A healthy answer comes in each of the three framings."""
    omar_server.script(testing.Framing(framing))
    seen = await wire.download(await wire.cookie())
    body = seen.body
    if framing == "chunked":
        assert seen.all("Transfer-Encoding") == ["chunked"]
        assert body.endswith(b"\r\n0\r\n\r\n")
        pieces = []
        while (size := int(body.partition(b"\r\n")[0], 16)) > 0:
            start = body.index(b"\r\n") + 2
            pieces.append(body[start : start + size])
            body = body[start + size + 2 :]
        body = b"".join(pieces)
    assert body == data(omar_server)
    assert seen.all("Content-Length") == ([str(len(body))] if framing == "length" else [])
    assert seen.end == "eof"


@pytest.mark.parametrize(
    ("fault", "end"), [(testing.Reset(), "reset"), (testing.Disconnect(), "eof"), (testing.Raw(b""), "eof")]
)
async def test_no_answer(fault: testing.Fault, end: str, omar_server: OmarServer, wire: Wire) -> None:
    """A connection ends without a byte, by a reset or by a close."""
    cookie = await wire.cookie()
    omar_server.script(fault)
    seen = await wire.download(cookie)
    assert (seen.data, seen.end) == (b"", end)
    assert [(record.status, record.fault) for record in omar_server.requests[1:]] == [(None, fault)]


@pytest.mark.parametrize(
    ("fault", "status", "header", "value"),
    [
        (testing.Status(500), "500 Internal Server Error", "Retry-After", []),
        (testing.Status(503, retry_after=7), "503 Service Unavailable", "Retry-After", ["7"]),
        (testing.Status(429, retry_after="soon"), "429 Too Many Requests", "Retry-After", ["soon"]),
        (testing.Redirect(), "302 Found", "Location", ["/fr_top.jsp"]),
        (testing.Redirect("http://a.test/%2F", 307), "307 Temporary Redirect", "Location", ["http://a.test/%2F"]),
        (testing.Page("<p>Closed</p>", content_type="text/csv"), "200 OK", "Content-Type", ["text/csv"]),
    ],
)
async def test_answers_of_somebody_else(
    *, fault: testing.Fault, status: str, header: str, value: list[str], omar_server: OmarServer, wire: Wire
) -> None:
    """Statuses, redirects and pages come as scripted, on a connection that could stay open."""
    omar_server.script(fault)
    seen = await wire.download(await wire.cookie())
    assert seen.head.splitlines()[0] == f"HTTP/1.1 {status}"
    assert seen.all(header) == value
    assert seen.body.startswith(b"<")
    assert len(seen.body) == int(seen.all("Content-Length")[0])


async def test_login_page_and_expired_session(omar_server: OmarServer, wire: Wire) -> None:
    """A login page in place of data leaves the session alive; an expired session does not."""
    cookie = await wire.cookie()
    omar_server.script(testing.LoginPage(), testing.ExpireSession(match="getMDEF"))
    pages = [await wire.download(cookie, DOWNLOAD.replace("getMDEF", "getSQMDCsvForDownload")) for _ in range(2)]
    assert [b"fr_top.jsp" in page.body for page in pages] == [True, False]
    assert b"fr_top.jsp" in (await wire.download(cookie)).body
    assert b"fr_top.jsp" in (await wire.download(cookie)).body


async def test_raw_bytes(omar_server: OmarServer, wire: Wire) -> None:
    """Any bytes can be the answer."""
    omar_server.script(testing.Raw(b"ICY 200 OK\r\n\r\nmusic", on="login"))
    seen = await wire.login()
    assert (seen.data, seen.end) == (b"ICY 200 OK\r\n\r\nmusic", "eof")


async def test_stall(omar_server: OmarServer, wire: Wire) -> None:
    """A stalled answer has its head and the first bytes of its body, and the client has to leave."""
    cookie = await wire.cookie()
    omar_server.script(Stall(after=700))
    seen = await wire.download(cookie, enough=len(b"HTTP/1.1 200 OK"))
    assert seen.head.startswith("HTTP/1.1 200 OK\r\n")
    assert (seen.body, seen.end) == (data(omar_server)[:700], "left")


async def test_silence_ends_with_the_server(connect: Connect, omar_authority: Authority) -> None:
    """Stalled before the status line, and late by an hour: both clients see nothing until the server stops."""
    async with OmarServer(authority=omar_authority) as server:
        wire = connect(server)
        cookie = await wire.cookie()
        server.script(Stall(after=None), testing.SlowFirstByte(3600))
        waiting = [asyncio.create_task(wire.download(cookie)) for _ in range(2)]
        await until(lambda: len(server.requests) == 3)
        assert not any(task.done() for task in waiting)
    assert [(seen.data, seen.end) for seen in await asyncio.gather(*waiting)] == [(b"", "torn")] * 2


async def test_slow_first_byte(omar_server: OmarServer, wire: Wire) -> None:
    """A late answer is a good one."""
    omar_server.script(testing.SlowFirstByte(0.001))
    assert (await wire.download(await wire.cookie())).body == data(omar_server)


@pytest.mark.parametrize(
    ("fault", "taken", "seen_bytes", "end"),
    [
        (testing.DropAnswer(), True, 0, "eof"),
        (testing.DropAnswer(reset=True), True, 0, "reset"),
        (testing.DropAnswer(after=30), True, 30, "eof"),
        (testing.Disconnect(on="upload"), False, 0, "eof"),
        (testing.Reset(on="upload"), False, 0, "reset"),
    ],
)
async def test_lost_upload_answers(
    *,
    fault: testing.Fault,
    taken: bool,
    seen_bytes: int,
    end: str,
    omar_server: OmarServer,
    wire: Wire,
) -> None:
    """An answer is lost after the file was taken, or the file is lost with it: the client cannot tell."""
    cookie = await wire.cookie()
    omar_server.script(fault)
    seen = await wire.upload(cookie)
    assert (len(seen.body), seen.end) == (seen_bytes, end)
    assert [upload.accepted for upload in omar_server.uploads] == [True] * taken


async def test_faults_fire_in_order_for_the_requests_that_they_are_for(omar_server: OmarServer, wire: Wire) -> None:
    """Each request meets the first waiting fault of its kind and target, as often as the fault says."""
    omar_server.script(
        testing.Status(503, on="upload"),
        testing.Status(500, match="groupOrMeter=group"),
        testing.Status(502, times=2),
        testing.Status(504, on="login"),
    )
    assert (await wire.login()).head.startswith("HTTP/1.1 504")
    cookie = await wire.cookie()
    group = DOWNLOAD.replace("=meter", "=group").replace("1001", "123") + "123"
    targets = (DOWNLOAD, group, group, group, DOWNLOAD)
    statuses = [int((await wire.download(cookie, target)).head.split()[1]) for target in targets]
    assert statuses == [502, 500, 502, 200, 200]
    assert (await wire.upload(cookie)).head.startswith("HTTP/1.1 503")


async def test_an_unused_fault_is_an_error(connect: Connect, omar_authority: Authority) -> None:
    """A fault that has not fired as often as it should raises on exit, with its name."""
    with pytest.raises(testing.UnusedFaultError, match=r"Status\(.*500.*\) still waits for 1 of 2 requests"):
        async with OmarServer(authority=omar_authority, faults=[testing.Status(500, times=2)]) as server:
            await connect(server).download("")


async def test_an_unused_fault_does_not_hide_another_error(omar_authority: Authority) -> None:
    """An exception of the test's own goes through, whatever the script holds."""
    with pytest.raises(ZeroDivisionError):
        async with OmarServer(authority=omar_authority, faults=[testing.Reset()]):
            raise ZeroDivisionError


@pytest.mark.parametrize("fault", [testing.CutBody(after=10**9), testing.CutBody(after=10**9, framing="chunked")])
async def test_a_cut_that_cuts_nothing_is_an_error(
    fault: testing.Fault, connect: Connect, omar_authority: Authority
) -> None:
    """A cut behind the body's end has proved nothing, so it counts as unused."""
    with pytest.raises(testing.UnusedFaultError, match="fired in vain"):
        async with OmarServer(authority=omar_authority, faults=[fault]) as server:
            await connect(server).download(await connect(server).cookie())


def test_faults_check_themselves() -> None:
    """A fault for an unknown kind of request, or for none at all, cannot be made."""
    with pytest.raises(ValueError, match="on"):
        testing.Reset(on="downloads")  # type: ignore[arg-type]  # what this is about
    with pytest.raises(ValueError, match="times"):
        testing.Reset(times=0)


# --- TLS and connections ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("foreign", [False, True])
async def test_a_client_without_a_good_certificate_is_refused(
    *,
    maximum: ssl.TLSVersion,
    foreign: bool,
    omar_authority: Authority,
    client_files: Path,
    tmp_path: Path,
) -> None:
    """No certificate and one of another authority both get no answer, under TLS 1.2 and 1.3."""
    context = ssl.create_default_context(cafile=str(client_files / "ca.pem"))
    if foreign:
        files = Authority().write(tmp_path)
        context.load_cert_chain(files.certificate, files.key)
    async with OmarServer(maximum_tls=maximum, authority=omar_authority) as server:
        try:
            seen = (await Wire(server, context).login()).data
        except OSError:
            seen = b""
        await until(lambda: server.connections.refused == 1)
        assert seen == b""
        assert list(server.requests) == []
        assert server.connections == testing.Connections(upload=1, download=0, refused=1)


@pytest.mark.parametrize(("maximum", "spoken"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (None, "TLSv1.3")])
async def test_the_version_of_tls_can_be_held_down(
    maximum: ssl.TLSVersion | None, spoken: str, client_context: ssl.SSLContext, omar_authority: Authority
) -> None:
    """The newest version is spoken, or the one that the server is held to."""
    async with OmarServer(maximum_tls=maximum, authority=omar_authority) as server:
        port = int(server.environment.download_origin.rpartition(":")[2])
        _, writer = await asyncio.open_connection("localhost", port, ssl=client_context)
        assert writer.get_extra_info("ssl_object").version() == spoken
        writer.close()
        await writer.wait_closed()


async def test_requests_at_the_same_time_are_counted(
    omar_server: OmarServer, wire: Wire, client_context: ssl.SSLContext
) -> None:
    """Three downloads that are under way together are three at most, also after they have left."""
    cookie = await wire.cookie()
    omar_server.script(Stall(after=0, times=3))
    port = int(omar_server.environment.download_origin.rpartition(":")[2])
    writers = []
    for _ in range(3):
        reader, writer = await asyncio.open_connection("localhost", port, ssl=client_context)
        writer.write(f"GET {DOWNLOAD} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writers.append(writer)
    for writer in writers:
        writer.transport.abort()
    await wire.download(cookie)
    assert omar_server.max_concurrent_downloads in {3, 4}
    assert omar_server.max_concurrent_uploads == 0


async def test_latency_holds_every_answer_back(connect: Connect, omar_authority: Authority) -> None:
    """While an answer waits its request is under way, so requests that are sent together are seen together."""
    async with OmarServer(authority=omar_authority, latency=3600) as server:
        wire = connect(server)
        waiting = [asyncio.create_task(wire.download("none")) for _ in range(3)]
        waiting += [asyncio.create_task(wire.upload("none")) for _ in range(2)]
        await until(lambda: len(server.requests) == 5)
        assert (server.max_concurrent_downloads, server.max_concurrent_uploads) == (3, 2)
    assert {seen.data for seen in await asyncio.gather(*waiting)} == {b""}


async def test_an_upload_that_breaks_off_is_in_the_log(omar_server: OmarServer, wire: Wire) -> None:
    """A client that leaves in the middle of its request leaves a record without a status, and no file."""
    head = b"POST /uploadProcess.jsp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
    await wire.raw(omar_server.environment.upload_origin, head, enough=0)
    await until(lambda: len(omar_server.requests) == 1)
    assert [(record.kind, record.status) for record in omar_server.requests] == [("upload", None)]
    assert list(omar_server.uploads) == []


def open_files() -> set[str]:
    """Give the descriptors of this process."""
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
async def test_nothing_is_left_behind(omar_authority: Authority, client_context: ssl.SSLContext) -> None:
    """With idle, stalled and half-greeted connections open, the server's end leaves no descriptor, task or file."""
    tasks, files = asyncio.all_tasks(), open_files()
    async with OmarServer(authority=omar_authority, faults=[Stall(on="login")]) as server:
        port, directory = int(server.environment.upload_origin.rpartition(":")[2]), server.ca_file.parent
        _, idle = await asyncio.open_connection("localhost", port, ssl=client_context)
        reader, stalled = await asyncio.open_connection("localhost", port, ssl=client_context)
        stalled.write(b"GET /fr_top.jsp HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readline()
        silent = socket.create_connection(("127.0.0.1", port))
        await until(lambda: server.connections.upload == 3)
    idle.transport.abort()
    stalled.transport.abort()
    assert silent.recv(1) == b""
    silent.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert not directory.exists()
    assert open_files() == files


async def test_a_taken_port_is_an_error_that_leaves_nothing(omar_server: OmarServer, omar_authority: Authority) -> None:
    """A second server on the same port does not start, and closes what it had opened."""
    port = int(omar_server.environment.download_origin.rpartition(":")[2])
    before = asyncio.all_tasks()
    with pytest.raises(OSError, match="in use"):
        async with OmarServer(download_port=port, authority=omar_authority):
            pytest.fail("it started")
    assert asyncio.all_tasks() == before


# --- What it gives to clients -----------------------------------------------------------------------------------------


async def test_identity_and_trust_fit(omar_server: OmarServer, tmp_path: Path) -> None:
    """The PKCS#12 file needs its passphrase, the identity is the client's, and trust is the authority's file."""
    identity = omar_server.identity()
    assert "OMAR test operator" in identity.subject
    assert ClientIdentity.from_pkcs12(omar_server.pkcs12("secret"), "secret").subject == identity.subject
    assert ClientIdentity.from_pkcs12(omar_server.pkcs12()).subject == identity.subject
    with pytest.raises(IdentityError):
        ClientIdentity.from_pkcs12(omar_server.pkcs12("secret"), "wrong")
    assert omar_server.trust.ca_file == omar_server.ca_file
    files = omar_server.write_credentials(tmp_path, "secret")
    assert ClientIdentity.from_pem(files.certificate, files.key, "secret").subject == identity.subject
    assert b"ENCRYPTED" in files.key.read_bytes()
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.pkcs12.stat().st_mode) == 0o600
    assert files.ca_file.read_bytes() == omar_server.ca_file.read_bytes()


async def test_data_is_what_the_site_knows(omar_authority: Authority) -> None:
    """Meters and groups are those that were given, as ids or values; others have no data."""
    server = OmarServer(meters=["7", Meter("8")], groups={"pair": [Meter("7"), "8"]}, authority=omar_authority)
    lines = [
        server.data(selection, *DAYS, file_format=FileFormat.CSV, time_type=TimeType.PST).count(b"\r\n")
        for selection in (Meter("7"), Meter("8"), Group("pair"))
    ]
    assert lines == [1 + 3 * 384, 1 + 3 * 384, 1 + 6 * 384]
    with pytest.raises(LookupError, match="no data"):
        server.data(Meter("1001"), *DAYS, file_format=FileFormat.CSV, time_type=TimeType.PST)


def test_a_server_that_is_not_running_says_so() -> None:
    """What exists only while the server runs cannot be had before."""
    with pytest.raises(RuntimeError, match="async with"):
        _ = OmarServer().ca_file
    with pytest.raises(RuntimeError, match="async with"):
        _ = OmarServer().environment


def test_exports_are_sorted_and_real() -> None:
    """Every exported name exists, and no other."""
    names = testing.__all__
    assert sorted(names) == sorted(set(names))
    assert [name for name in names if getattr(testing, name) is None] == []
    assert dir(testing) == sorted(names)
    with pytest.raises(AttributeError, match="OmarClient"):
        _ = testing.OmarClient  # type: ignore[attr-defined]  # what this is about
