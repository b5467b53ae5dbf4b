"""The commands, and the way from words to one of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter
from rich.console import Console

from aiomar.cli._check import check
from aiomar.cli._codes import UNEXPECTED, USAGE
from aiomar.cli._completion import completion_of
from aiomar.cli._config import config
from aiomar.cli._demo import demo
from aiomar.cli._download import download
from aiomar.cli._export import export
from aiomar.cli._inspect import inspect
from aiomar.cli._outbox import outbox
from aiomar.cli._output import silence, unwritable
from aiomar.cli._report import report
from aiomar.cli._simulate import simulate
from aiomar.cli._submissions import submissions
from aiomar.cli._upload import upload
from aiomar.cli._verify import verify

_HELP = """Download meter data from CAISO's OMAR-Online, and submit meter data files to it.

Options come after the command. Which server, and the client certificate, come from

- options: --environment, --pkcs12, --passphrase-env and the like,
- variables: AIOMAR_ENVIRONMENT or AIOMAR_UPLOAD_ORIGIN and AIOMAR_DOWNLOAD_ORIGIN, AIOMAR_PKCS12 or
  AIOMAR_CERTIFICATE and AIOMAR_KEY, AIOMAR_PASSPHRASE, AIOMAR_CA_FILE, AIOMAR_CONCURRENCY, AIOMAR_STATE_DIR,
- a profile: a table of ./aiomar.toml or of your own aiomar.toml, named by --profile or AIOMAR_PROFILE, or [default].

The nearer one wins. 'aiomar config show' tells what is set, by what, and what is missing. Nothing to connect to yet?
'aiomar demo' and 'aiomar simulate' bring their own OMAR-Online.

Exit codes: 0 good, 1 unexpected, 2 usage, 3 some downloads failed, 4 server out of reach, 5 certificate or login,
6 upload refused, 7 upload outcome unknown, 8 data checks failed, 130 interrupted.
"""


def _make_app() -> App:
    app = App(
        "aiomar",
        help=_HELP,
        help_format="markdown",
        version=lambda: f"aiomar {version('aiomar')}",
        default_parameter=Parameter(negative=(), show_default=False),
    )
    for command in (demo, simulate, check, download, upload, outbox, verify, inspect, export, report):
        app.command(command)
    app.command(submissions)
    app.command(config)
    app.command(completion_of(app))
    return app


def run(argv: Sequence[str]) -> int:
    """Run the command that the words name, and give its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # What a stream cannot show is escaped: a name in a foreign script must not end a command.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # tested right here
    app = _make_app()
    try:
        command, bound, _ = app.parse_args(argv, exit_on_error=False, print_error=False, console=Console())
    except CycloptsError as error:
        _complain(_in_one_line(error))
        return USAGE
    try:
        code = command(*bound.args, **bound.kwargs)
    except OSError as error:  # help and version are written here; what commands write ends in no error
        silence(sys.stdout)
        _complain(unwritable(error))
        return UNEXPECTED
    return code if isinstance(code, int) else 0


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"aiomar: error: {text}\n")


def _in_one_line(error: CycloptsError) -> str:
    command = " ".join(("aiomar", *(error.command_chain or ())))
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return f"{error.argument.name} is missing, or has no value: see {command} --help"
    words = " ".join(str(error).split()).replace(", ...", " and others")  # its list of commands is cut short
    return f"{words.rstrip('.')}: see {command} --help"
