"""What is not asked for any more: refused certificates for good, failing logins for a while."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import suppress
from pathlib import Path

import attrs
import pytest

from aiomar import (
    CertificateRejectedError,
    LoginError,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    OutcomeUnknownError,
    StatusError,
)
from aiomar._breaker import Breaker, Circuit
from aiomar.protocol import Origin
from aiomar.testing import LoginPage, OmarServer, Page, Status
from tests.client.helpers import METER, Clock, fetch, fetch_range, give_waiting, sent

NO_CERTIFICATE = "<h1>400 Bad Request</h1><p>No required SSL certificate was sent</p>"
METERS = [Meter(str(number)) for number in range(1001, 1061)]
HERE = Origin("localhost", 1)
THERE = Origin("localhost", 2)


def refusal(*, certain: bool = True) -> CertificateRejectedError:
    """Make an error with a cause and a note."""
    error = CertificateRejectedError("refused", side="client", certain=certain)
    error.__cause__ = OSError("alert")
    return error


def test_a_certain_refusal_stays_and_an_uncertain_one_does_not() -> None:
    """Only the origin that refused is closed, and only by a refusal that is certain."""
    breaker = Breaker(Clock())
    breaker.note(HERE, refusal(certain=False))
    breaker.check(HERE)
    breaker.note(HERE, refusal())
    breaker.check(THERE)
    with pytest.raises(CertificateRejectedError):
        breaker.check(HERE)
    with pytest.raises(CertificateRejectedError):
        breaker.check_login(HERE)


def test_everybody_gets_a_copy_of_his_own() -> None:
    """Copies keep type, text, facts and cause, and do not collect one another's tracebacks."""
    breaker = Breaker(Clock())
    first = refusal()
    breaker.note(HERE, first)
    copies = []
    for _ in range(50):
        with pytest.raises(CertificateRejectedError) as caught:
            breaker.check(HERE)
        copies.append(caught.value)
    assert len({id(error) for error in (first, *copies)}) == 51
    assert {(type(e), str(e), e.side, e.certain, e.hint, e.__cause__) for e in copies} == {
        (type(first), str(first), "client", True, first.hint, first.__cause__)
    }
    assert {len(traceback.extract_tb(error.__traceback__)) for error in copies} == {3}


def test_a_circuit_opens_with_the_fifth_failure_and_probes_every_half_minute() -> None:
    """Five failures close the way for thirty seconds; one more then opens it anew, a success ends it."""
    clock = Clock()
    circuit = Circuit(clock)
    for number in range(5):
        circuit.check()
        assert not circuit.is_open
        circuit.fail(LoginError(f"no {number}"))
    for pause in (0.0, 29.9):
        clock.now += pause
        with pytest.raises(LoginError, match="no 4"):
            circuit.check()
    clock.now += 0.2
    circuit.check()
    circuit.fail(LoginError("still no"))
    with pytest.raises(LoginError, match="still no"):
        circuit.check()
    clock.now += 30.0
    circuit.check()
    circuit.succeed()
    for _ in range(4):
        circuit.fail(LoginError("no"))
    circuit.check()


async def test_a_refused_certificate_costs_a_range_a_handful_of_requests(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Once the download origin refuses the certificate, only what was under way still reaches it."""
    omar_server.script(Page(NO_CERTIFICATE, 400, times=8))
    async with OmarClient(omar_config) as client:
        await client.login()
        report = await fetch_range(client, METERS, tmp_path, errors="collect")
        assert len(report.failures) == 60
        assert {type(failure.error) for failure in report.failures} == {CertificateRejectedError}
        assert sent(omar_server, "download") <= 8
        before = len(omar_server.requests)
        with pytest.raises(CertificateRejectedError):
            await fetch(client, tmp_path)
        await client.login()
        assert len(omar_server.requests) == before
    omar_server.clear()
    async with OmarClient(omar_config) as client:
        await fetch(client, tmp_path)


async def test_a_refused_login_closes_the_upload_origin(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """After a certain refusal neither login, download nor upload knocks again, and nothing is unknown."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    omar_server.script(Page(NO_CERTIFICATE, 400, on="login"))
    for call in (omar_client.login, lambda: fetch(omar_client, tmp_path), lambda: omar_client.upload(source)):
        with pytest.raises(CertificateRejectedError) as caught:
            await call()
        assert (caught.value.side, caught.value.certain) == ("client", True)
    assert [record.kind for record in omar_server.requests] == ["login"]


async def test_an_upload_under_a_session_is_not_sent_to_an_origin_that_refuses(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """With the breaker open an upload is an ordinary error before its first byte, never an unknown outcome."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    await omar_client.login()
    session = omar_client._ready().session
    session.breaker.note(session._opener.request.origin, refusal())
    with pytest.raises(CertificateRejectedError) as caught:
        await omar_client.upload(source)
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert sent(omar_server, "upload") == 0


async def test_failing_logins_stop_for_half_a_minute(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Five requests in a row, counted over calls and repeats; then one at a time, until one is good."""
    omar_server.script(Status(503, on="login", times=6))
    clock = Clock()
    config = attrs.evolve(omar_config, retry=attrs.evolve(omar_config.retry, first_wait=0.0))
    async with OmarClient(config) as client:
        give_waiting(client, clock.waiting())
        counts = []
        for pause in (0, 0, 0, 29, 2, 0, 29, 2):
            clock.now += pause
            with suppress(StatusError):
                await fetch(client, tmp_path, overwrite=True)
            counts.append(sent(omar_server, "login"))
    assert counts == [3, 5, 5, 5, 6, 6, 6, 7]
    assert sent(omar_server, "download") == 1


async def test_one_probe_for_everybody(omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """When the half minute is over, sixty downloads together make one request, and all get its answer."""
    omar_server.script(Status(403, on="login", times=6))
    clock = Clock()
    async with OmarClient(omar_config) as client:
        give_waiting(client, clock.waiting())
        for _ in range(5):
            with pytest.raises(LoginError):
                await client.login()
        clock.now += 31.0
        calls = [fetch(client, tmp_path, meter) for meter in METERS]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in errors} == {LoginError}
    assert sent(omar_server, "login") == 6


@pytest.mark.fault(52)
async def test_sessions_that_are_not_honoured_do_not_cause_logins_for_ever(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A server that logs in and then asks for a login again is asked for five sessions, and later for one more."""
    omar_server.script(LoginPage(times=100))
    clock = Clock()
    async with OmarClient(omar_config) as client:
        give_waiting(client, clock.waiting())
        for _ in range(10):
            with pytest.raises(LoginError):
                await fetch(client, tmp_path, METER)
        logins = sent(omar_server, "login")
        assert logins <= 6
        clock.now += 31.0
        omar_server.clear()
        await fetch(client, tmp_path, METER)
        assert sent(omar_server, "login") == 1
        assert client._ready().session.breaker.sessions.failures == 0


async def test_four_failures_are_forgotten_with_a_success(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Failures count in a row: a client that fails now and then is never shut out."""
    for _ in range(3):
        omar_server.script(Status(403, on="login", times=4))
        for _ in range(4):
            with pytest.raises(OmarError):
                await omar_client.login()
        await omar_client.login()
        session = omar_client._ready().session
        assert session._lease is not None
        session.end(session._lease)
