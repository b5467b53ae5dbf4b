"""What a command would work with: places, settings with their sources, and what is missing for a connection."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from aiomar import PRODUCTION, ClientIdentity, ConfigError, Environment, OmarConfig, OmarError
from aiomar._config import joined
from aiomar._settings import ENV_KEYS, env_name, is_shown
from aiomar.cli._layers import Setting, speller, values
from aiomar.cli._options import Connection
from aiomar.cli._profiles import Profile, ProfileFile, find_profile, profile_files, wanted_profile
from aiomar.cli._settings import identity_in, server_in, settings_of, spell
from aiomar.submissions import state_directory
from aiomar.transport import build_context

KEYS: Final = (
    "environment",
    "upload_origin",
    "download_origin",
    "pkcs12",
    "certificate",
    "key",
    "passphrase",
    "passphrase_env",
    "passphrase_keyring",
    "ca_file",
    "proxy",
    "concurrency",
    "state_dir",
)
"""All settings, in the order that they are shown in."""

_USER_INFO: Final = re.compile(r"(?<=://)[^/]*@")
# 'aiomar simulate' prints the last one among those to set: it is for curl and browsers.
_VARIABLES: Final = {env_name(key) for key in (*ENV_KEYS, "passphrase", "profile", "control_url")}


@attrs.frozen(kw_only=True)
class Place:
    """A file that was looked for profiles.

    Attributes:
        path: of it.
        there: whether it exists.
        taken: whether the profile is from it.
        profiles: what it has.
        error: why it cannot be used.
    """

    path: Path
    there: bool
    taken: bool
    profiles: Sequence[str]
    error: str | None


@attrs.frozen(kw_only=True)
class Shown:
    """A setting as it may be shown.

    Attributes:
        key: its TOML name.
        value: `None` if nothing sets it; a passphrase is only "set".
        kind: of the place: ``"option"``, ``"variable"``, ``"profile"``, ``"default"``; or ``"unset"``.
        source: how it is called there, such as ``--pkcs12``, ``AIOMAR_PKCS12`` or ``[night]``.
        silenced_by: the nearer setting that it gives way to; `None` if it counts.
    """

    key: str
    value: str | None
    kind: str
    source: str
    silenced_by: str | None = None


@attrs.frozen(kw_only=True)
class Facts:
    """Everything that is known before anything is sent.

    Attributes:
        profile: the name of the one that is taken.
        named_by: what names it; `None` for the default one.
        files: the places of profiles, the nearest first.
        settings: those that count in the order of `KEYS`, and behind each the ones that give way to it.
        environment: the server, if it is known.
        certificate: of the client, if it can be loaded.
        problems: what keeps a connection from being tried.
        strangers: variables whose names begin like ours and mean nothing.
    """

    profile: str | None
    named_by: str | None
    files: Sequence[Place]
    settings: Sequence[Shown]
    environment: Environment | None
    certificate: Mapping[str, object] | None
    problems: Sequence[str]
    strangers: Sequence[str]


def look(connection: Connection, environ: Mapping[str, str]) -> Facts:
    """Find out what a command with these options would work with.

    Args:
        connection: the options.
        environ: such as `os.environ`.
    """
    files, profile, problems = profile_files(), None, list[str]()
    name, named_by = wanted_profile(connection.profile, environ)
    try:
        profile = find_profile(files, name, named_by)
    except ConfigError as error:
        problems.append(str(error))
    settings = settings_of(connection, environ, profile)
    environment, identity, more = _tried(settings, environ)
    return Facts(
        profile=name if profile is not None or named_by is not None else None,
        named_by=named_by,
        files=[_place(file, profile) for file in files],
        settings=[_shown(setting, name, environ) for setting in _in_order(settings)],
        environment=environment,
        certificate=None if identity is None else _certificate(identity),
        problems=problems + more,
        strangers=sorted(name for name in environ if name.startswith(env_name("")) and name not in _VARIABLES),
    )


def _tried(
    settings: Sequence[Setting], environ: Mapping[str, str]
) -> tuple[Environment | None, ClientIdentity | None, list[str]]:
    """Do what a command does before it connects, and go on after the first thing that is wrong."""
    environment = identity = None
    problems = []
    try:
        environment = server_in(settings)
    except OmarError as error:
        problems.append(str(error))
    try:
        identity = identity_in(settings, environ, None)
    except OmarError as error:
        problems.append(str(error))
    if identity is not None:
        try:
            spell_here = speller(settings, spell)
            config: OmarConfig = joined(values(settings), identity, environment or PRODUCTION, spell=spell_here)
            build_context(config.identity, config.trust)
        except OmarError as error:
            problems.append(str(error))
    return environment, identity, problems


def _place(file: ProfileFile, profile: Profile | None) -> Place:
    taken = profile is not None and profile.path == file.path
    error = None if file.error is None else str(file.error)
    return Place(path=file.path, there=file.there, taken=taken, profiles=file.profiles, error=error)


def _certificate(identity: ClientIdentity) -> dict[str, object]:
    return {
        "subject": identity.subject,
        "not_after": identity.not_after.isoformat(),
        "days_left": identity.days_left(dt.datetime.now(dt.UTC)),
    }


def _in_order(settings: Sequence[Setting]) -> Iterator[Setting]:
    """Give what counts before what gives way to it, and the default of what nobody sets."""
    for key in KEYS:
        found = sorted((one for one in settings if one.key == key), key=lambda one: one.silenced_by is not None)
        if all(one.silenced_by is not None for one in found):
            default = _default(key)
            yield Setting(key, default, *(("unset", "not set") if default is None else ("default", "default")))
        yield from found


def _shown(setting: Setting, profile: str, environ: Mapping[str, str]) -> Shown:
    return Shown(
        key=setting.key,
        value=None if setting.value is None else _masked(setting, environ),
        kind=setting.kind,
        source=f"[{profile}]" if setting.kind == "profile" else setting.source,
        silenced_by=setting.silenced_by,
    )


def _masked(setting: Setting, environ: Mapping[str, str]) -> str:
    if setting.key == "passphrase":
        return "set"
    if not is_shown(setting.key, str(setting.value), environ):
        return "…"
    # A name and a password have no place in an address, and would be shown all the same.
    return _USER_INFO.sub("…@", str(setting.value))


def _default(key: str) -> str | None:
    if key == "concurrency":
        return str(attrs.fields(OmarConfig).concurrency.default)
    return str(state_directory(None)) if key == "state_dir" else None
