"""PKCS#12 and PEM files into a private key and certificates, whatever shape they are in.

cryptography reads, because it never asks at a terminal and knows the ciphers that old browsers exported with, which
`ssl` does not.  What it raises on bad input is of many classes and its texts blame the wrong thing now and then, so
nothing of it leaves this file: every failure becomes an `IdentityError` with its kind.

File contents and passphrases travel as `Secret`, and errors are raised ``from None`` once a passphrase was used, so
that neither a message nor a traceback that prints local variables can show one.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from aiomar._types import Passphrase, PathLike
from aiomar.errors import IdentityError
from aiomar.transport._secret import Secret

# Key, certificates and a long chain are a few kilobytes; the bound keeps a device file or a wrong path from filling
# the memory.
_LONGEST_FILE: Final = 1024 * 1024

_PEM_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE_LABELS: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})

# The object ids of password ciphers that OpenSSL 3 keeps in its legacy provider, in DER: pkcs-12PbeIds 1.2.840.113549.
# 1.12.1.n (RFC 7292, appendix C; 3 and 4 are 3DES, which needs no legacy provider) and PKCS#5 1.2.840.113549.1.5.n
# (RFC 8018, appendix A.3).
_LEGACY_CIPHER: Final = re.compile(
    rb"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01[\x01\x02\x05\x06]"
    rb"|\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05[\x01\x03\x04\x06\x0a\x0b]"
)
_NO_LEGACY: Final = "CRYPTOGRAPHY_OPENSSL_NO_LEGACY"


@attrs.frozen
class KeyMaterial:
    """What a file held: one key, and certificates in no order that means anything, save that the likeliest is first."""

    key: PrivateKeyTypes = attrs.field(repr=False)
    certificates: Sequence[x509.Certificate]


def read_pkcs12(source: PathLike | bytes, passphrase: Secret[Passphrase | None]) -> KeyMaterial:
    """Read a PKCS#12 file, or its bytes.

    Raises:
        IdentityError: kind ``"passphrase"``, ``"format"``, ``"no_key"`` or ``"mismatch"`` (no certificate at all).
    """
    name = "the PKCS#12 data" if isinstance(source, bytes) else f"the PKCS#12 file {source!a:.300}"
    data = Secret(source) if isinstance(source, bytes) else _read_file(source, name)
    opener = _resolve(passphrase, name)
    with only_identity_errors(name):
        bundle = _open_pkcs12(data, opener, name)
        found = [entry.certificate for entry in (bundle.cert, *bundle.additional_certs) if entry is not None]
        if bundle.key is None:
            raise IdentityError(f"{name} holds no private key: export it again together with its key", kind="no_key")
        if not found:
            raise IdentityError(
                f"{name} holds a key but no certificate: export it again together with its certificate",
                kind="mismatch",
            )
        return KeyMaterial(bundle.key, found)


def read_pem(certificate: PathLike, key: PathLike | None, passphrase: Secret[Passphrase | None]) -> KeyMaterial:
    """Read certificates from one PEM file, and the key from the same one or another.

    Raises:
        IdentityError: kind ``"passphrase"``, ``"format"`` or ``"no_key"``.
    """
    name = f"the PEM file {certificate!a:.300}"
    key_name = name if key is None else f"the key file {key!a:.300}"
    blocks = _pem_blocks(_read_file(certificate, name), name)
    key_blocks = blocks if key is None else _pem_blocks(_read_file(key, key_name), key_name)
    certificates = [block for label, block in blocks if label in _CERTIFICATE_LABELS]
    if not certificates:
        raise IdentityError(f"{name} holds no certificate: give the file that does", kind="format")
    keys = [block for label, block in key_blocks if label.endswith(b"PRIVATE KEY")]
    if not keys:
        raise IdentityError(f"{key_name} holds no private key: give the file that does", kind="no_key")
    with only_identity_errors(name):
        found = [x509.load_pem_x509_certificate(block.reveal()) for block in certificates]
    return KeyMaterial(_open_pem_key(keys[0], passphrase, key_name), found)


@contextmanager
def only_identity_errors(name: str) -> Iterator[None]:
    """Turn whatever a parser raises into an `IdentityError`, and hush its warnings.

    cryptography warns of BER where DER is due (old Netscape and Mozilla exports) and of oddly long name attributes:
    whoever was given such a certificate cannot mend it, and it works.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except IdentityError:
            raise
        except BaseException as error:
            # Foreign parsers raise TypeError, ValueError and more.  A panic of cryptography's Rust part, which some
            # damaged files cause, is not even an Exception, and has no public name.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            words = f"{name} is damaged or of a kind that cannot be read: export it again"
            damaged = IdentityError(words, kind="format")
            try:
                raise damaged from None
            finally:
                damaged.__context__ = None  # a panic cannot be pickled, and Dask pickles an error with its context


def _read_file(path: PathLike, name: str) -> Secret[bytes]:
    try:
        with Path(path).open("rb") as file:
            content = Secret(file.read(_LONGEST_FILE + 1))
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise IdentityError(
            f"{name} cannot be read ({reason}): correct the path or its rights", kind="format"
        ) from error
    if not 0 < len(content.reveal()) <= _LONGEST_FILE:
        raise IdentityError(f"{name} is empty or far too long for a certificate: correct the path", kind="format")
    return content


def _resolve(passphrase: Secret[Passphrase | None], name: str) -> Secret[bytes] | None:
    """Ask for the passphrase if it has to be asked for; `None` when there is none or an empty one."""
    asked = passphrase.reveal()
    given = Secret[object](asked() if callable(asked) else asked)
    del asked
    encoded = _encode(given)
    if encoded is None:
        raise IdentityError(f"the passphrase of {name} must be text or bytes: correct it", kind="passphrase")
    return encoded if encoded.reveal() else None


def _encode(given: Secret[object]) -> Secret[bytes] | None:
    """Give the passphrase as bytes; `None` when it is neither bytes nor text that has a UTF-8 form."""
    match given.reveal():
        case None:
            return Secret(b"")
        case bytes() as binary:
            return Secret(binary)
        case str() as text if not re.search("[\ud800-\udfff]", text):
            return Secret(text.encode())
    return None


def _is_text(secret: Secret[bytes]) -> bool:
    try:
        return "\0" not in secret.reveal().decode()
    except UnicodeDecodeError:
        return False


def _open_pkcs12(data: Secret[bytes], passphrase: Secret[bytes] | None, name: str) -> pkcs12.PKCS12KeyAndCertificates:
    if data.reveal().lstrip().startswith(b"-----BEGIN"):
        raise IdentityError(f"{name} is PEM: load it with ClientIdentity.from_pem()", kind="format")
    if passphrase is not None and not _is_text(passphrase):
        # PKCS#12 passphrases are text by definition.  cryptography answers other bytes with a riddle, and a NUL with a
        # panic that no `except Exception` stops.
        raise IdentityError(f"the passphrase of {name} is not text: give it as UTF-8 without NUL", kind="passphrase")
    # "No passphrase" is written in two ways, and not every version of cryptography takes one for the other.
    failure = ""
    for candidate in (passphrase,) if passphrase else (None, Secret(b"")):
        try:
            return pkcs12.load_pkcs12(data.reveal(), None if candidate is None else candidate.reveal())
        except UnsupportedAlgorithm as error:
            failure = str(error)
        except ValueError as error:
            failure = str(error)
    raise _pkcs12_problem(data, given=passphrase is not None, failure=failure, name=name)


def _pkcs12_problem(data: Secret[bytes], *, given: bool, failure: str, name: str) -> IdentityError:
    wrong_passphrase = "password" in failure.lower()
    if _LEGACY_CIPHER.search(data.reveal()):
        # Without OpenSSL's legacy provider cryptography blames the passphrase, right or wrong.
        switched_off = bool(os.environ.get(_NO_LEGACY))
        return IdentityError(
            f"{name} is encrypted with an old cipher (such as RC2) and does not open: correct the passphrase, "
            f"or, if it is right, start without {_NO_LEGACY} in the environment or export the file again with AES",
            kind="passphrase" if wrong_passphrase and not switched_off else "format",
        )
    if not wrong_passphrase:
        return IdentityError(f"{name} is not PKCS#12, or is cut short: export it again", kind="format")
    if given:
        return IdentityError(
            f"the passphrase does not open {name}: correct it (a damaged file looks the same)", kind="passphrase"
        )
    return IdentityError(f"{name} needs a passphrase: give it", kind="passphrase")


def _pem_blocks(data: Secret[bytes], name: str) -> list[tuple[bytes, Secret[bytes]]]:
    """Give label and text of every block, in order; anything between blocks is commentary (``Bag Attributes``)."""
    blocks = [(match[1], Secret(match[0])) for match in _PEM_BLOCK.finditer(data.reveal())]
    if not blocks and data.reveal().startswith(b"\x30"):
        raise IdentityError(
            f"{name} is binary, not PEM: load it with ClientIdentity.from_pkcs12() if it is PKCS#12, else convert it",
            kind="format",
        )
    if not blocks or data.reveal().count(b"-----BEGIN ") != len(blocks):
        raise IdentityError(f"{name} is not PEM, or is cut short: give a complete PEM file", kind="format")
    return blocks


def _open_pem_key(block: Secret[bytes], passphrase: Secret[Passphrase | None], name: str) -> PrivateKeyTypes:
    """Open a key; a passphrase that it does not need is not asked for."""
    with only_identity_errors(name):
        try:
            return load_pem_private_key(block.reveal(), None)
        except TypeError:  # cryptography's word for "is encrypted"
            pass
    opener = _resolve(passphrase, name)
    if opener is None:
        raise IdentityError(f"the key in {name} is encrypted: give its passphrase", kind="passphrase")
    with only_identity_errors(name):
        try:
            return load_pem_private_key(block.reveal(), opener.reveal())
        except (ValueError, TypeError):
            raise IdentityError(
                f"the passphrase does not open the key in {name}: correct it (a damaged file looks the same)",
                kind="passphrase",
            ) from None
