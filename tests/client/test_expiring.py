"""A certificate that will soon expire: told at the first login, then at most once a day."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

import attrs
import pytest

from aiomar import CertificateExpiring, ClientIdentity, LoggedIn, LoginError, OmarClient, OmarConfig
from aiomar.testing import Authority, OmarServer, Status
from tests.client.helpers import Clock, give_waiting

DAY = 86_400.0


@attrs.define
class Told:
    """A client whose certificate has so many days left, and what it tells."""

    client: OmarClient
    clock: Clock
    events: list[object]

    @property
    def days(self) -> list[int]:
        """The days left, each time that it was told."""
        return [event.days_left for event in self.events if isinstance(event, CertificateExpiring)]

    async def login(self, *, later: float = 0.0) -> None:
        """Log in anew, so many seconds after the last time."""
        self.clock.now += later
        parts = self.client._ready()
        if parts.session._lease is not None:
            parts.session.end(parts.session._lease)
        await self.client.login()


def tell(authority: Authority, config: OmarConfig, *, days: float) -> Told:
    """Make a client by a clock that stands so many days before the certificate's end."""
    events: list[object] = []
    clock = Clock()
    end = config.identity.not_after + dt.timedelta(days=-days, seconds=-clock.now)
    identity = ClientIdentity.from_pkcs12(authority.pkcs12(), now=lambda: end + dt.timedelta(seconds=clock.now))
    client = OmarClient(attrs.evolve(config, identity=identity), observer=events.append)
    give_waiting(client, clock.waiting())
    return Told(client, clock, events)


@pytest.mark.parametrize(("days", "left"), [(31, []), (30.5, [30]), (30, [30]), (0.5, [0])])
@pytest.mark.clause("SUB 1.2.3", "DL 1.2.3")
@pytest.mark.fault(18)
async def test_days_that_count(
    omar_authority: Authority,
    omar_config: OmarConfig,
    caplog: pytest.LogCaptureFixture,
    days: float,
    left: list[int],
) -> None:
    """With 30 days or fewer there is one event and one warning that says what to do; with more there is neither."""
    told = tell(omar_authority, omar_config, days=days)
    with caplog.at_level(logging.WARNING, "aiomar"):
        await told.login()
    await told.client.aclose()

    assert told.days == left
    warnings = [record.getMessage() for record in caplog.records if record.name == "aiomar"]
    assert len(warnings) == len(left)
    for text in warnings:
        assert f"{omar_config.identity.not_after:%Y-%m-%d}" in text
        assert f"days left: {left[0]}" in text
        assert text.endswith(": get a new one")


async def test_the_facts_of_the_event(omar_authority: Authority, omar_config: OmarConfig) -> None:
    """It names the certificate and its last moment, and comes before the login that it was noticed at."""
    told = tell(omar_authority, omar_config, days=7.5)
    await told.login()
    await told.client.aclose()

    identity = omar_config.identity
    first, second = told.events
    assert first == CertificateExpiring(identity.subject, identity.not_after, 7)
    assert isinstance(second, LoggedIn)


async def test_at_most_once_a_day(omar_authority: Authority, omar_config: OmarConfig) -> None:
    """A client that lives long reminds at its first login of a day, however often it logs in."""
    told = tell(omar_authority, omar_config, days=10)
    for later in (0.0, 60.0, DAY - 61.0, 1.0, DAY / 2, DAY / 2):
        await told.login(later=later)
    await told.client.aclose()

    assert told.days == [10, 9, 8]


async def test_it_begins_in_the_middle_of_a_life(omar_authority: Authority, omar_config: OmarConfig) -> None:
    """A client that started in good time begins to remind when 30 days are left."""
    told = tell(omar_authority, omar_config, days=32)
    for _ in range(4):
        await told.login(later=DAY)
    await told.client.aclose()

    assert told.days == [30, 29, 28]


async def test_it_is_told_though_the_login_fails(
    omar_authority: Authority, omar_server: OmarServer, omar_config: OmarConfig
) -> None:
    """A refused login does not keep the reminder back."""
    omar_server.script(Status(403, on="login"))
    told = tell(omar_authority, omar_config, days=3)
    with pytest.raises(LoginError):
        await told.login()
    await told.client.aclose()

    assert told.days == [3]


async def test_an_odd_subject_stays_on_one_line(
    omar_authority: Authority, omar_config: OmarConfig, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """What the certificate is called is escaped and bounded in the log."""
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=5)
    leaf = omar_authority._ca.issue_cert("x@y.test", common_name="Jan\u00e9\x1b[2J\nDoe", not_after=soon)
    path = tmp_path / "odd.pem"
    path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    async with OmarClient(attrs.evolve(omar_config, identity=ClientIdentity.from_pem(path))) as client:
        with caplog.at_level(logging.WARNING, "aiomar"):
            await client.login()
    (text,) = [record.getMessage() for record in caplog.records if record.name == "aiomar"]
    assert "Jan" in text
    assert text.isascii()
    assert text.isprintable()
