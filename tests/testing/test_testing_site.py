"""The site model as a table of requests and verdicts, both written from the documents by hand."""

from __future__ import annotations

import hashlib

import pytest

from aiomar.testing._sessions import CookieMode, Sessions
from aiomar.testing._site import Door, Kind, Reply, Site, SiteRequest

QUERY = (
    "requestedFormat=download&datasourceType=SQMD&groupOrMeter=group&selectedMeters=123&startDate=07%2F05%2F2000"
    "&endDate=07%2F08%2F2000&timeType=PST&fileFormat=MDEF&group=123"
)
"""The sample of DL 3.1, letter by letter."""
BY_METER = QUERY.replace("=group&", "=meter&").replace("Meters=123", "Meters=1001").replace("&group=123", "&group=")
SWAPPED = QUERY.replace("requestedFormat=download&datasourceType=SQMD", "datasourceType=SQMD&requestedFormat=download")
DISPOSITION = 'Content-Disposition: form-data; name="datafile"; filename="test5.csv"'
FORM = ("Content-Type", "multipart/form-data; boundary=line")


def ask(
    site: Site,
    target: str,
    *headers: tuple[str, str],
    method: str = "GET",
    body: bytes = b"",
    door: Door = Door.DOWNLOAD,
) -> Reply:
    """Put one request to the site."""
    return site.answer(SiteRequest(door=door, method=method, target=target, headers=headers, body=body))


def log_in(site: Site) -> tuple[str, str]:
    """Log in; give the header that proves it."""
    reply = ask(site, "/fr_top.jsp", door=Door.UPLOAD)
    return "Cookie", next(value for name, value in reply.headers if name == "Set-Cookie").partition(";")[0]


def form(*parts: tuple[str, bytes], boundary: str = "line") -> bytes:
    """Write a multipart body of (headers, content) pairs."""
    pieces = (f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in parts)
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def named(name: str) -> str:
    """Write a part's header for a file name."""
    return DISPOSITION.replace("test5.csv", name)


@pytest.mark.parametrize(
    ("program", "query", "start"),
    [
        ("getMDEF.jsp", QUERY, b"\xd8\x00\x01\x001001 "),
        ("getMDEF.jsp", BY_METER, b"\xd8\x00\x01\x001001 "),
        ("getMDEF.jsp", QUERY.replace("%2F", "%2f"), b"\xd8\x00\x01\x001001 "),
        ("getMDEF.jsp", BY_METER.replace("PST", "DST"), b"\xd8\x00\x01\x001001 "),
        ("getSQMDCsvForDownload.jsp", QUERY.replace("MDEF", "CSV"), b"METER,"),
        ("getMDEF.jsp", BY_METER.replace("1001", "%31001"), b"\xd8\x00\x01\x001001 "),
    ],
)
def test_good_downloads_give_data(program: str, query: str, start: bytes) -> None:
    """The documents' own request is answered with data, and so are its legitimate variants."""
    site = Site.plain()
    reply = ask(site, f"/{program}?{query}", log_in(site))
    assert reply.status == 200
    assert reply.body.startswith(start)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param(SWAPPED, b"in this order", id="order"),
        pytest.param(QUERY.removesuffix("&group=123"), b"in this order", id="no group"),
        pytest.param(BY_METER.removesuffix("&group="), b"in this order", id="no group for a meter"),
        pytest.param(BY_METER.removesuffix("="), b"in this order", id="no equals sign"),
        pytest.param(QUERY + "&group=123", b"in this order", id="twice"),
        pytest.param("", b"in this order", id="nothing"),
        pytest.param(QUERY.replace("requestedFormat", "requestedformat"), b"in this order", id="case"),
        pytest.param(QUERY.replace("=download", "=view"), b"requestedFormat must be", id="requestedFormat"),
        pytest.param(QUERY.replace("SQMD", "sqmd"), b"datasourceType must be", id="datasourceType"),
        pytest.param(QUERY.replace("=group&", "=Group&"), b"groupOrMeter must be", id="groupOrMeter"),
        pytest.param(QUERY.replace("=MDEF", "=CSV"), b"fileFormat must be", id="another program's format"),
        pytest.param(QUERY.replace("=PST", "=PDT"), b"timeType must be", id="timeType"),
        pytest.param(QUERY.replace("07%2F05%2F2000", "07/05/2000"), b"startDate must be", id="raw slash"),
        pytest.param(QUERY.replace("07%2F08%2F2000", "07%252F08%252F2000"), b"endDate must be", id="encoded twice"),
        pytest.param(QUERY.replace("07%2F05%2F2000", "7%2F5%2F2000"), b"startDate must be", id="one digit"),
        pytest.param(QUERY.replace("07%2F05%2F2000", "2000-07-05"), b"startDate must be", id="ISO date"),
        pytest.param(QUERY.replace("07%2F05%2F2000", "02%2F30%2F2000"), b"not a day", id="30 February"),
        pytest.param(QUERY.replace("07%2F08%2F2000", "07%2F04%2F2000"), b"before startDate", id="backwards"),
        pytest.param(QUERY.replace("&group=123", "&group=124"), b"must match", id="two groups"),
        pytest.param(QUERY.replace("&group=123", "&group="), b"must match", id="blank group"),
        pytest.param(BY_METER + "1001", b"must be blank", id="group for a meter"),
        pytest.param(BY_METER.replace("1001", ""), b"is empty", id="no meter"),
        pytest.param(BY_METER.replace("1001", "10+01"), b"not percent-encoded", id="plus"),
        pytest.param(BY_METER.replace("1001", "10%0101"), b"control characters", id="control"),
        pytest.param(BY_METER.replace("1001", "%FF"), b"not UTF-8", id="not UTF-8"),
        pytest.param(BY_METER.replace("1001", "1999"), b"No data", id="unknown meter"),
        pytest.param(QUERY.replace("123", "999"), b"No data", id="unknown group"),
        pytest.param(QUERY.replace("2000", "1990"), b"No data", id="before there was data"),
        pytest.param(QUERY.replace("08%2F2000", "08%2F2020"), b"No data", id="too long"),
    ],
)
def test_bad_downloads_give_an_error_page(query: str, reason: bytes) -> None:
    """Whatever departs from DL 3.1 or has no data gets an HTML page with status 200 that is not the login page."""
    site = Site.plain()
    reply = ask(site, f"/getMDEF.jsp?{query}", log_in(site))
    assert reply.status == 200
    assert reply.body.startswith(b"<!DOCTYPE HTML")
    assert reason in reply.body
    assert b"fr_top.jsp" not in reply.body


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM[1], form((DISPOSITION, b"1,2\r\n"))),
        (FORM[1], form((DISPOSITION, b"1,2\r\n")).removesuffix(b"\r\n")),
        ('Multipart/Form-Data; boundary="line"', form((f"{DISPOSITION}\r\nContent-Type: text/csv", b"1,2\r\n"))),
    ],
)
def test_a_good_upload_gives_the_documents_page(content_type: str, body: bytes) -> None:
    """A form that RFC 1867 allows is taken, and its answer is SUB 3.3.1 with its tags mended."""
    site = Site.plain()
    headers = (log_in(site), ("content-type", content_type))
    reply = ask(site, "/uploadProcess.jsp", *headers, method="POST", body=body, door=Door.UPLOAD)
    assert b'<td class="formgray">test5.csv Meter file uploaded\nand Saved As 528527_test5.csv</td>' in reply.body
    assert b'<td class="formgray">File Size : 5</td>' in reply.body
    assert b'<td class="formgray">File Id: 528527\n(save this file id' in reply.body
    assert [(upload.name, upload.content, upload.accepted, upload.file_id) for upload in site.uploads] == [
        ("test5.csv", b"1,2\r\n", True, "528527")
    ]
    assert site.uploads[0].sha256 == hashlib.sha256(b"1,2\r\n").hexdigest()


def test_file_ids_count_what_was_taken() -> None:
    """Ids rise by one per accepted file, also for the same file again; a refused one uses none."""
    site = Site.plain()
    headers = (log_in(site), FORM)
    for name in ("a.csv", "bad.txt", "Error in File Processing & <more>.CSV", "a.csv"):
        body = form((named(name), b"1"))
        reply = ask(site, "/uploadProcess.jsp", *headers, method="POST", body=body, door=Door.UPLOAD)
        assert reply.status == 200
    assert [upload.file_id for upload in site.uploads] == ["528527", None, "528528", "528529"]
    assert site.uploads[1].reason == "Invalid file extension: use .csv or .dat"


def test_a_name_is_escaped_on_the_page() -> None:
    """A name with characters that HTML reserves stands on the page as text, not as markup."""
    site = Site.plain()
    body = form((named("a & <b>.csv"), b"1"))
    reply = ask(site, "/uploadProcess.jsp", log_in(site), FORM, method="POST", body=body, door=Door.UPLOAD)
    assert b"Saved As 528527_a &amp; &lt;b&gt;.csv</td>" in reply.body


GOOD = form((DISPOSITION, b"1,2\r\n"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(form((named("a" * 37 + ".csv"), b"1")), b"exceeds 40 characters", id="41 characters"),
        pytest.param(form((named("a.txt"), b"1")), b"Invalid file extension", id="extension"),
        pytest.param(form((named("a.csv.gz"), b"1")), b"Invalid file extension", id="another extension behind"),
        pytest.param(form((named(""), b"1")), b"Invalid file extension", id="no name"),
        pytest.param(form((DISPOSITION, b"")), b"is empty", id="empty"),
        pytest.param(form((DISPOSITION, b"1" * 512_000)), b"too large", id="512,000 bytes"),
        pytest.param(form((DISPOSITION, b"1"), (DISPOSITION, b"2")), b"Only one", id="two parts"),
        pytest.param(form(), b"Only one", id="no part"),
        pytest.param(form((DISPOSITION.replace("datafile", "file"), b"1")), b"&#x27;datafile&#x27;", id="field"),
        pytest.param(form((DISPOSITION.partition("; file")[0], b"1")), b"not a file", id="no file name"),
        pytest.param(form(("Content-Type: text/csv", b"1")), b"not a file", id="no disposition"),
        pytest.param(form((DISPOSITION, b"1"), boundary="other"), b"begin and end", id="another boundary"),
        pytest.param(GOOD.removesuffix(b"--\r\n"), b"begin and end", id="no end"),
        pytest.param(b"hello\r\n" + GOOD, b"begin and end", id="something before"),
        pytest.param(GOOD.replace(b"\r\n\r\n", b"\r\n", 1), b"no header", id="no blank line"),
        pytest.param(b"", b"begin and end", id="nothing"),
        pytest.param(form((DISPOSITION, b"a\r\n--line\r\nb")), b"Only one", id="boundary in the content"),
    ],
)
def test_bad_uploads_are_refused_in_the_documents_words(body: bytes, reason: bytes) -> None:
    """Whatever departs from SUB 3.2 gets the page with "Error in File Processing" and a reason; nothing is taken."""
    site = Site.plain()
    reply = ask(site, "/uploadProcess.jsp", log_in(site), FORM, method="POST", body=body, door=Door.UPLOAD)
    assert reply.status == 200
    assert b"Error in File Processing" in reply.body
    assert reason in reply.body
    assert [(upload.accepted, upload.file_id) for upload in site.uploads] == [(False, None)]


@pytest.mark.parametrize(
    ("method", "target", "content_type", "reason"),
    [
        ("GET", "/uploadProcess.jsp", FORM[1], b"only be sent with POST"),
        ("PUT", "/uploadProcess.jsp", FORM[1], b"only be sent with POST"),
        ("POST", "/uploadProcess.jsp?datafile=a.csv", FORM[1], b"no parameters"),
        ("POST", "/uploadProcess.jsp", "application/octet-stream", b"not packaged"),
        ("POST", "/uploadProcess.jsp", "multipart/form-data", b"not packaged"),
        ("POST", "/uploadProcess.jsp", "multipart/mixed; boundary=line", b"not packaged"),
    ],
)
def test_an_upload_is_a_posted_form(method: str, target: str, content_type: str, reason: bytes) -> None:
    """A file that does not come as multipart/form-data by POST is refused (SUB 3.2.1)."""
    site = Site.plain()
    headers = (log_in(site), ("Content-Type", content_type))
    reply = ask(site, target, *headers, method=method, body=GOOD, door=Door.UPLOAD)
    assert b"Error in File Processing" in reply.body
    assert reason in reply.body
    assert not site.uploads[0].accepted


@pytest.mark.parametrize("size", [1, 511_999])
def test_sizes_up_to_the_limit_are_taken(size: int) -> None:
    """A file of one byte and one a byte below the limit are accepted, under a name of exactly 40 characters."""
    site = Site.plain()
    body = form((named("a" * 36 + ".DAT"), b"1" * size))
    ask(site, "/uploadProcess.jsp", log_in(site), FORM, method="POST", body=body, door=Door.UPLOAD)
    assert [upload.accepted for upload in site.uploads] == [True]


@pytest.mark.parametrize(
    ("door", "target", "kind", "status"),
    [
        (Door.UPLOAD, "/fr_top.jsp", "login", 200),
        (Door.UPLOAD, "/uploadProcess.jsp", "upload", 200),
        (Door.DOWNLOAD, f"/getMDEF.jsp?{QUERY}", "download", 200),
        (Door.DOWNLOAD, f"/getSQMDCsvForDownload.jsp?{QUERY}", "download", 200),
        (Door.DOWNLOAD, "/fr_top.jsp", "other", 404),
        (Door.DOWNLOAD, "/uploadProcess.jsp", "other", 404),
        (Door.UPLOAD, f"/getMDEF.jsp?{QUERY}", "other", 404),
        (Door.UPLOAD, f"/getSQMDCsvForDownload.jsp?{QUERY}", "other", 404),
        (Door.DOWNLOAD, f"/getmdef.jsp?{QUERY}", "other", 404),
        (Door.UPLOAD, "/nothing.jsp", "other", 404),
    ],
)
def test_each_program_answers_on_its_own_port(door: Door, target: str, kind: Kind, status: int) -> None:
    """Login and upload are on one port, the downloads on the other; everything else is a 404 page."""
    request = SiteRequest(door=door, method="GET", target=target)
    assert request.kind == kind
    assert Site.plain().answer(request).status == status


@pytest.mark.parametrize(("method", "target"), [("POST", "/fr_top.jsp"), ("GET", "/fr_top.jsp?user=1")])
def test_a_login_is_a_plain_get(method: str, target: str) -> None:
    """A login that is not a GET without parameters opens no session."""
    site = Site.plain()
    reply = ask(site, target, method=method, door=Door.UPLOAD)
    assert b"Bad request" in reply.body
    assert site.logins == 0
    assert all(name != "Set-Cookie" for name, _ in reply.headers)


def prove(sessions: Sessions, line: str, *, version_1: bool = False) -> bool:
    """Send the cookie of a ``Set-Cookie`` line back."""
    pair = line.partition(";")[0]
    return sessions.prove([f'$Version=1; {pair}; $Path="/"' if version_1 else pair])


@pytest.mark.parametrize("mode", CookieMode)
def test_only_the_first_cookie_is_valid(mode: CookieMode) -> None:
    """Of the several cookies of a login only the first proves a session (SUB 3.1.1.2)."""
    sessions, version_1 = Sessions(mode), mode is CookieMode.VERSION_1
    lines = sessions.open()
    assert len(lines) >= 2
    assert [prove(sessions, line, version_1=version_1) for line in lines] == [True] + [False] * (len(lines) - 1)


def test_cookie_modes_differ_as_they_say() -> None:
    """Names are distinct or repeated, and a version 1 cookie has a quoted value."""
    names = {mode: [line.partition("=")[0] for line in Sessions(mode).open()] for mode in CookieMode}
    assert len(set(names[CookieMode.DISTINCT])) == 3
    assert names[CookieMode.REPEATED] == names[CookieMode.VERSION_1] == ["JSESSIONID"] * 2
    assert Sessions(CookieMode.VERSION_1).open()[0].startswith('JSESSIONID="0000')


@pytest.mark.parametrize(
    ("mode", "template", "good"),
    [
        (CookieMode.DISTINCT, "{name}={value}", True),
        (CookieMode.DISTINCT, '{name}="{value}"', False),
        (CookieMode.DISTINCT, "{name}={value}; OMARTAB=top", False),
        (CookieMode.DISTINCT, '$Version=1; {name}={value}; $Path="/"', False),
        (CookieMode.DISTINCT, "{name}=", False),
        (CookieMode.VERSION_1, '$Version=1; {name}={value}; $Path="/"', True),
        (CookieMode.VERSION_1, "{name}={value}", False),
        (CookieMode.VERSION_1, "$Version=1; {name}={value}", False),
    ],
)
def test_a_cookie_comes_back_verbatim_in_its_style(mode: CookieMode, template: str, *, good: bool) -> None:
    """The header is the cookie as it was set, in the form that its version asks for (SUB 3.1.1.1)."""
    sessions = Sessions(mode)
    name, _, value = sessions.open()[0].partition(";")[0].partition("=")
    assert sessions.prove([template.format(name=name, value=value)]) is good


def test_one_cookie_header_is_needed() -> None:
    """No ``Cookie`` header proves nothing, and neither do two."""
    sessions = Sessions(CookieMode.DISTINCT)
    cookie = sessions.open()[0].partition(";")[0]
    assert not sessions.prove([])
    assert not sessions.prove([cookie, cookie])


def test_without_a_session_there_is_the_login_page() -> None:
    """Downloads and uploads without a live session get a login page with 200, whose own cookie proves nothing."""
    site = Site.plain()
    good = log_in(site)
    site.expire_sessions()
    for cookie in (("X-None", ""), ("Cookie", "JSESSIONID=1"), good):
        for door, target in ((Door.DOWNLOAD, f"/getMDEF.jsp?{QUERY}"), (Door.UPLOAD, "/uploadProcess.jsp")):
            reply = ask(site, target, cookie, FORM, method="POST", body=GOOD, door=door)
            assert reply.status == 200
            assert b'<form name="login" method="POST" action="fr_top.jsp">' in reply.body
            assert b'type="password"' in reply.body
            anonymous = ("Cookie", dict(reply.headers)["Set-Cookie"].partition(";")[0])
            assert b"fr_top.jsp" in ask(site, target, anonymous, door=door).body
    assert site.uploads == []


def test_a_session_can_end_after_some_requests() -> None:
    """With a number of requests per session, the next one needs a login that gives another cookie."""
    sessions = Sessions(CookieMode.DISTINCT, requests=2)
    first = sessions.open()[0]
    assert [prove(sessions, first) for _ in range(3)] == [True, True, False]
    second = sessions.open()[0]
    assert second != first
    assert prove(sessions, second)


def test_logins_open_sessions_side_by_side_or_share_one() -> None:
    """Each login gives a new cookie and the old one stays good; a single session gives the same one until it ends."""
    several, single = Sessions(CookieMode.DISTINCT), Sessions(CookieMode.DISTINCT, single=True)
    lines = [several.open()[0], several.open()[0]]
    assert lines[0] != lines[1]
    assert [prove(several, line) for line in lines] == [True, True]
    first = single.open()
    assert single.open() == first
    single.expire()
    assert single.open() != first
