"""The session: one login for everybody, the first cookie only, one fresh login when the server has forgotten us."""
# ruff: noqa: PLR0917 - pytest gives parameters and fixtures by name

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import attrs
import pytest

from aiomar import (
    CookieStyle,
    ExchangeError,
    LoginError,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    StatusError,
    UnexpectedPageError,
    UnexpectedRedirectError,
)
from aiomar.testing import (
    Authority,
    CookieMode,
    Disconnect,
    ExpireSession,
    Fault,
    LoginPage,
    OmarServer,
    Page,
    Redirect,
    SlowFirstByte,
    Status,
)
from tests.client.helpers import METER, UNKNOWN, Clock, client_tasks, cookies, data, fetch, raw, sent, until

METERS = [Meter(str(number)) for number in range(1001, 1051)]
STRANGE = "<html><head><title>Notice</title></head><body>Please come again.</body></html>"


def wide(config: OmarConfig) -> OmarConfig:
    """Give the configuration with room for fifty downloads at once."""
    return attrs.evolve(config, concurrency=50)


@pytest.mark.clause("SUB 2", "DL 2")
async def test_everything_logs_in_on_demand(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """A download logs in first, and what comes later uses that session."""
    assert (await fetch(omar_client, tmp_path)).path.read_bytes() == data(omar_server)
    await fetch(omar_client, tmp_path, name="again.csv")
    assert [record.kind for record in omar_server.requests] == ["login", "download", "download"]


async def test_login_is_made_once(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """An explicit login during a session asks the server nothing."""
    await omar_client.login()
    await omar_client.login()
    assert omar_server.logins == 1
    assert [record.program for record in omar_server.requests] == ["/fr_top.jsp"]


@pytest.mark.clause("SUB 1.3", "DL 1.3")
async def test_a_session_is_not_kept_alive(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """Between calls the client has no task that could send anything."""
    await fetch(omar_client, tmp_path)
    assert client_tasks() == []
    assert len(omar_server.requests) == 2


async def test_fifty_downloads_share_one_login(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Whoever needs a session while a login is under way waits for that login."""
    async with OmarClient(wide(omar_config)) as client:
        await asyncio.gather(*(fetch(client, tmp_path, meter) for meter in METERS))
    assert sent(omar_server, "login") == 1


@pytest.mark.fault(51)
async def test_a_session_that_dies_under_fifty_downloads_is_renewed_once(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """However many login pages come at once, they cause one login, and each download is repeated once at most."""
    async with OmarClient(wide(omar_config)) as client:
        await client.login()
        omar_server.expire_sessions()
        files = await asyncio.gather(*(fetch(client, tmp_path, meter) for meter in METERS))
    assert [file.path.read_bytes() for file in files] == [data(omar_server, meter) for meter in METERS]
    assert sent(omar_server, "login") == 2
    # Those that were under way together are asked for twice; the others waited for their place, or for the login.
    assert 50 < sent(omar_server, "download") <= 100
    assert omar_server.max_concurrent_downloads > 1


async def test_a_late_login_page_of_an_old_session_is_no_news(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A login page that was asked for under the old cookie and comes after the fresh login does not end the new one."""
    async with OmarClient(wide(omar_config)) as client:
        await client.login()
        omar_server.expire_sessions()
        omar_server.script(SlowFirstByte(0.1, match="=1002&"))
        await asyncio.gather(fetch(client, tmp_path), fetch(client, tmp_path, Meter("1002")))
    assert sent(omar_server, "login") == 2
    assert sent(omar_server, "download") == 4


@pytest.mark.fault(49, 54)
@pytest.mark.clause("SUB 1.2.2", "DL 1.2.2", "SUB 3.1.1.1", "SUB 3.1.1.2")
@pytest.mark.parametrize("mode", CookieMode)
async def test_the_first_cookie_goes_to_both_origins(
    mode: CookieMode, omar_authority: Authority, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Login, download and upload under the first cookie, verbatim and alone, in the style in which it came."""
    source = tmp_path / "test5.csv"
    source.write_bytes(b"1,2\r\n")
    async with OmarServer(cookies=mode, authority=omar_authority) as server:
        config = attrs.evolve(omar_config, environment=server.environment, trust=server.trust)
        async with OmarClient(config) as client:
            await fetch(client, tmp_path / "data")
            await client.upload(source)
        assert server.logins == 1
        assert cookies(server, "login") == [None]
        download, upload = cookies(server, "download", "upload")
        assert download is not None
        assert download == upload
        assert download.startswith('$Version=1; JSESSIONID="' if mode is CookieMode.VERSION_1 else "JSESSIONID=0000")
        assert {record.door.value for record in server.requests} == {"upload", "download"}


@pytest.mark.fault(49, 54)
@pytest.mark.clause("SUB 3.1.1.1")
@pytest.mark.parametrize(
    ("style", "line", "header"),
    [
        (CookieStyle.PLAIN, 'S="a;b/=="; Version="1"; Path="/x"', 'S="a;b/=="'),
        (CookieStyle.RFC2109, "S=a!1!2,b==; Path=/x; Secure", "$Version=1; S=a!1!2,b==; $Path=/x"),
        (CookieStyle.AUTO, 'S="v"; Comment="a;b"; Version=1', '$Version=1; S="v"'),
        (CookieStyle.AUTO, "S=v; HttpOnly", "S=v"),
    ],
)
async def test_the_cookie_style_can_be_forced(
    style: CookieStyle, line: str, header: str, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Value and attributes go back byte for byte, in the style of the environment."""
    omar_server.script(raw(b"welcome", f"Set-Cookie: {line}", "Set-Cookie: S=decoy", on="login"), Page("1,2\r\n"))
    environment = attrs.evolve(omar_server.environment, cookie_style=style)
    async with OmarClient(attrs.evolve(omar_config, environment=environment)) as client:
        await fetch(client, tmp_path)
    assert cookies(omar_server, "download") == [header]


@pytest.mark.fault(32, 35)
@pytest.mark.parametrize(
    "fault",
    [
        LoginPage(),
        ExpireSession(),
        *(Redirect("/fr_top.jsp", status) for status in (301, 302, 303, 307, 308)),
        Redirect("fr_top.jsp"),
        Redirect("https://omar.example/omar/fr_top.jsp;jsessionid=0000A:-1"),
        Redirect("/fr_top.jsp;jsessionid=1?from=getMDEF.jsp#top"),
        Page("<form action='FR/fr_top.jsp' method=post><input name=user></form>"),
        Page("<html><input type=password name=p></html>"),
        Page("<html><body>Your session has expired.</body></html>", content_type="text/csv"),
        Page("<HTML><B>Session timed out</B>"),
        Page("<!-- x --><p>Invalid session", content_type="application/octet-stream"),
    ],
    ids=repr,
)
async def test_a_login_page_in_place_of_data_is_mended(
    fault: Fault, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """The login page, or a redirect to it wherever that points, costs one fresh login and one repeat."""
    omar_server.script(fault)
    assert (await fetch(omar_client, tmp_path)).path.read_bytes() == data(omar_server)
    assert [record.kind for record in omar_server.requests] == ["login", "download", "login", "download"]
    first, second = cookies(omar_server, "download")
    assert first != second


@pytest.mark.fault(52)
@pytest.mark.parametrize("second", [LoginPage(), Redirect("/fr_top.jsp"), ExpireSession()], ids=repr)
@pytest.mark.parametrize("first", [LoginPage(), Redirect("https://localhost/fr_top.jsp;x=1")], ids=repr)
async def test_a_login_page_after_a_fresh_login_is_an_error(
    first: Fault, second: Fault, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """One or the other again after a fresh login is a `LoginError`, and nothing is tried a third time."""
    omar_server.script(first, second)
    with pytest.raises(LoginError):
        await fetch(omar_client, tmp_path)
    assert [record.kind for record in omar_server.requests] == ["login", "download", "login", "download"]


@pytest.mark.fault(32, 34)
@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("/index.jsp", 302),
        ("/fr_top.jsp/other", 301),
        ("/other.jsp?next=/fr_top.jsp", 303),
        ("https://elsewhere.example/", 307),
        ("http://localhost/getMDEF.jsp", 308),
        ("file:///etc/passwd", 302),
        ("https://[broken/fr_top.jsp", 302),
    ],
)
async def test_any_other_redirect_is_an_error_at_once(
    location: str, status: int, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Redirects are never followed and, save those to the login page, never repeated."""
    omar_server.script(Redirect(location, status))
    with pytest.raises(UnexpectedRedirectError) as caught:
        await fetch(omar_client, tmp_path)
    assert caught.value.location == location
    assert [record.kind for record in omar_server.requests] == ["login", "download"]


async def test_a_redirect_to_nowhere_is_an_error(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A redirect without a Location is an unexpected one."""
    omar_server.script(raw(b"", "Content-Length: 0", status="302 Found"))
    with pytest.raises(UnexpectedRedirectError):
        await fetch(omar_client, tmp_path)


@pytest.mark.fault(35)
async def test_an_unknown_page_is_tried_again_once_in_a_session(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """The first file gets one fresh login and one repeat; for every later file the page is an error at once."""
    with pytest.raises(UnexpectedPageError) as caught:
        await fetch(omar_client, tmp_path, UNKNOWN)
    assert caught.value.title == "OMAR-Online: No data"
    assert "No data was found" in caught.value.excerpt
    assert [record.kind for record in omar_server.requests] == ["login", "download", "login", "download"]
    for number in range(5):
        with pytest.raises(UnexpectedPageError):
            await fetch(omar_client, tmp_path, Meter(f"none-{number}"))
    assert sent(omar_server, "login") == 2
    assert sent(omar_server, "download") == 7


async def test_an_unknown_page_for_many_at_once_costs_one_login(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Forty downloads that see the page together do not log in forty times, and none asks more than twice."""
    async with OmarClient(wide(omar_config)) as client:
        calls = [fetch(client, tmp_path, Meter(f"none-{number}")) for number in range(40)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in errors} == {UnexpectedPageError}
    assert sent(omar_server, "login") == 2
    assert sent(omar_server, "download") <= 80


async def test_titles_that_differ_by_a_number_are_one_kind(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A page that names the meter in its title is still tried again once per session and not per file."""
    for number in range(2001, 2006):
        fault = Page(f"<title>No data for {number}</title>", match=f"={number}&", times=2 if number == 2001 else 1)
        omar_server.script(fault)
        with pytest.raises(UnexpectedPageError):
            await fetch(omar_client, tmp_path, Meter(str(number)))
    assert sent(omar_server, "login") == 2


async def test_no_variety_of_pages_costs_a_login_for_each_file(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A server that gives every file a page of its own is asked for a few fresh logins at most."""
    for name in ("ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple"):
        omar_server.script(Page(f"<title>{name}</title>", match=name, times=2))
        with pytest.raises(UnexpectedPageError):
            await fetch(omar_client, tmp_path, Meter(name))
    assert sent(omar_server, "login") <= 4
    omar_server.clear()


async def test_an_unknown_page_may_be_a_login_page(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Where the fresh login mends it, all downloads that saw the page succeed with that one login."""
    omar_server.script(Page(STRANGE, times=10))
    async with OmarClient(wide(omar_config)) as client:
        await asyncio.gather(*(fetch(client, tmp_path, meter) for meter in METERS[:10]))
    assert sent(omar_server, "login") == 2
    assert sent(omar_server, "download") == 20


async def test_a_new_session_gives_unknown_pages_another_chance(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Once per session: after the server has ended the session, the page is tried again once more."""
    for logins in (2, 4):
        with pytest.raises(UnexpectedPageError):
            await fetch(omar_client, tmp_path, UNKNOWN)
        assert sent(omar_server, "login") == logins
        omar_server.expire_sessions()
        await fetch(omar_client, tmp_path, overwrite=True)
        assert sent(omar_server, "login") == logins + 1


async def test_a_login_page_after_an_unknown_page_is_a_login_error(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """The second chance of a page that is not recognised is the only one."""
    omar_server.script(Page(STRANGE), LoginPage())
    with pytest.raises(LoginError):
        await fetch(omar_client, tmp_path)
    assert sent(omar_server, "download") == 2


@pytest.mark.clause("SUB 1.3", "DL 1.3")
async def test_a_session_is_replaced_at_its_greatest_age(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A session is used until `max_session_age` and never beyond."""
    clock = Clock()
    async with OmarClient(attrs.evolve(omar_config, max_session_age=dt.timedelta(hours=1))) as client:
        client._ready().session._clock = clock
        for minutes, logins in ((0, 1), (59, 1), (2, 2), (59, 2), (1, 3)):
            clock.now += 60 * minutes
            await fetch(client, tmp_path, overwrite=True)
            assert sent(omar_server, "login") == logins


async def test_a_cancelled_waiter_leaves_the_login_to_the_others(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Whoever began the login may go away; it is finished for those who wait, and for those who come later."""
    omar_server.script(SlowFirstByte(0.02, on="login"))
    first = asyncio.create_task(omar_client.login())
    second = asyncio.create_task(fetch(omar_client, tmp_path))
    await until(lambda: sent(omar_server, "login") == 1)
    first.cancel()
    assert (await second).path.read_bytes() == data(omar_server)
    assert first.cancelled()
    assert sent(omar_server, "login") == 1


async def test_a_login_that_nobody_waits_for_any_more_is_kept(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """When all who waited have gone, the login still ends and serves the next download."""
    omar_server.script(SlowFirstByte(0.02, on="login"))
    only = asyncio.create_task(omar_client.login())
    await until(lambda: sent(omar_server, "login") == 1)
    only.cancel()
    await asyncio.wait([only])
    await fetch(omar_client, tmp_path)
    assert sent(omar_server, "login") == 1


@pytest.mark.fault(38)
@pytest.mark.parametrize("fault", [Status(503, on="login", times=2), Disconnect(on="login")], ids=repr)
async def test_a_failed_login_is_repeated(
    fault: Fault, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A busy server, or a connection that ends, is tried again as the policy says."""
    omar_server.script(fault)
    await fetch(omar_client, tmp_path)
    assert sent(omar_server, "login") == fault.times + 1


async def test_the_repeats_of_a_login_are_not_multiplied(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Ten downloads that wait for a failing login cost its three attempts and not three times ten."""
    omar_server.script(Status(503, on="login", times=3))
    async with OmarClient(wide(omar_config)) as client:
        calls = [fetch(client, tmp_path, meter) for meter in METERS[:10]]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert [error.status for error in errors if isinstance(error, StatusError)] == [503] * 10
    assert [record.kind for record in omar_server.requests] == ["login"] * 3


@pytest.mark.fault(36, 50, 55, 57)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Status(401, on="login"), LoginError),
        (Status(403, on="login"), LoginError),
        (Status(404, on="login"), StatusError),
        (Page("<html>Welcome</html>", on="login"), LoginError),
        (Redirect("/fr_top.jsp", on="login"), LoginError),
        (Redirect("/maintenance.html", on="login"), UnexpectedRedirectError),
        (raw(b"", "Set-Cookie: S=; Max-Age=0", "Content-Length: 0", on="login"), LoginError),
        (
            raw(b"", "Set-Cookie: S=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Content-Length: 0", on="login"),
            LoginError,
        ),
        (raw(b"", "Set-Cookie: =x", "Set-Cookie: S=good", "Content-Length: 0", on="login"), LoginError),
    ],
    ids=lambda value: repr(value) if isinstance(value, Fault) else value.__name__,
)
async def test_a_refused_login_is_an_error_at_once(
    fault: Fault, kind: type[ExchangeError], omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Without a session that can be used there is one request and a clear error."""
    omar_server.script(fault)
    with pytest.raises(OmarError) as caught:
        await omar_client.login()
    assert type(caught.value) is kind
    assert sent(omar_server, "login") == 1


async def test_a_client_recovers_from_a_failed_login(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A login that failed leaves nothing behind: the next call tries afresh."""
    omar_server.script(Status(403, on="login"))
    with pytest.raises(LoginError):
        await fetch(omar_client, tmp_path, METER)
    assert (await fetch(omar_client, tmp_path, METER)).path.read_bytes() == data(omar_server)
