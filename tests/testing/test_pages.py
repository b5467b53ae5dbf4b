"""The pages for people as a table of requests and answers; a browser comes in another file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.protocol import FileFormat, Group, Meter, Selection, is_login_page, read_upload_page
from aiomar.testing import CookieMode, OmarServer, Status
from aiomar.testing._pages import download_target
from aiomar.testing._reading import Refusal, read_query
from aiomar.testing._sessions import Sessions
from aiomar.testing._site import Door, Reply, Site, SiteRequest
from tests.testing.wire import DOWNLOAD, Wire

SAMPLE = (
    "/getMDEF.jsp?requestedFormat=download&datasourceType=SQMD&groupOrMeter=group&selectedMeters=123&startDate=07%2F05%2F2000"
    "&endDate=07%2F08%2F2000&timeType=PST&fileFormat=MDEF&group=123"
)
"""The address of DL 3.1, letter by letter."""
FILLED = "groupOrMeter=group&selectedMeters=123&startDate=2000-07-05&endDate=2000-07-08&timeType=PST&fileFormat=MDEF"
"""The same, as a browser sends the form."""
FORM = ("Content-Type", "multipart/form-data; boundary=----WebKitFormBoundaryx")
PEOPLE_PAGES = [
    (Door.UPLOAD, "/"),
    (Door.UPLOAD, "/upload.jsp"),
    (Door.DOWNLOAD, "/"),
    (Door.DOWNLOAD, "/download.jsp"),
]


def ask(
    site: Site, door: Door, target: str, *headers: tuple[str, str], method: str = "GET", body: bytes = b""
) -> Reply:
    """Put one request to the site."""
    return site.answer(SiteRequest(door=door, method=method, target=target, headers=headers, body=body))


def cookies(reply: Reply) -> list[str]:
    """Give the cookies that an answer sets, each as NAME=VALUE."""
    return [value.partition(";")[0] for name, value in reply.headers if name == "Set-Cookie"]


def come_in(site: Site, *, also: str = "OMARTAB=top; JSESSIONID=decoy") -> tuple[str, str]:
    """Open the start page; give the header of a browser that has other cookies too."""
    (cookie,) = cookies(ask(site, Door.UPLOAD, "/"))
    return "Cookie", f"{also}; {cookie}" if also else cookie


def form(name: str, content: bytes = b"1,2\r\n") -> bytes:
    """Write what a browser makes of the upload form."""
    line = "----WebKitFormBoundaryx"
    head = f'Content-Disposition: form-data; name="datafile"; filename="{name}"\r\nContent-Type: text/csv'
    return f"--{line}\r\n{head}\r\n\r\n".encode() + content + f"\r\n--{line}--\r\n".encode()


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page.decode("ascii"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        """Give the attributes of every tag of a kind."""
        return (attributes for name, attributes in self.found if name == tag)


@pytest.mark.parametrize(("door", "target"), PEOPLE_PAGES)
def test_the_certificate_logs_a_person_in(door: Door, target: str) -> None:
    """Whoever comes to a page for people without a session of theirs gets one, and it is good on both ports."""
    site = Site.plain()
    reply = ask(site, door, target)
    (cookie,) = cookies(reply)
    assert cookie.startswith("OMARPERSON=")
    assert (site.logins, site.live_sessions) == (1, 1)
    for other, address in PEOPLE_PAGES:
        assert cookies(ask(site, other, address, ("Cookie", cookie))) == []
    assert ask(site, Door.DOWNLOAD, SAMPLE, ("Cookie", cookie)).body.startswith(b"\xd8\x00")
    assert site.logins == 1


@pytest.mark.parametrize("mode", CookieMode)
def test_a_browser_that_was_on_fr_top_can_go_on(mode: CookieMode) -> None:
    """With all cookies of a login in its jar a browser is not proved; one link further it is."""
    site = Site.plain(mode)
    top = ask(site, Door.UPLOAD, "/fr_top.jsp")
    assert {"href": "/"} in list(Tags(top.body).all("a"))
    jar = "; ".join({cookie.partition("=")[0]: cookie for cookie in cookies(top)}.values())
    assert b"fr_top.jsp" in ask(site, Door.DOWNLOAD, SAMPLE, ("Cookie", jar)).body
    header = "Cookie", f"{jar}; {cookies(ask(site, Door.UPLOAD, '/', ('Cookie', jar)))[0]}"
    assert ask(site, Door.DOWNLOAD, SAMPLE, header).body.startswith(b"\xd8\x00")


def test_nothing_is_easier_for_a_program() -> None:
    """A login sets no cookie of people, and its first cookie among others still proves nothing."""
    site = Site.plain()
    come_in(site)
    lines = cookies(ask(site, Door.UPLOAD, "/fr_top.jsp"))
    assert not any(line.startswith("OMARPERSON") for line in lines)
    for line in (
        "; ".join(lines),
        f"{lines[0]}; OMARTAB=top",
        "OMARPERSON=",
        "OMARPERSON=x",
        f"{lines[0]}; OMARPERSON=x",
    ):
        assert is_login_page(ask(site, Door.DOWNLOAD, SAMPLE, ("Cookie", line)).body)


@pytest.mark.parametrize("name", ["test5.csv", "März & <b>.csv", "a.txt"])
def test_people_and_programs_get_the_same_answer(name: str) -> None:
    """Receipt and refusal are those that a program gets, in a frame that the client's own reader looks through."""
    pages = []
    for person in (False, True):
        site = Site.plain()
        header = come_in(site) if person else ("Cookie", cookies(ask(site, Door.UPLOAD, "/fr_top.jsp"))[0])
        reply = ask(site, Door.UPLOAD, "/uploadProcess.jsp", header, FORM, method="POST", body=form(name))
        pages.append(reply.body)
    plain, framed = pages
    inside = plain.partition(b"<body")[2].partition(b">")[2].rpartition(b"</body>")[0].strip()
    assert b"navigation" not in plain
    assert inside in framed
    assert b"navigation" in framed
    if name.isascii():
        seen, through = (read_upload_page(page, name) for page in pages)
        assert (through.receipt, through.login) == (seen.receipt, False)
        assert (seen.receipt is None, seen.reason is None) == (name == "a.txt", name != "a.txt")
        assert seen.reason is None or seen.reason in (through.reason or "")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (SAMPLE, "group-123_20000705_20000708_pst.dat"),
        (
            SAMPLE.replace("getMDEF", "getSQMDCsvForDownload").replace("=MDEF", "=CSV").replace("=PST", "=DST"),
            "group-123_20000705_20000708_dst.csv",
        ),
    ],
)
def test_data_have_a_name_for_people_only(target: str, name: str) -> None:
    """A browser saves data under a name that may be uploaded again; a program gets the answer it always got."""
    site = Site.plain()
    person = ask(site, Door.DOWNLOAD, target, come_in(site))
    program = ask(site, Door.DOWNLOAD, target, ("Cookie", cookies(ask(site, Door.UPLOAD, "/fr_top.jsp"))[0]))
    assert person.headers == (*program.headers, ("Content-Disposition", f'attachment; filename="{name}"'))
    assert person.body == program.body
    assert len(name) <= 40


@pytest.mark.parametrize(("door", "target"), [page for page in PEOPLE_PAGES if page[1] != "/"])
def test_a_session_that_has_ended_gives_the_login_page(door: Door, target: str) -> None:
    """After the end every address but the start page asks for a login, whose button leads there and sends nothing."""
    site = Site.plain()
    header = come_in(site)
    site.expire_sessions()
    upload = ask(site, Door.UPLOAD, "/uploadProcess.jsp", header, FORM, method="POST", body=form("a.csv"))
    for page in (ask(site, door, target, header), ask(site, Door.DOWNLOAD, SAMPLE, header), upload):
        assert is_login_page(page.body)
        (button,) = (tag for tag in Tags(page.body).all("input") if tag["type"] == "submit")
        assert (button["formaction"], button["formmethod"]) == ("/", "get")
        assert not any("name" in tag for tag in Tags(page.body).all("input"))
    assert site.uploads == []
    (fresh,) = cookies(ask(site, door, "/?", header))
    assert ask(site, Door.DOWNLOAD, SAMPLE, ("Cookie", fresh)).body.startswith(b"\xd8\x00")


def test_looking_at_a_form_does_not_count() -> None:
    """A session of one request lasts through any number of pages, and ends with the first download."""
    site = Site(["1001"], {"123": ["1001"]}, Sessions(CookieMode.DISTINCT, requests=1))
    header = come_in(site)
    assert [is_login_page(ask(site, door, target, header).body) for door, target in PEOPLE_PAGES] == [False] * 4
    assert ask(site, Door.DOWNLOAD, SAMPLE, header).body.startswith(b"\xd8\x00")
    assert is_login_page(ask(site, Door.UPLOAD, "/upload.jsp", header).body)


def test_the_upload_form_is_that_of_the_document() -> None:
    """One file field named datafile, posted as multipart/form-data to uploadProcess.jsp, alone (SUB 3.2.1)."""
    tags = Tags(ask(Site.plain(), Door.UPLOAD, "/upload.jsp").body)
    (sent,) = tags.all("form")
    assert (sent["method"], sent["action"], sent["enctype"]) == ("POST", "uploadProcess.jsp", "multipart/form-data")
    assert [(tag["type"], tag.get("name")) for tag in tags.all("input")] == [("file", "datafile"), ("submit", None)]


def test_the_download_form_becomes_the_documents_address() -> None:
    """What a browser makes of the form is answered with a redirect to DL 3.1, letter by letter."""
    reply = ask(Site.plain(), Door.DOWNLOAD, f"/download.jsp?{FILLED}")
    assert (reply.status, dict(reply.headers)["Location"]) == (302, SAMPLE)
    by_meter = FILLED.replace("=group", "=meter").replace("123", "10+%2F01").replace("=MDEF", "=CSV")
    assert download_target(by_meter) == (
        SAMPLE.replace("getMDEF", "getSQMDCsvForDownload")
        .replace("=group", "=meter")
        .replace("Meters=123", "Meters=10%20%2F01")
        .replace("group=123", "group=")
        .replace("=MDEF", "=CSV")
    )


@given(
    kind=st.sampled_from([Meter, Group]),
    identifier=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).map(str.strip).filter(bool),
    days=st.tuples(*[st.dates(dt.date(1998, 1, 1), dt.date(2099, 12, 31))] * 2).map(sorted),
    file_format=st.sampled_from(FileFormat),
)
def test_every_id_and_day_arrives(
    kind: type[Selection], identifier: str, days: list[dt.date], file_format: FileFormat
) -> None:
    """The strict reader of downloads takes whatever the form makes, and reads what was typed."""
    wanted = kind(identifier)
    typed = {
        "groupOrMeter": wanted.kind,
        "selectedMeters": identifier,
        "startDate": days[0].isoformat(),
        "endDate": days[1].isoformat(),
        "timeType": "DST",
        "fileFormat": file_format.value,
    }
    program, _, asked = download_target(urlencode(typed)).partition("?")
    query = read_query("GET", asked, file_format)
    assert program == ("/getMDEF.jsp" if file_format is FileFormat.MDEF else "/getSQMDCsvForDownload.jsp")
    assert (query.selection, query.start, query.end) == (wanted, *days)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("groupOrMeter=group", "groupOrMeter=both", "Choose meter or group."),
        ("&timeType=PST", "", "Choose the clock."),
        ("fileFormat=MDEF", "fileFormat=mdef", "Choose the format."),
        ("selectedMeters=123", "selectedMeters=+", "Fill in the id"),
        ("2000-07-05", "07%2F05%2F2000", "Fill in the first day"),
        ("2000-07-08", "2000-02-30", "Fill in the last day"),
        ("2000-07-08", "2000-07-04", "The last day is before the first day."),
        ("selectedMeters=123", "selectedMeters=1%0A", "control characters"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_on_it(before: str, after: str, said: str) -> None:
    """The form comes back with one sentence, and with what had been filled in."""
    filled = FILLED.replace(before, after).replace("123", "<123>")
    if "%0A" in after:
        filled = filled.replace("1%0A", "1%0A2")  # blanks at the ends are taken off
    reply = ask(Site.plain(), Door.DOWNLOAD, f"/download.jsp?{filled}")
    assert reply.status == 200
    assert [tag["role"] for tag in Tags(reply.body).all("p") if "role" in tag] == ["alert"]
    assert said.encode() in reply.body
    assert b"<123>" not in reply.body
    fields = {tag["id"]: tag for tag in Tags(reply.body).all("input") if "id" in tag}
    if "2000-07-05" in filled:
        assert fields["startDate"]["value"] == "2000-07-05"
    with pytest.raises(Refusal):
        download_target(filled)


def test_no_clock_is_chosen_beforehand() -> None:
    """Data by the wrong clock look right, so a person has to choose; the rest has a usual choice."""
    tags = Tags(ask(Site.plain(), Door.DOWNLOAD, "/download.jsp").body)
    assert [tag["id"] for tag in tags.all("input") if "checked" in tag] == ["groupOrMeter-meter", "fileFormat-MDEF"]


@pytest.mark.parametrize(("door", "target"), PEOPLE_PAGES)
def test_pages_are_for_people(door: Door, target: str) -> None:
    """Every field has a label, every page a language, one heading and a policy, and nothing comes from elsewhere."""
    reply = ask(Site.plain(), door, target)
    tags = Tags(reply.body)
    labelled = {tag["for"] for tag in tags.all("label")}
    assert {tag["id"] for tag in tags.all("input") if tag["type"] != "submit"} == labelled
    assert [tag["lang"] for tag in tags.all("html")] == ["en"]
    assert len(list(tags.all("h1"))) == 1
    assert list(tags.all("script")) == []
    addresses = {tag.get("href") or tag.get("src") or tag.get("action") for _, tag in tags.found} - {None}
    own = {"data:,", "omar.css", "uploadProcess.jsp", "download.jsp"}
    assert {address for address in addresses if address not in own} <= {
        "https://localhost/",
        "https://localhost/upload.jsp",
        "https://localhost:444/download.jsp",
    }
    assert dict(reply.headers)["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    style = ask(Site.plain(), door, "/omar.css")
    assert dict(style.headers)["Content-Type"] == "text/css"
    assert b"url(" not in style.body


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
def test_pages_take_a_get(method: str) -> None:
    """Nothing else opens a session."""
    site = Site.plain()
    reply = ask(site, Door.UPLOAD, "/", method=method)
    assert b"Bad request" in reply.body
    assert (site.logins, cookies(reply)) == (0, [])


def test_many_ids_are_told_in_short() -> None:
    """Of sixty meters the start page names seven and their number."""
    site = Site([str(number) for number in range(1001, 1061)], {"<&>": []}, Sessions(CookieMode.DISTINCT))
    page = ask(site, Door.UPLOAD, "/").body
    assert b"1001, 1002, 1003, 1004, 1005, 1006, &#8230; 1060 (60)" in page
    assert b"<td>&lt;&amp;&gt;</td>" in page


async def test_pages_over_the_wire(omar_server: OmarServer, wire: Wire) -> None:
    """Links lead to the running ports, pages are in the log as such, and a fault can be about them."""
    upload, download = omar_server.environment.upload_origin, omar_server.environment.download_origin
    seen = await wire.get(upload, "/")
    cookie = seen.all("Set-Cookie")[0].partition(";")[0]
    assert f'href="{upload}/upload.jsp"'.encode() in seen.body
    assert f'href="{download}/download.jsp"'.encode() in seen.body
    assert (await wire.download(f"OMARTAB=top; {cookie}", DOWNLOAD)).all("Content-Disposition")
    omar_server.script(Status(503, on="page"))
    assert (await wire.get(download, "/download.jsp")).head.startswith("HTTP/1.1 503")
    assert [record.kind for record in omar_server.requests] == ["page", "download", "page"]
    assert (omar_server.logins, omar_server.live_sessions) == (1, 1)
    omar_server.expire_sessions()
    assert omar_server.live_sessions == 0
