"""Completion, as a real shell does it with the script that the command writes."""

from __future__ import annotations

import contextlib
import functools
import io
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar.cli import main
from tests.cli.conftest import Result

Run = Callable[..., Result]

# What bash does when Tab is pressed: the words so far, and the function that was registered for the first of them.
_TAB = """\
PATH="$PWD:$PATH"
. ./script
tab() {{
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  local registered; registered=$(complete -p "$1"); registered=${{registered#*-F }}
  "${{registered%% *}}" "$1" "${{@: -1}}" "${{@: -2:1}}"
  printf '%s\\n' "${{COMPREPLY[@]}}"
}}
tab {words}
"""


def program(shell: str) -> str:
    """Give a shell; skips the test where it is not installed."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


@functools.cache
def written(shell: str) -> str:
    """Give what the command writes; once, as it takes a while."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["completion", shell]) == 0
    return out.getvalue()


@pytest.fixture
def script() -> Callable[[str], Path]:
    """Write the script of a shell into the working directory."""

    def write(shell: str) -> Path:
        path = Path("script")
        path.write_text(written(shell), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("aiomar", "dow"), {"download"}),
        (("aiomar", "config", ""), {"example", "path", "show"}),
        (("aiomar", "submissions", "re"), {"resolve"}),
        (("aiomar", "download", "--fo"), {"--format"}),
        (("aiomar", "download", "--format", ""), {"csv", "mdef"}),
        (("aiomar", "report", "--pkc"), set()),
        (("aiomar", "inspect", "scr"), {"script"}),
        (("aiomar", "completion", "fi"), {"fish"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bash_completes(words: tuple[str, ...], offered: set[str], script: Callable[[str], Path]) -> None:
    """Commands, options that a command needs, choices and files; all from the script, without starting Python."""
    shell = program("bash")
    script("bash")
    done = subprocess.run(
        [shell, "--norc", "-c", _TAB.format(words=shlex.join(words))],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert (set(done.stdout.split()), done.stderr) == (offered, "")


def test_bash_completes_profiles(script: Callable[[str], Path]) -> None:
    """They are read when Tab is pressed, from the files that a command would take them from."""
    shell = program("bash")
    script("bash")
    Path("aiomar.toml").write_text("[default]\n[night]\n", encoding="utf-8")
    Path("aiomar.toml").chmod(0o600)
    ours = Path("aiomar")
    ours.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m aiomar "$@"\n', encoding="utf-8")
    ours.chmod(0o700)
    command = [shell, "--norc", "-c", _TAB.format(words="aiomar check --profile n")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["night"]


def test_fish_completes(script: Callable[[str], Path]) -> None:
    """Commands and options."""
    shell = program("fish")
    path = script("fish")
    for words, offered in (("aiomar dow", "download"), ("aiomar download --fo", "--format")):
        command = [shell, "--no-config", "-c", f"source {path}; complete -C '{words}'"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.split()[0] == offered


def test_zsh_reads_it(script: Callable[[str], Path]) -> None:
    """The script is proper zsh."""
    subprocess.run([program("zsh"), "-n", script("zsh")], check=True)


def test_a_shell_that_nobody_knows(aiomar: Run) -> None:
    """The error names those that there are."""
    result = aiomar("completion", "tcsh")
    assert result.code == 2
    assert '"bash", "zsh", "fish", "powershell"' in result.err
