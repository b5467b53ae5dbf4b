"""The shell of a page: its blocks run in bash, one after the other, as if somebody typed them into one terminal.

Variables and the directory go on from block to block, and are those of the page's Python examples too.  A command must
end with 0 unless a comment behind it says ``# ends with 3``.  A block whose command is ``aiomar simulate`` is a second
terminal: it runs until the page ends, and the ``export`` lines that it prints are pasted into the first one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from unittest import SkipTest

TOOLS = (
    *("awk", "basename", "cat", "chmod", "cmp", "cp", "cut", "date", "diff", "dirname", "env", "find", "grep", "gzip"),
    *("head", "ln", "ls", "mkdir", "mktemp", "mv", "rm", "rmdir", "sed", "seq", "sha256sum", "sleep", "sort", "stat"),
    *("tail", "tar", "tee", "timeout", "touch", "tr", "uniq", "wc", "xargs"),
)
"""What examples may use besides ours; nothing of it leaves the machine or the sandbox by itself."""
SOMETIMES = ("curl", "jq", "openssl", "sqlite3")
"""Likewise, where it is installed."""

_ENDS = re.compile(r"#.*\bends with ([0-9]+)")
_SIMULATE = re.compile(r"^(?:\.venv/bin/)?aiomar simulate\b", re.MULTILINE)
_OURS = {"BASH_ENV", "EXPECTED", "OLDPWD", "PWD", "REPORT", "SHLVL", "_"}
_LONGEST = 45
"""Seconds for a block."""
# Read by bash before the block, so that the block's lines keep their numbers.
_FIRST = """\
unset BASH_ENV
set -E -o pipefail
exec 8>> "$REPORT/seen" 9>> "$REPORT/failed"
trap '__ended $? $LINENO' ERR
trap 'env -0 > "$REPORT/environ"; pwd > "$REPORT/directory"' EXIT
__ended() {
  case " $EXPECTED " in *" $2:$1 "*) echo "$2" >&8 ;; *) echo "$2 $1" >&9; exit "$1" ;; esac
}
"""


class CommandError(Exception):
    """A line of a block did not end as it should.

    Args:
        line: of the block, from 0.
        words: what was wrong.
    """

    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line


class Shell:
    """A terminal.

    Args:
        report: a directory for what bash has to say about itself.
    """

    def __init__(self, report: Path) -> None:
        self._report = report
        self._first = report / "first.sh"
        self._first.write_text(_FIRST, encoding="utf-8")
        self._others: list[subprocess.Popen[str]] = []
        bash = shutil.which("bash", path=os.defpath)
        self._bash = bash or "bash"

    def run(self, block: str) -> str:
        """Run a block, and give what it wrote to either stream.

        Raises:
            CommandError: naming the line.
            SkipTest: a tool is not installed.
        """
        for tool in SOMETIMES:
            if re.search(rf"\b{tool}\b", block) and shutil.which(tool) is None:
                raise SkipTest(f"{tool} is not installed")
        if _SIMULATE.search(block):
            return self._open_terminal(block)
        expected = _expected(block)
        for name in ("seen", "failed"):
            (self._report / name).unlink(missing_ok=True)
        environ = os.environ | {
            "BASH_ENV": str(self._first),
            "REPORT": str(self._report),
            "EXPECTED": " ".join(f"{line}:{code}" for lines, code in expected for line in lines),
        }
        script = self._report / "block.sh"
        script.write_text(block, encoding="utf-8")
        run = subprocess.run(
            [self._bash, str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environ,
            timeout=_LONGEST,
            check=False,
        )
        self._judge(run, block, expected)
        self._take_over()
        return run.stdout

    def _judge(self, run: subprocess.CompletedProcess[str], block: str, expected: Sequence[tuple[range, int]]) -> None:
        failed = self._report / "failed"
        if failed.exists() and (words := failed.read_text(encoding="utf-8").split()):
            lines = next(lines for lines in _commands(block) if int(words[0]) in lines)
            command = " ".join(block.splitlines()[lines.start - 1 : lines.stop - 1])
            raise CommandError(lines.start - 1, f"`{command}` ended with {words[1]}:\n{run.stdout}")
        seen = self._report / "seen"
        ended = {int(line) for line in seen.read_text(encoding="utf-8").split()} if seen.exists() else set()
        for lines, code in expected:
            if not ended & set(lines):
                raise CommandError(lines.start - 1, f"should end with {code} and ended with 0:\n{run.stdout}")
        if run.returncode not in {0, *(code for _, code in expected)}:
            raise CommandError(len(block.splitlines()) - 1, f"ended with {run.returncode}:\n{run.stdout}")

    def _take_over(self) -> None:
        """Go on with the variables and the directory that the block has left behind."""
        left = (self._report / "environ").read_text(encoding="utf-8").rstrip("\0").split("\0")
        variables = dict(pair.split("=", 1) for pair in left)
        for name in set(os.environ) - set(variables) - _OURS:
            del os.environ[name]
        os.environ.update({name: value for name, value in variables.items() if name not in _OURS})
        os.chdir((self._report / "directory").read_text(encoding="utf-8").removesuffix("\n"))

    def _open_terminal(self, block: str) -> str:
        terminal = subprocess.Popen(
            [self._bash, "-c", f"exec {block.strip()}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._others.append(terminal)
        assert terminal.stdout is not None
        shown, exports = "", ""
        for line in terminal.stdout:
            shown += line
            if line.startswith("export "):
                exports += line
            elif exports:
                break
        if not exports:
            raise CommandError(0, f"ended before it was ready:\n{shown}")
        self.run(exports)
        return shown

    def close(self) -> None:
        """End what runs in other terminals; not by SIGINT, which a shell in the background ignores."""
        for terminal in self._others:
            with terminal:
                terminal.terminate()
                try:
                    terminal.communicate(timeout=10)
                except subprocess.TimeoutExpired:
                    terminal.kill()
                    raise


def _commands(block: str) -> list[range]:
    """Give the lines of each command, from 1; a backslash at the end of a line carries it on to the next."""
    found, first = [], 1
    for number, line in enumerate(block.splitlines(), start=1):
        if not line.endswith("\\"):
            found.append(range(first, number + 1))
            first = number + 1
    return found


def _expected(block: str) -> list[tuple[range, int]]:
    """Find the commands that are to fail: their lines, and the exit code."""
    lines = block.splitlines()
    said = ((place, _ENDS.search(lines[place.stop - 2])) for place in _commands(block))
    return [(place, int(code[1])) for place, code in said if code]
