"""What the ledger knows of uploads: before the first byte, after the last, and when nobody could tell it."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import stat
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ConfigError,
    ConnectError,
    DeadlineError,
    DiskError,
    Event,
    LimitError,
    LoginError,
    OmarClient,
    OmarConfig,
    OmarError,
    OutcomeUnknownError,
    PartialUploadError,
    ReceiptMismatchError,
    StatusError,
    SubmissionNotRecorded,
    SubmissionRecord,
    SubmissionRejectedError,
    SubmissionState,
    Timeouts,
    UploadBlockedError,
    UploadRetrying,
)
from aiomar.submissions import Ledger, ledger_directory
from aiomar.testing import (
    Authority,
    Disconnect,
    DropAnswer,
    Fault,
    LoginPage,
    OmarServer,
    Page,
    Raw,
    Redirect,
    SlowFirstByte,
    Stall,
    Status,
)
from tests.client.helpers import sent, until

CONTENT = b"id,value\r\n1001,5\r\n"
REFUSAL = Page("<h3>Error in File Processing</h3><p>not your meter</p>", on="upload")
FOREIGN = Page(
    "<table><tr><td>other.csv Meter file uploaded and Saved As 1_other.csv</td></tr>"
    "<tr><td>File Size : 3</td></tr><tr><td>File Id: 1</td></tr></table>",
    on="upload",
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A good file."""
    path = tmp_path / "test5.csv"
    path.write_bytes(CONTENT)
    return path


def place(config: OmarConfig) -> Path:
    """Give the ledger's directory."""
    return ledger_directory(config.state_dir, config.environment.upload_origin, config.identity.holder)


def records(config: OmarConfig) -> list[SubmissionRecord]:
    """Read the ledger as another process would."""
    with Ledger.open(place(config)) as ledger:
        return list(ledger.records())


def the_record(config: OmarConfig) -> SubmissionRecord:
    """Give the only record."""
    (record,) = records(config)
    return record


@pytest.mark.clause("SUB 3.3.1")
async def test_an_accepted_file_is_recorded(
    source: Path, omar_client: OmarClient, omar_config: OmarConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who, what, when and the file id: everything that proves the submission, the content included."""
    monkeypatch.chdir(source.parent)
    receipt = await omar_client.upload(source.name)
    record = the_record(omar_config)
    assert (record.id, record.state) == (receipt.ledger_id, SubmissionState.ACCEPTED)
    assert (record.source, record.name, record.size, record.sha256) == (
        source.absolute(),
        "test5.csv",
        len(CONTENT),
        receipt.sha256,
    )
    assert (record.file_id, record.saved_name) == (receipt.file_id, receipt.saved_name)
    identity, environment = omar_config.identity, omar_config.environment
    assert (record.subject, record.fingerprint) == (identity.subject, identity.fingerprint)
    assert (record.environment, record.upload_origin) == (environment.name, environment.upload_origin)
    assert record.ended_at is not None
    assert receipt.submitted_at == record.submitted_at <= record.ended_at
    with Ledger.open(place(omar_config)) as ledger:
        assert ledger.content(record.id) == CONTENT
        assert [change.state for change in ledger.changes(record.id)] == [
            SubmissionState.SENDING,
            SubmissionState.ACCEPTED,
        ]


@pytest.mark.parametrize(
    ("fault", "kind", "state"),
    [
        (REFUSAL, SubmissionRejectedError, SubmissionState.REJECTED),
        (Status(413, on="upload"), StatusError, SubmissionState.REJECTED),
        (FOREIGN, ReceiptMismatchError, SubmissionState.UNKNOWN),
        (Status(500, on="upload"), OutcomeUnknownError, SubmissionState.UNKNOWN),
        (DropAnswer(), OutcomeUnknownError, SubmissionState.UNKNOWN),
        (Disconnect(on="upload"), OutcomeUnknownError, SubmissionState.UNKNOWN),
        (Redirect("/elsewhere", on="upload"), OutcomeUnknownError, SubmissionState.UNKNOWN),
    ],
    ids=repr,
)
async def test_every_other_end_is_recorded(
    *,
    fault: Fault,
    kind: type[OmarError],
    state: SubmissionState,
    source: Path,
    omar_server: OmarServer,
    omar_client: OmarClient,
    omar_config: OmarConfig,
) -> None:
    """The ledger says what the caller is told; what was refused may be sent again, what is unknown may not."""
    omar_server.script(fault)
    with pytest.raises(kind) as caught:
        await omar_client.upload(source)
    record = the_record(omar_config)
    assert record.state is state
    assert record.reason
    assert record.file_id is None
    if state is SubmissionState.UNKNOWN:
        assert getattr(caught.value, "ledger_id", record.id) == record.id
        with pytest.raises(UploadBlockedError, match=record.id) as blocked:
            await omar_client.upload(source)
        assert blocked.value.ledger_id == record.id
        assert sent(omar_server, "upload") == 1
    else:
        assert (await omar_client.upload(source)).file_id


async def test_a_login_page_twice_is_a_refusal(
    source: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """The server did not take it, either time."""
    omar_server.expire_sessions()
    omar_server.script(LoginPage(on="upload", times=2))
    with pytest.raises(LoginError):
        await omar_client.upload(source)
    assert the_record(omar_config).state is SubmissionState.REJECTED


async def test_the_intent_is_there_while_the_server_works(
    source: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """Before the answer comes the ledger says "sending"; after a cancellation it says "unknown"."""
    omar_server.script(Stall(None, on="upload"))
    task = asyncio.create_task(omar_client.upload(source))
    await until(lambda: sent(omar_server, "upload") == 1)
    assert the_record(omar_config).state is SubmissionState.SENDING
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    record = the_record(omar_config)
    assert (record.state, record.phase) == (SubmissionState.UNKNOWN, "request")


async def test_what_never_left_is_recorded_as_not_sent(
    source: Path, omar_authority: Authority, omar_config: OmarConfig
) -> None:
    """No connection: tried again, as not a byte has left; then an error, and the file may be sent later."""
    events: list[Event] = []
    server = OmarServer(authority=omar_authority)
    async with server:
        config = attrs.evolve(omar_config, environment=server.environment, trust=server.trust)
        client = OmarClient(config, observer=events.append)
        await client.login()
    async with client:
        with pytest.raises(ConnectError):
            await client.upload(source)
    retries = [event for event in events if isinstance(event, UploadRetrying)]
    assert [event.attempt for event in retries] == list(range(1, config.retry.attempts))
    assert the_record(config).state is SubmissionState.NOT_SENT


async def test_a_rule_that_is_broken_leaves_no_record(
    source: Path, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """Nothing was intended."""
    with pytest.raises(LimitError):
        await omar_client.upload(source, name="x.txt")
    assert records(omar_config) == []


@pytest.mark.parametrize("answered", [b"<td>test5.csv Saved As 77_test5.csv</td><td>File Si", b""])
async def test_the_answer_of_an_unknown_one_is_kept(
    answered: bytes, source: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """What came of a cut page is kept for its owner alone, and what could be read of it is told."""
    whole = answered + b" " * 100
    cut = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + answered, on="upload")
    omar_server.script(cut if answered else Page(whole, 503, on="upload"))
    with pytest.raises(OutcomeUnknownError) as caught:
        await omar_client.upload(source)
    facts = caught.value.facts
    kept = Path(str(facts["answer_page"]))
    assert kept.read_bytes().startswith(answered or b" ")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert facts["status"] == (200 if answered else 503)
    assert facts.get("saved_name") == ("77_test5.csv" if answered else None)
    assert {"started", "ended", "cause"} <= facts.keys()
    assert the_record(omar_config).facts["answer_page"] == str(kept)


async def test_content_is_what_counts_not_the_name(
    source: Path, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """The same bytes under another name are held back, other bytes under the same name are not."""
    receipt = await omar_client.upload(source)
    other = tmp_path / "other.csv"
    other.write_bytes(CONTENT)
    with pytest.raises(UploadBlockedError, match=receipt.file_id) as caught:
        await omar_client.upload(other)
    assert caught.value.ledger_id == receipt.ledger_id
    with pytest.raises(UploadBlockedError):
        await omar_client.check_upload(other)
    assert len(omar_server.uploads) == 1
    await omar_client.check_upload(other, resend=True)
    assert (await omar_client.upload(other, resend=True)).file_id != receipt.file_id
    source.write_bytes(CONTENT * 2)
    await omar_client.upload(source)
    assert len(omar_server.uploads) == 3


async def test_another_client_knows_too(source: Path, omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """The ledger outlives the client."""
    async with OmarClient(omar_config) as client:
        await client.upload(source)
    async with OmarClient(omar_config) as client:
        with pytest.raises(UploadBlockedError):
            await client.upload(source)
    assert len(omar_server.uploads) == 1


async def test_an_intent_without_an_end_is_unknown(
    source: Path, omar_client: OmarClient, omar_config: OmarConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a process left behind that died while it was sending blocks its content, nothing else, and is told of."""
    other = tmp_path / "other.csv"
    other.write_bytes(b"another,content\r\n")
    await omar_client.upload(other)
    with sqlite3.connect(place(omar_config) / "ledger.sqlite3") as connection:
        connection.execute("UPDATE submissions SET state = 'sending', ended_at = NULL, file_id = NULL")
    connection.close()
    with pytest.raises(UploadBlockedError, match="nobody knows"):
        await omar_client.check_upload(other)
    await omar_client.upload(source)
    assert caplog.text.count("'other.csv' was being sent when its process ended") == 1
    left, good = records(omar_config)
    assert (left.state, left.phase) == (SubmissionState.UNKNOWN, "request")
    assert good.state is SubmissionState.ACCEPTED


async def test_a_ledger_that_cannot_be_used(
    source: Path, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Without a ledger nothing is sent; downloads do not need one."""
    (tmp_path / "file").write_bytes(b"")
    async with OmarClient(attrs.evolve(omar_config, state_dir=tmp_path / "file" / "state")) as client:
        with pytest.raises(ConfigError, match="state"):
            await client.upload(source)
        await client.login()
    assert sent(omar_server, "upload") == 0


async def test_an_intent_that_cannot_be_written(
    source: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """A full disk is found out before anything is sent."""
    ledger = await omar_client._ready().uploader.turn.ledger()
    ledger._connection.execute("PRAGMA max_page_count = 1")
    source.write_bytes(os.urandom(300_000))
    with pytest.raises(DiskError) as caught:
        await omar_client.upload(source)
    assert caught.value.errno == errno.ENOSPC
    assert sent(omar_server, "upload") == 0
    assert records(omar_config) == []


async def test_an_end_that_cannot_be_written(
    source: Path, omar_server: OmarServer, omar_config: OmarConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """The receipt comes out all the same; the ledger goes on to hold the file as one that may have been taken."""
    events: list[Event] = []
    omar_server.script(SlowFirstByte(0.1, on="upload"))
    async with OmarClient(omar_config, observer=events.append) as client:
        ledger = await client._ready().uploader.turn.ledger()
        task = asyncio.create_task(client.upload(source))
        await until(lambda: sent(omar_server, "upload") == 1)
        ledger._connection.execute("PRAGMA query_only = ON")
        receipt = await task
        ledger._connection.execute("PRAGMA query_only = OFF")
        with pytest.raises(UploadBlockedError, match="nobody knows"):
            await client.upload(source)
    (event,) = [event for event in events if isinstance(event, SubmissionNotRecorded)]
    assert (event.ledger_id, event.state) == (receipt.ledger_id, "accepted")
    assert isinstance(event.error, DiskError)
    assert "could not be recorded" in caplog.text


async def test_the_operations_deadline_is_recorded(
    source: Path, omar_server: OmarServer, omar_config: OmarConfig
) -> None:
    """A deadline of the whole operation is no exception: after the first byte it is unknown, and the ledger says so."""
    omar_server.script(Stall(None, on="upload"))
    async with OmarClient(attrs.evolve(omar_config, timeouts=Timeouts(operation=1.0))) as client:
        await client.login()
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.upload(source)
    assert isinstance(caught.value.__cause__, DeadlineError)
    record = the_record(omar_config)
    assert (record.state, record.id) == (SubmissionState.UNKNOWN, caught.value.ledger_id)


async def test_closing_the_client_in_the_middle(source: Path, omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """The upload ends as unknown, and the ledger has it before the client is closed."""
    omar_server.script(Stall(None, on="upload"))
    client = OmarClient(omar_config)
    task = asyncio.create_task(client.upload(source))
    await until(lambda: sent(omar_server, "upload") == 1)
    await client.aclose()
    assert the_record(omar_config).state is SubmissionState.UNKNOWN
    with pytest.raises(OutcomeUnknownError):
        await task


async def test_a_directory_is_gone_through_once(
    sources: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Running the same upload again sends what is left and holds back what was taken."""
    files = sorted(sources.iterdir())
    await omar_client.upload(files[0])
    with pytest.raises(PartialUploadError) as caught:
        await omar_client.upload_all(files)
    assert [type(failure.error) for failure in caught.value.report.failures] == [UploadBlockedError]
    assert len(omar_server.uploads) == 3
    report = await omar_client.upload_all(files, resend=True)
    assert len(report.receipts) == 3
