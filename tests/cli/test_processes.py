"""The command line as a program of its own: signals, pipes, terminals, and the commands that `simulate` prints."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from aiomar.formats import CsvLayout
from aiomar.testing import CSV_LAYOUT, Authority, CutBody, Stall
from tests.cli.conftest import Place
from tests.support.answers import Taking

AIOMAR = (sys.executable, "-m", "aiomar")
_WITHOUT = "import sys; sys.modules['uvloop'] = None; from aiomar.cli import main; sys.exit(main())"
WITHOUT_UVLOOP = (sys.executable, "-c", _WITHOUT)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX ones here")


@contextmanager
def started(*words: str, program: Sequence[str] = AIOMAR) -> Iterator[subprocess.Popen[str]]:
    """Run a command beside the test."""
    pipe = subprocess.PIPE
    # A shell starts what it puts into the background with SIGINT ignored, and that is inherited: not by these.
    ours = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = subprocess.Popen([*program, *words], stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL, text=True)
    finally:
        signal.signal(signal.SIGINT, ours)
    with process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], beginning: str) -> list[str]:
    """Read a process's stdout up to a line."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(beginning):
            return lines
    pytest.fail(f"ended before {beginning!r}: {lines}")


@pytest.mark.parametrize("program", [AIOMAR, WITHOUT_UVLOOP], ids=["as installed", "without uvloop"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_download(place: Place, number: signal.Signals, program: tuple[str, ...]) -> None:
    """Exit code 130, one line that says how to go on, a summary, and no file; with either event loop."""
    place.server.script(Stall(after=1_000))
    words = ("--from", "2026-03-01", "--to", "2026-03-02", "--format", "csv", "--time", "pst", "--into", "data")
    with started("download", *place.options, "--meter", "1001", *words, "--json", program=program) as process:
        lines_until(process, '{"event": "logged_in"')
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "aiomar: interrupted: run the same command again to go on\n"
    summary = json.loads(out.splitlines()[-1])
    assert summary.items() >= {"event": "summary", "exit_code": 130, "interrupted": True}.items()
    assert [path.name for path in Path("data").iterdir() if path.name.endswith(".csv")] == []
    if not place.server.requests[-1].fault:  # interrupted so early that the fault was not met
        place.server.clear()


def test_an_interrupted_upload(place: Place) -> None:
    """What was being sent is named: it may have been taken."""
    arrived = threading.Event()
    place.server.script(Taking(tell=arrived.set, seconds=30.0))
    Path("a.csv").write_bytes(b"1\n")
    with started("upload", "a.csv", *place.options, "--verbose", "--json") as process:
        assert arrived.wait(20)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "aiomar: interrupted: 'a.csv' was being sent and may have been taken" in err


def test_a_reader_that_leaves_does_not_stop_the_work(place: Place) -> None:
    """As with ``| head -0``: the download goes on, quietly."""
    words = ("--from", "2026-03-01", "--to", "2026-03-02", "--format", "csv", "--time", "pst", "--into", "data")
    with started("download", *place.options, "--meter", "1001", "--meter", "1002", *words, "--quiet") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""
    assert len(list(Path("data").glob("*.csv"))) == 2


def test_what_simulate_prints_works() -> None:
    """Every command that it prints is true, curl's included; secrets are for their owner only; SIGINT ends it."""
    with started("simulate", "--dir", "simulated dir") as process:
        printed = lines_until(process, "curl ")
        commands = [line for line in printed[2:] if shutil.which("curl") or not line.startswith("curl")]
        script = "\n".join(["set -e", f'aiomar() {{ "{sys.executable}" -m aiomar "$@"; }}', *commands])
        ended = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "aiomar: interrupted: the server has stopped\n"
    files = {path.name: path.stat().st_mode & 0o777 for path in Path("simulated dir").iterdir()}
    assert files.pop("state") == 0o700
    del files["csv-layout.toml"]  # no secret
    assert CsvLayout.from_toml(Path("simulated dir", "csv-layout.toml")) == CSV_LAYOUT
    assert files == dict.fromkeys(["ca.pem", "client.p12", "client.pem", "client.key", "passphrase.txt"], 0o600)
    secret = Path("simulated dir", "passphrase.txt").read_text(encoding="ascii").strip()
    assert secret not in "".join(printed)


def test_simulate_on_a_port_that_is_taken(place: Place) -> None:
    """A mistake in the options: exit code 2."""
    port = place.server.environment.upload_origin.rpartition(":")[2]
    ended = subprocess.run([*AIOMAR, "simulate", "--port", port], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--port" in ended.stderr


@pytest.mark.parametrize(
    ("missing", "words", "said"),
    [
        ("cyclopts", "--version", "pip install 'aiomar[cli]'"),
        ("trustme", "demo", "pip install 'aiomar[testing]'"),
    ],
)
def test_an_extra_that_is_not_installed(missing: str, words: str, said: str) -> None:
    """One sentence that says how to install it, and exit code 2."""
    code = f"import sys; sys.modules[{missing!r}] = None; from aiomar.cli import main; sys.exit(main([{words!r}]))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def on_terminal(*words: str, typed: bytes = b"") -> tuple[int, str]:
    """Run a command on a terminal of 80 columns; give its exit code and what the terminal saw."""
    import pty  # noqa: PLC0415 - not on every platform
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environ = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        [*AIOMAR, *words], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environ
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while True:
                if typed and b": " in seen:
                    os.write(ours, typed)
                    typed = b""
                seen += os.read(ours, 65_536)
        except OSError:  # how Linux says that the other end was closed
            pass
        finally:
            os.close(ours)
    return process.wait(timeout=20), seen.decode()


def test_a_download_on_a_terminal(place: Place) -> None:
    """There is a bar while it runs; paths, a repeat and the last line stay, and nobody else writes there."""
    place.server.script(CutBody(after=100))
    words = ("--from", "2026-03-01", "--to", "2026-03-02", "--format", "csv", "--time", "pst", "--into", "data")
    code, seen = on_terminal("download", *place.options, "--meter", "1001", "--meter", "1002", *words)
    assert code == 0
    assert "0 of 2 files" in seen
    assert "2 of 2 files" in seen
    assert "files/s" in seen
    assert "again in " in seen
    assert "stamina" not in seen
    assert all(str(path) in seen for path in Path("data").glob("*.csv"))
    assert "2 files fetched, 0 reused, 0 failed: " in seen.rstrip().splitlines()[-1]


def test_a_passphrase_is_asked_for_on_a_terminal(place: Place, omar_authority: Authority) -> None:
    """The command line asks where a person sits, and shows nothing of what is typed."""
    files = omar_authority.write(Path(), "open sesame")
    options = [option for option in place.options if "pkcs12" not in option]
    code, seen = on_terminal("check", *options, f"--pkcs12={files.pkcs12}", typed=b"open sesame\n")
    assert code == 0
    assert "Passphrase of the client certificate:" in seen
    assert "open sesame" not in seen


def test_an_interruption_before_anything_has_begun() -> None:
    """Ctrl-C while the program is still being loaded: one line and the code, no traceback."""
    code = """
import signal, sys
from aiomar.cli import main

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "aiomar.cli._app":
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.exit(main(["--version"]))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "aiomar: interrupted: nothing was begun\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_standard_stream_that_is_closed(place: Place, closed: str) -> None:
    """A command does its work and ends with its code; no socket or file takes the stream's number."""
    words = shlex.join([*AIOMAR, "check", *place.options])
    done = subprocess.run(["/bin/sh", "-c", f"{words} {closed}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert place.server.logins == 1
