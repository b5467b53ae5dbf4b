"""Whom we trust, and the one `ssl.SSLContext` that a client's connections share (SUB/DL 1.2.1, 1.2.3).

A plain ``SSLContext(PROTOCOL_TLS_CLIENT)`` is used, not `ssl.create_default_context`: that one honours
``SSLKEYLOGFILE``, which lets an environment variable write session keys to disk.

`ssl` takes a key from a file only.  So that no plain key is ever on a disk, the file holds the key encrypted under a
password that is made for this one call, and on Linux it is a file in memory.
"""

from __future__ import annotations

import logging
import os
import secrets
import ssl
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

import attrs

from aiomar._types import PathLike
from aiomar.errors import ConfigError, DiskError, IdentityError
from aiomar.transport._identity import ClientIdentity
from aiomar.transport._secret import Secret

_log = logging.getLogger("aiomar.transport")

_VERSIONS: Final = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)

_DEFAULT_SECURITY_LEVEL: Final = 2
_HIGHEST_SECURITY_LEVEL: Final = 5

# OpenSSL's own default list, as Python's leaves out static RSA.  Suites without certificates would pass by
# verification, so they are named as excluded, whatever DEFAULT means in some build.
_LEGACY_CIPHERS: Final = "DEFAULT:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL={level}"

# ssl.OP_LEGACY_SERVER_CONNECT, which Python names from 3.12 on.
_OP_LEGACY_SERVER_CONNECT: Final = 0x4

KeyFile = Callable[[bytes], AbstractContextManager[str]]
"""Makes (encrypted) key material readable under a path for as long as the context lasts."""


@attrs.frozen(kw_only=True)
class LegacyTls:
    """What an old server may need, each part named; certificate and host name are verified all the same.

    Every use logs a warning.  Any `LegacyTls` offers suites with static RSA key exchange.

    Attributes:
        tls_1_0: speak TLS 1.0 and 1.1 too; lowers the security level to 0, without which OpenSSL refuses them.
        security_level: OpenSSL's security level, 0 to 5; 1 accepts RSA keys of 1024 bits.  By default 2, and 0 with
            `tls_1_0`.
        unsafe_renegotiation: talk to servers without RFC 5746.

    Raises:
        ConfigError: when the security level is not a whole number from 0 to 5.
    """

    tls_1_0: bool = False
    security_level: int | None = None
    unsafe_renegotiation: bool = False

    def __attrs_post_init__(self) -> None:
        if self.security_level is not None and self.security_level not in range(_HIGHEST_SECURITY_LEVEL + 1):
            raise ConfigError(f"security_level must be 0 to 5, not {self.security_level!a:.80}")

    @property
    def level(self) -> int:
        """The security level in force."""
        if self.security_level is not None:
            return self.security_level
        return 0 if self.tls_1_0 else _DEFAULT_SECURITY_LEVEL


@attrs.frozen(kw_only=True)
class Trust:
    """How a server proves who it is (SUB/DL 1.2.1, SUB 2).  There is no way to switch verification off.

    Attributes:
        ca_file: a PEM file of the authorities to trust; they take the place of the system's.
        server_hostname: the name that the server's certificate must carry, where it is not the host's own.
        minimum_tls: the oldest version of TLS to speak; below 1.2 only with ``LegacyTls(tls_1_0=True)``.
        legacy: concessions to an old server.

    Raises:
        ConfigError: when `minimum_tls` and `legacy` disagree, or `server_hostname` is not a host name.
    """

    ca_file: PathLike | None = None
    server_hostname: str | None = None
    minimum_tls: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    legacy: LegacyTls | None = None

    def __attrs_post_init__(self) -> None:
        if self.minimum_tls not in _VERSIONS:
            raise ConfigError(f"minimum_tls must be ssl.TLSVersion.TLSv1_2 or TLSv1_3, not {self.minimum_tls!a:.80}")
        old = self.legacy is not None and self.legacy.tls_1_0
        if self.minimum_tls < ssl.TLSVersion.TLSv1_2 and not old:
            raise ConfigError("minimum_tls is below TLS 1.2: raise it, or add legacy=LegacyTls(tls_1_0=True)")
        if self.minimum_tls > ssl.TLSVersion.TLSv1_2 and old:
            raise ConfigError("minimum_tls is TLS 1.3 and LegacyTls(tls_1_0=True) asks for TLS 1.0: drop one of them")
        if self.server_hostname is not None and not _is_hostname(self.server_hostname):
            raise ConfigError(
                f"server_hostname must be a host name such as 'omar.example', not {self.server_hostname!a:.300}"
            )

    @property
    def oldest_tls(self) -> ssl.TLSVersion:
        """The oldest version in force: TLS 1.2 is the default of `minimum_tls`, so it does not undo `tls_1_0`."""
        if self.legacy is not None and self.legacy.tls_1_0 and self.minimum_tls == ssl.TLSVersion.TLSv1_2:
            return ssl.TLSVersion.TLSv1
        return self.minimum_tls


def _is_hostname(text: str) -> bool:
    if not text or not text.isprintable() or " " in text:
        return False
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return True


def build_context(identity: ClientIdentity, trust: Trust, *, key_file: KeyFile | None = None) -> ssl.SSLContext:
    """Make the context of a client: our certificate, the authorities we trust, verification always on.

    Args:
        identity: what we show when the server asks, at once or later (post-handshake authentication is on).
        trust: whom we believe.
        key_file: how the encrypted key becomes a file; by default in memory where the system has that, else on disk.

    Raises:
        ConfigError: when the CA file cannot be used, or this OpenSSL lacks what `LegacyTls` asks for.
        DiskError: when the encrypted key cannot be written anywhere.
        IdentityError: kind ``"weak_key"``, ``"mismatch"`` or ``"format"``, when `ssl` does not take the key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.post_handshake_auth = True
    context.minimum_version = max(trust.minimum_tls, ssl.TLSVersion.TLSv1_2)
    if trust.legacy is not None:
        _concede(context, trust, trust.legacy)
    if trust.ca_file is None:
        context.load_default_certs()
    else:
        _load_authorities(context, trust.ca_file)
    _load_key(context, identity, key_file or first_that_works(memory_file, disk_file))
    return context


def _concede(context: ssl.SSLContext, trust: Trust, legacy: LegacyTls) -> None:
    _log.warning("old TLS is allowed, which weakens the connection: %s", legacy)
    if legacy.unsafe_renegotiation:
        context.options |= _OP_LEGACY_SERVER_CONNECT
    try:
        context.set_ciphers(_LEGACY_CIPHERS.format(level=legacy.level))
        if legacy.tls_1_0:
            with warnings.catch_warnings():
                # Python warns of the old version; our own warning has just said so, in the user's terms.
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = trust.oldest_tls
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"this OpenSSL cannot do what {legacy} asks for: ask for less") from error


def _load_authorities(context: ssl.SSLContext, ca_file: PathLike) -> None:
    try:
        context.load_verify_locations(cafile=os.fspath(ca_file))
    except (OSError, ValueError, TypeError) as error:  # SSLError is an OSError
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", error)
        raise ConfigError(
            f"the CA file {ca_file!a:.300} cannot be used ({reason}): give a PEM file of certificates"
        ) from error


def _load_key(context: ssl.SSLContext, identity: ClientIdentity, key_file: KeyFile) -> None:
    password = Secret(secrets.token_hex(32).encode())
    try:
        with key_file(identity.encrypted_pem(password)) as path:
            context.load_cert_chain(path, password=password.reveal())
    except ssl.SSLError as error:
        raise _key_problem(error) from error
    except OSError as error:
        raise DiskError(
            f"the encrypted key cannot be handed to OpenSSL ({error.strerror}): make room in the temporary directory",
            errno=error.errno,
        ) from error


def _key_problem(error: ssl.SSLError) -> IdentityError:
    reason = error.reason or ""
    if reason.endswith(("_TOO_SMALL", "_TOO_WEAK")):
        return IdentityError(
            f"the client certificate is too weak for this OpenSSL ({reason}): get a new one, or accept the risk with "
            "Trust(legacy=LegacyTls(security_level=1)), or 0",
            kind="weak_key",
        )
    if reason == "KEY_VALUES_MISMATCH":
        return IdentityError("the private key does not belong to the certificate: give the pair", kind="mismatch")
    return IdentityError(
        f"this OpenSSL cannot use the client certificate ({reason or 'it does not say why'}): get an RSA or EC key",
        kind="format",
    )


# --- Where the encrypted key stands for a moment ----------------------------------------------------------------------


@contextmanager
def memory_file(content: bytes) -> Iterator[str]:
    """Hold the content in a file that is on no disk and has no name (Linux)."""
    if not hasattr(os, "memfd_create"):
        raise FileNotFoundError("this system has no files in memory")
    descriptor = os.memfd_create("aiomar")
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        file.write(content)
        path = Path(f"/proc/self/fd/{descriptor}")
        path.stat()  # in some containers /proc is not there
        yield str(path)


@contextmanager
def disk_file(content: bytes) -> Iterator[str]:
    """Hold the content in a file that only we may read, in a directory that only we may enter."""
    with tempfile.TemporaryDirectory(prefix="aiomar-") as directory:
        path = Path(directory, "key.pem")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield str(path)


def first_that_works(preferred: KeyFile, otherwise: KeyFile) -> KeyFile:
    """Hold the content the preferred way, or the other way if the system refuses that one."""

    @contextmanager
    def either(content: bytes) -> Iterator[str]:
        with ExitStack() as stack:
            try:
                path = stack.enter_context(preferred(content))
            except OSError:
                path = stack.enter_context(otherwise(content))
            yield path

    return either
