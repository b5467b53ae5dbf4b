"""One download to a file: what is asked, what is saved, and that nothing is saved when anything went wrong."""
# ruff: noqa: FBT001, PLR0917 - pytest gives parameters and fixtures by name

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import stat
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ConfigError,
    DestinationError,
    EmptyBodyError,
    FileFormat,
    Group,
    LimitError,
    Meter,
    OmarClient,
    OmarConfig,
    ResponseError,
    ResponseTooLargeError,
    StatusError,
    TimeType,
    TransportError,
    TruncatedBodyError,
    UnexpectedPageError,
)
from aiomar.testing import CutBody, Disconnect, Fault, Framing, OmarServer, Page, Reset, Stall, Status
from aiomar.testing._wire import FramingKind
from tests.client.helpers import CSV, DAY, METER, UNKNOWN, data, fetch, on_disk, once, raw, sent, untouched

FRAMINGS: tuple[FramingKind, ...] = ("length", "chunked", "close")


@pytest.mark.clause("DL 3.1", "DL 3.2", "DL 3.3")
@pytest.mark.parametrize(
    ("selection", "file_format", "time_type", "name", "target"),
    [
        (
            Meter("1001"),
            FileFormat.CSV,
            TimeType.PST,
            "meter-1001_20260101_20260131_pst.csv",
            (
                "/getSQMDCsvForDownload.jsp?requestedFormat=download&datasourceType=SQMD&groupOrMeter=meter"
                "&selectedMeters=1001&startDate=01%2F01%2F2026&endDate=01%2F31%2F2026&timeType=PST&fileFormat=CSV&group="
            ),
        ),
        (
            Group("123"),
            FileFormat.MDEF,
            TimeType.DST,
            "group-123_20260101_20260131_dst.dat",
            (
                "/getMDEF.jsp?requestedFormat=download&datasourceType=SQMD&groupOrMeter=group"
                "&selectedMeters=123&startDate=01%2F01%2F2026&endDate=01%2F31%2F2026&timeType=DST&fileFormat=MDEF&group=123"
            ),
        ),
    ],
)
async def test_a_file_is_asked_for_and_saved(
    selection: Meter | Group,
    file_format: FileFormat,
    time_type: TimeType,
    name: str,
    target: str,
    omar_server: OmarServer,
    omar_client: OmarClient,
    tmp_path: Path,
) -> None:
    """The documents' request goes out byte for byte, and the answer is on disk with every fact about it."""
    end = dt.date(2026, 1, 31)
    before = dt.datetime.now(dt.UTC)
    saved = await omar_client.download(
        selection, DAY, end, file_format=file_format, time_type=time_type, into=tmp_path / "data"
    )
    content = omar_server.data(selection, DAY, end, file_format=file_format, time_type=time_type)
    assert omar_server.requests[-1].target == target
    assert omar_server.requests[-1].method == "GET"
    assert on_disk(tmp_path) == {f"data/{name}": content}
    assert (saved.path, saved.size) == (tmp_path / "data" / name, len(content))
    assert saved.sha256 == hashlib.sha256(content).hexdigest()
    assert (saved.selection, saved.start, saved.end) == (selection, DAY, end)
    assert (saved.file_format, saved.time_type) == (file_format, time_type)
    assert (saved.completeness, saved.reused) == ("length", False)
    assert before <= saved.fetched_at <= dt.datetime.now(dt.UTC)
    assert stat.S_IMODE(saved.path.stat().st_mode) == 0o600


@pytest.mark.fault(77)
@pytest.mark.parametrize(
    ("identifier", "wire", "name"),
    [
        ("a b", "a%20b", "a%20b"),
        ("../x", "..%2Fx", "..%2Fx"),
        ("é&=+%", "%C3%A9%26%3D%2B%25", "%C3%A9%26%3D%2B%25"),
        ("A-z_0.9~", "A-z_0.9~", "A-z_0.9%7E"),
    ],
)
async def test_any_id_is_safe_on_the_wire_and_on_the_disk(
    identifier: str, wire: str, name: str, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """An id is percent-encoded as UTF-8 in the request, and outside ``A-Za-z0-9._-`` in the file name."""
    omar_server.script(Page(CSV))
    saved = await fetch(omar_client, tmp_path, Group(identifier))
    assert f"&selectedMeters={wire}&" in omar_server.requests[-1].target
    assert omar_server.requests[-1].target.endswith(f"&group={wire}")
    assert on_disk(tmp_path) == {f"group-{name}_20260101_20260101_pst.csv": CSV}
    assert saved.path.parent == tmp_path


@pytest.mark.fault(77)
@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "/tmp/x", "\x7f", "\x85"])  # noqa: S108 - is refused
async def test_a_name_is_one_plain_component(
    name: str, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A name that is empty, a way to elsewhere or holds a control character is refused before anything is sent."""
    with untouched(tmp_path), pytest.raises(LimitError) as caught:
        await fetch(omar_client, tmp_path, name=name)
    assert caught.value.rule == "name_characters"
    assert not omar_server.requests


async def test_a_name_replaces_the_derived_one(
    omar_client: OmarClient, omar_server: OmarServer, tmp_path: Path
) -> None:
    """A name may be anything else, blanks, quotes and letters of other scripts included."""
    saved = await fetch(omar_client, tmp_path, name="Zähler 1: 'heute'.txt")
    assert on_disk(tmp_path) == {"Zähler 1: 'heute'.txt": data(omar_server)}
    assert saved.path.name == "Zähler 1: 'heute'.txt"


@pytest.mark.fault(68)
async def test_an_existing_file_is_kept_unless_told_otherwise(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Without ``overwrite`` nothing is sent; with it the file is replaced."""
    (tmp_path / "x.csv").write_bytes(b"old")
    with untouched(tmp_path), pytest.raises(DestinationError):
        await fetch(omar_client, tmp_path, name="x.csv")
    assert not omar_server.requests
    await fetch(omar_client, tmp_path, name="x.csv", overwrite=True)
    assert on_disk(tmp_path) == {"x.csv": data(omar_server)}


@pytest.mark.fault(67)
@pytest.mark.parametrize("case", ["parent missing", "a file", "below a file", "dangling link", "NUL", "name too long"])
async def test_a_destination_that_cannot_be_used(
    case: str, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Only the last component of ``into`` is made; what stands in the way is never removed, and nothing is sent."""
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    into, name = {
        "parent missing": (tmp_path / "a" / "b", None),
        "a file": (tmp_path / "file", None),
        "below a file": (tmp_path / "file" / "x", None),
        "dangling link": (tmp_path / "link", None),
        "NUL": (tmp_path / "a\0b", None),
        "name too long": (tmp_path, "x" * 300),
    }[case]
    with untouched(tmp_path), pytest.raises(DestinationError):
        await fetch(omar_client, into, name=name)
    assert not (tmp_path / "a").exists()
    assert not omar_server.requests


@pytest.mark.fault(70)
@pytest.mark.parametrize("target", ["file", "nowhere", "directory"])
async def test_what_is_no_file_at_the_final_path_stays(
    target: str, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A symbolic link or a directory under the final name is refused, also with ``overwrite``, and left alone."""
    (tmp_path / "file").write_bytes(b"mine")
    final = tmp_path / "x.csv"
    if target == "directory":
        final.mkdir()
    else:
        final.symlink_to(tmp_path / target)
    with untouched(tmp_path), pytest.raises(DestinationError):
        await fetch(omar_client, tmp_path, name="x.csv", overwrite=True)
    assert final.is_symlink() is (target != "directory")
    assert not omar_server.requests


@pytest.mark.fault(69)
async def test_one_path_takes_one_download_at_a_time(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A second download to the same final path is refused, also by another client and another way to the directory."""
    (tmp_path / "data").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "data")
    async with OmarClient(omar_config) as one, OmarClient(omar_config) as two:
        calls = [
            fetch(client, tmp_path / way, name="x.csv", overwrite=True)
            for client, way in ((one, "data"), (one, "data/../data"), (one, "way"), (two, "data"), (two, "way"))
        ]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome).__name__ for outcome in outcomes].count("SavedFile") == 1
        assert [type(outcome) for outcome in outcomes].count(DestinationError) == 4
        assert on_disk(tmp_path / "data") == {"x.csv": data(omar_server)}
        await fetch(two, tmp_path / "data", name="x.csv", overwrite=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"file_format": "CSV", "time_type": TimeType.PST},
        {"file_format": FileFormat.CSV, "time_type": "PST"},
    ],
    ids=["format", "clock"],
)
async def test_format_and_clock_are_never_guessed(
    arguments: dict[str, object], omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Text in the place of a format or a clock is a `ConfigError` before anything is sent."""
    with pytest.raises(ConfigError):
        await omar_client.download(METER, DAY, DAY, into=tmp_path, **arguments)  # type: ignore[arg-type] # on purpose
    assert not omar_server.requests


@pytest.mark.fault(77)
async def test_wrong_selections_and_ranges(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """What is no selection, and an end before its start, is a `LimitError` with its rule."""
    with pytest.raises(LimitError) as caught:
        await fetch(omar_client, tmp_path, "1001")  # type: ignore[arg-type] # on purpose
    assert caught.value.rule == "selection"
    with pytest.raises(LimitError) as caught:
        await omar_client.download(
            METER,
            DAY,
            DAY - dt.timedelta(days=1),
            file_format=FileFormat.CSV,
            time_type=TimeType.PST,
            into=tmp_path,
        )
    assert caught.value.rule == "range"
    assert not omar_server.requests


@pytest.mark.fault(35)
@pytest.mark.parametrize("into", ["data", "new"])
@pytest.mark.parametrize(
    ("page", "content_type"),
    [
        (b"<html><body>Down for maintenance</body></html>", "text/html"),
        (b"\xef\xbb\xbf \r\n\t<!DOCTYPE html><p>Sorry", "application/octet-stream"),
        (b" " * 400_000 + b"<?xml version='1.0'?><error/>", "text/csv"),
        (b"\r\n\r\n<B>java.lang.NullPointerException", "application/x-mdef"),
    ],
    ids=["html", "mark and doctype", "far behind blanks", "trace"],
)
async def test_a_page_is_never_saved(
    page: bytes, content_type: str, into: str, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A body that begins like markup is a page, whatever its type and whatever stands before it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_bytes(b"old")
    omar_server.script(Page(page, content_type=content_type, times=2))
    with untouched(tmp_path), pytest.raises(UnexpectedPageError):
        await fetch(omar_client, tmp_path / into, name="x.csv", overwrite=True)
    omar_server.clear()  # a page that is found after very many blanks is asked for once


@pytest.mark.parametrize("body", [b"<5,3\r\n", b"< html>\r\n", b"a<html>", b"hello", b"\0", b"  \r\n", b"<"])
async def test_anything_else_that_is_framed_is_saved(
    body: bytes, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A body with a length is complete by its framing and is saved whatever it holds, also as ``text/html``."""
    omar_server.script(Page(body, content_type="text/html"))
    saved = await fetch(omar_client, tmp_path)
    assert saved.path.read_bytes() == body
    assert saved.completeness == "length"


@pytest.mark.fault(46)
@pytest.mark.parametrize("headers", [["Content-Length: 0"], ["Transfer-Encoding: chunked"], []], ids=repr)
async def test_an_empty_body_is_not_data(
    headers: list[str], omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """No bytes at all is an error in each framing, also with ``allow_unverified``."""
    body = b"0\r\n\r\n" if "Transfer-Encoding: chunked" in headers else b""
    omar_server.script(*[raw(body, *headers) for _ in range(2)])
    with untouched(tmp_path), pytest.raises(EmptyBodyError):
        await fetch(omar_client, tmp_path, allow_unverified=True)


@pytest.mark.fault(8)
@pytest.mark.parametrize("file_format", FileFormat)
@pytest.mark.parametrize(("framing", "proof"), [("length", "length"), ("chunked", "chunked"), ("close", "content")])
async def test_what_proves_a_body_whole(
    framing: FramingKind,
    proof: str,
    file_format: FileFormat,
    omar_server: OmarServer,
    omar_client: OmarClient,
    tmp_path: Path,
) -> None:
    """A length or chunks prove completeness; a body that ends with the connection needs its content for that."""
    omar_server.script(Framing(framing))
    saved = await fetch(omar_client, tmp_path, file_format=file_format)
    assert saved.completeness == proof
    assert saved.path.read_bytes() == data(omar_server, file_format=file_format)


@pytest.mark.fault(6, 7)
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_cut_that_shows_is_repeated(
    framing: FramingKind,
    reset: bool,
    omar_server: OmarServer,
    omar_client: OmarClient,
    tmp_path: Path,
) -> None:
    """A body that is shorter than its framing says is asked for again."""
    omar_server.script(CutBody(700, framing, reset=reset), CutBody(-1, framing, reset=reset))
    saved = await fetch(omar_client, tmp_path)
    assert on_disk(tmp_path) == {saved.path.name: data(omar_server)}
    assert sent(omar_server, "download") == 3


@pytest.mark.fault(6, 7)
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_that_is_cut_again_and_again(
    framing: FramingKind, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """After the last attempt the error says how much came of how much."""
    omar_server.script(CutBody(700, framing, times=3))
    with untouched(tmp_path), pytest.raises(TruncatedBodyError) as caught:
        await fetch(omar_client, tmp_path)
    assert caught.value.received == 700
    assert caught.value.expected == (len(data(omar_server)) if framing == "length" else None)


@pytest.mark.fault(8)
@pytest.mark.parametrize("after", [1, 216, 700, -1, -216, -217])
@pytest.mark.parametrize("file_format", FileFormat)
async def test_a_cut_that_only_the_content_shows(
    file_format: FileFormat, after: int, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A body cut with its connection is an error that says so, asked for once and not saved."""
    omar_server.script(CutBody(after, "close"))
    with untouched(tmp_path), pytest.raises(TruncatedBodyError, match="completeness cannot be proved") as caught:
        await fetch(omar_client, tmp_path, file_format=file_format)
    assert caught.value.expected is None
    assert sent(omar_server, "download") == 1


@pytest.mark.fault(8)
async def test_a_body_that_nothing_proves_whole(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Unknown content that ends with the connection is saved only where the caller allows that, and is marked."""
    omar_server.script(raw(b"hello world"), raw(b"hello world"))
    with untouched(tmp_path), pytest.raises(TruncatedBodyError):
        await fetch(omar_client, tmp_path)
    saved = await fetch(omar_client, tmp_path, allow_unverified=True)
    assert saved.completeness == "unverified"
    assert saved.path.read_bytes() == b"hello world"


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_allowing_unverified_changes_nothing_else(
    framing: FramingKind, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """What can be proved is proved, and a page stays a page."""
    omar_server.script(Framing(framing))
    saved = await fetch(omar_client, tmp_path, allow_unverified=True)
    assert saved.completeness == ("content" if framing == "close" else framing)
    omar_server.script(raw(b"<html>Sorry"), raw(b"<html>Sorry"))
    with untouched(tmp_path), pytest.raises(UnexpectedPageError):
        await fetch(omar_client, tmp_path, name="y.csv", allow_unverified=True)


@pytest.mark.fault(38)
@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_a_busy_server_is_asked_again(
    status: int, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Statuses that may pass are repeated up to the policy's attempts."""
    omar_server.script(Status(status, times=2))
    await fetch(omar_client, tmp_path, name="a.csv")
    omar_server.script(Status(status, times=3))
    with untouched(tmp_path), pytest.raises(StatusError) as caught:
        await fetch(omar_client, tmp_path, name="b.csv")
    assert caught.value.status == status
    assert sent(omar_server, "download") == 6


@pytest.mark.fault(36, 37, 47)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 203, 206, 418])
async def test_a_refusal_is_not_repeated(
    status: int, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Every other status than 200 is an error at once, also one with data in its body."""
    omar_server.script(Page(CSV, status))
    with untouched(tmp_path), pytest.raises(StatusError) as caught:
        await fetch(omar_client, tmp_path)
    assert caught.value.status == status
    assert sent(omar_server, "download") == 1


@pytest.mark.fault(47)
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_an_answer_without_a_body_is_an_error(
    status: str, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Nothing to read is not data."""
    omar_server.script(raw(b"", status=status))
    with untouched(tmp_path), pytest.raises(StatusError) as caught:
        await fetch(omar_client, tmp_path)
    assert caught.value.status == int(status[:3])


@pytest.mark.fault(4)
@pytest.mark.parametrize("fault", [Disconnect(times=2), Reset(times=2)], ids=repr)
async def test_a_lost_connection_is_made_again(
    fault: Fault, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A connection that ends before the answer costs an attempt and nothing else."""
    omar_server.script(fault)
    assert (await fetch(omar_client, tmp_path)).path.read_bytes() == data(omar_server)


@pytest.mark.fault(4)
@pytest.mark.parametrize("fault", [Disconnect(times=20), Reset(times=20)], ids=repr)
async def test_a_connection_that_is_lost_again_and_again(
    fault: Fault, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """After the last attempt it is a `TransportError`, and the final path is as it was."""
    omar_server.script(fault)
    with untouched(tmp_path), pytest.raises(TransportError):
        await fetch(omar_client, tmp_path)
    assert sent(omar_server, "download") <= 6
    omar_server.clear()


@pytest.mark.fault(41, 42)
@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n1,2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n1,2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n1,2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n1,2\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n1,2\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n1,2\r\n",
        b"HTTP/1.1 20x OK\r\nContent-Length: 5\r\n\r\n1,2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"",
    ],
    ids=lambda answer: repr(answer[:60]),
)
async def test_what_is_not_http_is_a_transport_error(
    answer: bytes, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A broken answer is never data, and never an exception from outside the tree."""
    omar_server.script(attrs.evolve(raw(b""), data=answer, times=10))
    async with OmarClient(once(omar_config)) as client:
        with untouched(tmp_path), pytest.raises(TransportError):
            await fetch(client, tmp_path)
    omar_server.clear()  # a transport may make a pooled connection anew by itself


@pytest.mark.fault(45)
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_body_that_is_too_large(
    framing: FramingKind, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A body beyond the client's limit is given up, whether it was announced or not, and not asked for again."""
    size = len(data(omar_server))
    omar_server.script(Framing(framing), Framing(framing))
    async with OmarClient(attrs.evolve(omar_config, max_download_bytes=size - 1)) as client:
        with untouched(tmp_path), pytest.raises(ResponseTooLargeError):
            await fetch(client, tmp_path)
    assert sent(omar_server, "download") == 1
    async with OmarClient(attrs.evolve(omar_config, max_download_bytes=size)) as client:
        await fetch(client, tmp_path)


@pytest.mark.fault(43, 44)
@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity, br", "x-unknown"])
async def test_an_encoded_answer_is_refused(
    coding: str, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A coding that was not asked for is neither decoded nor saved."""
    omar_server.script(raw(CSV, f"Content-Length: {len(CSV)}", f"Content-Encoding: {coding}"))
    with untouched(tmp_path), pytest.raises(ResponseError) as caught:
        await fetch(omar_client, tmp_path)
    assert type(caught.value) is ResponseError
    assert sent(omar_server, "download") == 1
    assert {record.header("Accept-Encoding") for record in omar_server.requests} == {"identity"}


@pytest.mark.fault(6, 7, 8, 37, 39, 46)
@pytest.mark.parametrize("old", [False, True], ids=["absent", "old file"])
@pytest.mark.parametrize(
    "fault",
    [
        Status(500),
        Status(404),
        CutBody(60_000),
        CutBody(60_000, "chunked"),
        CutBody(60_000, "close"),
        CutBody(10, reset=True),
        Page(""),
    ],
    ids=repr,
)
async def test_a_failure_leaves_everything_as_it_was(
    fault: Fault,
    old: bool,
    omar_server: OmarServer,
    omar_config: OmarConfig,
    tmp_path: Path,
) -> None:
    """After any outcome but success the final path is what it was before, and no part file is left."""
    if old:
        (tmp_path / "x.dat").write_bytes(b"old")
    omar_server.script(fault)
    async with OmarClient(once(omar_config)) as client:
        with untouched(tmp_path), pytest.raises((TransportError, ResponseError)):
            await client.download(
                Group("123"),
                DAY,
                DAY + dt.timedelta(days=89),
                file_format=FileFormat.MDEF,
                time_type=TimeType.PST,
                into=tmp_path,
                name="x.dat",
                overwrite=True,
            )


async def test_nothing_is_on_disk_while_the_body_comes(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """The final name appears with the last byte; until then an old file stays readable under it."""
    (tmp_path / "x.csv").write_bytes(b"old")
    omar_server.script(Stall(700))
    call = asyncio.create_task(fetch(omar_client, tmp_path, name="x.csv", overwrite=True))
    async with asyncio.timeout(10):
        while sent(omar_server, "download") == 0:  # noqa: ASYNC110 - the server's log has no events
            await asyncio.sleep(0)
    assert (tmp_path / "x.csv").read_bytes() == b"old"
    call.cancel()
    await asyncio.wait([call])
    assert on_disk(tmp_path) == {"x.csv": b"old"}


async def test_an_unknown_meter_says_what_the_server_said(omar_client: OmarClient, tmp_path: Path) -> None:
    """The page's own words reach the caller, escaped and bounded."""
    with pytest.raises(UnexpectedPageError) as caught:
        await fetch(omar_client, tmp_path, UNKNOWN)
    assert caught.value.title == "OMAR-Online: No data"
