"""A small public key infrastructure for tests: a root, an intermediate, and certificates of every sort.

`pki` makes it once a session.  All keys are EC, save the weak one, so that making it costs a few milliseconds.
"""

from __future__ import annotations

import datetime as dt
import functools
import ipaddress
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey | ed25519.Ed25519PrivateKey

DAY = dt.timedelta(days=1)


@attrs.frozen
class Files:
    """Where a credential was saved."""

    certificate: Path
    """The certificate, then its intermediates."""
    key: Path
    """Not encrypted."""


@attrs.frozen
class Credential:
    """A certificate, its key, and the intermediates that lead to the root."""

    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, then its intermediates."""
        return pem(self.certificate, *self.chain)

    def key_pem(self, passphrase: bytes = b"", *, traditional: bool = False) -> bytes:
        """Give the key, encrypted if there is a passphrase; PKCS#8 or the form that OpenSSL wrote before."""
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
        return self.key.private_bytes(Encoding.PEM, form, encryption)

    def pkcs12(self, passphrase: bytes = b"") -> bytes:
        """Give everything as PKCS#12, encrypted with AES if there is a passphrase."""
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return pkcs12.serialize_key_and_certificates(b"test", self.key, self.certificate, self.chain, encryption)

    def save(self, directory: Path, name: str = "credential") -> Files:
        """Write certificate and key as PEM."""
        files = Files(directory / f"{name}.crt", directory / f"{name}.key")
        files.certificate.write_bytes(self.certificate_pem)
        files.key.write_bytes(self.key_pem())
        return files

    def issue(
        self,
        name: str,
        *,
        key: Key | None = None,
        starts: dt.timedelta = -DAY,
        ends: dt.timedelta = 60 * DAY,
        authority: bool = False,
    ) -> Credential:
        """Issue a certificate under this one; it is good for ``localhost``, or for `name` alone if that has a dot.

        Args:
            name: its common name.
            key: its key; a new EC key by default.
            starts: when it becomes valid, from now.
            ends: when it expires, from now.
            authority: whether it may issue others.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, self, validity=(starts, ends), authority=authority)
        is_root = self.certificate.subject == self.certificate.issuer
        return Credential(certificate, key, () if is_root else (self.certificate, *self.chain))


def pem(*certificates: x509.Certificate) -> bytes:
    """Give certificates as PEM, in this order."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def make_root(name: str) -> Credential:
    """Make an authority that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Credential(_certificate(name, key, None, validity=(-DAY, 365 * DAY), authority=True), key)


def _certificate(
    name: str, key: Key, issuer: Credential | None, *, validity: tuple[dt.timedelta, dt.timedelta], authority: bool
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + validity[0])
        .not_valid_after(now + validity[1])
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        local = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        names = [x509.DNSName(name)] if "." in name else local
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer.key if issuer else key, SHA256())


@attrs.frozen
class Pki:
    """What a session's tests share."""

    root: Credential
    """Signs `intermediate` and `server`."""
    other_root: Credential
    """Nobody trusts it."""
    intermediate: Credential
    """Signs the clients."""
    server: Credential
    """Good for ``localhost`` and 127.0.0.1."""
    named_server: Credential
    """Good for ``omar.example`` only."""
    client: Credential
    stranger: Credential
    """A client certificate of `other_root`."""
    expired: Credential
    not_yet_valid: Credential
    weak: Credential
    """RSA with 1,024 bits."""

    def save_root(self, directory: Path) -> Path:
        """Write the root, for ``Trust(ca_file=…)`` and for a server's ``-CAfile``."""
        path = directory / "root.pem"
        path.write_bytes(pem(self.root.certificate))
        return path


@functools.cache
def pki() -> Pki:
    """Give the session's infrastructure; made at the first call."""
    root, other_root = make_root("aiomar test root"), make_root("aiomar other root")
    intermediate = root.issue("aiomar test intermediate", authority=True)
    return Pki(
        root=root,
        other_root=other_root,
        intermediate=intermediate,
        server=root.issue("localhost"),
        named_server=root.issue("omar.example"),
        client=intermediate.issue("Test Client"),
        stranger=other_root.issue("Stranger"),
        expired=intermediate.issue("Expired Client", starts=-10 * DAY, ends=-DAY),
        not_yet_valid=intermediate.issue("Early Client", starts=DAY),
        weak=intermediate.issue("Weak Client", key=_weak_key()),
    )


def _weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the weak one
