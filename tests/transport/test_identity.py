"""Client certificates: every form in which they come, and every way in which they can be unusable."""

from __future__ import annotations

import copy
import datetime as dt
import os
import pickle
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

import aiomar.errors as aiomar_errors
from aiomar.errors import IdentityError
from aiomar.transport._identity import ClientIdentity
from aiomar.transport._secret import Secret
from tests.support.openssl import has_legacy_provider, run_openssl
from tests.support.pki import DAY, Credential, Key, make_root, pem, pki

PASSPHRASE = "corréct horse"
WRONG = "canary-Passphrase"

P12_CIPHERS = {
    "aes": ["-keypbe", "AES-256-CBC", "-certpbe", "AES-256-CBC"],
    "3des": ["-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"],
    "rc2-40": ["-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1"],
    "rc2-128": ["-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128", "-macalg", "sha1"],
}


def openssl_p12(directory: Path, passphrase: str, *options: str, credential: Credential | None = None) -> bytes:
    """Have another program make a PKCS#12 file."""
    if "-legacy" in options and not has_legacy_provider():
        pytest.skip("the openssl program has no legacy provider")
    files = (credential or pki().client).save(directory)
    target = directory / "openssl.p12"
    run_openssl(
        *("pkcs12", "-export", "-inkey", files.key, "-in", files.certificate, "-out", target),
        *("-passout", f"pass:{passphrase}", *options),
    )
    return target.read_bytes()


def sent_chain(identity: ClientIdentity) -> list[x509.Certificate]:
    """Give the certificates that a handshake would send, in order."""
    return x509.load_pem_x509_certificates(identity.encrypted_pem(Secret(b"one-shot")))


def write(path: Path, *parts: bytes) -> Path:
    """Put parts into a file, and give its path."""
    path.write_bytes(b"".join(parts))
    return path


# --- What loads -------------------------------------------------------------------------------------------------------


@pytest.mark.clause("SUB 1.2.3", "DL 1.2.3")
@pytest.mark.parametrize("passphrase", [PASSPHRASE, ""])
@pytest.mark.parametrize("cipher", P12_CIPHERS)
def test_pkcs12_of_openssl(tmp_path: Path, cipher: str, passphrase: str) -> None:
    """PKCS#12 files in the ciphers of new and old browsers load, with a passphrase and with an empty one."""
    content = openssl_p12(tmp_path, passphrase, *P12_CIPHERS[cipher])

    identity = ClientIdentity.from_pkcs12(content, passphrase)

    assert sent_chain(identity) == [pki().client.certificate, pki().intermediate.certificate]


@pytest.mark.parametrize("options", [["-nomac"], ["-keypbe", "NONE", "-certpbe", "NONE", "-nomac"]], ids=["mac", "all"])
def test_pkcs12_without_protection(tmp_path: Path, options: list[str]) -> None:
    """A file without a seal loads, also when nothing in it is encrypted."""
    content = openssl_p12(tmp_path, "", *options)

    assert ClientIdentity.from_pkcs12(content).subject == "CN=Test Client"


@pytest.mark.parametrize("passphrase", [None, "", b"", lambda: ""], ids=["none", "text", "bytes", "asked"])
@pytest.mark.parametrize("maker", ["cryptography", "openssl"])
def test_no_passphrase(tmp_path: Path, maker: str, passphrase: str | bytes | Callable[[], str] | None) -> None:
    """No passphrase may be said in any way, whoever made the file."""
    content = pki().client.pkcs12() if maker == "cryptography" else openssl_p12(tmp_path, "")

    assert ClientIdentity.from_pkcs12(content, passphrase).subject == "CN=Test Client"


@pytest.mark.fault(28)
@pytest.mark.parametrize(
    "passphrase", [PASSPHRASE, PASSPHRASE.encode(), lambda: PASSPHRASE], ids=["text", "bytes", "asked"]
)
def test_passphrase_forms(tmp_path: Path, passphrase: str | bytes | Callable[[], str]) -> None:
    """A passphrase may be text, its UTF-8 bytes or a callable, for PKCS#12 and for PEM."""
    client = pki().client
    p12 = write(tmp_path / "client.p12", client.pkcs12(PASSPHRASE.encode()))
    both = write(tmp_path / "client.pem", client.key_pem(PASSPHRASE.encode()), client.certificate_pem)

    assert ClientIdentity.from_pkcs12(p12, passphrase).fingerprint == client.certificate.fingerprint(SHA256()).hex()
    assert ClientIdentity.from_pem(str(both), passphrase=passphrase).subject == "CN=Test Client"


def test_pkcs12_in_ber() -> None:
    """A file of indefinite length (BER), as old Mozilla browsers export it, loads without a warning."""
    der = pki().client.pkcs12(PASSPHRASE.encode())
    assert der[:2] == b"\x30\x82"  # a sequence whose length follows in two bytes

    identity = ClientIdentity.from_pkcs12(b"\x30\x80" + der[4:] + b"\x00\x00", PASSPHRASE)

    assert identity.subject == "CN=Test Client"


def test_pkcs12_certificate_apart() -> None:
    """The certificate that belongs to the key is found among the others when the file does not name it."""
    client, other = pki().client, pki().stranger
    content = pkcs12.serialize_key_and_certificates(
        None, client.key, None, [other.certificate, *client.chain, client.certificate], BestAvailableEncryption(b"x")
    )

    assert sent_chain(ClientIdentity.from_pkcs12(content, "x")) == [client.certificate, *client.chain]


@pytest.mark.parametrize("traditional", [False, True], ids=["pkcs8", "traditional"])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize("layout", ["two files", "key first", "key last", "leaf last"])
def test_pem(tmp_path: Path, layout: str, passphrase: str, *, traditional: bool) -> None:
    """PEM loads from one file or two, in any order, encrypted or not, in both forms of a key."""
    client = pki().client
    key = client.key_pem(passphrase.encode(), traditional=traditional)
    parts = {
        "two files": [client.certificate_pem],
        "key first": [key, client.certificate_pem],
        "key last": [client.certificate_pem, key],
        "leaf last": [pem(*client.chain), key, b"Bag Attributes\n    friendlyName: test\n", pem(client.certificate)],
    }
    certificate = write(tmp_path / "client.pem", *parts[layout])
    apart = write(tmp_path / "client.key", key) if layout == "two files" else None

    identity = ClientIdentity.from_pem(certificate, apart, passphrase)

    assert sent_chain(identity) == [client.certificate, *client.chain]


def test_pem_does_not_ask_in_vain(tmp_path: Path) -> None:
    """A passphrase that the key does not need is neither asked for nor an error."""
    files = pki().client.save(tmp_path)

    def ask() -> str:
        raise AssertionError("nobody has to be asked")

    assert ClientIdentity.from_pem(files.certificate, files.key, ask).subject == "CN=Test Client"
    assert ClientIdentity.from_pem(files.certificate, files.key, WRONG).subject == "CN=Test Client"


def test_what_a_passphrase_callable_raises_goes_through(tmp_path: Path) -> None:
    """A passphrase callable that fails is the caller's to see, not a wrong passphrase."""
    client = pki().client
    both = write(tmp_path / "client.pem", client.key_pem(b"x"), client.certificate_pem)

    def ask() -> str:
        raise LookupError("the vault is closed")

    with pytest.raises(LookupError, match="vault"):
        ClientIdentity.from_pem(both, passphrase=ask)
    with pytest.raises(LookupError, match="vault"):
        ClientIdentity.from_pkcs12(client.pkcs12(b"x"), ask)


def test_chain_is_ordered_and_ends_below_the_root(tmp_path: Path) -> None:
    """Intermediates are sent leaf to issuer whatever their order; the root and strangers are left out."""
    root = make_root("deep root")
    upper = root.issue("upper", authority=True)
    namesake = make_root("other deep root").issue("upper", authority=True)
    lower = upper.issue("lower", authority=True)
    client = lower.issue("Deep Client")
    shuffled = pem(
        root.certificate, namesake.certificate, upper.certificate, pki().intermediate.certificate, lower.certificate
    )
    both = write(tmp_path / "client.pem", shuffled, client.key_pem(), pem(client.certificate))

    assert sent_chain(ClientIdentity.from_pem(both)) == [client.certificate, lower.certificate, upper.certificate]


def test_renewed_certificate_beside_the_old(tmp_path: Path) -> None:
    """Of two certificates with our key, the one that is valid now is used."""
    client, issuer = pki().client, pki().intermediate
    old = issuer.issue("Old Client", key=client.key, starts=-9 * DAY, ends=-DAY)
    both = write(tmp_path / "client.pem", pem(old.certificate, client.certificate), client.key_pem())

    assert ClientIdentity.from_pem(both).subject == "CN=Test Client"


# --- What does not ----------------------------------------------------------------------------------------------------


def _p12(credential: Credential, passphrase: str | bytes | None = PASSPHRASE) -> ClientIdentity:
    return ClientIdentity.from_pkcs12(credential.pkcs12(PASSPHRASE.encode()), passphrase)


def _cut(share: float) -> bytes:
    content = pki().client.pkcs12(PASSPHRASE.encode())
    return content[: int(len(content) * share)]


def _encrypted_pem(directory: Path, passphrase: str | bytes | None, *, traditional: bool = False) -> ClientIdentity:
    client = pki().client
    key = client.key_pem(PASSPHRASE.encode(), traditional=traditional)
    return ClientIdentity.from_pem(write(directory / "c.pem", client.certificate_pem, key), passphrase=passphrase)


def _pem(directory: Path, *parts: bytes, key: bytes | None = None) -> ClientIdentity:
    apart = None if key is None else write(directory / "c.key", key)
    return ClientIdentity.from_pem(write(directory / "c.pem", *parts), apart)


def _openssl_bundle(directory: Path, *options: str) -> ClientIdentity:
    return ClientIdentity.from_pkcs12(openssl_p12(directory, PASSPHRASE, *options), PASSPHRASE)


def _without_rights(directory: Path) -> ClientIdentity:
    path = write(directory / "c.p12", pki().client.pkcs12())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    return ClientIdentity.from_pkcs12(path)


def _vector_cut(directory: Path) -> ClientIdentity:
    """Shorten the initial vector: cryptography answers with a panic of its Rust part, which is no Exception."""
    client = pki().client
    key = client.key_pem(b"x", traditional=True)
    cut = re.sub(rb"(DEK-Info: [^,]+,.{18}).*", rb"\1", key)
    assert len(cut) < len(key)
    return ClientIdentity.from_pem(write(directory / "c.pem", client.certificate_pem, cut), passphrase="x")


def _weak(key: Key) -> Credential:
    return pki().intermediate.issue("Weak Client", key=key)


BAD: dict[str, tuple[str, Callable[[Path], ClientIdentity]]] = {
    "p12 wrong passphrase": ("passphrase", lambda _: _p12(pki().client, WRONG)),
    "p12 passphrase missing": ("passphrase", lambda _: _p12(pki().client, None)),
    "p12 passphrase not UTF-8": ("passphrase", lambda _: _p12(pki().client, b"\xff\xfe")),
    "p12 passphrase lone surrogate": ("passphrase", lambda _: _p12(pki().client, "\udc80")),
    "p12 passphrase with NUL": ("passphrase", lambda _: _p12(pki().client, "a\0b")),
    "p12 3des wrong passphrase": (
        "passphrase",
        lambda d: ClientIdentity.from_pkcs12(openssl_p12(d, PASSPHRASE, *P12_CIPHERS["3des"]), WRONG),
    ),
    "p12 rc2 wrong passphrase": (
        "passphrase",
        lambda d: ClientIdentity.from_pkcs12(openssl_p12(d, PASSPHRASE, *P12_CIPHERS["rc2-40"]), WRONG),
    ),
    "p12 empty": ("format", lambda _: ClientIdentity.from_pkcs12(b"", PASSPHRASE)),
    "p12 empty file": ("format", lambda d: ClientIdentity.from_pkcs12(write(d / "c.p12"), PASSPHRASE)),
    "p12 one byte": ("format", lambda _: ClientIdentity.from_pkcs12(b"\x30", PASSPHRASE)),
    "p12 cut in half": ("format", lambda _: ClientIdentity.from_pkcs12(_cut(0.5), PASSPHRASE)),
    "p12 cut at the end": ("format", lambda _: ClientIdentity.from_pkcs12(_cut(0.999), PASSPHRASE)),
    "p12 garbage": ("format", lambda _: ClientIdentity.from_pkcs12(bytes(range(256)), PASSPHRASE)),
    "p12 is PEM": ("format", lambda _: ClientIdentity.from_pkcs12(pki().client.certificate_pem)),
    "p12 missing": ("format", lambda d: ClientIdentity.from_pkcs12(d / "nowhere.p12", PASSPHRASE)),
    "p12 is a directory": ("format", lambda d: ClientIdentity.from_pkcs12(d, PASSPHRASE)),
    "p12 name with NUL": ("format", lambda _: ClientIdentity.from_pkcs12("a\0b", PASSPHRASE)),
    "p12 without rights": ("format", _without_rights),
    "p12 endless": ("format", lambda _: ClientIdentity.from_pkcs12("/dev/zero", PASSPHRASE)),
    "p12 without key": ("no_key", lambda d: _openssl_bundle(d, "-nokeys")),
    "p12 without certificate": ("mismatch", lambda d: _openssl_bundle(d, "-nocerts")),
    "pem wrong passphrase": ("passphrase", lambda d: _encrypted_pem(d, WRONG)),
    "pem passphrase missing": ("passphrase", lambda d: _encrypted_pem(d, None)),
    "pem passphrase empty": ("passphrase", lambda d: _encrypted_pem(d, "")),
    "pem passphrase odd": ("passphrase", lambda d: _encrypted_pem(d, b"\xff\x00")),
    "pem passphrase lone surrogate": ("passphrase", lambda d: _encrypted_pem(d, "\udc80")),
    "pem passphrase endless": ("passphrase", lambda d: _encrypted_pem(d, "x" * 5000)),
    "old pem wrong passphrase": ("passphrase", lambda d: _encrypted_pem(d, WRONG, traditional=True)),
    "old pem passphrase missing": ("passphrase", lambda d: _encrypted_pem(d, None, traditional=True)),
    "old pem vector cut": ("format", _vector_cut),
    "pem empty": ("format", _pem),
    "pem garbage": ("format", lambda d: _pem(d, bytes(range(256)))),
    "pem is DER": ("format", lambda d: _pem(d, pki().client.certificate.public_bytes(Encoding.DER))),
    "pem is PKCS#12": ("format", lambda d: _pem(d, pki().client.pkcs12())),
    "pem holds DER garbage": (
        "format",
        lambda d: _pem(
            d, pki().client.key_pem(), b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"
        ),
    ),
    "pem key is garbage": (
        "format",
        lambda d: _pem(
            d, pki().client.certificate_pem, b"-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n"
        ),
    ),
    "pem certificate cut": ("format", lambda d: _pem(d, pki().client.key_pem(), pki().client.certificate_pem[:-40])),
    "pem key cut": ("format", lambda d: _pem(d, pki().client.certificate_pem, pki().client.key_pem()[:-40])),
    "pem without certificate": ("format", lambda d: _pem(d, pki().client.key_pem())),
    "pem missing": ("format", lambda d: ClientIdentity.from_pem(d / "nowhere.pem")),
    "pem key file missing": (
        "format",
        lambda d: ClientIdentity.from_pem(pki().client.save(d).certificate, d / "nowhere.key"),
    ),
    "pem without key": ("no_key", lambda d: _pem(d, pki().client.certificate_pem)),
    "pem key file without key": (
        "no_key",
        lambda d: _pem(d, pki().client.certificate_pem, key=pki().client.certificate_pem),
    ),
    "pem key of another": (
        "mismatch",
        lambda d: _pem(d, pki().client.certificate_pem, key=pki().stranger.key_pem()),
    ),
    "pem key of another beside its certificate": (
        "mismatch",
        lambda d: _pem(d, pki().client.certificate_pem, key=pki().stranger.key_pem() + pki().stranger.certificate_pem),
    ),
    "weak RSA": ("weak_key", lambda _: _p12(pki().weak)),
    "weak DSA": ("weak_key", lambda _: _p12(_weak(dsa.generate_private_key(1024)))),  # noqa: S505 - on purpose
    "weak EC": ("weak_key", lambda _: _p12(_weak(ec.generate_private_key(ec.SECP192R1())))),
    "expired": ("expired", lambda _: _p12(pki().expired)),
    "expired pem": ("expired", lambda d: _pem(d, pki().expired.certificate_pem, pki().expired.key_pem())),
    "not yet valid": ("not_yet_valid", lambda _: _p12(pki().not_yet_valid)),
}


def _our_variables(traceback: TracebackType | None) -> str:
    """Print the local variables of every frame that is aiomar's own, as a report of a crash would."""
    package = str(Path(aiomar_errors.__file__).parent)
    shown = []
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.startswith(package):
            shown.append(repr(traceback.tb_frame.f_locals))
        traceback = traceback.tb_next
    assert shown
    return "\n".join(shown)


@pytest.mark.clause("SUB 1.2.3", "DL 1.2.3")
@pytest.mark.fault(18, 24, 25, 27, 28, 29, 30)
@pytest.mark.parametrize(("kind", "load"), BAD.values(), ids=BAD.keys())
def test_bad_input(tmp_path: Path, kind: str, load: Callable[[Path], ClientIdentity]) -> None:
    """Each bad input is an IdentityError of its kind that pickles and shows no passphrase, not even by its frames."""
    with pytest.raises(IdentityError) as caught:
        load(tmp_path)

    error = caught.value
    assert error.kind == kind
    assert str(error)
    assert "\n" not in str(error)
    assert pickle.loads(pickle.dumps(error)).kind == kind  # noqa: S301 - what was pickled one call before
    shown = f"{error}{error!r}{error.__cause__!r}{_our_variables(error.__traceback__)}"
    assert WRONG not in shown
    assert PASSPHRASE not in shown
    assert "BEGIN PRIVATE" not in shown


def test_weak_key_can_be_allowed() -> None:
    """A weak key loads when the caller says so."""
    identity = ClientIdentity.from_pkcs12(pki().weak.pkcs12(), allow_weak_key=True)

    assert identity.subject == "CN=Weak Client"


def test_ed25519_is_not_weak(tmp_path: Path) -> None:
    """Strength is not judged by size for kinds of key that have but one."""
    strong = pki().intermediate.issue("Modern Client", key=ed25519.Ed25519PrivateKey.generate())

    assert _pem(tmp_path, strong.certificate_pem, strong.key_pem()).subject == "CN=Modern Client"


@pytest.mark.fault(26)
def test_old_cipher_and_wrong_passphrase_name_the_switch(tmp_path: Path) -> None:
    """The message for an RC2 file that does not open names the variable that may be to blame."""
    content = openssl_p12(tmp_path, PASSPHRASE, *P12_CIPHERS["rc2-40"])

    with pytest.raises(IdentityError, match="CRYPTOGRAPHY_OPENSSL_NO_LEGACY"):
        ClientIdentity.from_pkcs12(content, WRONG)


def run_python(code: str, *arguments: str | Path, **variables: str) -> str:
    """Run code in a new interpreter, and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert not done.stderr
    return done.stdout


LOAD = """
import sys
from aiomar.errors import IdentityError
from aiomar.transport import ClientIdentity
load, path, *passphrase = sys.argv[1:]
try:
    getattr(ClientIdentity, load)(path, passphrase=passphrase[0] if passphrase else None)
except IdentityError as error:
    print(error.kind, error)
"""


@pytest.mark.fault(26)
def test_old_cipher_switched_off_is_not_blamed_on_the_passphrase(tmp_path: Path) -> None:
    """With old ciphers switched off by the environment an RC2 file is a matter of format, and the text says why."""
    path = write(tmp_path / "old.p12", openssl_p12(tmp_path, PASSPHRASE, *P12_CIPHERS["rc2-40"]))

    said = run_python(LOAD, "from_pkcs12", path, PASSPHRASE, CRYPTOGRAPHY_OPENSSL_NO_LEGACY="1")

    assert said.startswith("format ")
    assert "CRYPTOGRAPHY_OPENSSL_NO_LEGACY" in said


TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"


@pytest.mark.fault(29)
@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("traditional", [False, True], ids=["pkcs8", "traditional"])
def test_never_a_prompt(tmp_path: Path, *, traditional: bool) -> None:
    """An encrypted key without a passphrase is an error, and nothing is written to the terminal at hand."""
    client = pki().client
    path = write(tmp_path / "c.pem", client.certificate_pem, client.key_pem(b"x", traditional=traditional))
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", TAKE_TERMINAL + LOAD, "from_pem", path],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            start_new_session=True,
        )
        os.set_blocking(ours, False)
        with pytest.raises(BlockingIOError):  # nothing has come
            os.read(ours, 1)
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.stdout.startswith("passphrase ")


# --- Values -----------------------------------------------------------------------------------------------------------


def test_attributes() -> None:
    """Subject and issuer are RFC 4514 text, dates are aware and UTC, and the fingerprint is of the DER."""
    client = pki().client.certificate

    identity = _p12(pki().client)

    assert (identity.subject, identity.issuer) == ("CN=Test Client", "CN=aiomar test intermediate")
    assert (identity.not_before, identity.not_after) == (client.not_valid_before_utc, client.not_valid_after_utc)
    assert identity.not_before.tzinfo is dt.UTC
    assert identity.not_after.tzinfo is dt.UTC
    assert identity.fingerprint == client.fingerprint(SHA256()).hex()


@pytest.mark.parametrize(
    ("before_end", "days"), [(30 * DAY, 30), (30 * DAY - dt.timedelta(seconds=1), 29), (DAY / 2, 0), (-DAY / 2, -1)]
)
def test_days_left(before_end: dt.timedelta, days: int) -> None:
    """Whole days are counted, and an expired certificate has less than none."""
    identity = _p12(pki().client)

    assert identity.days_left(identity.not_after - before_end) == days


@pytest.mark.fault(18)
def test_validity_follows_the_clock() -> None:
    """A certificate that expires while the client runs is found at the next look, by the clock that was given."""
    client = pki().client
    first, last = client.certificate.not_valid_before_utc, client.certificate.not_valid_after_utc
    moment = first
    identity = ClientIdentity.from_pkcs12(client.pkcs12(), now=lambda: moment)

    moment = last
    identity.ensure_valid()
    moment = last + dt.timedelta(seconds=1)
    with pytest.raises(IdentityError) as late:
        identity.ensure_valid()
    moment = first - dt.timedelta(seconds=1)
    with pytest.raises(IdentityError) as early:
        identity.ensure_valid()

    assert (late.value.kind, early.value.kind) == ("expired", "not_yet_valid")


@attrs.frozen
class _Holder:
    identity: ClientIdentity
    passphrase: Secret[str]


def test_no_way_to_print_or_store_the_key() -> None:
    """Neither repr, nor attrs.asdict, nor pickle, nor copy gives the key or a secret away."""
    holder = _Holder(_p12(pki().client), Secret(WRONG))
    identity = holder.identity

    shown = f"{holder!r}{attrs.asdict(holder)!r}"
    assert WRONG not in shown
    assert "Key" not in shown
    assert repr(identity).startswith("ClientIdentity(subject='CN=Test Client', not_before=20")
    assert not hasattr(identity, "__dict__")
    for store in (pickle.dumps, copy.copy, copy.deepcopy):
        for secret in (identity, holder.passphrase):
            with pytest.raises(TypeError, match="cannot be pickled or copied"):
                store(secret)
