"""The trailer alone: what it says, without a look at the rest."""

from __future__ import annotations

import errno
import io
import pickle
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from aiomar import DiskError, FormatError, UsageError
from aiomar.formats import MdefTrailer, read_mdef, read_mdef_trailer
from tests.support.mdef import RECORD, Channel, day, meter, record, trailer, whole

CONTENT = whole(meter(b"1001", Channel(slots=day())))


def test_it_says_how_many_records_and_when() -> None:
    """The stamp stands as it is, and the record is there for what has no name."""
    found = read_mdef_trailer(CONTENT)
    assert found == MdefTrailer(records=7, created_stamp="202602010600", record=trailer(7))
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own bytes


def test_what_it_says_need_not_be_so() -> None:
    """Neither its number nor the rest of the file is looked at; a number that is none is `None`."""
    assert read_mdef_trailer(bytes(RECORD) + trailer(1_000_000)).records == 1_000_000
    found = read_mdef_trailer(record(9999, (34, b"many"), (204, b"\xe9")))
    assert (found.records, found.created_stamp) == (None, "\xe9".ljust(12))


@pytest.mark.parametrize(
    ("content", "words", "place"),
    [
        (b"", "the file is empty", 1),
        (b"<html>", "a page and not MDEF", 1),
        (b"METER,CHANNEL\n" * 40, "it is no MDEF", 1),
        (b"none", "it is no MDEF", 1),
        (CONTENT[:6], "its last 6 bytes are not a whole record", 1),
        (CONTENT[:-215], "its last byte is not a whole record", 7),
        (CONTENT[:-1], "its last 215 bytes are not a whole record", 7),
        (CONTENT[:-RECORD], "the last record is no trailer", 6),
        (bytes(RECORD), "it is no MDEF", 1),
    ],
)
def test_what_is_no_trailer_is_a_format_error(content: bytes, words: str, place: int, tmp_path: Path) -> None:
    """With its place, of bytes, a path and a file."""
    path = tmp_path / "x.dat"
    path.write_bytes(content)
    with path.open("rb") as file:
        for source in (content, path, file):
            with pytest.raises(FormatError, match=words) as caught:
                read_mdef_trailer(source, name="x")
            assert caught.value.where == f"x, record {place}, byte {(place - 1) * RECORD}"


def test_a_file_is_left_where_it_stands() -> None:
    """So that it can be read from there; what stands before does not count."""
    file = io.BytesIO(b"before" + CONTENT)
    file.seek(6)
    assert read_mdef_trailer(file).records == 7
    assert file.tell() == 6
    assert list(read_mdef(file)) == list(read_mdef(CONTENT))
    assert file.seek(0, io.SEEK_END) == len(CONTENT) + 6
    with pytest.raises(FormatError, match="empty"):
        read_mdef_trailer(file)


class _Stream(io.RawIOBase):
    def readable(self) -> bool:
        return True


class _Broken(_Stream):
    def tell(self) -> int:
        raise OSError(errno.EIO, "input/output error")


class _OnlyRead:
    def read(self, size: int) -> bytes:
        return CONTENT[:size]


@pytest.mark.parametrize("source", [_Stream(), _OnlyRead()])
def test_a_stream_has_no_end_to_go_to(source: object) -> None:
    """That is a mistake of the caller, who is told what can be given."""
    with pytest.raises(UsageError, match="seekable"):
        read_mdef_trailer(cast("BinaryIO", source))


def test_a_disk_that_refuses_is_a_disk_error() -> None:
    """With the number of the operating system's error."""
    with pytest.raises(DiskError) as caught:
        read_mdef_trailer(cast("BinaryIO", _Broken()))
    assert caught.value.errno == errno.EIO
