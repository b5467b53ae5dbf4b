"""``aiomar completion``: what makes a shell complete commands and options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from cyclopts import App, Parameter

from aiomar.cli._codes import GOOD
from aiomar.cli._frame import carry_out
from aiomar.cli._options import PLAIN, Display
from aiomar.cli._output import Output

Shell = Literal["bash", "zsh", "fish", "powershell"]


def completion_of(app: App) -> Callable[..., int]:
    """Give the command that writes the completion of an app.

    Args:
        app: with all its commands.
    """

    def completion(
        shell: Annotated[Shell, Parameter(name="SHELL", show_choices=True)],
        /,
        *,
        display: Annotated[Display, Parameter(name="*")] = PLAIN,
    ) -> int:
        """Write a script that makes your shell complete commands, options and profiles with the Tab key.

        Nothing is installed: put it where your shell finds it, and do so again after an update of aiomar.

        - bash: into ~/.local/share/bash-completion/completions/aiomar, or into any file that ~/.bashrc reads with '.'
        - zsh: into a file named _cyclopts_aiomar, in a directory of your $fpath
        - fish: into ~/.config/fish/completions/aiomar.fish
        - PowerShell: into a file that your $PROFILE reads with '.'

        Args:
            shell: Yours.
            display: What is shown.
        """
        return carry_out("completion", display, lambda out: _write(out, app.generate_completion(shell=shell)))

    return completion


async def _write(out: Output, script: str) -> int:
    out.record({"event": "completion", "script": script})
    out.line(script)
    return GOOD
