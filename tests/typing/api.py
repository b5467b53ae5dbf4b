"""Uses of the public face that are never run, only checked, by mypy and pyright.

Every new public function adds a line here.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from ssl import TLSVersion
from typing import assert_type

import aiomar
from aiomar import FileFormat, Group, Meter, TimeType
from aiomar.telemetry import OpenTelemetryObserver, log_events

FROM = dt.date(2026, 1, 1)
TO = dt.date(2026, 1, 31)


def configuration() -> aiomar.OmarConfig:
    """Every value that a configuration is made of."""
    identity = aiomar.ClientIdentity.from_pkcs12("me.p12", "secret")
    aiomar.ClientIdentity.from_pkcs12(b"...", lambda: "secret")
    aiomar.ClientIdentity.from_pem(Path("me.pem"), Path("me.key"), passphrase=b"secret")
    assert_type(identity.subject, str)
    assert_type(identity.issuer, str)
    assert_type(identity.not_before, dt.datetime)
    assert_type(identity.not_after, dt.datetime)
    identity.days_left(dt.datetime.now(dt.UTC))
    trust = aiomar.Trust(
        ca_file="ca.pem",
        server_hostname="omar.example",
        minimum_tls=TLSVersion.TLSv1_2,
        legacy=aiomar.LegacyTls(tls_1_0=True, security_level=1, unsafe_renegotiation=False),
    )
    environment = aiomar.Environment(
        "gateway", "https://omar.example", "https://omar.example:444", cookie_style=aiomar.CookieStyle.PLAIN
    )
    aiomar.OmarConfig(identity, aiomar.PRODUCTION)
    assert_type(aiomar.OmarConfig.from_env(os.environ), aiomar.OmarConfig)
    assert_type(aiomar.OmarConfig.from_toml("aiomar.toml", profile="night"), aiomar.OmarConfig)
    return aiomar.OmarConfig(
        identity,
        environment,
        trust=trust,
        timeouts=aiomar.Timeouts(connect=5.0, first_byte=30.0, read=30.0, operation=None, minimum_rate=1.0),
        retry=aiomar.RetryPolicy(attempts=5, first_wait=0.1, longest_wait=1.0, retry_after_cap=2.0),
        limits=aiomar.UploadLimits(max_bytes=500_000, max_name=40, extensions=(".csv",)),
        concurrency=4,
        max_session_age=dt.timedelta(hours=1),
        state_dir="state",
        proxy="http://proxy.example:3128",
        user_agent="mine/1",
        durable=False,
    )


def watch(event: aiomar.Event) -> None:
    """See one kind of event."""
    if isinstance(event, aiomar.DownloadFinished):
        assert_type(event.file, aiomar.SavedFile)


async def many() -> AsyncIterator[aiomar.Selection]:
    """Selections may come one by one."""
    yield Meter("1001")
    yield Group("7")


async def downloads() -> None:
    """Every way to download."""
    telemetry = OpenTelemetryObserver(configuration(), tracer_provider=None, meter_provider=None, identifiers=True)
    for observer in (telemetry, log_events):
        aiomar.OmarClient(configuration(), observer=observer)
    async with aiomar.OmarClient(configuration(), observer=watch) as client:
        assert_type(client, aiomar.OmarClient)
        await client.login()
        saved = await client.download(
            Meter("1001"),
            FROM,
            TO,
            file_format=FileFormat.CSV,
            time_type=TimeType.PST,
            into="data",
            name="january.csv",
            overwrite=True,
            allow_unverified=False,
        )
        assert_type(saved, aiomar.SavedFile)
        assert_type(saved.path, Path)
        assert_type(saved.sha256, str)
        async with client.open_download(
            Group("7"), FROM, TO, file_format=FileFormat.MDEF, time_type=TimeType.DST
        ) as body:
            async for piece in body:
                assert_type(piece, bytes)
        report = await client.download_range(
            many(),
            FROM,
            TO,
            file_format=FileFormat.CSV,
            time_type=TimeType.PST,
            into=Path("data"),
            days_per_file=7,
            resume=True,
            max_age=dt.timedelta(days=1),
            errors="collect",
            allow_unverified=False,
        )
        assert_type(report, aiomar.RangeReport)
        assert_type(report.files, Sequence[aiomar.SavedFile])
        assert_type(report.failures, Sequence[aiomar.FailedDownload])
        report.raise_for_failures()
        async for outcome in client.iter_range(
            Meter("1001"), FROM, TO, file_format=FileFormat.CSV, time_type=TimeType.PST, into="data"
        ):
            assert_type(outcome, aiomar.SavedFile | aiomar.FailedDownload)
        plan = await client.plan_range(
            [Meter("1001"), Group("7")], FROM, TO, file_format=FileFormat.CSV, time_type=TimeType.PST, into="data"
        )
        assert_type(plan, aiomar.RangePlan)
        assert_type(plan.requests, int)


def files() -> Iterator[Path]:
    """Files to upload may come one by one."""
    yield Path("a.csv")


async def uploads(client: aiomar.OmarClient) -> None:
    """Every way to upload."""
    try:
        receipt = await client.upload("january.csv", name="JAN.CSV", resend=True)
    except aiomar.OutcomeUnknownError as error:
        assert_type(error.ledger_id, str | None)
    except aiomar.SubmissionRejectedError as error:
        assert_type(error.reason, str)
    else:
        assert_type(receipt, aiomar.UploadReceipt)
        assert_type(receipt.file_id, str)
    report = await client.upload_all(files(), errors="collect")
    assert_type(report, aiomar.UploadReport)
    assert_type(report.not_sent, Sequence[Path])
    report.raise_for_failures()


async def outbox(client: aiomar.OmarClient) -> None:
    """A directory whose files are submitted."""
    box = aiomar.Outbox(client, "outbox", settle=5, rescan=10)
    assert_type(box.directory, Path)
    assert_type(await box.once(), aiomar.UploadReport)
    await box.run()
