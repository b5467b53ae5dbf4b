"""Rows of the table of faults about uploads, with what the ledger says afterwards."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import attrs
import pytest

from aiomar import (
    LoginError,
    OmarClient,
    OmarConfig,
    OmarError,
    OutcomeUnknownError,
    ReceiptMismatchError,
    StatusError,
    SubmissionRecord,
    SubmissionRejectedError,
    SubmissionState,
    UnexpectedPageError,
    UploadBlockedError,
)
from aiomar.submissions import Ledger, Sender, Submissions, ledger_directory, read_source
from aiomar.testing import (
    Authority,
    CutBody,
    DropAnswer,
    ExpireSession,
    Fault,
    LoginPage,
    OmarServer,
    Page,
    Redirect,
    Reset,
    Status,
)
from tests.client.helpers import fetch, on_disk, sent, untouched
from tests.client.test_upload import CONTENT, receipt
from tests.protocol.test_hostile_pages import BOMBS

UNKNOWN, ACCEPTED, REJECTED = SubmissionState.UNKNOWN, SubmissionState.ACCEPTED, SubmissionState.REJECTED
SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that keeps to every rule."""
    path = tmp_path / "test5.csv"
    path.write_bytes(CONTENT)
    return path


def in_ledger(config: OmarConfig) -> SubmissionRecord:
    """Give the only submission."""
    (record,) = Submissions(config.state_dir).records()
    return record


def sample(name: str) -> str:
    """Give an answer page of the collection."""
    return (SAMPLES / name / "body.html").read_text("utf-8")


@attrs.frozen
class Ends:
    """What comes of an upload."""

    fault: Fault
    error: type[OmarError]
    state: SubmissionState
    requests: int = 1


def row(number: int, fault: Fault, error: type[OmarError], state: SubmissionState, requests: int = 1) -> object:
    """Make a case that carries its row."""
    name = f"{number}: {fault!r:.60}"
    return pytest.param(Ends(fault, error, state, requests), marks=pytest.mark.fault(number), id=name)


@pytest.mark.parametrize(
    "ends",
    [
        row(4, Reset(on="upload"), OutcomeUnknownError, UNKNOWN),
        row(33, Redirect("/uploadProcess.jsp", 307, on="upload"), OutcomeUnknownError, UNKNOWN),
        row(33, Redirect("https://localhost:1/uploadProcess.jsp", 308, on="upload"), OutcomeUnknownError, UNKNOWN),
        row(36, Status(403, on="upload"), StatusError, REJECTED),
        row(37, Status(404, on="upload"), StatusError, REJECTED),
        row(38, Status(503, on="upload"), OutcomeUnknownError, UNKNOWN),
        row(38, Status(429, on="upload"), StatusError, REJECTED),
        row(39, Status(500, on="upload"), OutcomeUnknownError, UNKNOWN),
        row(58, Page("<h3>Error in  File\nProcessing</h3>It is bad", on="upload"), SubmissionRejectedError, REJECTED),
        row(59, Page("<html>Thank you for your file</html>", on="upload"), OutcomeUnknownError, UNKNOWN),
        row(61, DropAnswer(150), OutcomeUnknownError, UNKNOWN),
        row(61, CutBody(150, "close", on="upload"), OutcomeUnknownError, UNKNOWN),
        row(62, Page(receipt(size=len(CONTENT) + 1), on="upload"), ReceiptMismatchError, UNKNOWN),
        row(62, Page(receipt(name="other.csv"), on="upload"), ReceiptMismatchError, UNKNOWN),
        row(62, Page(receipt(file_id="12x"), on="upload"), OutcomeUnknownError, UNKNOWN),
        row(63, Page(receipt() + "<p>Error in File Processing", on="upload"), OutcomeUnknownError, UNKNOWN),
    ],
)
async def test_how_an_upload_ends(
    ends: Ends, source: Path, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """The error of its kind, the same in the ledger, one request; and the same content again only if that is safe."""
    omar_server.script(ends.fault)
    async with OmarClient(omar_config) as client:
        await fetch(client, tmp_path / "data")  # the certificate has had its answer
        with untouched(tmp_path), pytest.raises(ends.error) as caught:
            await client.upload(source)
        assert type(caught.value) is ends.error
        assert sent(omar_server, "upload") == ends.requests
        record = in_ledger(omar_config)
        assert (record.state, record.name, record.size) == (ends.state, "test5.csv", len(CONTENT))
        assert record.sha256
        assert record.ended_at is not None
        if isinstance(caught.value, OutcomeUnknownError):
            assert caught.value.ledger_id == record.id
            assert caught.value.facts["name"] == "test5.csv"
        if ends.state is UNKNOWN:
            with pytest.raises(UploadBlockedError):
                await client.upload(source)
        else:
            assert (await client.upload(source)).source_name == "test5.csv"
    assert sent(omar_server, "upload") == ends.requests + (ends.state is not UNKNOWN)


@pytest.mark.fault(61)
async def test_what_could_be_read_of_a_cut_receipt(
    source: Path, omar_server: OmarServer, omar_config: OmarConfig
) -> None:
    """The name under which it may be saved is told, and the page is kept for people."""
    page = receipt()
    omar_server.script(Page(page[: page.index("<tr><td", 10)], on="upload"))
    async with OmarClient(omar_config) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.upload(source)
    facts = caught.value.facts
    assert facts["saved_name"] == "528527_test5.csv"
    assert "file_id" not in facts
    kept = Path(str(facts["answer_page"]))
    assert "Saved As 528527_test5.csv" in kept.read_text("utf-8")
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.fault(60)
async def test_the_page_as_the_document_prints_it(
    source: Path, omar_server: OmarServer, omar_config: OmarConfig
) -> None:
    """Unclosed quotes and the scan's damage do not keep a receipt from being read."""
    content = b"x" * 63_186
    source.write_bytes(content)
    omar_server.script(Page(sample("as-printed"), on="upload"))
    async with OmarClient(omar_config) as client:
        got = await client.upload(source)
    assert (got.file_id, got.size) == ("528527", len(content))
    record = in_ledger(omar_config)
    assert (record.state, record.file_id) == (ACCEPTED, "528527")


@pytest.mark.fault(64)
@pytest.mark.parametrize("bomb", ["deep divisions", "options", "deep formatting"])
async def test_a_page_made_to_be_slow(
    bomb: str, source: Path, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """In place of data it is an unexpected page, as an answer to an upload it says nothing."""
    page = BOMBS[bomb]
    omar_server.script(Page(page, times=2), Page(page, on="upload"))
    async with OmarClient(omar_config) as client:
        with untouched(tmp_path), pytest.raises(UnexpectedPageError):
            await fetch(client, tmp_path)
        with pytest.raises(OutcomeUnknownError):
            await client.upload(source)
    assert (sent(omar_server, "download"), sent(omar_server, "upload")) == (2, 1)
    assert in_ledger(omar_config).state is UNKNOWN


@pytest.mark.fault(53)
async def test_a_session_that_ends_before_an_upload(
    source: Path, omar_server: OmarServer, omar_config: OmarConfig
) -> None:
    """The login page says that nothing was taken, and the new cookie that the session had ended: one more time."""
    omar_server.script(ExpireSession(on="upload"))
    async with OmarClient(omar_config) as client:
        got = await client.upload(source)
    assert [record.kind for record in omar_server.requests] == ["login", "upload", "login", "upload"]
    assert len(omar_server.uploads) == 1
    record = in_ledger(omar_config)
    assert (record.state, record.file_id) == (ACCEPTED, got.file_id)


@pytest.mark.fault(53)
async def test_a_login_page_twice(source: Path, omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """After the second one the file was not taken, and the ledger lets it be sent again."""
    omar_server.script(LoginPage(on="upload", times=2))
    async with OmarClient(omar_config) as client:
        with pytest.raises(LoginError):
            await client.upload(source)
        assert sent(omar_server, "upload") == 2
        assert in_ledger(omar_config).state is REJECTED
        await client.upload(source)
    assert len(omar_server.uploads) == 1


@pytest.mark.fault(53)
async def test_a_login_page_although_the_session_had_not_ended(
    source: Path, omar_authority: Authority, omar_config: OmarConfig
) -> None:
    """The same cookie again proves nothing, so nothing is sent again and the ledger says unknown."""
    async with OmarServer(authority=omar_authority, single_session=True) as server:
        config = attrs.evolve(omar_config, environment=server.environment, trust=server.trust)
        server.script(LoginPage(on="upload"))
        async with OmarClient(config) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.upload(source)
        assert sent(server, "upload") == 1
    assert in_ledger(omar_config).state is UNKNOWN


@pytest.mark.fault(78)
async def test_a_saved_name_is_no_path(
    source: Path, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """What a receipt says of names is text: printable, and nothing is ever made under it."""
    omar_server.script(Page(receipt().replace("528527_test5.csv", "../../\x1b[2Jx_test5.csv"), on="upload"))
    async with OmarClient(omar_config) as client:
        try:
            name = (await client.upload(source)).saved_name
        except OutcomeUnknownError as error:
            name = str(error) + repr(error.facts)
    assert name.isprintable()
    assert name.isascii()
    assert set(on_disk(tmp_path)) == {"test5.csv"}
    assert not list(tmp_path.parent.glob("*x_test5*"))


@pytest.mark.fault(72)
async def test_an_upload_that_was_killed_is_unknown_at_the_next_start(
    source: Path, omar_server: OmarServer, omar_config: OmarConfig
) -> None:
    """An intent without an end, as a kill leaves it, blocks its content until somebody looks; nothing is sent."""
    environment, identity = omar_config.environment, omar_config.identity
    ledger = Ledger.open(ledger_directory(omar_config.state_dir, environment.upload_origin, identity.holder))
    sender = Sender(
        environment=environment.name,
        upload_origin=environment.upload_origin,
        subject=identity.subject,
        fingerprint=identity.fingerprint,
    )
    submission = read_source(source, None, omar_config.limits)
    ledger_id = ledger.intend(submission, source, sender, dt.datetime(2026, 1, 31, tzinfo=dt.UTC))
    assert ledger.record(ledger_id).state is SubmissionState.SENDING
    ledger.close()
    async with OmarClient(omar_config) as client:
        with pytest.raises(UploadBlockedError) as caught:
            await client.upload(source)
        assert not omar_server.requests
        record = in_ledger(omar_config)
        assert (caught.value.ledger_id, record.id) == (ledger_id, ledger_id)
        assert (record.state, record.phase) == (UNKNOWN, "request")
        assert (await client.upload(source, resend=True)).source_name == "test5.csv"
    assert len(omar_server.uploads) == 1
