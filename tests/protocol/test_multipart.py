"""One file as multipart/form-data: byte for byte, and read back by three readers that nobody here wrote."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st

from aiomar.protocol import PRODUCTION, UploadLimits, build_upload
from aiomar.protocol._multipart import encode_file

NAMES = [
    "test5.csv",
    "my meter  data.csv",
    " a.csv",
    "a&b <c> %20 d's.csv",
    "a;b=c,d.csv",
    "~!@#$^*()[]{}|?+.dat",
    "%41.csv",
]
CONTENTS = [b"1,2\r\n", b"\r\n", b"--\r\n----\r\n", b"\n--", b"\x00\xff\xfe" * 100, bytes(range(256)), b"\r\n--x--\r\n"]


def _by_email(content_type: str, body: bytes) -> list[tuple[str | None, str | None, bytes]]:
    """Read with the mail parser of the standard library."""
    message = email.message_from_bytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP
    )
    assert not message.defects
    parts: list[tuple[str | None, str | None, bytes]] = []
    for part in message.iter_parts():
        assert not part.defects
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name, filename = (part.get_param(key, header="content-disposition") for key in ("name", "filename"))
        parts.append((str(name), str(filename), content))
    return parts


def _by_grammar(content_type: str, body: bytes) -> list[tuple[str | None, str | None, bytes]]:
    """Read by the grammar of RFC 2046; as browsers wrote it, everything between the quotes is the name."""
    boundary = content_type.partition("boundary=")[2].encode()
    assert 0 < len(boundary) <= 70
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert first == b""
    assert parts.pop() == b"--\r\n"
    found: list[tuple[str | None, str | None, bytes]] = []
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        named = re.search(rb'; name="([^"]*)"; filename="([^"]*)"', head)
        assert named is not None
        found.append((named[1].decode(), named[2].decode(), content))
    return found


async def _by_aiohttp(content_type: str, body: bytes) -> list[tuple[str | None, str | None, bytes]]:
    """Read with aiohttp's server side."""
    stream = aiohttp.StreamReader(BaseProtocol(asyncio.get_running_loop()), 2**16)
    stream.feed_data(body)
    stream.feed_eof()
    reader = aiohttp.MultipartReader({"Content-Type": content_type}, stream)
    parts = []
    while (part := await reader.next()) is not None:
        assert isinstance(part, aiohttp.BodyPartReader)
        parts.append((part.name, part.filename, bytes(await part.read())))
    return parts


@pytest.mark.clause("SUB 3.2.1", "SUB 3.2.2")
def test_the_bytes() -> None:
    """One part, the field `datafile`, the name as it is, the content as it is."""
    content_type, body = encode_file("my test5.csv", b"1,2\r\n3,4\r\n")
    boundary = content_type.removeprefix("multipart/form-data; boundary=")
    assert re.fullmatch(r"[A-Za-z0-9-]{1,70}", boundary)
    assert body == (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="datafile"; filename="my test5.csv"\r\n'
        "Content-Type: application/octet-stream\r\n"
        "\r\n"
        "1,2\r\n3,4\r\n"
        f"\r\n--{boundary}--\r\n"
    ).encode("ascii")


@pytest.mark.clause("SUB 3.2.1", "SUB 3.2.2")
@pytest.mark.parametrize("read", [_by_email, _by_grammar])
@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_unchanged(
    name: str, read: Callable[[str, bytes], list[tuple[str | None, str | None, bytes]]]
) -> None:
    """Blanks, & < % ' and the like are sent exactly as they are."""
    UploadLimits().check_name(name)
    assert read(*encode_file(name, b"x")) == [("datafile", name, b"x")]


@pytest.mark.clause("SUB 3.2.1")
@pytest.mark.parametrize("content", CONTENTS)
async def test_aiohttp_reads_the_same(content: bytes) -> None:
    """A server by aiohttp finds the field, the name with its blanks, and every byte."""
    assert await _by_aiohttp(*encode_file("my meter data.csv", content)) == [("datafile", "my meter data.csv", content)]


@pytest.mark.clause("SUB 3.2.1")
@given(st.one_of(st.binary(), st.lists(st.sampled_from([b"\r\n", b"--", b"----aiomar", b"a"])).map(b"".join)))
def test_any_content_comes_back_unchanged(content: bytes) -> None:
    """No content can end its own part; the same content always gives the same bytes."""
    assert _by_grammar(*encode_file("a.csv", content)) == [("datafile", "a.csv", content)]
    assert encode_file("a.csv", content) == encode_file("a.csv", content)


def test_the_delimiter_is_not_in_the_content() -> None:
    """A file that holds the delimiter it would get, such as a captured request, gets another one."""
    content = b"1,2\r\n"
    for _ in range(3):
        _, content = encode_file("a.csv", content)
        (part,) = _by_grammar(*encode_file("a.csv", content))
        assert part == ("datafile", "a.csv", content)


@pytest.mark.fault(77)
@pytest.mark.clause("SUB 3.2.2")
def test_a_name_of_40_characters_is_40_characters_on_the_wire() -> None:
    """The name is counted as it is sent."""
    name = "a " * 18 + ".csv"
    UploadLimits().check_name(name)
    assert len(name) == 40
    assert f'filename="{name}"'.encode() in build_upload(PRODUCTION, name, b"x").body
