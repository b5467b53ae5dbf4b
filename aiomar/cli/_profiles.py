"""Profiles: tables of ``aiomar.toml`` in the working directory, then in the user's configuration directory.

The first file that has the profile gives it, whole.  Such a file says where meter data are sent, and the working
directory may be anybody's: one that somebody else could have written is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
from platformdirs import user_config_path

from aiomar import ConfigError
from aiomar._settings import env_name, settings_from_table, tables_of

FILE: Final = "aiomar.toml"
DEFAULT: Final = "default"
"""The profile that is taken where nobody names one, if a file has it."""


@attrs.frozen(kw_only=True)
class ProfileFile:
    """What one place has.

    Attributes:
        path: of the file.
        there: whether it exists.
        error: why it cannot be used, if it is there.
    """

    path: Path
    there: bool
    error: ConfigError | None = None
    _tables: Mapping[str, Any] = attrs.field(factory=dict, repr=False)  # somebody may have put a passphrase there

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of its profiles."""
        return tuple(self._tables)

    def settings(self, profile: str) -> dict[str, Any]:
        """Give the settings of a profile.

        Raises:
            ConfigError: it has a key that cannot be used.
        """
        return settings_from_table(dict(self._tables), self.path, profile)


@attrs.frozen(kw_only=True)
class Profile:
    """A profile that is used.

    Attributes:
        name: of it.
        named_by: the option or the variable that names it; `None` if it is the default one.
        path: the file that has it.
        settings: by their TOML names.
    """

    name: str
    named_by: str | None
    path: Path
    settings: Mapping[str, Any]


def user_file() -> Path:
    """Give the place of the user's own file."""
    return user_config_path("aiomar", appauthor=False) / FILE


def profile_files() -> tuple[ProfileFile, ...]:
    """Look at the places of profiles, the nearest first; whatever is wrong with one is told in it."""
    return tuple(_looked_at(place) for place in dict.fromkeys((Path(FILE).absolute(), user_file().absolute())))


def wanted_profile(option: str | None, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Give the name of the profile to take, and what names it; `None` if nothing does.

    Args:
        option: ``--profile``, if given.
        environ: such as `os.environ`.
    """
    if option is not None:
        return option, "--profile"
    if name := environ.get(env_name("profile")):
        return name, env_name("profile")
    return DEFAULT, None


def find_profile(files: Sequence[ProfileFile], name: str, named_by: str | None) -> Profile | None:
    """Give a profile from the first file that has it; `None` if nobody names one and there is no default one.

    Args:
        files: the places, the nearest first.
        name: of the profile.
        named_by: what names it; `None` for the default one.

    Raises:
        ConfigError: a file cannot be used that might have it, or a profile that is named is nowhere.
    """
    for file in files:
        if file.error is not None:
            raise file.error
        if name in file.profiles:
            return Profile(name=name, named_by=named_by, path=file.path, settings=file.settings(name))
    if named_by is None:
        return None
    raise ConfigError(f"{named_by} names the profile {name!a:.80}, but {' and '.join(map(_has, files))}: correct it")


def _has(file: ProfileFile) -> str:
    if not file.there:
        return f"{file.path} does not exist"
    return f"{file.path} has only {', '.join(file.profiles)}" if file.profiles else f"{file.path} has none"


def _looked_at(place: Path) -> ProfileFile:
    if not os.path.lexists(place):
        return ProfileFile(path=place, there=False)
    try:
        tables = tables_of(place, lambda: _read_safely(place))
    except ConfigError as error:
        return ProfileFile(path=place, there=True, error=error)
    if loose := [key for key, item in tables.items() if not isinstance(item, dict)]:
        why = ConfigError(f"{place} has {loose[0]!a:.40} above its first table: put [{DEFAULT}] before it")
        return ProfileFile(path=place, there=True, error=why)
    return ProfileFile(path=place, there=True, tables=tables)


def _read_safely(place: Path) -> bytes:
    """Read a file that nobody else can have written; looked at once it is open, so that nobody exchanges it."""
    if not place.is_file():  # a pipe of that name would never end
        raise ConfigError(f"{place} is not a file that can be read: move it away")
    with place.open("rb") as file:
        for status in (os.fstat(file.fileno()), place.lstat()):
            for reason in _dangers(status):
                raise ConfigError(f"{place} could redirect your data, as {reason}")
        return file.read()


def _dangers(status: os.stat_result) -> Iterator[str]:
    if os.name != "posix":  # elsewhere rights are no numbers
        return
    if status.st_uid not in {0, os.geteuid()}:
        yield "it belongs to somebody else: copy it, and use the copy"
    elif not stat.S_ISLNK(status.st_mode) and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield "others may write it: run chmod go-w on it"
