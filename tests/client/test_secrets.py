"""Passphrase, key and cookie never show, wherever an error, a value, an event or a log line is printed or pickled."""
# ruff: noqa: PLR0917 - pytest gives parameters and fixtures by name

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from aiomar import ClientIdentity, OmarClient, OmarConfig, OmarError, Timeouts
from aiomar.testing import (
    Authority,
    CutBody,
    Disconnect,
    DropAnswer,
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
from tests.client.helpers import cookies, fetch, fetch_range, once, raw

PASSPHRASE = "canary-passphrase-4711"
TROUBLE: list[Fault] = [
    Status(404),
    Status(500),
    Disconnect(times=3),
    Reset(times=3),
    CutBody(100),
    CutBody(100, "close"),
    Page("<title>x</title>", times=2),
    LoginPage(times=2),
    Redirect("/elsewhere?JSESSIONID=none"),
    Raw(b"garbage\r\n\r\n"),
    Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    raw(b"1,2", "Content-Encoding: gzip"),
    Stall(10),
    Stall(None),
    Status(500, on="upload"),
    DropAnswer(),
    Page("<title>x</title>", on="upload"),
    LoginPage(on="upload", times=2),
    Status(403, on="login"),
    Raw(b"HTTP/1.1 200 OK\r\nSet-Cookie: S=canary\xff; Path=/\r\nContent-Length: 0\r\n\r\n", on="login"),
]


def chain(error: BaseException | None, *outer: BaseException) -> Iterator[BaseException]:
    """Give an error and all that led to it; none led to itself, because Dask pickles them with their causes."""
    if error is not None:
        assert error not in outer
        yield error
        yield from chain(error.__cause__, error, *outer)
        yield from chain(error.__context__, error, *outer)


@pytest.mark.parametrize("fault", TROUBLE, ids=lambda fault: repr(fault)[:80])
async def test_nothing_secret_shows(
    fault: Fault,
    omar_authority: Authority,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    sources: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in the text, the repr, the pickle, the traceback or the log of anything that a caller gets to see."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    identity = ClientIdentity.from_pkcs12(omar_authority.pkcs12(PASSPHRASE), PASSPHRASE)
    timeouts = Timeouts(first_byte=0.3, read=0.3) if isinstance(fault, Stall) else Timeouts()
    config = attrs.evolve(once(omar_config), identity=identity, timeouts=timeouts)

    def observer(event: object) -> None:
        shown.append(repr(event))

    async with OmarClient(config, observer=observer) as client:
        shown += [repr(config), str(config), repr(identity), repr(client), repr(attrs.asdict(config, recurse=False))]
        if fault.on == "upload":
            await client.login()
        omar_server.script(fault)
        with pytest.raises(OmarError) as caught:
            await (client.upload(sources / "file1.csv") if fault.on == "upload" else fetch(client, sources.parent))
        omar_server.clear() if fault.times > 1 else None
        report = await fetch_range(client, [], sources.parent)
    error = caught.value
    shown += [repr(report), repr(vars(error)), *traceback.format_exception(error)]
    shown += [f"{part} {part!r}" for part in chain(error)]
    shown += [record.getMessage() for record in caplog.records]
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(copy), str(copy), vars(copy).keys()) == (type(error), str(error), vars(error).keys())
    shown.append(pickle.dumps(error, protocol=0).decode("latin-1"))
    secrets = [PASSPHRASE, "PRIVATE KEY", "canary"]
    secrets += [cookie.partition("=")[2] for cookie in cookies(omar_server, "download", "upload") if cookie]
    text = "\n".join(shown)
    assert not [secret for secret in secrets if secret in text]
    assert "\n" not in str(error)


async def test_a_session_does_not_show_its_cookie(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Nothing that holds the cookie inside the client prints it."""
    await omar_client.login()
    parts = omar_client._ready()
    lease = parts.session._lease
    assert lease is not None
    value = lease.cookie.partition("=")[2]
    assert len(value) > 10
    shown = [parts, parts.session, lease, parts.uploader, parts.downloader, parts.session._opener.request]
    assert value not in repr(shown)
