"""One upload: what goes out, what comes back, and that nothing is ever sent twice without a proof that it may be."""
# ruff: noqa: FBT001 - pytest gives parameters and fixtures by name

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
import pickle
import re
import socket
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ConnectError,
    ExchangeError,
    LimitError,
    LoginError,
    OmarClient,
    OmarConfig,
    OmarError,
    OutcomeUnknownError,
    ReceiptMismatchError,
    SourceError,
    StatusError,
    SubmissionRejectedError,
    Timeouts,
    UnexpectedRedirectError,
    UploadBlockedError,
    UploadLimits,
)
from aiomar.testing import (
    Authority,
    CutBody,
    Disconnect,
    DropAnswer,
    ExpireSession,
    Fault,
    LoginPage,
    OmarServer,
    Page,
    Raw,
    Redirect,
    Reset,
    Stall,
    Status,
)
from tests.client.helpers import cookies, fetch, raw, sent, until

CONTENT = b"id,value\r\n1001,5\r\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A good file."""
    path = tmp_path / "test5.csv"
    path.write_bytes(CONTENT)
    return path


def receipt(name: str = "test5.csv", size: int = len(CONTENT), file_id: str = "528527") -> str:
    """Write the page of SUB 3.3.1."""
    return (
        f'<table><tr><td class="formgray">{name} Meter file uploaded and Saved As {file_id}_{name}</td></tr>'
        f'<tr><td class="formgray">File Size : {size}</td></tr>'
        f'<tr><td class="formgray">File Id: {file_id}</td></tr></table>'
    )


@pytest.mark.clause("SUB 3.1", "SUB 3.2.1", "SUB 3.2.2", "SUB 3.3.1")
async def test_a_file_is_sent_and_its_receipt_read(
    source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """One POST with one part, on the upload origin, and everything that the receipt says."""
    before = dt.datetime.now(dt.UTC)
    got = await omar_client.upload(source)
    assert [(upload.name, upload.content) for upload in omar_server.uploads] == [("test5.csv", CONTENT)]
    assert (got.file_id, got.source_name, got.saved_name) == ("528527", "test5.csv", "528527_test5.csv")
    assert (got.size, got.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert before - dt.timedelta(seconds=1) <= got.submitted_at <= dt.datetime.now(dt.UTC)
    assert got.submitted_at.tzinfo is dt.UTC
    assert got.ledger_id is not None
    record = omar_server.requests[-1]
    assert (record.method, record.target, record.door.value) == ("POST", "/uploadProcess.jsp", "upload")
    assert record.header("Expect") is None
    assert record.header("Transfer-Encoding") is None
    assert (await omar_client.upload(source, resend=True)).file_id == "528528"


@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize(
    "name",
    [
        "a b.csv",
        "  two  blanks .csv",
        "AT&T <1>.csv",
        "100%25.csv",
        "it's;x=y.csv",
        "UPPER.CSV",
        "x.DaT",
        "a" * 36 + ".csv",
        "Saved As 1.csv",
        "Error in File Processing.csv",
        "File Size 5.csv",
        "&amp;.csv",
        ".csv",
    ],
)
async def test_a_name_is_sent_exactly_as_it_is(
    name: str, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Blanks and every allowed character reach the server unchanged, and do not confuse the receipt's reader."""
    got = await omar_client.upload(source, name=name)
    assert omar_server.uploads[0].name == name
    assert omar_server.uploads[0].accepted
    assert got.source_name == name


@pytest.mark.fault(77)
@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a" * 37 + ".csv", "name_length"),
        ("a.txt", "extension"),
        ("csv", "extension"),
        ("a.csv ", "extension"),
        ("a.csv.gz", "extension"),
        ('a".csv', "name_characters"),
        ("a\\b.csv", "name_characters"),
        ("a/b.csv", "name_characters"),
        ("a:b.csv", "name_characters"),
        ("é.csv", "name_characters"),
        ("a\r\n.csv", "name_characters"),
        ("a\0.csv", "name_characters"),
        ("a\x7f.csv", "name_characters"),
        ("", "name_characters"),
    ],
)
async def test_a_name_that_breaks_a_rule(
    name: str, rule: str, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """The rule is found before anything is sent, and the error says which it is."""
    with pytest.raises(LimitError) as caught:
        await omar_client.upload(source, name=name)
    assert (caught.value.rule, caught.value.value) == (rule, name)
    assert not omar_server.requests


@pytest.mark.fault(77)
@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize(("size", "good"), [(0, False), (1, True), (511_999, True), (512_000, False), (600_000, False)])
async def test_a_size_keeps_to_the_limit(
    size: int,
    good: bool,
    source: Path,
    omar_server: OmarServer,
    omar_client: OmarClient,
) -> None:
    """A file is smaller than 500 × 1,024 bytes and not empty."""
    source.write_bytes(b"x" * size)
    if good:
        assert (await omar_client.upload(source)).size == size
        return
    with pytest.raises(LimitError) as caught:
        await omar_client.upload(source)
    assert (caught.value.rule, caught.value.value, caught.value.limit) == ("size", size, 512_000)
    assert not omar_server.requests


async def test_limits_can_be_lowered(source: Path, omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """A site that counts otherwise has limits of its own."""
    limits = UploadLimits(max_bytes=len(CONTENT), max_name=9, extensions=(".csv",))
    async with OmarClient(attrs.evolve(omar_config, limits=limits)) as client:
        for name, rule in (("test5.csv", "size"), ("test55.csv", "name_length"), ("test.dat", "extension")):
            with pytest.raises(LimitError) as caught:
                await client.upload(source, name=name)
            assert caught.value.rule == rule
    assert not omar_server.requests


@pytest.mark.parametrize("kind", ["missing", "directory", "named directory", "pipe", "socket", "device", "NUL", "loop"])
async def test_a_source_that_is_no_file(
    kind: str, tmp_path: Path, omar_server: OmarServer, omar_client: OmarClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing or is no file is a `SourceError`, whatever its name is, and nobody waits for a pipe."""
    path = tmp_path / f"{kind}.csv"
    with socket.socket(socket.AF_UNIX) as local:
        if kind == "directory":
            path = tmp_path
        elif kind == "named directory":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            monkeypatch.chdir(tmp_path)  # the address of a socket holds about a hundred characters, a test folder more
            local.bind(path.name)
        elif kind == "device":
            path = Path(os.devnull)
        elif kind == "NUL":
            path = tmp_path / "a\0.csv"
        elif kind == "loop":
            path.symlink_to(path)
        with pytest.raises(SourceError):
            await omar_client.upload(path)
    assert not omar_server.requests


async def test_a_source_that_is_not_readable(source: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """A file without the right to read it is a `SourceError`."""
    if os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    source.chmod(0)
    with pytest.raises(SourceError):
        await omar_client.upload(source)
    assert not omar_server.requests


async def test_a_link_to_a_file_is_a_file(source: Path, tmp_path: Path, omar_client: OmarClient) -> None:
    """A source is followed: only its content counts, and the link's own name is sent."""
    link = tmp_path / "link.csv"
    link.symlink_to(source)
    assert (await omar_client.upload(str(link))).source_name == "link.csv"


@pytest.mark.fault(5)
@pytest.mark.clause("SUB 3.2.2")
async def test_one_upload_is_in_flight_at_a_time(
    source: Path, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Many tasks send one file after the other, each on a connection of its own, while downloads go on."""
    names = [f"file{number}.csv" for number in range(12)]
    await asyncio.gather(
        *(omar_client.upload(source, name=name, resend=True) for name in names),
        *(fetch(omar_client, tmp_path, name=name) for name in names),
    )
    assert omar_server.max_concurrent_uploads == 1
    assert sorted(upload.name for upload in omar_server.uploads) == sorted(names)
    assert omar_server.connections.upload == 13  # one of them for the login


@pytest.mark.fault(53)
@pytest.mark.clause("SUB 3.1.1.2")
@pytest.mark.parametrize("fault", [ExpireSession(on="upload")], ids=repr)
async def test_a_session_that_ended_before_an_upload(
    fault: Fault, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """A login page under a session that had ended: log in again, send once more, with the other cookie."""
    omar_server.script(fault)
    assert (await omar_client.upload(source)).file_id == "528527"
    assert [record.kind for record in omar_server.requests] == ["login", "upload", "login", "upload"]
    first, second = cookies(omar_server, "upload")
    assert first != second
    assert len(omar_server.uploads) == 1


@pytest.mark.fault(53)
@pytest.mark.parametrize("fault", [LoginPage(on="upload"), Redirect("/x/fr_top.jsp;j=1", 307, on="upload")], ids=repr)
async def test_a_login_page_with_another_cookie_after_it(
    fault: Fault, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """A redirect to the login counts like its page."""
    omar_server.script(fault)
    assert (await omar_client.upload(source)).source_name == "test5.csv"
    assert sent(omar_server, "upload") == 2


@pytest.mark.fault(53)
@pytest.mark.parametrize("fault", [LoginPage(on="upload"), Redirect(on="upload")], ids=repr)
async def test_a_login_page_although_the_session_lives(
    fault: Fault, source: Path, omar_authority: Authority, omar_config: OmarConfig
) -> None:
    """Where the login gives the same cookie again nobody knows what became of the file, and it is not sent again."""
    async with OmarServer(authority=omar_authority, single_session=True) as server:
        config = attrs.evolve(omar_config, environment=server.environment, trust=server.trust)
        async with OmarClient(config) as client:
            server.script(fault)
            with pytest.raises(OutcomeUnknownError) as caught:
                await client.upload(source)
        assert caught.value.facts["name"] == "test5.csv"
        assert [record.kind for record in server.requests] == ["login", "upload", "login"]


@pytest.mark.fault(53)
@pytest.mark.parametrize("second", [LoginPage(on="upload"), Redirect(on="upload")], ids=repr)
async def test_never_a_third_time(
    second: Fault, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """The login page again after a fresh login is a `LoginError`: the file was not taken."""
    omar_server.script(LoginPage(on="upload"), second)
    with pytest.raises(LoginError):
        await omar_client.upload(source)
    assert sent(omar_server, "upload") == 2
    assert not omar_server.uploads


async def test_a_failed_login_after_a_login_page_is_no_unknown_outcome(
    source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """The server said that it did not take the file, so what comes after is an ordinary error."""
    omar_server.script(LoginPage(on="upload"))
    await omar_client.login()
    omar_server.script(Status(403, on="login"))
    with pytest.raises(LoginError):
        await omar_client.upload(source)
    assert sent(omar_server, "upload") == 1


@pytest.mark.fault(53)
@pytest.mark.parametrize(
    "page",
    [
        "<form action=fr_top.jsp>Your file was uploaded</form>",
        "<input type=password> test5.csv",
        "<p>Session expired</p> Saved As 1_x",
        "<p>Session expired</p> File Id: 12",
    ],
)
async def test_a_login_page_with_words_of_a_receipt(
    page: str, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """A page that looks like a login and speaks of the file decides nothing."""
    omar_server.script(Page(page, on="upload"))
    with pytest.raises(OutcomeUnknownError):
        await omar_client.upload(source)
    assert [record.kind for record in omar_server.requests] == ["login", "upload"]


UNKNOWN_OUTCOMES = [
    Status(500, on="upload"),
    Status(502, on="upload"),
    Status(503, on="upload", retry_after=0),
    Disconnect(on="upload"),
    Reset(on="upload"),
    DropAnswer(),
    DropAnswer(reset=True),
    DropAnswer(0),
    DropAnswer(200),
    CutBody(200, "chunked", on="upload"),
    CutBody(300, "close", on="upload"),
    Redirect("/elsewhere.jsp", on="upload"),
    Redirect("https://elsewhere.example/uploadProcess.jsp", 307, on="upload"),
    Redirect("/uploadProcess.jsp", 308, on="upload"),
    Page("", on="upload"),
    Page("<html>Thank you</html>", on="upload"),
    Page("<html>Session expired</html>", 500, on="upload"),
    Page(receipt() + "<p>Error in File Processing: disk full</p>", on="upload"),
    Page(b"\x1f\x8b\x08garbage", on="upload"),
    Page("<p>" + "x" * 300_000, on="upload"),
    Page("<html>Thank you</html>", 203, on="upload"),
    raw(b"", status="204 No Content", on="upload"),
    Raw(b"garbage\r\n\r\n", on="upload"),
    Stall(None, on="upload"),
    Stall(100, on="upload"),
]


@pytest.mark.fault(4, 33, 38, 39, 59, 61, 63, 64)
@pytest.mark.parametrize("fault", UNKNOWN_OUTCOMES, ids=lambda fault: repr(fault)[:90])
async def test_an_answer_that_does_not_say_what_happened(
    fault: Fault, source: Path, omar_server: OmarServer, omar_config: OmarConfig
) -> None:
    """After the first byte every doubt is an `OutcomeUnknownError` with its facts, and the file is not sent again."""
    omar_server.script(fault)
    timeouts = Timeouts(first_byte=0.4, read=0.4) if isinstance(fault, Stall) else Timeouts()
    async with OmarClient(attrs.evolve(omar_config, timeouts=timeouts)) as client:
        await fetch(client, source.parent)  # the certificate has had its answer
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.upload(source)
        error = caught.value
        assert not isinstance(error, ExchangeError)
        assert {key: error.facts[key] for key in ("name", "size", "sha256")} == {
            "name": "test5.csv",
            "size": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        assert error.phase in {"request", "response", "page"}
        assert error.ledger_id is not None
        assert error.ledger_id in str(error)
        assert "test5.csv" in str(error)
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert (str(copy), copy.facts, copy.phase) == (str(error), error.facts, error.phase)
        assert sent(omar_server, "upload") == 1
        assert sent(omar_server, "login") == 1
        with pytest.raises(UploadBlockedError) as blocked:
            await client.upload(source, name="other.csv")
        assert blocked.value.ledger_id == error.ledger_id
        assert sent(omar_server, "upload") == 1
        assert (await client.upload(source, resend=True)).source_name == "test5.csv"  # the client goes on


async def test_what_nobody_thought_of_after_the_first_byte(
    source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Even a mistake in the program does not make an unknown outcome look like a failure."""
    await omar_client.login()
    uploader = omar_client._ready().uploader
    readings = [0.0, 1.0, 1.0]  # when its answer is read, and when it ended
    courier = attrs.evolve(uploader.courier, wall_clock=lambda: 1 / readings.pop(0))
    omar_client._ready().uploader = attrs.evolve(uploader, courier=courier)
    with pytest.raises(OutcomeUnknownError, match="ZeroDivisionError"):
        await omar_client.upload(source)
    assert sent(omar_server, "upload") == 1


@pytest.mark.fault(58, 78)
@pytest.mark.clause("SUB 3.3.2")
@pytest.mark.parametrize("status", [200, 400, 500, 302])
async def test_a_refusal_is_read_whatever_the_status(
    status: int, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """The page's own words come with the error, bounded and escaped."""
    page = "<html><h3>Error in  File\nProcessing</h3><p>The file is \x1b[31mnot</p> mine" + " x" * 2_000
    headers = [f"Content-Length: {len(page)}", "Location: /fr_top.jsp"]
    omar_server.script(raw(page.encode(), *headers, status=f"{status} Whatever", on="upload"))
    with pytest.raises(SubmissionRejectedError) as caught:
        await omar_client.upload(source)
    assert caught.value.reason.startswith("The file is \\x1b[31mnot mine")
    assert len(caught.value.reason) <= 500
    assert sent(omar_server, "upload") == 1


@pytest.mark.clause("SUB 3.3.1")
@pytest.mark.parametrize("status", [200, 201, 302, 404, 500])
async def test_a_receipt_is_read_whatever_the_status(
    status: int, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """A receipt is believed first; a redirect to the login page beside it must not send the file again."""
    page = receipt(file_id="77")
    headers = [f"Content-Length: {len(page)}", "Location: /fr_top.jsp"]
    omar_server.script(raw(page.encode(), *headers, status=f"{status} Whatever", on="upload"))
    assert (await omar_client.upload(source)).file_id == "77"
    assert sent(omar_server, "upload") == 1


@pytest.mark.fault(36, 37, 38)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 429])
async def test_a_4xx_means_not_taken(
    status: int, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """It is a `StatusError`, and the file is not sent again, also where a download would be."""
    omar_server.script(Status(status, on="upload"))
    with pytest.raises(StatusError) as caught:
        await omar_client.upload(source)
    assert caught.value.status == status
    assert sent(omar_server, "upload") == 1


@pytest.mark.fault(62)
@pytest.mark.clause("SUB 3.3.1")
@pytest.mark.parametrize(
    "page",
    [receipt(size=len(CONTENT) + 1), receipt(name="other.csv"), receipt(name="test5.csv2.csv")],
    ids=["size", "name", "longer name"],
)
async def test_a_receipt_for_something_else(
    page: str, source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Another name or size is a `ReceiptMismatchError` that says what was sent and what was read."""
    omar_server.script(Page(page, on="upload"))
    with pytest.raises(ReceiptMismatchError) as caught:
        await omar_client.upload(source)
    assert (caught.value.facts["name"], caught.value.facts["file_id"]) == ("test5.csv", "528527")
    assert sent(omar_server, "upload") == 1


@pytest.mark.fault(2)
async def test_nobody_listens(source: Path, omar_config: OmarConfig) -> None:
    """Before a byte could leave a failure is the ordinary one."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        origin = f"https://localhost:{closed.getsockname()[1]}"
    environment = attrs.evolve(omar_config.environment, upload_origin=origin)
    async with OmarClient(attrs.evolve(omar_config, environment=environment)) as client:
        with pytest.raises(ConnectError):
            await client.upload(source)


@pytest.mark.fault(2)
async def test_the_server_goes_away_after_the_login(
    source: Path, omar_authority: Authority, omar_config: OmarConfig
) -> None:
    """A connection for the upload that cannot be made is a `ConnectError`: nothing was sent."""
    server = OmarServer(authority=omar_authority)
    async with server:
        config = attrs.evolve(omar_config, environment=server.environment, trust=server.trust)
        client = OmarClient(config)
        await client.login()
    async with client:
        with pytest.raises(ConnectError):
            await client.upload(source)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Status(403, on="login"), LoginError),
        (Redirect("/elsewhere", on="login"), UnexpectedRedirectError),
        (Status(500, on="login", times=2), StatusError),
    ],
    ids=repr,
)
async def test_a_login_that_fails_before_an_upload(
    fault: Fault, kind: type[OmarError], source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Its own error comes out, and no upload was sent."""
    omar_server.script(fault)
    with pytest.raises(kind):
        await omar_client.upload(source)
    assert sent(omar_server, "upload") == 0


async def test_a_cancelled_upload_says_that_it_may_have_arrived(
    source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """The cancellation comes out as itself with a note, and the next upload has its turn."""
    omar_server.script(Stall(None, on="upload"))
    notes: list[str] = []

    async def call() -> None:
        try:
            await omar_client.upload(source)
        except asyncio.CancelledError as error:
            notes.extend(getattr(error, "__notes__", []))
            raise

    task = asyncio.create_task(call())
    await until(lambda: sent(omar_server, "upload") == 1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert [re.search("may have been taken", note) is not None for note in notes] == [True]
    with pytest.raises(UploadBlockedError, match="nobody knows"):
        await omar_client.upload(source)
    assert (await omar_client.upload(source, resend=True)).source_name == "test5.csv"


async def test_an_upload_that_is_cancelled_in_the_queue(
    source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Whoever waits for the turn may go away; nothing of that file was sent."""
    omar_server.script(Stall(None, on="upload"))
    first = asyncio.create_task(omar_client.upload(source))
    await until(lambda: sent(omar_server, "upload") == 1)
    second = asyncio.create_task(omar_client.upload(source, name="second.csv"))
    for _ in range(20):
        await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.wait([first, second])
    assert first.cancelled()
    assert second.cancelled()
    await omar_client.upload(source, name="third.csv", resend=True)
    assert [upload.name for upload in omar_server.uploads] == ["test5.csv", "third.csv"]


async def test_an_unknown_outcome_never_advises_to_try_again(
    omar_client: OmarClient, omar_server: OmarServer, tmp_path: Path
) -> None:
    """The cause is told without the advice that its own error would give."""
    omar_server.script(DropAnswer(after=30))
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    with pytest.raises(OutcomeUnknownError) as caught:
        await omar_client.upload(source)
    assert "try again" not in str(caught.value)
    assert "was cut after 30 bytes" in str(caught.value.facts["cause"])
