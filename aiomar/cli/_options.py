"""The options that commands share, and the words that they take."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Group as OptionGroup
from cyclopts import Parameter, Token

from aiomar import ConfigError, FileFormat, Group, Meter, Selection, TimeType
from aiomar._config import ENVIRONMENTS
from aiomar.cli._profiles import profile_files

_DAYS_AGO = re.compile(r"-([0-9]{1,9})d", re.ASCII)
_AGE = re.compile(r"(0|[1-9][0-9]{0,5})([hd])", re.ASCII)
_HOURS = {"h": 1, "d": 24}
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _some_path(_: type, tokens: Sequence[Token]) -> Path:
    """Read a path; an empty one is a variable that nobody set, and not the working directory."""
    if not tokens[0].value:
        raise ValueError("DIR is empty")
    return Path(tokens[0].value)


FILE = Parameter(metavar="FILE")
PLACE = Parameter(name="DIR", converter=_some_path)
"""A directory as an argument."""
FILE_OR_DASH = Parameter(metavar="FILE", allow_leading_hyphen=True)
DIRECTORY = Parameter(metavar="DIR")
NUMBER = Parameter(metavar="N")
ID = Parameter(metavar="ID")
AGE = Parameter(metavar="AGE")
DAY = Parameter(metavar="DATE", allow_leading_hyphen=True)
_NAME = Parameter(metavar="NAME")
_PROFILE = Parameter(metavar="NAME", completer=lambda _: [name for file in profile_files() for name in file.profiles])
_ENVIRONMENT = Parameter(metavar="NAME", completer=lambda _: ENVIRONMENTS)
_ENTRY = Parameter(metavar="SERVICE/USER")
_URL = Parameter(metavar="URL")
_HIDDEN = Parameter(show=False)
"""Of no use to a command, and taken all the same: who gives every command the same options need not sort them."""


_CONNECTION = OptionGroup("Connection", sort_key=10)


@Parameter(name="*", group=_CONNECTION)
@attrs.frozen(kw_only=True)
class Connection:
    """Which server, and who we are.

    Attributes:
        profile: Take what is not given otherwise from this table of ./aiomar.toml or of your own aiomar.toml; see
            'aiomar config --help'.
        environment: production, staging or test; or give both origins.
        upload_origin: Where login and uploads are, as https://host:port.
        download_origin: Where downloads are, as https://host:port.
        pkcs12: The client certificate with its key, as .p12 or .pfx.
        certificate: The client certificate as PEM, instead of --pkcs12.
        key: Its key as PEM, if it is in a file of its own.
        passphrase_env: The environment variable that holds the passphrase; without it AIOMAR_PASSPHRASE.
        passphrase_keyring: Or the entry of the system's keyring that holds it. If nothing does, you are asked at a
            terminal.
        ca_file: Authorities to trust instead of the system's, as PEM.
        proxy: http://host:port of a proxy; those of the environment are ignored.
        state_dir: Where aiomar keeps its own records of what was submitted.
    """

    profile: Annotated[str | None, _PROFILE] = None
    environment: Annotated[str | None, _ENVIRONMENT] = None
    upload_origin: Annotated[str | None, _URL] = None
    download_origin: Annotated[str | None, _URL] = None
    pkcs12: Annotated[Path | None, FILE] = None
    certificate: Annotated[Path | None, FILE] = None
    key: Annotated[Path | None, FILE] = None
    passphrase_env: Annotated[str | None, _NAME] = None
    passphrase_keyring: Annotated[str | None, _ENTRY] = None
    ca_file: Annotated[Path | None, FILE] = None
    proxy: Annotated[str | None, _URL] = None
    state_dir: Annotated[Path | None, DIRECTORY] = None


@Parameter(name="*", group=_CONNECTION)
@attrs.frozen(kw_only=True)
class Records(Connection):
    """Of which server, and where our records of it are.  The other options are taken all the same, and not shown.

    Attributes:
        profile: Take what is not given otherwise from this table of ./aiomar.toml or of your own aiomar.toml.
        environment: Only submissions to production, staging or test; or give both origins.
        upload_origin: Only submissions to this server, as https://host:port; with --download-origin.
        download_origin: See --upload-origin.
        state_dir: Where aiomar keeps its own records of what was submitted.
    """

    pkcs12: Annotated[Path | None, FILE, _HIDDEN] = None
    certificate: Annotated[Path | None, FILE, _HIDDEN] = None
    key: Annotated[Path | None, FILE, _HIDDEN] = None
    passphrase_env: Annotated[str | None, _NAME, _HIDDEN] = None
    passphrase_keyring: Annotated[str | None, _ENTRY, _HIDDEN] = None
    ca_file: Annotated[Path | None, FILE, _HIDDEN] = None
    proxy: Annotated[str | None, _URL, _HIDDEN] = None


@Parameter(name="*", group=_CONNECTION)
@attrs.frozen(kw_only=True)
class Origin(Records):
    """Which server files came from.  The other options are taken all the same, and not shown.

    Attributes:
        profile: For --rebuild: take the server from this table of ./aiomar.toml or of your own aiomar.toml.
        environment: For --rebuild: production, staging or test; or give both origins.
        upload_origin: For --rebuild: where login and uploads are, as https://host:port.
        download_origin: For --rebuild: where downloads are, as https://host:port.
    """

    state_dir: Annotated[Path | None, DIRECTORY, _HIDDEN] = None


@Parameter(name="*", group=_CONNECTION)
@attrs.frozen(kw_only=True)
class Ledgers(Records):
    """Where our records are.  The other options are taken all the same, and not shown.

    Attributes:
        profile: Take --state-dir from this table of ./aiomar.toml or of your own aiomar.toml.
        state_dir: Where aiomar keeps its own records of what was submitted.
    """

    environment: Annotated[str | None, _NAME, _HIDDEN] = None
    upload_origin: Annotated[str | None, _URL, _HIDDEN] = None
    download_origin: Annotated[str | None, _URL, _HIDDEN] = None


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Reading:
    """How the data files of a directory are read.

    Attributes:
        time: The clock that the files were written by, pst or dst; without it that of the catalogue.
        format: Which files to take, csv or mdef, where there are both.
        layout: What the columns of CSV files mean, as TOML.
    """

    time: TimeType | None = None
    format: FileFormat | None = None
    layout: Annotated[Path | None, FILE] = None


@Parameter(name="*", group=OptionGroup("Output", sort_key=20))
@attrs.frozen(kw_only=True)
class Display:
    """What is shown.

    Attributes:
        json: One JSON object a line on stdout, in the end a summary.
        quiet: Only results and errors.
        verbose: Every event, as it happens.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False


NOWHERE = Connection()
"""No option of the connection is given."""
ALL_RECORDS = Records()
ANY_ORIGIN = Origin()
USUAL_LEDGERS = Ledgers()
"""Likewise."""
AS_FOUND = Reading()
"""Nothing is said about the files."""
PLAIN = Display()
"""No option of the display is given."""


def parse_day(text: str, option: str, today: dt.date) -> dt.date:
    """Read ``YYYY-MM-DD``, ``today``, ``yesterday`` or ``-7d``.

    Raises:
        ConfigError: for anything else.
    """
    try:
        if text == "today":
            return today
        if text == "yesterday":
            return today - dt.timedelta(days=1)
        if ago := _DAYS_AGO.fullmatch(text):
            return today - dt.timedelta(days=int(ago[1]))
        if _ISO.fullmatch(text):
            return dt.date.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{option} {text!a:.40} is no day of the calendar: correct it") from error
    raise ConfigError(f"{option} must be YYYY-MM-DD, today, yesterday or like -7d, not {text!a:.40}")


def parse_age(text: str, option: str, *, least: int = 1) -> dt.timedelta:
    """Read ``12h`` or ``3d``.

    Args:
        text: what was given.
        option: where, for messages.
        least: the smallest number that makes sense.

    Raises:
        ConfigError: for anything else.
    """
    if not (age := _AGE.fullmatch(text)) or int(age[1]) < least:
        raise ConfigError(f"{option} must be a number of hours or days, like 12h or 3d, not {text!a:.40}")
    return dt.timedelta(hours=int(age[1]) * _HOURS[age[2]])


def parse_selections(meters: Iterable[str], groups: Iterable[str], listed: Iterable[Selection]) -> list[Selection]:
    """Put the selections of all options together, each once.

    Raises:
        LimitError: an id cannot be one.
        ConfigError: there is none.
    """
    chosen: list[Selection] = [*map(Meter, meters), *map(Group, groups), *listed]
    if not chosen:
        raise ConfigError("nothing is selected: give --meter, --group or --ids-from")
    return list(dict.fromkeys(chosen))
