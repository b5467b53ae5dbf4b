"""Confirming: the server's data are looked at until what was submitted shows, and nothing is sent again."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ConfigError,
    Confirmation,
    ConfirmationPending,
    Event,
    FileFormat,
    FormatError,
    LoginError,
    OmarClient,
    OmarConfig,
    OutcomeUnknownError,
    SourceError,
    StatusError,
    Submissions,
    SubmissionState,
    TimeType,
    UsageError,
)
from aiomar.testing import DropAnswer, LoginPage, OmarServer, Page, Status
from tests.client.helpers import DAY, METER, Clock, data, give_waiting, sent, until
from tests.support import sleepless

CSV, MDEF = FileFormat.CSV, FileFormat.MDEF
NO_TIME = dt.timedelta(0)
EMPTY = Page(b"id,value\r\nnothing,yet\r\n")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What the server has, as if it had been submitted and loaded."""
    return tmp_path / "test5.csv"


def look(
    client: OmarClient,
    receipt: object,
    *,
    file_format: FileFormat = CSV,
    timeout: dt.timedelta = NO_TIME,
    source: Path | None = None,
) -> asyncio.Future[Confirmation]:
    """Confirm one meter's day."""
    return asyncio.ensure_future(
        client.confirm(
            receipt,  # type: ignore[arg-type] # wrong ones too
            METER,
            DAY,
            DAY,
            file_format=file_format,
            time_type=TimeType.PST,
            timeout=timeout,
            source=source,
        )
    )


@pytest.mark.clause("SUB 3.4", "DL 3.4")
@pytest.mark.parametrize("file_format", [CSV, MDEF])
async def test_what_shows_is_confirmed(
    file_format: FileFormat, tmp_path: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """By intervals or rows, from the ledger's own copy; the journal says so, and nothing is sent again."""
    source = tmp_path / f"test5{file_format.suffix}"
    source.write_bytes(data(omar_server, file_format=file_format))
    receipt = await omar_client.upload(source)
    source.unlink()
    verdict = await look(omar_client, receipt, file_format=file_format)
    assert verdict.confirmed
    assert verdict.found == verdict.expected >= 96
    assert (verdict.missing, verdict.different, verdict.error, verdict.looks) == ((), (), None, 1)
    assert verdict.ledger_id == receipt.ledger_id
    assert (await look(omar_client, receipt.ledger_id, file_format=file_format)).confirmed
    assert (await look(omar_client, attrs.evolve(receipt, ledger_id=None), file_format=file_format)).confirmed
    assert sent(omar_server, "upload") == 1
    changes = Submissions(omar_config.state_dir).changes(str(receipt.ledger_id))
    assert [change.by for change in changes] == ["aiomar", "aiomar", "confirm", "confirm", "confirm"]


async def test_an_unknown_one_that_shows_is_accepted(
    source: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """The cut answer's file turns out to be there."""
    source.write_bytes(data(omar_server))
    omar_server.script(DropAnswer())
    with pytest.raises(OutcomeUnknownError) as caught:
        await omar_client.upload(source)
    ledger_id = str(caught.value.ledger_id)
    assert (await look(omar_client, ledger_id)).confirmed
    assert Submissions(omar_config.state_dir).record(ledger_id).state is SubmissionState.ACCEPTED
    assert sent(omar_server, "upload") == 1


async def test_what_does_not_show_is_named(
    source: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """Rows that are not there are counted; the outcome stays unknown, and values stay out of the verdict."""
    rows = data(omar_server) + b"1001,SECRETVALUE\r\n"
    source.write_bytes(rows)
    omar_server.script(DropAnswer())
    with pytest.raises(OutcomeUnknownError) as caught:
        await omar_client.upload(source)
    ledger_id = str(caught.value.ledger_id)
    verdict = await look(omar_client, ledger_id)
    assert not verdict.confirmed
    assert (verdict.missing_count, verdict.expected - verdict.found) == (1, 1)
    assert len(verdict.missing) == 1
    assert "SECRETVALUE" not in repr(verdict)
    assert Submissions(omar_config.state_dir).record(ledger_id).state is SubmissionState.UNKNOWN


def test_looks_with_growing_pauses(tmp_path: Path, omar_authority: object) -> None:
    """Once at the beginning, then after 1, 2, 4, 8 and at most 15 minutes, and a last time when the time is over."""
    events: list[Event] = []
    clock = Clock()

    async def run() -> Confirmation:
        async with OmarServer(authority=omar_authority) as server:  # type: ignore[arg-type] # the fixture's own type
            source = tmp_path / "test5.csv"
            source.write_bytes(b"id,value\r\nnever,there\r\n")
            config = OmarConfig(server.identity(), server.environment, trust=server.trust, state_dir=tmp_path / "state")
            async with OmarClient(config, observer=events.append) as client:
                give_waiting(client, clock.waiting())
                receipt = await client.upload(source)
                server.script(Status(503, times=config.retry.attempts))
                return await look(client, receipt, timeout=dt.timedelta(hours=1))

    verdict = sleepless.run(clock, run())
    pending = [event for event in events if isinstance(event, ConfirmationPending)]
    assert [round(event.wait / 60) for event in pending[:5]] == [1, 2, 4, 8, 15]
    assert isinstance(pending[0].error, StatusError)
    assert {event.error for event in pending[1:]} == {None}
    assert not verdict.confirmed
    assert verdict.looks == len(pending) + 1


async def test_a_page_in_place_of_data_is_only_a_look(
    source: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """A site that has no data yet may say so by a page."""
    source.write_bytes(data(omar_server))
    receipt = await omar_client.upload(source)
    omar_server.script(Page("<html>no data yet</html>", times=2))
    verdict = await look(omar_client, receipt)
    assert not verdict.confirmed
    assert verdict.found == 0
    assert verdict.error is not None


async def test_a_login_that_fails_ends_it(source: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Looking again would not help."""
    source.write_bytes(data(omar_server))
    receipt = await omar_client.upload(source)
    omar_server.script(LoginPage(times=2))
    with pytest.raises(LoginError):
        await look(omar_client, receipt, timeout=dt.timedelta(hours=1))


async def test_the_source_must_be_what_was_submitted(
    source: Path, omar_server: OmarServer, omar_client: OmarClient, omar_config: OmarConfig
) -> None:
    """Another file, no file, no copy: each is said before anything is asked."""
    content = data(omar_server)
    source.write_bytes(content)
    receipt = await omar_client.upload(source)
    assert (await look(omar_client, receipt, source=source)).confirmed
    asked = sent(omar_server, "download")
    source.write_bytes(content[:-1] + b"x")
    pipe = source.parent / "pipe.csv"
    os.mkfifo(pipe)
    for wrong in (source, source.parent / "missing.csv", source.parent, pipe):
        with pytest.raises(SourceError):
            await look(omar_client, receipt, source=wrong)
    Submissions(omar_config.state_dir).prune(NO_TIME)
    with pytest.raises(SourceError, match="no copy"):
        await look(omar_client, receipt)
    assert sent(omar_server, "download") == asked
    source.write_bytes(content)
    assert (await look(omar_client, receipt, source=source)).confirmed
    stranger = attrs.evolve(receipt, ledger_id="20200101T000000Z-00000000")
    assert (await look(omar_client, stranger, source=source)).ledger_id is None


async def test_wrong_questions(source: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Unknown ids, the other format and a timeout that is none are said at once."""
    source.write_bytes(data(omar_server))
    receipt = await omar_client.upload(source)
    with pytest.raises(UsageError):
        await look(omar_client, "nobody")
    with pytest.raises(FormatError):
        await look(omar_client, receipt, file_format=MDEF)
    with pytest.raises(ConfigError):
        await look(omar_client, receipt, timeout=5)  # type: ignore[arg-type] # on purpose
    assert sent(omar_server, "download") == 0


async def test_closing_the_client_ends_a_pause(source: Path, omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """Nobody waits for a quarter of an hour on a closed client."""
    source.write_bytes(b"id,value\r\nnever,there\r\n")
    seen: list[Event] = []
    client = OmarClient(omar_config, observer=seen.append)
    receipt = await client.upload(source)
    task = look(client, receipt, timeout=dt.timedelta(hours=1))
    await until(lambda: any(isinstance(event, ConfirmationPending) for event in seen))
    await client.aclose()
    with pytest.raises(UsageError, match="closed"):
        await task
