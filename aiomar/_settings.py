"""Settings by their names, and the two places that they are read from: environment variables and TOML files.

Nothing here makes sense of a value; that is for `aiomar._config`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiomar._keyring import KeyringEntry
from aiomar._types import PathLike
from aiomar.errors import ConfigError
from aiomar.transport import Secret

PATH_KEYS = frozenset({"pkcs12", "certificate", "key", "ca_file", "state_dir"})
TOML_KEYS: dict[str, type] = {
    "environment": str,
    "upload_origin": str,
    "download_origin": str,
    "passphrase_env": str,
    "passphrase_keyring": str,
    "proxy": str,
    "concurrency": int,
    **dict.fromkeys(PATH_KEYS, str),
}
_VARIABLE = re.compile("[A-Z_][A-Z0-9_]*")
"""What a variable is usually called, and a passphrase is not."""
ENV_KEYS = (*sorted(PATH_KEYS), "environment", "upload_origin", "download_origin", "concurrency")


def env_name(key: str) -> str:
    """Give the environment variable of a setting."""
    return f"AIOMAR_{key.upper()}"


def settings_from_env(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read the settings that a mapping such as `os.environ` has; an empty variable counts as not set.

    The passphrase is a callable that gives it: settings are printed by reports of errors, and that one must not be.
    """
    settings: dict[str, Any] = {key: text for key in ENV_KEYS if (text := environ.get(env_name(key)))}
    if passphrase := environ.get(env_name("passphrase")):
        settings["passphrase"] = Secret(passphrase).reveal
    return settings


def settings_from_toml(path: PathLike, profile: str) -> dict[str, Any]:
    """Read the settings of one table of a TOML file.

    Raises:
        ConfigError: the file, the profile or a key cannot be used.
    """
    file = Path(os.fspath(path))
    return settings_from_table(tables_of(file, file.read_bytes), file, profile)


def tables_of(file: Path, read: Callable[[], bytes]) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        file: for messages.
        read: gives its bytes.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return tomllib.loads(read().decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        # Without the frames of the reader, which hold the file: somebody may have put a passphrase there.
        raise ConfigError(f"{file} cannot be read as TOML ({reason}): mend the file") from error.with_traceback(None)


def settings_from_table(tables: dict[str, Any], file: Path, profile: str) -> dict[str, Any]:
    """Take the settings of one table; relative paths count from the file's directory, and ``~`` is your home.

    Raises:
        ConfigError: the profile or a key cannot be used.
    """
    table = tables.get(profile)
    if not isinstance(table, dict):
        names = sorted(tables)
        del tables, table
        raise ConfigError(f"{file} has no profile [{profile}]: it has {names}")
    unknown = sorted(set(table) - TOML_KEYS.keys())
    if unknown:
        del tables, table
        raise ConfigError(f"{file} [{profile}] has unknown keys {unknown}: allowed are {sorted(TOML_KEYS)}")
    for key, item in table.items():
        if type(item) is not TOML_KEYS[key]:
            raise ConfigError(f"{key} in {file} [{profile}] must be of type {TOML_KEYS[key].__name__}")
        if item == "":
            raise ConfigError(f"{key} in {file} [{profile}] is empty: give it a value, or remove the line")
    return {key: _path(file, item) if key in PATH_KEYS else item for key, item in table.items()}


def _path(file: Path, item: str) -> str:
    try:
        return str(file.parent / Path(item).expanduser())
    except RuntimeError as error:  # a person without a home
        raise ConfigError(f"{item!a:.300} in {file} cannot be a path: write it in full") from error


def is_shown(key: str, value: str, environ: Mapping[str, str]) -> bool:
    """Whether a value may be shown: where the name of a passphrase's place is due, people type the passphrase itself.

    Args:
        key: of the setting.
        value: of it.
        environ: such as `os.environ`.
    """
    if key == "passphrase_env":
        return value in environ or _VARIABLE.fullmatch(value) is not None
    return key != "passphrase_keyring" or KeyringEntry.is_name(value)


def named_passphrase(
    settings: Mapping[str, Any], environ: Mapping[str, str], spell: Callable[[str], str] = str
) -> Callable[[], str] | None:
    """Give what gives the passphrase that is kept elsewhere: in a variable, or in the system's keyring.

    Args:
        settings: the name of either is there, or of none.
        environ: such as `os.environ`.
        spell: how a setting is called where it came from, for messages.

    Raises:
        ConfigError: both are named, the variable is not set, or the name cannot be that of an entry.
    """
    variable, entry = settings.get("passphrase_env"), settings.get("passphrase_keyring")
    if variable is not None and entry is not None:
        raise ConfigError(f"give {spell('passphrase_env')} or {spell('passphrase_keyring')}, not both")
    if entry is not None:
        return KeyringEntry.named(entry, spell("passphrase_keyring"))
    if variable is None:
        return None
    if variable not in environ:
        name = f"{variable} named by" if is_shown("passphrase_env", variable, environ) else "that is named by"
        raise ConfigError(f"the environment variable {name} {spell('passphrase_env')} is not set: set it")
    return Secret(environ[variable]).reveal
