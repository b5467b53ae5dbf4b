"""The configuration of a client: one frozen value, and the two places it can be read from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs

from aiomar._checks import whole_number
from aiomar._settings import env_name, named_passphrase, settings_from_env, settings_from_toml
from aiomar._types import PathLike
from aiomar.errors import ConfigError
from aiomar.protocol import PRODUCTION, STAGING, TEST, Environment, UploadLimits
from aiomar.transfer import RetryPolicy
from aiomar.transport import ClientIdentity, Timeouts, Trust

ENVIRONMENTS = {environment.name: environment for environment in (PRODUCTION, STAGING, TEST)}
_MAX_DOWNLOAD_BYTES = 4 * 1024**3
_MOST_DIGITS = 9


def _of(kind: type) -> Callable[[object, attrs.Attribute[Any], object], None]:
    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, kind):
            raise ConfigError(f"{attribute.name} must be of type {kind.__name__}, not {type(value).__name__}")

    return check


def _check_proxy(_instance: object, _attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is None:
        return
    try:
        parts = urlsplit(value)
        good = parts.scheme == "http" and bool(parts.hostname) and (parts.port or 1) > 0 and not parts.path.strip("/")
        named = "@" in parts.netloc
    except (ValueError, AttributeError, TypeError):
        good = named = False
    if named:  # it would stand in every report of the configuration
        raise ConfigError(
            "proxy must be like 'http://host:port', without a name and a password: to use a proxy that wants them, run "
            "one on this machine that logs in to it"
        )
    if not good:
        raise ConfigError("proxy must be like 'http://host:port'")


def _check_user_agent(_instance: object, _attribute: attrs.Attribute[str | None], value: object) -> None:
    if value is not None and not (isinstance(value, str) and value.isascii() and value.isprintable() and value):
        raise ConfigError("user_agent must be printable ASCII text")


def _check_age(_instance: object, _attribute: attrs.Attribute[timedelta | None], value: object) -> None:
    if value is not None and not (isinstance(value, timedelta) and value > timedelta(0)):
        raise ConfigError("max_session_age must be a timedelta above zero, or None")


@attrs.frozen
class OmarConfig:
    """Everything a client needs to know; it never changes.

    Args:
        identity: the client certificate (SUB/DL 1.2.3).
        environment: which OMAR-Online (SUB/DL 2); there is no default that could receive data by accident.
        trust: what to accept of the server's certificate.
        timeouts: how long things may take, in seconds.
        retry: how failed downloads and logins are repeated.
        limits: what a file to upload must keep to (SUB 3.2.2).
        concurrency: how many downloads are under way at once, over all tasks of the client.
        max_session_age: a session older than this is replaced; `None` keeps it until the server ends it (SUB/DL 1.3).
        state_dir: where the client keeps its own records; `None` for the platform's place.
        proxy: ``"http://host:port"`` of a CONNECT proxy; proxy variables of the environment are ignored.
        user_agent: `None` for ``aiomar/<version>``.
        durable: sync files and directories before a file counts as saved; `False` renames without sync.
        max_download_bytes: a download larger than this is given up.
        lean: `False` sends through aiohttp's session, which is slower and uses nothing of aiohttp that is undocumented.

    Raises:
        ConfigError: for a value of a wrong type or out of range.
    """

    identity: ClientIdentity = attrs.field(validator=_of(ClientIdentity))
    environment: Environment = attrs.field(validator=_of(Environment))
    trust: Trust = attrs.field(factory=Trust, kw_only=True, validator=_of(Trust))
    timeouts: Timeouts = attrs.field(factory=Timeouts, kw_only=True, validator=_of(Timeouts))
    retry: RetryPolicy = attrs.field(factory=RetryPolicy, kw_only=True, validator=_of(RetryPolicy))
    limits: UploadLimits = attrs.field(factory=UploadLimits, kw_only=True, validator=_of(UploadLimits))
    concurrency: int = attrs.field(default=8, kw_only=True, validator=whole_number)
    max_session_age: timedelta | None = attrs.field(default=None, kw_only=True, validator=_check_age)
    state_dir: PathLike | None = attrs.field(default=None, kw_only=True)
    proxy: str | None = attrs.field(default=None, kw_only=True, validator=_check_proxy)
    user_agent: str | None = attrs.field(default=None, kw_only=True, validator=_check_user_agent)
    durable: bool = attrs.field(default=True, kw_only=True, validator=_of(bool))
    max_download_bytes: int = attrs.field(default=_MAX_DOWNLOAD_BYTES, kw_only=True, validator=whole_number)
    lean: bool = attrs.field(default=True, kw_only=True, validator=_of(bool))

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> OmarConfig:
        """Read a mapping such as `os.environ`.

        Certificate: ``AIOMAR_PKCS12``, or ``AIOMAR_CERTIFICATE`` with ``AIOMAR_KEY``; ``AIOMAR_PASSPHRASE``.
        Server: ``AIOMAR_ENVIRONMENT`` (``production``, ``staging`` or ``test``), or ``AIOMAR_UPLOAD_ORIGIN`` and
        ``AIOMAR_DOWNLOAD_ORIGIN``.  Also ``AIOMAR_CA_FILE``, ``AIOMAR_CONCURRENCY`` and ``AIOMAR_STATE_DIR``.

        Raises:
            ConfigError: a variable is missing, contradicts another one or cannot be read.
            IdentityError: the certificate cannot be used.
        """
        settings = settings_from_env(environ)
        del environ  # no traceback that prints local variables shall show it
        return config_from(settings, passphrase=settings.get("passphrase"), spell=env_name)

    @classmethod
    def from_toml(cls, path: PathLike, profile: str = "default") -> OmarConfig:
        """Read one table of a TOML file.

        Keys: ``environment``, ``upload_origin``, ``download_origin``, ``pkcs12``, ``certificate``, ``key``,
        ``passphrase_env`` (the name of an environment variable, never the passphrase itself) or
        ``passphrase_keyring`` (``"service/user"``, the name of an entry of the system's keyring; extra ``keyring``),
        ``ca_file``, ``proxy``, ``concurrency`` and ``state_dir``.  Relative paths count from the file's
        directory, and ``~`` is your home.

        It reads files, and a keyring may wait for a person who unlocks it: in a running event loop call it in a thread.

        Raises:
            ConfigError: the file, the profile or a key cannot be used.
            IdentityError: the certificate cannot be used.
        """
        settings = settings_from_toml(path, profile)
        return config_from(settings, passphrase=named_passphrase(settings, os.environ), spell=str)


def environment_from(
    name: str | None, upload_origin: str | None, download_origin: str | None, spell: Callable[[str], str] = str
) -> Environment:
    """Give the environment that a name or two origins stand for.

    Args:
        name: ``production``, ``staging`` or ``test``.
        upload_origin: for any other place, together with `download_origin`.
        download_origin: see `upload_origin`.
        spell: how the setting is called where it came from, for messages.

    Raises:
        ConfigError: none, both or half of it is given.
    """
    both = f"{spell('upload_origin')} and {spell('download_origin')}"
    if upload_origin or download_origin:
        if name:
            raise ConfigError(f"give {spell('environment')} or {both}, not both")
        if not upload_origin or not download_origin:
            raise ConfigError(f"{both} belong together: give the other one too")
        return Environment("custom", upload_origin, download_origin)
    if not name:
        raise ConfigError(f"no environment is given, and none is a default: set {spell('environment')}, or {both}")
    if name not in ENVIRONMENTS:
        raise ConfigError(f"{spell('environment')} must be one of {', '.join(ENVIRONMENTS)}, not {name!a:.60}")
    return ENVIRONMENTS[name]


def identity_from(
    pkcs12: str | None,
    certificate: str | None,
    key: str | None,
    passphrase: str | Callable[[], str] | None,
    spell: Callable[[str], str] = str,
) -> ClientIdentity:
    """Load the client certificate from whichever form is given.

    Raises:
        ConfigError: none or both are given.
        IdentityError: it cannot be used.
    """
    if pkcs12 and (certificate or key):
        raise ConfigError(f"give {spell('pkcs12')} or {spell('certificate')}, not both")
    if pkcs12:
        return ClientIdentity.from_pkcs12(pkcs12, passphrase)
    if certificate:
        return ClientIdentity.from_pem(certificate, key, passphrase)
    raise ConfigError(f"no client certificate is given: set {spell('pkcs12')} or {spell('certificate')}")


def _whole(given: Any, name: str) -> Any:  # noqa: ANN401 - whatever stood in a file; `OmarConfig` looks at it
    """Give a number that may have come as text."""
    if not isinstance(given, str):
        return given
    if not given.isascii() or not given.isdigit() or len(given) > _MOST_DIGITS:
        raise ConfigError(f"{name} must be a whole number, not {given!a:.40}")
    return int(given)


def config_from(
    settings: Mapping[str, Any],
    *,
    passphrase: str | Callable[[], str] | None,
    spell: Callable[[str], str],
) -> OmarConfig:
    """Join settings, by the names of the TOML keys, into a configuration.

    Raises:
        ConfigError: a setting is missing, contradicts another one or cannot be used.
        IdentityError: the certificate cannot be used.
    """
    environment = environment_from(
        settings.get("environment"), settings.get("upload_origin"), settings.get("download_origin"), spell
    )
    identity = identity_from(
        settings.get("pkcs12"), settings.get("certificate"), settings.get("key"), passphrase, spell
    )
    return joined(settings, identity, environment, spell=spell)


def joined(
    settings: Mapping[str, Any], identity: ClientIdentity, environment: Environment, *, spell: Callable[[str], str]
) -> OmarConfig:
    """Add the settings that are neither certificate nor server.

    Raises:
        ConfigError: one of them cannot be used.
    """
    concurrency = _whole(settings.get("concurrency"), spell("concurrency"))
    return OmarConfig(
        identity,
        environment,
        trust=Trust(ca_file=settings.get("ca_file")),
        state_dir=settings.get("state_dir"),
        proxy=settings.get("proxy"),
        **({} if concurrency is None else {"concurrency": concurrency}),
    )
