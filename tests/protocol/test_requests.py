"""The bytes of the three requests, held against the documents' own samples."""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.errors import LimitError
from aiomar.protocol import (
    PRODUCTION,
    STAGING,
    TEST,
    Environment,
    FileFormat,
    Group,
    Meter,
    Selection,
    Span,
    TimeType,
    build_download,
    build_login,
    build_upload,
    file_name,
)

JULY = Span(dt.date(2000, 7, 5), dt.date(2000, 7, 8))
SAMPLE = (
    "https://omar-online.caiso.com:444/getMDEF.jsp?requestedFormat=download&datasourceType=SQMD&groupOrMeter=group"
    "&selectedMeters=123&startDate=07%2F05%2F2000&endDate=07%2F08%2F2000&timeType=PST&fileFormat=MDEF&group=123"
)
IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30).filter(lambda text: text.strip())
SELECTIONS = st.one_of(IDS.map(Meter), IDS.map(Group))


@pytest.mark.clause("DL 3.1", "DL 3.2")
def test_a_group_download_is_the_documents_sample() -> None:
    """The sample address of DL 3.1, byte for byte."""
    request = build_download(PRODUCTION, Group("123"), JULY, file_format=FileFormat.MDEF, time_type=TimeType.PST)
    assert (request.method, request.url, request.headers, request.body) == (
        "GET",
        SAMPLE,
        (),
        b"",
    )


@pytest.mark.clause("DL 3.1", "DL 3.2")
def test_a_meter_download_has_an_empty_group() -> None:
    """By resource the group parameter is there and empty, and CSV has a program of its own."""
    request = build_download(TEST, Meter("123"), JULY, file_format=FileFormat.CSV, time_type=TimeType.DST)
    assert request.url == (
        "https://omar-onlinetest.caiso.com:444/getSQMDCsvForDownload.jsp?requestedFormat=download&datasourceType=SQMD"
        "&groupOrMeter=meter&selectedMeters=123&startDate=07%2F05%2F2000&endDate=07%2F08%2F2000&timeType=DST"
        "&fileFormat=CSV&group="
    )


@pytest.mark.clause("DL 3.1")
@pytest.mark.parametrize(
    ("id_", "encoded"),
    [
        ("a b", "a%20b"),
        ("a&b=c", "a%26b%3Dc"),
        ("a/b", "a%2Fb"),
        ("a+b", "a%2Bb"),
        ("a%2Fb", "a%252Fb"),
        ("Zähler", "Z%C3%A4hler"),
        ("メ", "%E3%83%A1"),
        (" 1 ", "%201%20"),
        ("a?b#c;d", "a%3Fb%23c%3Bd"),
        ("a-b_c.d~e", "a-b_c.d~e"),
        ('"<>\\^`{|}', "%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("\u2028x", "%E2%80%A8x"),
    ],
)
def test_ids_are_percent_encoded_as_utf_8(id_: str, encoded: str) -> None:
    """Whatever an id holds, it stays inside its parameter; a blank is %20, never a plus sign."""
    target = build_download(PRODUCTION, Group(id_), JULY, file_format=FileFormat.CSV, time_type=TimeType.PST).target
    assert f"&selectedMeters={encoded}&startDate=" in target
    assert target.endswith(f"&group={encoded}")


@pytest.mark.clause("DL 3.1")
@given(SELECTIONS, st.dates(), st.dates(), st.sampled_from(FileFormat), st.sampled_from(TimeType))
def test_any_request_can_be_read_back(
    selection: Selection, first: dt.date, second: dt.date, file_format: FileFormat, time_type: TimeType
) -> None:
    """Exactly nine parameters in the documents' order; dates are MM/DD/YYYY with the slash encoded, in every year."""
    span = Span(min(first, second), max(first, second))
    request = build_download(PRODUCTION, selection, span, file_format=file_format, time_type=time_type)
    assert re.fullmatch(r"[!-~]+", request.target)
    query = urlsplit(request.url).query
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=True) == [
        ("requestedFormat", "download"),
        ("datasourceType", "SQMD"),
        ("groupOrMeter", selection.kind),
        ("selectedMeters", selection.id),
        ("startDate", f"{span.start.month:02}/{span.start.day:02}/{span.start.year:04}"),
        ("endDate", f"{span.end.month:02}/{span.end.day:02}/{span.end.year:04}"),
        ("timeType", time_type.value),
        ("fileFormat", file_format.value),
        ("group", selection.id if isinstance(selection, Group) else ""),
    ]
    assert "/" not in query


@pytest.mark.clause("SUB 2", "SUB 3.1.1.2")
@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (PRODUCTION, "https://omar-online.caiso.com/fr_top.jsp"),
        (STAGING, "https://omar-onlinestage.caiso.com/fr_top.jsp"),
        (TEST, "https://omar-onlinetest.caiso.com/fr_top.jsp"),
        (Environment("lab", "https://[::1]:8443", "https://127.0.0.1:8444"), "https://[::1]:8443/fr_top.jsp"),
    ],
)
def test_login_asks_for_the_authentication_page(environment: Environment, url: str) -> None:
    """The login is a GET of fr_top.jsp on the upload origin."""
    request = build_login(environment)
    assert (request.method, request.url, request.headers, request.body) == ("GET", url, (), b"")


@pytest.mark.clause("SUB 3.1", "SUB 3.2.1")
def test_an_upload_is_a_post_to_the_upload_program() -> None:
    """POST to uploadProcess.jsp on the upload origin, with type and length and nothing else."""
    request = build_upload(PRODUCTION, "test5.csv", b"1,2\r\n")
    assert (request.method, request.url) == ("POST", "https://omar-online.caiso.com/uploadProcess.jsp")
    headers = dict(request.headers)
    assert set(headers) == {"Content-Type", "Content-Length"}
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert headers["Content-Length"] == str(len(request.body))


def test_a_request_does_not_show_its_body() -> None:
    """Meter values do not reach a log by way of a repr."""
    assert "secret" not in repr(build_upload(PRODUCTION, "test5.csv", b"secret"))


@pytest.mark.clause("DL 3.3")
@pytest.mark.parametrize(
    ("selection", "file_format", "time_type", "name"),
    [
        (Meter("1001"), FileFormat.CSV, TimeType.PST, "meter-1001_20000705_20000708_pst.csv"),
        (Group("1001"), FileFormat.MDEF, TimeType.DST, "group-1001_20000705_20000708_dst.dat"),
        (Meter("a b~c"), FileFormat.CSV, TimeType.PST, "meter-a%20b%7Ec_20000705_20000708_pst.csv"),
        (Meter("../x"), FileFormat.CSV, TimeType.PST, "meter-..%2Fx_20000705_20000708_pst.csv"),
        (Meter("100%"), FileFormat.CSV, TimeType.PST, "meter-100%25_20000705_20000708_pst.csv"),
        (Meter("ä"), FileFormat.CSV, TimeType.PST, "meter-%C3%A4_20000705_20000708_pst.csv"),
        (Meter("A.z_0-9"), FileFormat.CSV, TimeType.PST, "meter-A.z_0-9_20000705_20000708_pst.csv"),
    ],
)
def test_file_names(selection: Selection, file_format: FileFormat, time_type: TimeType, name: str) -> None:
    """Kind, id, both days, clock and the right extension; everything unsafe in an id is percent-encoded."""
    assert file_name(selection, JULY, file_format=file_format, time_type=time_type) == name


@given(SELECTIONS, SELECTIONS, st.dates(), st.dates())
def test_two_downloads_never_share_a_file_name(one: Selection, other: Selection, day: dt.date, last: dt.date) -> None:
    """Different ids, kinds and days have different names, which are safe and can be read back."""
    spans = {Span(day, day), Span(min(day, last), max(day, last))}
    names = {
        file_name(selection, span, file_format=FileFormat.CSV, time_type=TimeType.PST): (selection, span)
        for selection in (one, other)
        for span in spans
    }
    assert len(names) == len({one, other}) * len(spans)
    for name, (selection, _) in names.items():
        assert re.fullmatch(r"[A-Za-z0-9._%-]+", name)
        assert unquote(name.partition("-")[2].rsplit("_", 3)[0]) == selection.id


@pytest.mark.parametrize("kind", [Meter, Group])
@pytest.mark.parametrize("id_", ["", " ", "\u3000", "\n", "a\tb", "a\x00", "\x7f", "a\x85b", "\ud800"])
def test_ids_that_are_none(kind: type[Meter | Group], id_: str) -> None:
    """An id is non-blank text without control characters."""
    with pytest.raises(LimitError) as caught:
        kind(id_)
    assert (caught.value.rule, caught.value.value) == ("selection", id_)
    assert str(caught.value).isascii()


def test_formats_and_clocks_are_whole_values() -> None:
    """Program, parameter and extension of a format belong together."""
    assert [(item.parameter, item.program, item.suffix) for item in FileFormat] == [
        ("CSV", "getSQMDCsvForDownload.jsp", ".csv"),
        ("MDEF", "getMDEF.jsp", ".dat"),
    ]
    assert [item.value for item in TimeType] == ["PST", "DST"]
