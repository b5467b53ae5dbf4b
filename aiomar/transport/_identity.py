"""Who we are: a client certificate, its key and its intermediates, checked before any byte is sent (SUB/DL 1.2.3)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from aiomar._types import Passphrase, PathLike
from aiomar.errors import IdentityError
from aiomar.transport._key_files import KeyMaterial, only_identity_errors, read_pem, read_pkcs12
from aiomar.transport._secret import Secret

# OpenSSL's security level 2, which is the default of `ssl`, asks for 112 bits of strength: these sizes.
_SMALLEST_RSA: Final = 2048
_SMALLEST_EC: Final = 224


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class ClientIdentity:
    """A client certificate with its private key (SUB/DL 1.2.3).

    Made by `from_pkcs12` or `from_pem`, which read, check and close their files; nothing is read later.  The object
    does not change, is safe to share, and shows no secret: its repr has subject and dates, and it cannot be pickled.

    Attributes:
        subject: the certificate's subject as text (RFC 4514), such as ``"CN=Jane Doe,O=Example"``.
        issuer: its issuer, likewise.
        not_before: the first moment at which it is valid (aware, UTC).
        not_after: the last one (aware, UTC).
        fingerprint: SHA-256 of the certificate in DER, in hexadecimal.
        holder: SHA-256 of subject and issuer, in hexadecimal; a renewed certificate has the same.
    """

    __slots__ = ("_chain", "_key", "_now", "fingerprint", "holder", "issuer", "not_after", "not_before", "subject")

    def __init__(
        self, key: PrivateKeyTypes, chain: Sequence[x509.Certificate], *, now: Callable[[], dt.datetime] = _utc_now
    ) -> None:
        """Take a key, its certificate and the intermediates in sending order; prefer the named constructors."""
        leaf = chain[0]
        self._key: Final = key
        self._chain: Final = tuple(chain)
        self._now: Final = now
        self.subject: Final = leaf.subject.rfc4514_string()
        self.issuer: Final = leaf.issuer.rfc4514_string()
        self.not_before: Final = leaf.not_valid_before_utc
        self.not_after: Final = leaf.not_valid_after_utc
        self.fingerprint: Final = leaf.fingerprint(SHA256()).hex()
        self.holder: Final = sha256(leaf.subject.public_bytes() + leaf.issuer.public_bytes()).hexdigest()

    @classmethod
    def from_pkcs12(
        cls,
        source: PathLike | bytes,
        passphrase: Passphrase | None = None,
        *,
        allow_weak_key: bool = False,
        now: Callable[[], dt.datetime] = _utc_now,
    ) -> ClientIdentity:
        """Load a ``.p12`` or ``.pfx`` file, as browsers export it (AES, 3DES and RC2).

        Args:
            source: the file, or its content.
            passphrase: opens it: text (used as UTF-8), bytes, or a callable that gives it.  `None` and ``""`` mean
                that there is none.  Nothing is ever asked at a terminal.
            allow_weak_key: accept an RSA or DSA key below 2048 bits or an EC key below 224; to send it, `ssl` needs
                ``Trust(legacy=LegacyTls(security_level=1))`` too.
            now: the clock that expiry is checked against, here and in `ensure_valid`; gives aware datetimes.

        Raises:
            IdentityError: see its kinds; nothing was sent.
        """
        sealed = Secret(passphrase)
        del passphrase  # no traceback that prints local variables shall show it
        return cls._checked(read_pkcs12(source, sealed), allow_weak_key=allow_weak_key, now=now)

    @classmethod
    def from_pem(
        cls,
        certificate: PathLike,
        key: PathLike | None = None,
        passphrase: Passphrase | None = None,
        *,
        allow_weak_key: bool = False,
        now: Callable[[], dt.datetime] = _utc_now,
    ) -> ClientIdentity:
        """Load PEM files.

        Args:
            certificate: holds the certificate and any intermediates, in any order; and the key, when `key` is `None`.
            key: holds the key, PKCS#8 or traditional, encrypted or not.
            passphrase: opens the key: text (used as UTF-8), bytes, or a callable, asked only if the key is encrypted.
                Nothing is ever asked at a terminal.
            allow_weak_key: accept an RSA or DSA key below 2048 bits or an EC key below 224; to send it, `ssl` needs
                ``Trust(legacy=LegacyTls(security_level=1))`` too.
            now: the clock that expiry is checked against, here and in `ensure_valid`; gives aware datetimes.

        Raises:
            IdentityError: see its kinds; nothing was sent.
        """
        sealed = Secret(passphrase)
        del passphrase  # no traceback that prints local variables shall show it
        return cls._checked(read_pem(certificate, key, sealed), allow_weak_key=allow_weak_key, now=now)

    @classmethod
    def _checked(cls, material: KeyMaterial, *, allow_weak_key: bool, now: Callable[[], dt.datetime]) -> ClientIdentity:
        moment = now()
        with only_identity_errors("the certificate"):  # names, dates and keys are parsed when they are first looked at
            identity = cls(material.key, _chain_for(material, moment), now=now)
        if not allow_weak_key:
            _check_strength(material.key)
        identity.ensure_valid()
        return identity

    def days_left(self, now: dt.datetime | None = None) -> int:
        """Count the whole days from `now` (aware; by default its clock's) until it expires; negative once it has."""
        return (self.not_after - (now or self._now())).days

    def ensure_valid(self) -> None:
        """Do nothing if the certificate is valid now; a long-lived client asks before each login.

        Raises:
            IdentityError: kind ``"expired"`` or ``"not_yet_valid"``.
        """
        now = self._now()
        if now > self.not_after:
            raise IdentityError(
                f"the client certificate {self.subject!a:.200} expired on {self.not_after:%Y-%m-%d %H:%M} UTC: "
                "get a new one",
                kind="expired",
            )
        if now < self.not_before:
            raise IdentityError(
                f"the client certificate {self.subject!a:.200} is valid from {self.not_before:%Y-%m-%d %H:%M} UTC: "
                "wait, or set this computer's clock right",
                kind="not_yet_valid",
            )

    def encrypted_pem(self, password: Secret[bytes]) -> bytes:
        """Give certificate, intermediates (leaf to issuer) and key as PEM, the key encrypted under `password`."""
        key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.reveal()))
        return b"".join([*(certificate.public_bytes(Encoding.PEM) for certificate in self._chain), key])

    def __repr__(self) -> str:
        return (
            f"ClientIdentity(subject={self.subject!r}, not_before={self.not_before.isoformat()}, "
            f"not_after={self.not_after.isoformat()})"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ClientIdentity holds a private key and cannot be pickled or copied: load it again there")


def _chain_for(material: KeyMaterial, now: dt.datetime) -> list[x509.Certificate]:
    """Find the key's certificate and put the intermediates behind it, each followed by its issuer.

    The root is left out: a server has it or does not trust it.  So are certificates that lead nowhere.

    Raises:
        IdentityError: kind ``"mismatch"``.
    """
    ours = [certificate for certificate in material.certificates if _belongs(certificate, material.key)]
    if not ours:
        raise IdentityError(
            "the private key does not belong to any of the certificates: give the pair that was issued together",
            kind="mismatch",
        )
    # A renewed certificate may stand beside the old one, with the same key.
    current = next((c for c in ours if c.not_valid_before_utc <= now <= c.not_valid_after_utc), ours[0])
    chain = [current]
    pool = [certificate for certificate in material.certificates if certificate.subject != certificate.issuer]
    while issuer := next((c for c in pool if c not in chain and _issued(c, chain[-1])), None):
        chain.append(issuer)
    return chain


def _belongs(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):  # a key of a kind that cryptography cannot read is not ours
        return False


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if issuer.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError):
        return False
    except (UnsupportedAlgorithm, TypeError):  # an outdated signature: whether it counts is for the server to say
        return True
    return True


def _check_strength(key: PrivateKeyTypes) -> None:
    if isinstance(key, rsa.RSAPrivateKey | dsa.DSAPrivateKey):
        smallest = _SMALLEST_RSA
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        smallest = _SMALLEST_EC
    else:
        return
    if key.key_size < smallest:
        raise IdentityError(
            f"the client key has {key.key_size} bits where {smallest} are needed: get a new certificate, or accept "
            "the risk with allow_weak_key=True and Trust(legacy=LegacyTls(security_level=...))",
            kind="weak_key",
        )
