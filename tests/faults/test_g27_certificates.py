"""G27: every form of a certificate file, with every mistake in it, is loaded or is an error of its kind; no prompt.

All of them go to one child process whose terminal is watched: whatever asks a question there leaves it in the terminal,
and would wait for an answer that never comes.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gates import Gate
from tests.support.openssl import has_legacy_provider, run_openssl
from tests.support.pki import Credential, pki

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")

GOOD = "correct horse"
WRONG = "canary horse"
CIPHERS = {
    "AES-256": ("-keypbe", "AES-256-CBC", "-certpbe", "AES-256-CBC"),
    "AES-128": ("-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha1"),
    "3DES": ("-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
    "RC2-40": ("-legacy", "-keypbe", "PBE-SHA1-RC2-40", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1"),
    "RC2-128": ("-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128", "-macalg", "sha1"),
    "RC4-128": ("-legacy", "-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC4-128", "-macalg", "sha1"),
    "MD5-DES": ("-legacy", "-keypbe", "PBE-MD5-DES", "-certpbe", "PBE-MD5-DES", "-macalg", "md5"),
}

Case = dict[str, Any]
"""What is loaded, and what must come of it: ``good``, or the kind of the error."""


class Cases:
    """Writes files, and notes what must come of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.all: list[Case] = []
        self.client = pki().client

    def _file(self, content: bytes) -> str:
        path = self._directory / f"{len(self.all)}-{len(list(self._directory.iterdir()))}"
        path.write_bytes(content)
        return str(path)

    def p12(self, name: str, content: bytes, passphrase: str | bytes | None, must: str) -> None:
        """Load PKCS#12."""
        self._add(name, must, passphrase, [self._file(content)], "from_pkcs12")

    def pem(self, name: str, must: str, certificate: bytes, key: bytes | None = None, passphrase: str = "") -> None:
        """Load PEM."""
        files = [self._file(certificate), *([] if key is None else [self._file(key)])]
        self._add(name, must, passphrase or None, files, "from_pem")

    def _add(self, name: str, must: str, passphrase: str | bytes | None, files: list[str], load: str) -> None:
        given = passphrase.hex() if isinstance(passphrase, bytes) else passphrase
        kind = type(passphrase).__name__
        self.all.append({"name": name, "must": must, "load": load, "files": files, "passphrase": given, "kind": kind})

    def ciphers(self) -> None:
        """Add seven algorithms under a passphrase and under an empty one, each opened with every sort of passphrase."""
        files = self.client.save(self._directory)
        target = self._directory / "made.p12"
        for cipher, options in CIPHERS.items():
            for protected in (GOOD, ""):
                run_openssl(
                    *("pkcs12", "-export", "-inkey", files.key, "-in", files.certificate, "-out", target),
                    *("-passout", f"pass:{protected}", *options),
                )
                content = target.read_bytes()
                for given in (GOOD, WRONG, "", None):
                    must = "good" if (given or "") == protected else "passphrase"
                    self.p12(f"{cipher} under {protected!r} with {given!r}", content, given, must)

    def bundles(self) -> None:
        """Add PKCS#12 that is damaged, or holds what is of no use."""
        whole = self.client.pkcs12(GOOD.encode())
        for cut in (0, 1, 100, len(whole) // 2, len(whole) - 1):
            self.p12(f"cut after {cut}", whole[:cut], GOOD, "format")
        self.p12("passphrase not UTF-8", whole, b"\xff\xfe", "passphrase")
        self.p12("passphrase with NUL", whole, b"a\0b", "passphrase")
        for name, credential, must in self._unfit():
            self.p12(f"{name} as PKCS#12", credential.pkcs12(GOOD.encode()), GOOD, must)
        files = self.client.save(self._directory)
        target = self._directory / "made.p12"
        for option, must in (("-nokeys", "no_key"), ("-nocerts", "mismatch")):
            run_openssl(
                *("pkcs12", "-export", "-inkey", files.key, "-in", files.certificate, "-out", target),
                *("-passout", f"pass:{GOOD}", option),
            )
            self.p12(option, target.read_bytes(), GOOD, must)

    def texts(self) -> None:
        """Add PEM: plain, encrypted in both ways, damaged, and of no use."""
        certificate, plain = self.client.certificate_pem, self.client.key_pem()
        self.pem("plain", "good", certificate, plain)
        self.pem("in one file", "good", plain + certificate)
        for traditional in (False, True):
            locked = self.client.key_pem(GOOD.encode(), traditional=traditional)
            name = f"encrypted, {'traditional' if traditional else 'PKCS#8'}"
            for given, must in ((GOOD, "good"), (WRONG, "passphrase"), ("", "passphrase")):
                self.pem(f"{name}, with {given!r}", must, certificate, locked, given)
        self.pem("mismatch", "mismatch", certificate, pki().stranger.key_pem())
        self.pem("no key", "no_key", certificate)
        self.pem("no certificate", "format", plain)
        for cut in (0, 30, len(plain) // 2, len(plain) - 20):
            self.pem(f"key cut after {cut}", "format", certificate, plain[:cut])
        self.pem("certificate cut", "format", certificate[:-30], plain)
        for name, credential, must in self._unfit():
            self.pem(f"{name} as PEM", must, credential.certificate_pem, credential.key_pem())

    @staticmethod
    def _unfit() -> Iterator[tuple[str, Credential, str]]:
        yield "expired", pki().expired, "expired"
        yield "not yet valid", pki().not_yet_valid, "not_yet_valid"
        yield "1,024 bits", pki().weak, "weak_key"


LOAD = """
import fcntl, json, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.alarm(60)
asked = []
def watch(event, arguments):
    if event == "open" and arguments[0] in ("/dev/tty", "/dev/console", "CONIN$", 0):
        asked.append(str(arguments[0]))
sys.addaudithook(watch)
from aiomar import ClientIdentity, IdentityError, Trust
from aiomar.transport import build_context
os.environ |= {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
ended = []
for case in json.load(open(sys.argv[1])):
    passphrase = case["passphrase"]
    if case["kind"] == "bytes":
        passphrase = bytes.fromhex(passphrase)
    try:
        build_context(getattr(ClientIdentity, case["load"])(*case["files"], passphrase=passphrase), Trust())
        end = "good"
    except IdentityError as error:
        end = error.kind if passphrase is None or len(passphrase) < 4 or str(passphrase) not in str(error) else "told"
    except BaseException as error:
        end = repr(type(error))
    ended.append(end)
print(json.dumps([ended, asked]))
"""


def load_all(cases: list[Case], directory: Path, **variables: str) -> list[str]:
    """Load everything in a child; gives how each ended.  Nothing may come to the terminal, nor be opened there."""
    table = directory / "cases.json"
    table.write_text(json.dumps(cases))
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", LOAD, table],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
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
    ended: list[str]
    ended, asked = json.loads(done.stdout)
    assert asked == []
    return ended


def wrong_ends(cases: list[Case], ended: list[str]) -> list[str]:
    """Name the cases that ended in another way than they must."""
    pairs = zip(cases, ended, strict=True)
    return [f"{case['name']}: {end}, not {case['must']}" for case, end in pairs if end != case["must"]]


@pytest.mark.gate("G27")
@pytest.mark.fault(18, 24, 25, 27, 28, 29, 30)
def test_certificate_formats(gate: Gate, tmp_path: Path) -> None:
    """Seven algorithms of PKCS#12, PEM, and all that can be wrong with them: loaded or typed, and nobody is asked."""
    if not has_legacy_provider():
        pytest.skip("the openssl program has no legacy provider")
    cases = Cases(tmp_path)
    cases.ciphers()
    cases.bundles()
    cases.texts()
    wrong = wrong_ends(cases.all, load_all(cases.all, tmp_path))
    gate.record(len(cases.all), len(wrong), "files of certificates")
    assert wrong == []


@pytest.mark.gate("G27")
@pytest.mark.fault(26)
def test_old_algorithms_switched_off(gate: Gate, tmp_path: Path) -> None:
    """Without OpenSSL's old algorithms, files in them are a matter of format and never of the passphrase."""
    if not has_legacy_provider():
        pytest.skip("the openssl program has no legacy provider")
    cases = Cases(tmp_path)
    cases.ciphers()
    old = [case for case in cases.all if case["name"].startswith(("RC", "MD5"))]
    for case in old:
        case["must"] = "format"
    wrong = wrong_ends(cases.all, load_all(cases.all, tmp_path, CRYPTOGRAPHY_OPENSSL_NO_LEGACY="1"))
    gate.record(len(cases.all), len(wrong), "files of certificates without old algorithms")
    assert len(old) == 4 * 2 * 4
    assert wrong == []
