"""From options, environment variables and a profile to a configuration: the nearer one wins, and no host is a default.

A setting also silences its rivals further away: who gives ``--environment`` does not mean the origins of a profile, and
a certificate never meets the key of another one.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from aiomar import ConfigError, Environment, IdentityError, OmarConfig
from aiomar._config import config_from, environment_from, named_passphrase, settings_from_env, settings_from_toml
from aiomar.cli._options import Connection

PROFILES = "aiomar.toml"

_RIVALS: Mapping[str, tuple[str, ...]] = {
    "environment": ("upload_origin", "download_origin"),
    "upload_origin": ("environment", "download_origin"),
    "download_origin": ("environment", "upload_origin"),
    "pkcs12": ("certificate", "key"),
    "certificate": ("pkcs12", "key"),
    "key": ("pkcs12",),
    "passphrase": ("passphrase_env",),
    "passphrase_env": ("passphrase",),
}
_MUST_EXIST = ("pkcs12", "certificate", "key")


def layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Join layers of settings, the nearest first."""
    joined: dict[str, Any] = {}
    silenced: set[str] = set()
    for layer in layers:
        joined |= {key: value for key, value in layer.items() if key not in joined and key not in silenced}
        silenced |= {rival for key in layer for rival in _RIVALS.get(key, ())}
    return joined


def configure(
    connection: Connection,
    *,
    environ: Mapping[str, str],
    ask: Callable[[], str] | None,
    concurrency: int | None = None,
) -> OmarConfig:
    """Give the configuration that the options, the environment and the profile stand for.

    Args:
        connection: the options.
        environ: such as `os.environ`.
        ask: asks a person for the passphrase; called only if one is needed and none is given.
        concurrency: the option of that name.

    Raises:
        ConfigError: something is missing or cannot be used.
        IdentityError: the certificate cannot be used.
    """
    settings = _settings(connection, environ, {} if concurrency is None else {"concurrency": concurrency})
    for key in _MUST_EXIST:
        if key in settings and not Path(settings[key]).exists():
            raise ConfigError(f"{spell(key)}: there is no file {str(settings[key])!a:.300}: correct the path")
    passphrase = settings.get("passphrase") or named_passphrase(settings, environ)
    try:
        return config_from(settings, passphrase=passphrase, spell=spell)
    except IdentityError as error:
        if error.kind != "passphrase" or passphrase is not None or ask is None:
            raise
    return config_from(settings, passphrase=ask(), spell=spell)


def environment_of(connection: Connection, *, environ: Mapping[str, str]) -> Environment:
    """Give the environment alone; no certificate is needed.

    Raises:
        ConfigError: it is missing or cannot be one.
    """
    settings = _settings(connection, environ, {})
    return environment_from(
        settings.get("environment"), settings.get("upload_origin"), settings.get("download_origin"), spell
    )


def environment_if_any(connection: Connection, *, environ: Mapping[str, str]) -> Environment | None:
    """Give the environment, or `None` if nothing of one is given.

    Raises:
        ConfigError: it cannot be one.
    """
    settings = _settings(connection, environ, {})
    given = settings.keys() & {"environment", "upload_origin", "download_origin"}
    return environment_of(connection, environ=environ) if given else None


def state_dir_of(connection: Connection, *, environ: Mapping[str, str]) -> str | Path | None:
    """Give the state directory that is set, or `None` for the platform's; no certificate is needed."""
    found: str | Path | None = _settings(connection, environ, {}).get("state_dir")
    return found


def has_certificate(connection: Connection, *, environ: Mapping[str, str]) -> bool:
    """Tell whether a client certificate is given, so that its ledger can be asked."""
    return bool(_settings(connection, environ, {}).keys() & {"pkcs12", "certificate"})


def _settings(connection: Connection, environ: Mapping[str, str], more: dict[str, Any]) -> dict[str, Any]:
    options = attrs.asdict(connection, filter=lambda field, value: field.name != "profile" and value is not None)
    profile = {} if connection.profile is None else settings_from_toml(PROFILES, connection.profile)
    return layered(options | more, settings_from_env(environ), profile)


def spell(key: str) -> str:
    """Give the option of a setting."""
    return f"--{key.replace('_', '-')}"


def asker() -> Callable[[], str] | None:
    """Give what asks for a passphrase, if a person sits at a terminal."""
    return _ask if sys.stdin is not None and sys.stdin.isatty() else None


def _ask() -> str:
    try:
        return getpass.getpass("Passphrase of the client certificate: ")
    except EOFError as error:
        raise ConfigError("no passphrase was given: type it, or name its variable with --passphrase-env") from error
