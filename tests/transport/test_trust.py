"""Trust settings, the context made from them, and real handshakes with a server that nobody here wrote."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from aiomar.errors import ConfigError, DiskError, IdentityError
from aiomar.transport._identity import ClientIdentity
from aiomar.transport._trust import (
    KeyFile,
    LegacyTls,
    Trust,
    build_context,
    disk_file,
    first_that_works,
    memory_file,
)
from tests.support.openssl import s_server
from tests.support.pki import DAY, Credential, pki

needs_memory_files = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no files in memory")


@pytest.fixture
def identity() -> ClientIdentity:
    """Give a client whose intermediate only it can show."""
    return ClientIdentity.from_pkcs12(pki().client.pkcs12(b"x"), "x")


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """Give the file of the root that signed servers and, indirectly, clients."""
    return pki().save_root(tmp_path)


def server_options(directory: Path, credential: Credential | None = None) -> list[str | Path]:
    """Give the options of a server that demands a client certificate and trusts the root alone."""
    files = (credential or pki().server).save(directory, "server")
    demand: list[str | Path] = ["-CAfile", pki().save_root(directory), "-Verify", "3", "-verify_return_error"]
    return ["-cert", files.certificate, "-key", files.key, *demand]


def talk(context: ssl.SSLContext, port: int, server_hostname: str = "localhost") -> tuple[str | None, str]:
    """Shake hands and ask for the page about the connection; gives the version of TLS and the page."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=server_hostname) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        page = b"".join(iter(lambda: connection.recv(65536), b""))
        return connection.version(), page.decode()


# --- Handshakes -------------------------------------------------------------------------------------------------------


@pytest.mark.clause("SUB 1.2.1", "DL 1.2.1", "SUB 1.2.3", "DL 1.2.3")
@pytest.mark.parametrize("key_file", [None, pytest.param(memory_file, marks=needs_memory_files), disk_file])
@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_mutual_handshake_with_intermediate(  # noqa: PLR0917 - three fixtures, three facts
    identity: ClientIdentity, ca_file: Path, tmp_path: Path, option: str, version: str, key_file: KeyFile | None
) -> None:
    """A server that knows only the root verifies us, as we send the intermediate, under TLS 1.2 and 1.3."""
    context = build_context(identity, Trust(ca_file=ca_file), key_file=key_file)

    with s_server(*server_options(tmp_path), "-www", option) as server:
        assert talk(context, server.port)[0] == version
        server.wait_for("depth=0 .*Test Client")
        server.wait_for("depth=1 .*test intermediate")


def test_without_its_intermediate_the_server_refuses(ca_file: Path, tmp_path: Path) -> None:
    """The server of these tests cannot do without the intermediate: what it accepts, it was sent."""
    client = pki().client
    bare = ClientIdentity.from_pkcs12(Credential(client.certificate, client.key).pkcs12())
    context = build_context(bare, Trust(ca_file=ca_file))

    with s_server(*server_options(tmp_path), "-www", "-tls1_2") as server, pytest.raises(ssl.SSLError, match="unknown"):
        talk(context, server.port)


@pytest.mark.fault(19)
def test_certificate_asked_for_later(identity: ClientIdentity, ca_file: Path, tmp_path: Path) -> None:
    """A server may ask for the certificate after the handshake (TLS 1.3)."""
    files = pki().server.save(tmp_path, "server")
    context = build_context(identity, Trust(ca_file=ca_file))
    options: list[str | Path] = ["-cert", files.certificate, "-key", files.key, "-CAfile", ca_file, "-tls1_3", "-msg"]

    with (
        ThreadPoolExecutor(1) as pool,
        s_server(*options) as server,
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"shaken\n")
        server.wait_for("^shaken")
        answer = pool.submit(connection.recv, 1)
        server.tell("c")
        server.wait_for("<<< TLS 1.3, Handshake .*CertificateVerify")
        server.close()
        with suppress(OSError):
            answer.result()


@pytest.mark.fault(15)
@pytest.mark.clause("SUB 2")
def test_name_of_the_server(identity: ClientIdentity, ca_file: Path, tmp_path: Path) -> None:
    """A certificate for another name is refused, unless that name is the one that trust expects."""
    trust = Trust(ca_file=ca_file, server_hostname="omar.example")
    context = build_context(identity, trust)

    with s_server(*server_options(tmp_path, pki().named_server), "-www") as server:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            talk(context, server.port)
        assert trust.server_hostname is not None
        assert talk(context, server.port, trust.server_hostname)[1]


@pytest.mark.fault(15)
@pytest.mark.parametrize("legacy", [None, LegacyTls(tls_1_0=True, security_level=0, unsafe_renegotiation=True)])
def test_unknown_authority(identity: ClientIdentity, tmp_path: Path, legacy: LegacyTls | None) -> None:
    """A server of an authority that we do not know is refused, whatever is conceded to old servers."""
    context = build_context(identity, Trust(legacy=legacy))

    with (
        s_server(*server_options(tmp_path), "-www") as server,
        pytest.raises(ssl.SSLCertVerificationError, match=r"self.signed certificate in certificate chain"),
    ):
        talk(context, server.port)


@pytest.mark.fault(15)
def test_expired_server(identity: ClientIdentity, ca_file: Path, tmp_path: Path) -> None:
    """A server whose certificate has expired is refused."""
    expired = pki().root.issue("localhost", starts=-2 * DAY, ends=-DAY)
    context = build_context(identity, Trust(ca_file=ca_file))

    with (
        s_server(*server_options(tmp_path, expired), "-www") as server,
        pytest.raises(ssl.SSLCertVerificationError, match="expired"),
    ):
        talk(context, server.port)


def test_session_keys_are_not_logged(
    identity: ClientIdentity, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSLKEYLOGFILE is not honoured, though Python's usual context does."""
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    context = build_context(identity, Trust(ca_file=ca_file))
    with s_server(*server_options(tmp_path), "-www") as server:
        assert talk(context, server.port)[1]
    assert not log.exists()

    assert ssl.create_default_context().keylog_filename == str(log)


# --- Old servers ------------------------------------------------------------------------------------------------------

OLD = {
    "TLS 1.0": (LegacyTls(tls_1_0=True), ["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"], "TLSv1"),
    "TLS 1.1": (LegacyTls(tls_1_0=True), ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], "TLSv1.1"),
    "static RSA": (LegacyTls(), ["-tls1_2", "-cipher", "AES128-SHA"], "TLSv1.2"),
}


@pytest.fixture(scope="module")
def rsa_server() -> Credential:
    """Give a server with an RSA key, as static RSA needs one."""
    return pki().root.issue("localhost", key=rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.mark.fault(22, 23)
@pytest.mark.parametrize(("legacy", "options", "version"), OLD.values(), ids=OLD.keys())
def test_old_server(  # noqa: PLR0917 - four fixtures, three facts
    identity: ClientIdentity,
    ca_file: Path,
    tmp_path: Path,
    rsa_server: Credential,
    legacy: LegacyTls,
    options: list[str],
    version: str,
) -> None:
    """An old server is refused by default and reached with the concession that it needs."""
    with s_server(*server_options(tmp_path, rsa_server), "-www", *options) as server:
        with pytest.raises(ssl.SSLError):
            talk(build_context(identity, Trust(ca_file=ca_file)), server.port)
        assert talk(build_context(identity, Trust(ca_file=ca_file, legacy=legacy)), server.port)[0] == version


ALL_TRUST = [
    Trust(),
    Trust(minimum_tls=ssl.TLSVersion.TLSv1_3),
    *(
        Trust(legacy=LegacyTls(tls_1_0=old, security_level=level, unsafe_renegotiation=unsafe))
        for old in (False, True)
        for level in (None, 0, 1, 2)
        for unsafe in (False, True)
    ),
]


@pytest.mark.fault(15, 19, 20, 23)
@pytest.mark.clause("SUB 1.2.1", "DL 1.2.1")
@pytest.mark.parametrize("trust", ALL_TRUST, ids=str)
def test_always_verifies(identity: ClientIdentity, trust: Trust) -> None:
    """No setting lets a server through without a certificate and the right name."""
    context = build_context(identity, trust)

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.post_handshake_auth
    assert not context.options & ssl.OP_NO_RENEGOTIATION
    assert all("Au=None" not in suite["description"] for suite in context.get_ciphers())
    assert bool(context.options & 0x4) == (trust.legacy is not None and trust.legacy.unsafe_renegotiation)


@pytest.mark.parametrize(
    ("trust", "minimum"),
    [
        (Trust(), ssl.TLSVersion.TLSv1_2),
        (Trust(minimum_tls=ssl.TLSVersion.TLSv1_3), ssl.TLSVersion.TLSv1_3),
        (Trust(legacy=LegacyTls()), ssl.TLSVersion.TLSv1_2),
        (Trust(legacy=LegacyTls(tls_1_0=True)), ssl.TLSVersion.TLSv1),
        (Trust(legacy=LegacyTls(tls_1_0=True), minimum_tls=ssl.TLSVersion.TLSv1_1), ssl.TLSVersion.TLSv1_1),
    ],
    ids=str,
)
def test_minimum_version(identity: ClientIdentity, trust: Trust, minimum: ssl.TLSVersion) -> None:
    """TLS 1.2 is the oldest version unless an older one is conceded."""
    assert build_context(identity, trust).minimum_version == minimum


@pytest.mark.fault(22)
def test_every_concession_is_logged(identity: ClientIdentity, caplog: pytest.LogCaptureFixture) -> None:
    """A context with concessions logs a warning each time; one without is silent."""
    with caplog.at_level(logging.WARNING, "aiomar.transport"):
        build_context(identity, Trust())
        assert not caplog.records
        for _ in range(2):
            build_context(identity, Trust(legacy=LegacyTls(security_level=1)))

    assert [record.name for record in caplog.records] == ["aiomar.transport"] * 2
    assert "security_level=1" in caplog.text


# --- Settings that cannot be ------------------------------------------------------------------------------------------

BAD_SETTINGS: dict[str, Callable[[], object]] = {
    "TLS 1.1 without legacy": lambda: Trust(minimum_tls=ssl.TLSVersion.TLSv1_1),
    "TLS 1.0 with another legacy": lambda: Trust(minimum_tls=ssl.TLSVersion.TLSv1, legacy=LegacyTls(security_level=0)),
    "SSL 3": lambda: Trust(minimum_tls=ssl.TLSVersion.SSLv3, legacy=LegacyTls(tls_1_0=True)),
    "any version": lambda: Trust(minimum_tls=ssl.TLSVersion.MINIMUM_SUPPORTED, legacy=LegacyTls(tls_1_0=True)),
    "TLS 1.0 and 1.3": lambda: Trust(minimum_tls=ssl.TLSVersion.TLSv1_3, legacy=LegacyTls(tls_1_0=True)),
    "empty name": lambda: Trust(server_hostname=""),
    "name with a blank": lambda: Trust(server_hostname="omar example"),
    "name with NUL": lambda: Trust(server_hostname="omar\0.example"),
    "name with a leading dot": lambda: Trust(server_hostname=".example"),
    "name too long": lambda: Trust(server_hostname="x" * 64),
    "level too high": lambda: LegacyTls(security_level=6),
    "level below zero": lambda: LegacyTls(security_level=-1),
}


@pytest.mark.parametrize("make", BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_bad_settings(make: Callable[[], object]) -> None:
    """Settings that contradict each other or cannot be are refused when they are made."""
    with pytest.raises(ConfigError):
        make()


@pytest.mark.parametrize("content", [None, "", "garbage", "directory", "key", "name"])
def test_bad_ca_file(identity: ClientIdentity, tmp_path: Path, content: str | None) -> None:
    """A CA file that is missing, empty or of another kind is a ConfigError that names it."""
    path = tmp_path / "ca.pem"
    if content == "directory":
        path.mkdir()
    elif content == "key":
        path.write_bytes(pki().root.key_pem())
    elif content == "name":
        path = Path("ca.pem\0")
    elif content is not None:
        path.write_text(content)

    with pytest.raises(ConfigError, match=r"ca\.pem"):
        build_context(identity, Trust(ca_file=path))


# --- The key ----------------------------------------------------------------------------------------------------------


@pytest.mark.fault(24)
def test_weak_key_at_the_default_level() -> None:
    """A weak key that was let in is refused by OpenSSL unless its level is lowered too."""
    weak = ClientIdentity.from_pkcs12(pki().weak.pkcs12(), allow_weak_key=True)

    with pytest.raises(IdentityError) as caught:
        build_context(weak, Trust())
    assert caught.value.kind == "weak_key"
    build_context(weak, Trust(legacy=LegacyTls(security_level=1)))


@pytest.mark.fault(30)
def test_key_of_another() -> None:
    """A key that does not belong to the certificate is named as such, also when only OpenSSL finds it."""
    pair = ClientIdentity(pki().stranger.key, [pki().client.certificate])

    with pytest.raises(IdentityError) as caught:
        build_context(pair, Trust())
    assert caught.value.kind == "mismatch"


def test_key_is_handed_over_encrypted(identity: ClientIdentity) -> None:
    """What is handed to OpenSSL holds the key encrypted only, each time under another password."""
    handed = []

    @contextmanager
    def watch(content: bytes) -> Iterator[str]:
        handed.append(content)
        with disk_file(content) as path:
            yield path

    for _ in range(2):
        build_context(identity, Trust(), key_file=watch)

    for content in handed:
        assert content.count(b"PRIVATE KEY-----") == content.count(b"ENCRYPTED PRIVATE KEY-----") == 2
        assert content.count(b"BEGIN CERTIFICATE") == 2
    assert handed[0] != handed[1]


def test_disk_file_is_private_and_short_lived() -> None:
    """The file on disk is for its owner alone, and gone afterwards, also when loading fails."""
    places = []

    def use(*, fail: bool) -> None:
        with disk_file(b"content") as name:
            path = Path(name)
            places.append(path)
            assert path.read_bytes() == b"content"
            if sys.platform != "win32":
                assert path.stat().st_mode & 0o777 == 0o600
                assert path.parent.stat().st_mode & 0o777 == 0o700
            if fail:
                raise RuntimeError

    use(fail=False)
    with pytest.raises(RuntimeError):
        use(fail=True)
    assert len(places) == 2
    assert not any(path.parent.exists() for path in places)


@needs_memory_files
def test_memory_file_is_closed() -> None:
    """The file in memory is gone afterwards."""
    with memory_file(b"content") as path:
        assert Path(path).read_bytes() == b"content"
    assert not Path(path).exists()


def _refused(content: bytes) -> AbstractContextManager[str]:
    raise PermissionError(13, "not here", str(len(content)))


def test_another_file_when_the_first_is_refused(identity: ClientIdentity) -> None:
    """Where the system refuses the preferred place for the key, the other one is used."""
    used = []

    @contextmanager
    def other(content: bytes) -> Iterator[str]:
        used.append(content)
        with disk_file(content) as path:
            yield path

    build_context(identity, Trust(), key_file=first_that_works(_refused, other))

    assert len(used) == 1


def test_no_place_for_the_key(identity: ClientIdentity) -> None:
    """Where there is no place at all for the key, the error gives the system's number."""
    with pytest.raises(DiskError) as caught:
        build_context(identity, Trust(), key_file=first_that_works(_refused, _refused))
    assert caught.value.errno == 13


def test_failure_of_loading_is_not_a_failure_of_the_place() -> None:
    """A key that OpenSSL refuses is not tried again from another file."""
    weak = ClientIdentity.from_pkcs12(pki().weak.pkcs12(), allow_weak_key=True)

    with pytest.raises(IdentityError) as caught:
        build_context(weak, Trust(), key_file=first_that_works(disk_file, _refused))
    assert caught.value.kind == "weak_key"


WATCH = """
import os, sys, tempfile
from aiomar.transport import ClientIdentity, Trust, build_context
from aiomar.transport._trust import disk_file, memory_file
identity = ClientIdentity.from_pkcs12(sys.argv[2])
written = []
def watch(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and isinstance(arguments[0], str):
        written.append(arguments[0])
sys.addaudithook(watch)
build_context(identity, Trust(), key_file={"memory": memory_file, "disk": disk_file, "default": None}[sys.argv[1]])
print(*written, sep="\\n")
"""


@pytest.mark.parametrize(
    ("way", "files"),
    [
        pytest.param("default", 0, marks=needs_memory_files),
        pytest.param("memory", 0, marks=needs_memory_files),
        ("disk", 1),
    ],
)
def test_nothing_is_left_on_disk(tmp_path: Path, way: str, files: int) -> None:
    """With files in memory no file is opened for writing; without, one in the temporary directory, and it is gone."""
    p12 = tmp_path / "client.p12"
    p12.write_bytes(pki().client.pkcs12())
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    variables: dict[str, Any] = {"TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", WATCH, way, p12],
        env={**os.environ, **variables, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        text=True,
    )

    written = [line for line in done.stdout.splitlines() if line]
    assert len([path for path in written if Path(path).name == "key.pem"]) == files
    assert all(Path(path).is_relative_to(temporary) for path in written)
    assert not list(temporary.iterdir())
