"""What stands around every command: errors as one line and a code, whatever happens inside."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aiomar import LimitError, UnexpectedPageError, UploadStarted, UploadStopped
from aiomar.cli import main
from aiomar.cli._frame import carry_out
from aiomar.cli._options import Display
from aiomar.cli._output import Output, told
from tests.cli.test_processes import AIOMAR


async def stumble(out: Output) -> int:
    """End in a way that nobody foresaw."""
    out.summary["files"] = 3
    raise ZeroDivisionError("a secret")


async def leave(out: Output) -> int:
    """End as if interrupted."""
    raise asyncio.CancelledError


async def warn(out: Output) -> int:
    """Log as the library does."""
    logging.getLogger("aiomar.transport").warning("the server is old")
    logging.getLogger("aiomar.transport").debug("a detail")
    return 0


def test_the_unexpected(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and one line without the error's own text; the summary keeps what was known."""
    assert carry_out("x", Display(json=True), stumble) == 1
    out, err = capsys.readouterr()
    assert err == "aiomar: error: unexpected ZeroDivisionError: run it again with --verbose and report what it shows\n"
    assert json.loads(out) == {
        "event": "summary",
        "command": "x",
        "exit_code": 1,
        "files": 3,
        "error": {"type": "ZeroDivisionError", "message": "unexpected ZeroDivisionError"},
    }


def test_the_unexpected_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """With --verbose there is a traceback to report."""
    assert carry_out("x", Display(verbose=True), stumble) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130 and one line that says how to go on."""
    assert carry_out("x", Display(), leave) == 130
    assert capsys.readouterr() == ("", "aiomar: interrupted: run the same command again to go on\n")


@pytest.mark.parametrize(("in_doubt", "shown"), [(True, "'a.csv' was being sent"), (False, "run the same command")])
def test_an_interrupted_upload(capsys: pytest.CaptureFixture[str], *, in_doubt: bool, shown: str) -> None:
    """A file is named only if the server may have taken it."""
    out = Output("upload", Display())
    out.observe(UploadStarted(Path("a.csv"), "a.csv", 7))
    out.observe(UploadStopped(Path("a.csv"), in_doubt, None))
    out.interrupted()
    assert capsys.readouterr().err.startswith(f"aiomar: interrupted: {shown}")


def test_a_mistake_before_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    """What `prepare` raises has its code as well, and a line break in a text makes no second line."""

    def prepare(out: Output) -> None:
        raise LimitError("no\nsuch day", rule="range", value=0, limit=1)

    assert carry_out("x", Display(), prepare) == 2  # type: ignore[arg-type] # it never returns
    assert capsys.readouterr().err == "aiomar: error: no such day\n"


@pytest.mark.parametrize(
    ("display", "shown"),
    [
        (Display(), "aiomar: warning: the server is old\n"),
        (Display(quiet=True), ""),
        (Display(verbose=True), "aiomar: warning: the server is old\naiomar: debug: a detail\n"),
    ],
)
def test_what_the_library_logs(capsys: pytest.CaptureFixture[str], display: Display, shown: str) -> None:
    """Warnings are shown, with --verbose everything; afterwards logging is as it was."""
    log = logging.getLogger("aiomar")
    before = (log.level, list(log.handlers))
    assert carry_out("x", display, warn) == 0
    told = [line for line in capsys.readouterr().err.splitlines(keepends=True) if "event loop" not in line]
    assert "".join(told) == shown
    assert (log.level, list(log.handlers)) == before


@pytest.mark.parametrize("installed", [True, False])
def test_the_loop_is_of_uvloop_where_that_is_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, installed: bool
) -> None:
    """Without it the loop is asyncio's own; --verbose tells which one it is."""
    if installed:
        pytest.importorskip("uvloop")
    else:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    handler = signal.getsignal(signal.SIGTERM)
    assert carry_out("x", Display(verbose=True), warn) == 0
    assert f"event loop: {'uvloop' if installed else 'asyncio'}." in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == handler


class Full(io.StringIO):
    """A stream on a disk without room."""

    def write(self, _text: str) -> int:
        """Refuse."""
        raise OSError(errno.ENOSPC, "no space")


async def tell(out: Output) -> int:
    """Give a result both ways."""
    out.line("a result")
    out.record({"event": "result"})
    out.line("and another one")
    out.say("done")
    return 8


@pytest.mark.parametrize("json_wanted", [True, False])
def test_results_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, json_wanted: bool
) -> None:
    """The work goes on, and ends with one line; a code that says what became of it stays."""
    monkeypatch.setattr("sys.stdout", Full())
    assert carry_out("x", Display(json=json_wanted), tell) == 8
    line = "aiomar: error: standard output cannot be written (ENOSPC): make room, or send it elsewhere"
    assert capsys.readouterr().err.splitlines() == ["done", line]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["report", "--help"],
        ["inspect", "a.csv", "--json", "--quiet"],
        ["inspect", "a.csv", "--quiet"],
    ],
)
def test_a_full_disk_behind_stdout(words: list[str]) -> None:
    """Nothing is left for Python to complain about when it ends: one line, exit code 1."""
    Path("a.csv").write_bytes(b"a,b\n")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*AIOMAR, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "aiomar: error: standard output cannot be written (ENOSPC): make room, or send it elsewhere\n"


def test_a_page_in_words_for_people() -> None:
    """What it says comes with the error; nobody at a shell is told to look at an attribute."""
    error = UnexpectedPageError("a page came: check the id", title="", excerpt="Busy")
    assert told(error) == "a page came: check the id (it begins: Busy)"
    sources = (Path(__file__).parents[2] / "aiomar").rglob("*.py")
    assert [path for path in sources if "look at ." in path.read_text(encoding="utf-8")] == []


def test_ids_from_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A single dash reads them from a pipe, and a bad one is named by its line."""
    monkeypatch.setattr("sys.stdin", io.StringIO("1001\ngroup:\n"))
    words = ["--from", "today", "--to", "today", "--format", "csv", "--time", "pst", "--into", "d"]
    assert main(["download", "--ids-from", "-", *words]) == 2
    assert "line 2 of stdin" in capsys.readouterr().err
