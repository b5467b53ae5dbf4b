"""From options, environment variables and a profile to a configuration.  The nearer wins, and no host is a default."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from aiomar import ClientIdentity, ConfigError, Environment, IdentityError, OmarConfig
from aiomar._config import environment_from, identity_from, joined
from aiomar._settings import env_name, named_passphrase, settings_from_env
from aiomar.cli._layers import Layer, Setting, layered, speller, values
from aiomar.cli._options import Connection
from aiomar.cli._profiles import Profile, find_profile, profile_files, wanted_profile

_FILES = ("pkcs12", "certificate", "key")
_SERVER = {"environment", "upload_origin", "download_origin"}
_T = TypeVar("_T")


def configure(
    connection: Connection,
    *,
    environ: Mapping[str, str],
    ask: Callable[[], str] | None,
    concurrency: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> OmarConfig:
    """Give the configuration that the options, the environment and the profile stand for.

    It may wait for the keyring, so it belongs outside the event loop.

    Args:
        connection: the options.
        environ: such as `os.environ`.
        ask: asks a person for the passphrase; called only if one is needed and none is given.
        concurrency: the option of that name.
        tell: hears which server it is, if only a profile that nobody named says so.

    Raises:
        ConfigError: something is missing or cannot be used.
        IdentityError: the certificate cannot be used.
    """
    profile = profile_of(connection, environ)
    settings = settings_of(connection, environ, profile, {} if concurrency is None else {"concurrency": concurrency})
    config = configured(settings, environ, ask)
    from_profile = {setting.key for setting in settings if setting.kind == "profile" and setting.silenced_by is None}
    if tell is not None and profile is not None and profile.named_by is None and from_profile & _SERVER:
        environment = config.environment
        tell(f"server {environment.name} ({environment.upload_origin}), from [{profile.name}] of {profile.path}")
    return config


def configured(settings: Sequence[Setting], environ: Mapping[str, str], ask: Callable[[], str] | None) -> OmarConfig:
    """Give the configuration that settings stand for; see `configure`."""
    environment = server_in(settings)
    return joined(values(settings), identity_in(settings, environ, ask), environment, spell=speller(settings, spell))


def identity_in(
    settings: Sequence[Setting], environ: Mapping[str, str], ask: Callable[[], str] | None
) -> ClientIdentity:
    """Load the client certificate that settings name; see `configure`."""
    known, spell_here = values(settings), speller(settings, spell)
    for key in _FILES:
        if key in known and not os.path.lexists(known[key]):  # what may not be looked at counts as missing
            raise ConfigError(f"{spell_here(key)}: there is no file {str(known[key])!a:.300}: correct the path")
    pkcs12, certificate, key_file = (str(known[key]) if key in known else None for key in _FILES)
    passphrase = known.get("passphrase") or named_passphrase(known, environ, spell_here)
    try:
        return identity_from(pkcs12, certificate, key_file, passphrase, spell_here)
    except IdentityError as error:
        if error.kind != "passphrase" or passphrase is not None:
            raise
        if ask is None:
            how = "in AIOMAR_PASSPHRASE, or by --passphrase-env or --passphrase-keyring; at a terminal you are asked"
            raise IdentityError(f"{error} ({how})", kind="passphrase") from error
    return identity_from(pkcs12, certificate, key_file, ask(), spell_here)


def server_in(settings: Sequence[Setting]) -> Environment:
    """Give the environment that settings name; see `configure`."""
    known = values(settings)
    if not known.keys() & _SERVER:
        raise ConfigError(
            "no server is given, and none is a default: set --environment, or --upload-origin and --download-origin, "
            "or a --profile that has them ('aiomar config show' tells what there is)"
        )
    return environment_from(
        known.get("environment"), known.get("upload_origin"), known.get("download_origin"), speller(settings, spell)
    )


def environment_of(connection: Connection, *, environ: Mapping[str, str]) -> Environment:
    """Give the environment alone; no certificate is needed.

    Raises:
        ConfigError: it is missing or cannot be one.
    """
    return server_in(settings_of(connection, environ, profile_of(connection, environ)))


def records_of(
    connection: Connection, *, environ: Mapping[str, str], tell: Callable[[str], None]
) -> tuple[str | Path | None, str | None]:
    """Give the state directory (`None` for the platform's), and the upload origin if a server is given.

    No certificate is needed, nor a profile: one that cannot be used, and that no option names, is left out.

    Args:
        connection: the options.
        environ: such as `os.environ`.
        tell: hears that a profile was left out.

    Raises:
        ConfigError: something cannot be used.
    """

    def read(profile: Profile | None) -> tuple[str | Path | None, str | None]:
        settings = settings_of(connection, environ, profile)
        known = values(settings)
        origin = server_in(settings).upload_origin if known.keys() & _SERVER else None
        return known.get("state_dir"), origin

    return _with_profile_if_usable(connection, environ, tell, read)


def state_dir_of(
    connection: Connection, *, environ: Mapping[str, str], tell: Callable[[str], None] | None = None
) -> str | Path | None:
    """Give the state directory that is set, or `None` for the platform's; no certificate is needed.

    Args:
        connection: the options.
        environ: such as `os.environ`.
        tell: hears that a profile cannot be used, which then is left out unless an option names it; `None` if it must
            not be left out, as a record in the wrong place would be changed.

    Raises:
        ConfigError: the profile cannot be used, and it might name the directory.
    """
    nearer = values(settings_of(connection, environ, None))
    if "state_dir" in nearer:
        found: str | Path = nearer["state_dir"]
        return found

    def read(profile: Profile | None) -> str | Path | None:
        named: str | Path | None = values(settings_of(connection, environ, profile)).get("state_dir")
        return named

    return _with_profile_if_usable(connection, environ, tell, read)


def has_certificate(connection: Connection, *, environ: Mapping[str, str]) -> bool:
    """Tell whether a client certificate is given, so that its ledger can be asked."""
    settings = settings_of(connection, environ, profile_of(connection, environ))
    return bool(values(settings).keys() & {"pkcs12", "certificate"})


def profile_of(connection: Connection, environ: Mapping[str, str]) -> Profile | None:
    """Give the profile that is named, or the default one if there is one.

    Raises:
        ConfigError: it cannot be used, or is nowhere.
    """
    return find_profile(profile_files(), *wanted_profile(connection.profile, environ))


def settings_of(
    connection: Connection,
    environ: Mapping[str, str],
    profile: Profile | None,
    more: Mapping[str, Any] | None = None,
) -> list[Setting]:
    """Give all settings, also those that give way to nearer ones.

    Args:
        connection: the options.
        environ: such as `os.environ`.
        profile: that is taken.
        more: options that are none of the connection.
    """
    options = attrs.asdict(connection, filter=lambda field, value: field.name != "profile" and value is not None)
    layers = [
        Layer(options | dict(more or {}), "option", spell),
        Layer(settings_from_env(environ), "variable", env_name),
    ]
    if profile is not None:
        layers.append(Layer(profile.settings, "profile", lambda key: f"{key} in [{profile.name}]"))
    return layered(*layers)


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


def _with_profile_if_usable(
    connection: Connection,
    environ: Mapping[str, str],
    tell: Callable[[str], None] | None,
    read: Callable[[Profile | None], _T],
) -> _T:
    try:
        return read(profile_of(connection, environ))
    except ConfigError as error:
        if tell is None or connection.profile is not None:
            raise
        found = read(None)  # raises by itself what is not the profile's doing
        tell(f"the profile is left out: {error}")
        return found
