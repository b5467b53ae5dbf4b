"""``aiomar config``: what a command would work with, and where each value came from."""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import App, Parameter

from aiomar.cli._codes import GOOD
from aiomar.cli._config_facts import Facts, look
from aiomar.cli._config_words import about_profiles, about_settings, example, verdict, versions
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import NOWHERE, PLAIN, Connection, Display
from aiomar.cli._output import Output
from aiomar.cli._profiles import user_file

config = App(
    "config",
    help="""Show what commands work with: options, variables of the environment, and profiles.

A profile is a table of aiomar.toml, in the working directory or in your own configuration directory; the first file
that has the profile gives it. --profile NAME takes it, or AIOMAR_PROFILE; without either, [default] where a file has
it. Options come before variables of the environment, and these before the profile. No server is a default.
""",
    help_format="markdown",
    default_parameter=Parameter(negative=(), show_default=False),
)


@config.command
def show(
    *,
    connection: Annotated[Connection, Parameter(name="*")] = NOWHERE,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Show every setting, where it came from, and what is missing for a connection.

    Nothing is sent, and no passphrase is shown or asked for. Give it the options of the command that puzzles you.
    --verbose adds what a report of a bug should have.

    Exit codes: 0 it is shown, whatever is wrong with it, 2 wrong options.

    Args:
        connection: Which server, and who we are.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        return _show(out, look(connection, os.environ))

    return carry_out("config show", display, prepare)


@config.command
def path(*, display: Annotated[Display, Parameter(name="*")] = PLAIN) -> int:
    """Show where your own aiomar.toml belongs, whether it is there or not.

    The one in the working directory comes before it.

    Args:
        display: What is shown.
    """
    return carry_out("config path", display, _path)


@config.command(name="example")
def example_(*, display: Annotated[Display, Parameter(name="*")] = PLAIN) -> int:
    """Write a profile with a comment for every key, to begin a file with.

    Args:
        display: What is shown.
    """
    return carry_out("config example", display, _example)


async def _path(out: Output) -> int:
    out.record({"event": "path", "path": str(user_file())})
    out.line(str(user_file()))
    return GOOD


async def _example(out: Output) -> int:
    out.record({"event": "example", "text": example()})
    out.line(example())
    return GOOD


async def _show(out: Output, facts: Facts) -> int:
    for file in facts.files:
        out.record({"event": "profile_file", **fields(file)})
    for setting in facts.settings:
        out.record({"event": "setting", **fields(setting)})
    for paragraph in (about_profiles(facts), about_settings(facts), verdict(facts)):
        out.line("\n".join([*paragraph, ""]))
    if out.display.verbose:
        out.line("\n".join(versions()))
    out.summary |= {"ready": not facts.problems, "profile": facts.profile, "problems": facts.problems}
    out.summary |= {"certificate": facts.certificate, "unknown_variables": facts.strangers, "versions": versions()}
    return GOOD
