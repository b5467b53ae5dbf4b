"""Redirects are reported, never followed: no request and no connection ever goes to another origin."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from aiomar import LoginError, OmarClient, OmarConfig, OutcomeUnknownError, UnexpectedRedirectError
from tests.support.clients import CSV, download, saved_names
from tests.support.raw import Port, RawSite, whole

STATUSES = ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
PLACES = ["https://127.0.0.1:{port}/", "//localhost:{port}/x", "http://localhost:{port}/"]
AWAY = [
    *((status, "https://localhost:{port}/x.jsp") for status in STATUSES),
    *((STATUSES[1], place) for place in PLACES),
]


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""


@pytest.fixture
async def elsewhere() -> AsyncIterator[Port]:
    """Give a port where nobody may come."""
    async with Port(hang_up) as port:
        yield port
        assert port.connections == 0


@pytest.mark.fault(32, 33, 34)
@pytest.mark.parametrize(("status", "place"), AWAY)
async def test_redirects_are_not_followed(  # noqa: PLR0917 - four fixtures, two facts
    configure: Callable[..., OmarConfig],
    server_context: ssl.SSLContext,
    elsewhere: Port,
    tmp_path: Path,
    status: str,
    place: str,
) -> None:
    """A redirect to another place is an error of its own for downloads and logins, and unknown for an upload."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"1,2\r\n")
    location = place.format(port=elsewhere.number)
    away = whole(b"gone", f"Location: {location}", status=status)
    async with RawSite(server_context, away) as site, OmarClient(configure(site.origin)) as client:
        with pytest.raises(UnexpectedRedirectError) as caught:
            await download(client, tmp_path)
        assert caught.value.location == location
        with pytest.raises(OutcomeUnknownError):
            await client.upload(source)
        assert site.data_requests == 2
    async with RawSite(server_context, login=away) as site, OmarClient(configure(site.origin)) as client:
        with pytest.raises(UnexpectedRedirectError):
            await client.login()
        assert len(site.targets) == 1
    assert saved_names(tmp_path) == []


@pytest.mark.fault(32, 34)
@pytest.mark.parametrize("status", STATUSES)
async def test_login_page_elsewhere(
    configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, elsewhere: Port, tmp_path: Path, status: str
) -> None:
    """A redirect to a login page at another origin makes us log in at our own, once."""
    away = whole(b"", f"Location: https://localhost:{elsewhere.number}/fr_top.jsp", status=status)
    async with RawSite(server_context, away, whole(CSV)) as site, OmarClient(configure(site.origin)) as client:
        assert (await download(client, tmp_path)).size == len(CSV)
        assert site.data_requests == 2
        assert len(site.targets) == 4
    async with RawSite(server_context, away) as site, OmarClient(configure(site.origin)) as client:
        with pytest.raises(LoginError):
            await download(client, tmp_path / "data")
        assert site.data_requests == 2


@pytest.mark.parametrize(
    "header",
    [
        "Refresh: 0; url=https://localhost:{port}/",
        'Alt-Svc: h2="localhost:{port}"',
        "Content-Location: https://localhost:{port}/x",
        "Link: <https://localhost:{port}/x>; rel=preload",
        "Set-Cookie: S=2; Domain=localhost:{port}",
    ],
)
async def test_other_ways_to_point_elsewhere(
    configure: Callable[..., OmarConfig], server_context: ssl.SSLContext, elsewhere: Port, tmp_path: Path, header: str
) -> None:
    """Headers that point elsewhere without a redirect are not followed either, and the data is taken as it is."""
    answer = whole(CSV, header.format(port=elsewhere.number))
    async with RawSite(server_context, answer) as site, OmarClient(configure(site.origin)) as client:
        assert (await download(client, tmp_path)).size == len(CSV)
        assert site.data_requests == 1
