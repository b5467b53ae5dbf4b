"""``--ids-from``: a file or stdin, as editors, spreadsheets and other systems write them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from aiomar import ConfigError, Group, LimitError, Meter
from aiomar.cli._download import how_to_go_on
from aiomar.cli._ids import parse_ids, read_ids


def give(monkeypatch: pytest.MonkeyPatch, content: bytes, source: str) -> str:
    """Let stdin, or a file, have this content; gives what the option would name."""
    if source == "-":
        # What stdin is where the locale is that of a bare cron job.
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
    else:
        Path(source).write_bytes(content)
    return source


def test_ids_from_lines() -> None:
    """A meter is meant unless a group is named; blank lines and comments are passed over."""
    lines = ["\ufeff1001\n", "\n", "# a comment\n", "group:7\r\n", "meter: 1002 \n", "  1003  \n", "plant:4\n"]
    expected = [Meter("1001"), Group("7"), Meter("1002"), Meter("1003"), Meter("plant:4")]
    assert list(parse_ids(lines, "ids.txt")) == expected


def test_a_bad_line_is_named() -> None:
    """The error says where the bad id is."""
    with pytest.raises(LimitError, match=r"line 2 of ids\.txt"):
        list(parse_ids(["1\n", "group:\n"], "ids.txt"))


@pytest.mark.parametrize("source", ["-", "ids.txt"])
@pytest.mark.parametrize(
    "content", [b"1001\r\ngroup:7\r\n", b"\xef\xbb\xbf1001\ngroup:7", b"1001\rgroup:7\r", b"\n# x\n1001\ngroup: 7\n\n"]
)
def test_ids_as_others_write_them(source: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line ends of Windows and of old Macs, a byte order mark, no line end at the end, blank lines and comments."""
    assert read_ids(give(monkeypatch, content, source)) == [Meter("1001"), Group("7")]


@pytest.mark.parametrize("source", ["-", "ids.txt"])
def test_ids_are_utf_8_whatever_the_locale_is(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list means the same at a terminal and in a cron job."""
    assert read_ids(give(monkeypatch, "Z\u00e4hler\n".encode(), source)) == [Meter("Z\u00e4hler")]


@pytest.mark.parametrize("source", ["-", "ids.txt"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no id: one a line is expected"),
        (b"\xef\xbb\xbf\r\n# none\r\n", "has no id: one a line is expected"),
        ("1001\n".encode("utf-16"), "is not UTF-8 text"),
        ("Z\u00e4hler\n".encode("latin-1"), "is not UTF-8 text"),
        (b"\x00\x01\x02\n", "line 1 of "),
        (b"1001\n" + b"7" * 2_000_000, "line 2 of "),
    ],
    ids=["empty", "nothing but comments", "UTF-16", "Latin-1", "binary", "one long line"],
)
def test_what_is_no_list_of_ids(source: str, content: bytes, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a mistake in the options, told in one short sentence that names where the ids were to come from."""
    with pytest.raises((ConfigError, LimitError), match=said) as caught:
        read_ids(give(monkeypatch, content, source))
    assert ("stdin" if source == "-" else "ids.txt") in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("source", ["nowhere.txt", "", "a\0b"])
def test_a_file_that_cannot_be_read(source: str) -> None:
    """The error says which and why."""
    with pytest.raises(ConfigError, match=r"--ids-from: .* cannot be read"):
        read_ids(source)


def test_stdin_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a job that was started without one."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ConfigError, match="stdin cannot be read"):
        read_ids("-")


def test_how_an_interrupted_download_goes_on() -> None:
    """The same command does, unless it begins anew each time or its ids are gone with the pipe."""
    assert how_to_go_on(None, fresh=False) == "run the same command again to go on"
    assert "with the same ids" in how_to_go_on("-", fresh=False)
    assert "without --fresh" in how_to_go_on("ids.txt", fresh=True)
