"""Spans and metrics of what a client does, as the OpenTelemetry SDK's exporters in memory get them."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from aiomar import (
    ClientIdentity,
    ConfigError,
    DestinationError,
    DownloadsPaused,
    FileFormat,
    LoginError,
    Meter,
    OmarClient,
    OmarConfig,
    OutboxPassedOver,
    OutboxRefused,
    OutboxSent,
    OutboxWaiting,
    OutcomeUnknownError,
    RangeFinished,
    RangeStarted,
    RangeStopped,
    SourceError,
    StatusError,
    SubmissionNotRecorded,
    SubmissionRejectedError,
    TimeType,
    UploadFailed,
    UploadReceipt,
    UploadRetrying,
    UploadStarted,
)
from aiomar.telemetry import OpenTelemetryObserver
from aiomar.testing import Authority, CutBody, DropAnswer, ExpireSession, OmarServer, Page, Stall, Status
from tests.client.helpers import DAY, METER, cookies, data, fetch, fetch_range, sent, until
from tests.support.exported import Seen, facts, is_child, times


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Providers of the SDK whose exporters keep everything in memory."""
    seen = Seen()
    yield seen
    assert seen.open.now == 0, "every span that began has ended"
    seen.traces.shutdown()
    seen.meters.shutdown()


async def test_a_range(seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """A range has its files within it, and the login within the file that asked for it."""
    meters = [Meter("1001"), Meter("1002"), Meter("1003")]
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        report = await fetch_range(client, meters, tmp_path)
        await fetch_range(client, meters, tmp_path)
    whole, again = seen.spans("range")
    files, login = seen.spans("download"), seen.span("login")
    assert all(is_child(file, whole) for file in files)
    assert [is_child(login, file) for file in files].count(True) == 1
    assert whole.parent is again.parent is None
    assert facts(whole)["aiomar.bytes"] == sum(facts(file)["aiomar.bytes"] for file in files) == report.bytes
    assert dict(facts(again)) == {
        "aiomar.environment": omar_config.environment.name,
        "aiomar.start": "2026-01-01",
        "aiomar.end": "2026-01-01",
        "aiomar.format": "CSV",
        "aiomar.time_type": "PST",
        "aiomar.files": 3,
        "aiomar.files.reused": 3,
        "aiomar.files.failed": 0,
        "aiomar.bytes": 0,
    }
    place = omar_config.environment.download
    assert {key: value for key, value in facts(files[0]).items() if key != "aiomar.bytes"} == {
        "aiomar.environment": omar_config.environment.name,
        "server.address": place.host,
        "server.port": place.port,
        "aiomar.start": "2026-01-01",
        "aiomar.end": "2026-01-01",
        "aiomar.format": "CSV",
        "aiomar.time_type": "PST",
        "aiomar.outcome": "saved",
        "aiomar.attempts": 1,
        "aiomar.completeness": "length",
    }
    assert facts(login)["server.port"] == omar_config.environment.upload.port
    assert {span.kind for span in (*files, login)} == {SpanKind.CLIENT}
    assert seen.metric("downloads") == {("CSV", "saved"): 3, ("CSV", "reused"): 3}
    assert seen.metric("download.io") == {("CSV",): report.bytes}
    assert seen.metric("download.duration") == {("CSV",): 3}
    assert seen.metric("logins") == {("opened",): 1}
    assert seen.metric("login.duration") == {(): 1}


async def test_many_files(seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """What is open at once is what is under way, not the range."""
    meters = [Meter(str(number)) for number in range(1001, 1021)]
    config = attrs.evolve(omar_config, concurrency=4, durable=False)
    async with OmarClient(config, observer=seen.observer(config)) as client:
        await fetch_range(client, meters, tmp_path, days_per_file=1, end=DAY + dt.timedelta(days=5))
    assert len(seen.spans("download")) == 120
    assert seen.open.most <= 4 * 4 + 2


async def test_two_ranges_at_once(seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """Each file is within the range of its own directory, and a single download within neither."""
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        await asyncio.gather(
            fetch_range(client, [Meter("1001"), Meter("1002")], tmp_path / "a"),
            fetch_range(client, [Meter("1003")], tmp_path / "b"),
            fetch(client, tmp_path, name="c.csv"),
        )
    ranges = {facts(span)["aiomar.files"]: span for span in seen.spans("range")}
    files = seen.spans("download")
    assert sum(is_child(file, ranges[2]) for file in files) == 2
    assert sum(is_child(file, ranges[1]) for file in files) == 1
    assert sum(file.parent is None for file in files) == 1


async def test_under_a_span_of_the_program(
    seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, sources: Path
) -> None:
    """What a program does under a span of its own is within that, and the program's context stays its own."""
    tracer = seen.traces.get_tracer("mine")
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        with tracer.start_as_current_span("mine"):
            await client.login()
            await fetch_range(client, [METER], tmp_path)
            await fetch(client, tmp_path, name="one.csv")
            await client.upload(sources / "file1.csv")
            with tracer.start_as_current_span("inner"):
                pass
    [mine], [inner] = seen.spans("mine"), seen.spans("inner")
    names = [span.name for span in seen.spans() if is_child(span, mine)]
    assert sorted(names) == ["aiomar download", "aiomar login", "aiomar range", "aiomar upload", "inner"]
    assert is_child(inner, mine)


async def test_repeats(seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """A repeat is an event of the span that it belongs to, and counts by the kind of its error."""
    omar_server.script(Status(503, on="login"), Status(503), CutBody(10))
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        await fetch(client, tmp_path)
    file, login = seen.span("download"), seen.span("login")
    repeats = [event for event in file.events if event.name == "aiomar.retry"]
    assert [dict(event.attributes or {})["error.type"] for event in repeats] == ["StatusError", "TruncatedBodyError"]
    assert [dict(event.attributes or {})["aiomar.attempt"] for event in repeats] == [1, 2]
    assert [event.name for event in login.events] == ["aiomar.retry"]
    assert times(login)[0] <= login.events[0].timestamp <= times(login)[1]
    assert is_child(login, file)
    assert facts(file)["aiomar.attempts"] == 3
    assert 1 <= seen.metric("download.limit")[()] <= omar_config.concurrency  # first: some SDKs read a gauge once
    assert seen.metric("retries") == {
        ("download", "StatusError"): 1,
        ("download", "TruncatedBodyError"): 1,
        ("login", "StatusError"): 1,
    }


async def test_failures(seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """A failure has the kind of its error and our sentence, and makes the range an error too."""
    omar_server.script(Status(404, match="1001"))
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        await fetch_range(client, [METER, Meter("1002")], tmp_path, errors="collect")
    whole = seen.span("range")
    failed, saved = sorted(seen.spans("download"), key=lambda span: str(facts(span)["aiomar.outcome"]))
    assert (facts(failed)["error.type"], facts(failed)["http.response.status_code"]) == ("StatusError", 404)
    assert failed.status.status_code is StatusCode.ERROR
    assert str(failed.status.description).startswith("the server answered with HTTP 404: ")
    assert saved.status.status_code is StatusCode.UNSET
    assert (whole.status.status_code, whole.status.description) == (StatusCode.ERROR, "1 of 2 downloads failed")
    assert seen.metric("downloads") == {("CSV", "failed", "StatusError"): 1, ("CSV", "saved"): 1}


async def test_an_expired_session(seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """The file whose request found it out has that as an event, and the new login within it."""
    omar_server.script(ExpireSession())
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        await client.login()
        await fetch(client, tmp_path)
    first, second = seen.spans("login")
    file = seen.span("download")
    assert (facts(first)["aiomar.renewed"], facts(second)["aiomar.renewed"]) == (False, True)
    assert first.parent is None
    assert is_child(second, file)
    assert [event.name for event in file.events] == ["aiomar.session_ended"]
    assert seen.metric("sessions.ended") == {(): 1}
    assert seen.metric("logins") == {("opened",): 2}


async def test_a_login_that_fails(seen: Seen, omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """It has a span of its own, with its repeats, its error and its whole time."""
    omar_server.script(Status(503, on="login"), Status(403, on="login"))
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        with pytest.raises(LoginError):
            await client.login()
        await client.login()
    failed, opened = seen.spans("login")
    assert facts(failed)["error.type"] == "LoginError"
    assert str(failed.status.description).startswith("the login was refused with HTTP 403")
    assert ([event.name for event in failed.events], opened.events) == (["aiomar.retry"], ())
    assert seen.metric("logins") == {("failed", "LoginError"): 1, ("opened",): 1}


async def test_a_range_that_is_cancelled(
    seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """The spans of its files end, and its own."""
    meters = [Meter(str(number)) for number in range(1001, 1006)]
    omar_server.script(Stall(10, times=4))
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        call = asyncio.create_task(fetch_range(client, meters, tmp_path))
        await until(lambda: sent(omar_server, "download") == 5 and len(seen.spans("download")) == 1)
        assert seen.open.now == 5
        call.cancel()
        await asyncio.wait([call])
        assert seen.open.now == 0
    outcomes = [facts(span)["aiomar.outcome"] for span in seen.spans("download")]
    assert outcomes == ["saved", *["stopped"] * 4]
    assert facts(seen.span("range"))["aiomar.outcome"] == "stopped"
    assert seen.metric("downloads") == {("CSV", "saved"): 1, ("CSV", "stopped"): 4}


async def test_uploads(seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, sources: Path) -> None:
    """Each upload has a span with what became of it, its id in the ledger, and the login within it."""
    async with OmarClient(omar_config, observer=seen.observer(omar_config)) as client:
        receipt = await client.upload(sources / "file1.csv")
        omar_server.script(Page("Error in File Processing: no", on="upload"), DropAnswer())
        with pytest.raises(SubmissionRejectedError):
            await client.upload(sources / "file2.csv")
        with pytest.raises(OutcomeUnknownError) as unknown:
            await client.upload(sources / "file3.csv")
        omar_server.script(Stall(None, on="upload"))
        call = asyncio.create_task(client.upload(sources / "file2.csv"))
        await until(lambda: sent(omar_server, "upload") == 4)
        call.cancel()
        await asyncio.wait([call])
    spans = seen.spans("upload")
    taken, refused, doubtful, cancelled = [dict(facts(span)) for span in spans]
    assert is_child(seen.span("login"), spans[0])
    assert taken == {
        "aiomar.environment": omar_config.environment.name,
        "server.address": omar_config.environment.upload.host,
        "server.port": omar_config.environment.upload.port,
        "aiomar.bytes": receipt.size,
        "aiomar.outcome": "accepted",
        "aiomar.file_id": receipt.file_id,
        "aiomar.submission": receipt.ledger_id,
    }
    assert (refused["aiomar.outcome"], spans[1].status.description) == ("rejected", "SubmissionRejectedError")
    assert (doubtful["aiomar.outcome"], doubtful["aiomar.submission"]) == ("unknown", unknown.value.ledger_id)
    assert (cancelled["aiomar.outcome"], "aiomar.submission" in cancelled) == ("unknown", True)
    assert seen.metric("uploads") == {
        ("accepted",): 1,
        ("rejected", "SubmissionRejectedError"): 1,
        ("unknown", "OutcomeUnknownError"): 1,
        ("unknown",): 1,
    }
    assert seen.metric("upload.io") == {(): receipt.size}
    assert seen.metric("upload.duration") == {(): 1}


@pytest.mark.parametrize("identifiers", [False, True])
async def test_what_leaves_the_machine(  # noqa: PLR0917 - pytest gives parameters and fixtures by name
    identifiers: bool,  # noqa: FBT001 - likewise
    seen: Seen,
    omar_authority: Authority,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
    sources: Path,
) -> None:
    """What names a meter or a file only if asked for; secrets and values never, also when things fail."""
    passphrase = "canary-passphrase"
    identity = ClientIdentity.from_pkcs12(omar_authority.pkcs12(passphrase), passphrase)
    config = attrs.evolve(omar_config, identity=identity)
    into, name = tmp_path / "canary-directory", "meter-1001_20260101_20260101_pst.csv"
    async with OmarClient(config, observer=seen.observer(config, identifiers=identifiers)) as client:
        await fetch_range(client, [METER, Meter("9999")], into, errors="collect")
        with pytest.raises(DestinationError):
            await fetch(client, into)
        omar_server.script(Page("<title>this meter is unknown</title>", times=2), DropAnswer())
        await fetch_range(client, [Meter("1002")], into, errors="collect")
        with pytest.raises(OutcomeUnknownError):
            await client.upload(sources / "file1.csv")
    text = seen.text()
    named = ["1001", "9999", name, "file1.csv", "this meter is unknown", str(into)]
    assert [each in text for each in named] == [identifiers] * len(named)
    failed = [span for span in seen.spans("download") if "error.type" in facts(span)]
    assert {facts(span)["error.type"] for span in failed} == {"UnexpectedPageError", "DestinationError"}
    secrets = [passphrase, "PRIVATE KEY", data(omar_server).decode().splitlines()[3]]
    secrets += [cookie.partition("=")[2] for cookie in cookies(omar_server, "download", "upload") if cookie]
    assert not [secret for secret in secrets if secret in text]


async def test_the_wire_stays_as_it_is(
    seen: Seen, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, sources: Path
) -> None:
    """Nothing is added to a request: no header tells the server of a trace."""
    for observer in (None, seen.observer(omar_config)):
        async with OmarClient(omar_config, observer=observer) as client:
            await fetch(client, tmp_path, overwrite=True)
            await client.upload(sources / "file1.csv", resend=True)
    wire = [[name for name, _ in record.headers] for record in omar_server.requests]
    assert wire[:3] == wire[3:]


async def test_the_certificate_is_counted_down(seen: Seen, omar_config: OmarConfig) -> None:
    """For each observer that is in use, by its own certificate, whoever came first."""
    identity = omar_config.identity
    soon = identity.not_after - dt.timedelta(days=20, hours=1)
    other = ClientIdentity.from_pkcs12(Authority().pkcs12(), now=lambda: soon)
    first = seen.observer(omar_config)
    assert seen.metric("certificate.remaining") == {(identity.subject,): identity.days_left()}
    second = seen.observer(attrs.evolve(omar_config, identity=other))
    both = {(identity.subject,): identity.days_left(), (other.subject,): other.days_left()}
    assert seen.metric("certificate.remaining") == both
    del first
    gc.collect()
    assert seen.metric("certificate.remaining") == {(other.subject,): other.days_left()}
    del second


def test_what_happens_on_the_way(seen: Seen, omar_config: OmarConfig) -> None:
    """What is told between beginning and end is an event of the span; an end without a beginning is nothing at all."""
    observer = seen.observer(omar_config)
    source, error = Path("a.csv"), StatusError("no: try again", status=503)
    observer(DownloadsPaused(3.0))
    observer(UploadFailed(source, error))
    observer(RangeFinished(1, 0, 7, 0.5, into=Path("data")))
    assert seen.spans() == []
    observer(RangeStarted(DAY, DAY, FileFormat.CSV, TimeType.PST, Path("data")))
    observer(RangeStopped(1, 0, 7, 0.5, 0, Path("data"), error))
    assert seen.span("range").status.description == "no: try again"
    observer(UploadStarted(source, "a.csv", 7))
    observer(UploadRetrying(source, error, 1, 0.5))
    observer(SubmissionNotRecorded("20260101T000000Z-00000000", "rejected", error))
    observer(UploadFailed(source, error))
    span = seen.span("upload")
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        ("aiomar.retry", {"error.type": "StatusError", "aiomar.attempt": 1, "aiomar.wait": 0.5}),
        ("aiomar.not_recorded", {"aiomar.outcome": "rejected"}),
    ]
    assert (facts(span)["aiomar.outcome"], span.status.description) == ("failed", "no: try again")


def test_an_outbox_is_counted(seen: Seen, omar_config: OmarConfig) -> None:
    """Where its files went, and that it stands still."""
    observer, path = seen.observer(omar_config), Path("a.csv")
    receipt = UploadReceipt("1", "a.csv", "1_a.csv", 7, "ab", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    observer(OutboxSent(path, path, receipt))
    observer(OutboxRefused(path, path, SubmissionRejectedError("no: mend it", reason="no")))
    observer(OutboxPassedOver(path, SourceError("no: change its rights")))
    observer(OutboxWaiting(path, OutcomeUnknownError("who knows: confirm it", phase="page"), 60.0))
    assert seen.metric("outbox.files") == {
        ("sent",): 1,
        ("refused", "SubmissionRejectedError"): 1,
        ("passed_over", "SourceError"): 1,
    }
    assert seen.metric("outbox.waits") == {("OutcomeUnknownError",): 1}


async def test_without_a_provider(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """The global ones are taken, which do nothing until a program sets them up."""
    async with OmarClient(omar_config, observer=OpenTelemetryObserver(omar_config)) as client:
        await fetch_range(client, [METER], tmp_path)


async def test_a_broken_exporter(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What telemetry raises is logged and breaks no transfer."""

    class Broken(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise ZeroDivisionError(span.name)

    traces = TracerProvider(shutdown_on_exit=False)
    traces.add_span_processor(Broken())
    with caplog.at_level(logging.ERROR, "aiomar"):
        async with OmarClient(
            omar_config, observer=OpenTelemetryObserver(omar_config, tracer_provider=traces)
        ) as client:
            report = await fetch_range(client, [METER, Meter("1002")], tmp_path)
    assert len(report.files) == 2
    assert len(caplog.records) == 4


def test_no_cost_when_not_used() -> None:
    """`import aiomar` imports no telemetry, and `import aiomar.telemetry` not OpenTelemetry."""
    code = """
import aiomar, sys
print("aiomar.telemetry" in sys.modules)
import aiomar.telemetry
print("opentelemetry" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


def test_the_extra_is_missing(omar_config: OmarConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says how to install it."""
    monkeypatch.delitem(sys.modules, "aiomar.telemetry._metrics")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r"pip install 'aiomar\[otel\]'"):
        OpenTelemetryObserver(omar_config)
