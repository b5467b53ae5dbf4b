"""Servers that either side of mutual TLS may refuse: who must be refused, and `openssl s_server` as a small site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.clients import CSV, TARGET
from tests.support.openssl import SServer, s_server
from tests.support.pki import DAY, Credential, pki

LOGIN = b"HTTP/1.0 200 OK\r\nSet-Cookie: S=1\r\n\r\nwelcome"


@contextmanager
def site(directory: Path, *options: str, server: Credential | None = None) -> Iterator[SServer]:
    """Run a server that demands a client certificate, logs in and has the file that `download` asks for."""
    (directory / "fr_top.jsp").write_bytes(LOGIN)
    (directory / TARGET.removeprefix("/")).write_bytes(
        b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(CSV), CSV)
    )
    files = (server or pki().server).save(directory, "server")
    with s_server(
        *("-cert", files.certificate, "-key", files.key, "-CAfile", pki().save_root(directory)),
        *("-Verify", "3", "-verify_return_error", "-HTTP", "-msg", *options),
        cwd=directory,
    ) as running:
        yield running


def for_servers_only() -> Credential:
    """Issue a certificate whose purpose is another one."""
    issuer, client = pki().intermediate, pki().client
    builder = (
        x509.CertificateBuilder()
        .subject_name(client.certificate.subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(client.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(client.certificate.not_valid_before_utc)
        .not_valid_after(client.certificate.not_valid_after_utc)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return Credential(builder.sign(issuer.key, SHA256()), client.key, (issuer.certificate,))


REFUSED: dict[str, Callable[[], Credential]] = {
    "unknown authority": lambda: pki().stranger,
    "expired": lambda: pki().expired,
    "wrong purpose": for_servers_only,
    "without its intermediate": lambda: Credential(pki().client.certificate, pki().client.key),
}
"""Certificates of clients that a server must refuse."""


REFUSED_SERVERS: dict[str, Callable[[], Credential]] = {
    "name": lambda: pki().named_server,
    "authority": lambda: pki().other_root.issue("localhost"),
    "expired": lambda: pki().root.issue("localhost", starts=-2 * DAY, ends=-DAY),
    "not yet valid": lambda: pki().root.issue("localhost", starts=DAY),
}
"""Certificates of servers that a client must refuse."""
