"""The certificates of the embedded server: one authority that signs the server's and the client's, by trustme."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from aiomar.protocol import Environment

try:
    import trustme
except ImportError as error:
    raise ImportError("aiomar.testing needs its extra: pip install 'aiomar[testing]'") from error


@attrs.frozen(kw_only=True)
class Credentials:
    """Where the files of a client are."""

    pkcs12: Path
    """Certificate and key, under the passphrase."""
    certificate: Path
    """The certificate as PEM."""
    key: Path
    """The key as PEM, encrypted under the passphrase if there is one."""
    ca_file: Path
    """The authority that signed the server's certificate, as PEM."""

    def environ(self, environment: Environment, passphrase: str) -> dict[str, str]:
        """Give the ``AIOMAR_*`` variables of a client with these files; its ledger gets a directory beside them."""
        return {
            "AIOMAR_UPLOAD_ORIGIN": environment.upload_origin,
            "AIOMAR_DOWNLOAD_ORIGIN": environment.download_origin,
            "AIOMAR_PKCS12": str(self.pkcs12),
            "AIOMAR_PASSPHRASE": passphrase,
            "AIOMAR_CA_FILE": str(self.ca_file),
            "AIOMAR_STATE_DIR": str(self.pkcs12.with_name("state")),
        }


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()


class Authority:
    """A certificate authority with one server and one client certificate; making one takes a few milliseconds.

    Share one between servers to keep client files valid; use a second one for a client that a server must refuse.
    """

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._server = self._ca.issue_cert("localhost", "127.0.0.1", "::1")
        self._client = self._ca.issue_cert("operator@omar.test", common_name="OMAR test operator")

    @property
    def ca_pem(self) -> bytes:
        """The authority's own certificate."""
        return self._ca.cert_pem.bytes()

    @property
    def certificate_pem(self) -> bytes:
        """The client's certificate."""
        return self._client.cert_chain_pems[0].bytes()

    @functools.cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        key = load_pem_private_key(self._client.private_key_pem.bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("trustme made a key of another kind than elliptic curve: aiomar.testing needs an update")
        return key

    def key_pem(self, passphrase: str | None = None) -> bytes:
        """Give the client's key, encrypted if there is a passphrase."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))

    def pkcs12(self, passphrase: str | None = None) -> bytes:
        """Give the client's certificate and key as a ``.p12`` file's content."""
        certificate = x509.load_pem_x509_certificate(self.certificate_pem)
        return pkcs12.serialize_key_and_certificates(b"omar", self._key, certificate, None, _encryption(passphrase))

    def write(self, directory: Path, passphrase: str | None = None) -> Credentials:
        """Write what a client needs into a directory that exists; keys are readable by their owner only."""
        files = Credentials(
            pkcs12=directory / "client.p12",
            certificate=directory / "client.pem",
            key=directory / "client.key",
            ca_file=directory / "ca.pem",
        )
        for path, content in (
            (files.pkcs12, self.pkcs12(passphrase)),
            (files.certificate, self.certificate_pem),
            (files.key, self.key_pem(passphrase)),
            (files.ca_file, self.ca_pem),
        ):
            path.touch(mode=0o600)
            path.write_bytes(content)
        return files

    def server_context(self, maximum_tls: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Make the server's side of mutual TLS: TLS 1.2 at least, a client certificate of this authority required."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if maximum_tls is not None:
            context.maximum_version = maximum_tls
        context.verify_mode = ssl.CERT_REQUIRED
        self._ca.configure_trust(context)
        self._server.configure_cert(context)
        return context
