"""Where data files come from, and what is there instead of one."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from aiomar import DiskError, FormatError, OmarError, UsageError
from aiomar.formats import MdefTrailer, Source, check_mdef, read_csv_lines, read_csv_rows, read_mdef, read_mdef_trailer
from tests.support.mdef import RECORD, Channel, day, meter, whole

MDEF = whole(meter(b"1001", Channel(slots=day())))
CSV = b"a,b\r\n1,2\r\n"
READERS: list[tuple[Callable[[Source], Iterable[object]], bytes]] = [
    (read_mdef, MDEF),
    (read_csv_rows, CSV),
    (read_csv_lines, CSV),
]
both = pytest.mark.parametrize(("read", "content"), READERS, ids=["mdef", "rows", "lines"])


def _trailer(source: Source) -> list[MdefTrailer]:
    return [read_mdef_trailer(source)]


each = pytest.mark.parametrize(
    ("read", "content"),
    [*READERS, (check_mdef, MDEF[:-1]), (_trailer, MDEF)],
    ids=["mdef", "rows", "lines", "check", "trailer"],
)
"""With those that look into a file otherwise; a good file has no findings, so the check's is cut."""


def _error(read: Callable[[Source], Iterable[object]], source: Source) -> OmarError:
    with pytest.raises(OmarError) as caught:
        list(read(source))
    return caught.value


@each
def test_path_bytes_and_file_are_the_same(
    read: Callable[[Source], Iterable[object]], content: bytes, tmp_path: Path
) -> None:
    """A path as text too; a file is read from where it stands, and stays open."""
    path = tmp_path / "x.dat"
    path.write_bytes(content)
    expected = list(read(content))
    assert expected
    assert list(read(path)) == list(read(str(path))) == expected
    with path.open("rb") as file:
        assert list(read(file)) == expected
        assert not file.closed
    buffer = io.BytesIO(b"before" + content)
    buffer.seek(6)
    assert list(read(buffer)) == expected


@each
def test_what_is_no_file_is_a_format_error(
    read: Callable[[Source], Iterable[object]], content: bytes, tmp_path: Path
) -> None:
    """A directory, a loop of links, a pipe, nothing at all, and a name that cannot be: each names the path."""
    loop = tmp_path / "loop.dat"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe.dat"
    os.mkfifo(pipe)
    for path in (tmp_path, loop, pipe, tmp_path / "missing.dat", tmp_path / "a\0b.dat"):
        error = _error(read, path)
        assert isinstance(error, FormatError)
        assert error.where == str(path)
        assert str(error).startswith(str(path))


@each
def test_why_a_file_cannot_be_opened_is_said_in_words(
    read: Callable[[Source], Iterable[object]], content: bytes, tmp_path: Path
) -> None:
    """With the name of the error in brackets; an empty path can be seen, and a long one does not fill the screen."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_bytes(content)
    for path, words in (
        (tmp_path / "missing", "cannot be opened, as there is no such file (ENOENT): check the path"),
        (tmp_path / "file" / "x", "cannot be opened, as there is no such file (ENOTDIR): check the path"),
        (tmp_path / "loop", "cannot be opened, as its links lead in a circle (ELOOP): "),
        (tmp_path, "is a directory: give a data file"),
        ("", "'' cannot be opened, as there is no such file (ENOENT): "),
        ("x" * 5_000, f"{'x' * 200}… cannot be opened, as its name is too long (ENAMETOOLONG): "),
    ):
        error = _error(read, path)
        assert isinstance(error, FormatError)
        assert words in str(error)
        assert len(error.where) < 300


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_without_rights_is_said_to_be_one(tmp_path: Path) -> None:
    """Its rights are what is to be mended."""
    path = tmp_path / "x.dat"
    path.touch(0o000)
    with pytest.raises(FormatError, match=r"its rights do not allow it \(EACCES\): change them"):
        list(read_mdef(path))


@each
def test_whatever_holds_bytes_is_read_like_bytes(read: Callable[[Source], Iterable[object]], content: bytes) -> None:
    """A byte array, and a view of any memory, also one with a step."""
    spread = bytes(2 * len(content))
    twice = bytearray(spread)
    twice[::2] = content
    expected = list(read(content))
    assert list(read(bytearray(content))) == list(read(memoryview(content))) == expected
    assert list(read(memoryview(twice)[::2])) == expected


@each
def test_a_file_in_text_mode_is_a_usage_error(
    read: Callable[[Source], Iterable[object]], content: bytes, tmp_path: Path
) -> None:
    """Whether its bytes are text or not."""
    for piece in (content, b"\xd8\x00\xff" * 300):
        (tmp_path / "x").write_bytes(piece)
        with (tmp_path / "x").open(encoding="utf-8") as file:
            error = _error(read, cast("BinaryIO", file))
            assert isinstance(error, UsageError)
            assert "open it with 'rb'" in str(error)


def _sparse(directory: Path, first: bytes, size: int) -> Path:
    """Make a file of zeros behind its first bytes, which takes no room on the disk."""
    path = directory / "sparse.dat"
    with path.open("wb") as file:
        file.write(first)
        try:
            file.truncate(size)
        except OSError as error:
            pytest.skip(f"this file system has no sparse files: {error}")
    return path


@both
def test_two_sparse_gigabytes_are_refused_at_once(
    read: Callable[[Source], Iterable[object]], content: bytes, tmp_path: Path
) -> None:
    """The first of its records or lines is none."""
    path = _sparse(tmp_path, b"", 2 << 30)
    error = _error(read, path)
    assert isinstance(error, FormatError)
    assert str(path) in error.where


def test_two_sparse_gigabytes_are_checked_at_once(tmp_path: Path) -> None:
    """Zeros are no MDEF; behind a good record they are a thousand findings, and nobody reads on."""
    path = _sparse(tmp_path, b"", 2 << 30)
    assert [(finding.gate, finding.record) for finding in check_mdef(path)] == [("not_mdef", 1)]
    records = (2 << 30) // RECORD
    path = _sparse(tmp_path, MDEF[:RECORD], records * RECORD)
    findings = check_mdef(path)
    assert {finding.gate for finding in findings[:-1]} == {"length"}
    assert (len(findings), findings[-1].gate) == (1_001, "too_many")
    error = _error(_trailer, path)
    assert isinstance(error, FormatError)
    assert error.where == f"{path}, record {records}, byte {(records - 1) * RECORD}"


@both
def test_a_page_saved_as_data_is_named_one(
    read: Callable[[Source], Iterable[object]], content: bytes, tmp_path: Path
) -> None:
    """What a browser would show is neither MDEF nor CSV, whatever its name is."""
    path = tmp_path / "x.dat"
    path.write_bytes(b"\r\n <HTML><BODY>No data, sorry</BODY></HTML>\r\n")
    assert "page" in str(_error(read, path))


class _Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:  # noqa: ARG002 - the signature of a file
        return offset

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002 - the same
        raise OSError(errno.EIO, "input/output error")


@each
def test_a_disk_that_refuses_is_a_disk_error(read: Callable[[Source], Iterable[object]], content: bytes) -> None:
    """With the number of the operating system's error."""
    error = _error(read, cast("BinaryIO", _Broken()))
    assert isinstance(error, DiskError)
    assert error.errno == errno.EIO


@each
@pytest.mark.parametrize("source", [io.StringIO("a,b"), 7, None, ["x.dat"]], ids=["text", "number", "none", "list"])
def test_what_cannot_be_read_is_a_usage_error(
    read: Callable[[Source], Iterable[object]], content: bytes, source: object
) -> None:
    """A file in text mode, or no file at all."""
    error = _error(read, cast("Source", source))
    assert isinstance(error, UsageError)


@each
def test_a_file_that_cannot_be_read_from_is_a_usage_error(
    read: Callable[[Source], Iterable[object]], content: bytes, tmp_path: Path
) -> None:
    """It is closed, or open for writing only: a mistake of the caller and not of the disk."""
    closed = io.BytesIO(content)
    closed.close()
    with (tmp_path / "x.dat").open("wb") as writing, (tmp_path / "y.dat").open("wb", buffering=0) as raw:
        for source in (closed, writing, cast("BinaryIO", raw)):
            assert isinstance(_error(read, source), UsageError)


def test_a_name_for_messages() -> None:
    """What to call the source is the caller's to say; a file has its own name."""
    with pytest.raises(FormatError, match="of yesterday's file"):
        list(read_mdef(b"", name="yesterday's file"))
    with pytest.raises(FormatError, match="of the file"):
        list(read_csv_rows(io.BytesIO(b"")))
