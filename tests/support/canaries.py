"""Secrets in every form in which they could show, and places that are searched for them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_LINE = 48
"""Bytes of DER in a line of PEM."""
_LONGEST = 64 * 1024 * 1024


def key_forms(key: ec.EllipticCurvePrivateKey) -> list[bytes]:
    """Give the private key as it could stand in a file: its number, and the lines of PEM that have half of it."""
    value = key.private_numbers().private_value
    number = value.to_bytes((key.curve.key_size + 7) // 8)
    forms = [number, number.hex().encode(), str(value).encode()]
    forms += [base64.b64encode(number[shift:])[:40] for shift in range(3)]  # wherever base64 begins
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        lines = key.private_bytes(Encoding.PEM, form, NoEncryption()).splitlines()[1:-1]
        at = base64.b64decode(b"".join(lines)).index(number)
        middle = range(at + len(number) // 2 - 1, at + len(number) // 2 + 1)
        forms += {lines[place // _LINE] for place in middle}
    return forms


def text_forms(secret: str) -> list[bytes]:
    """Give a text as it could stand in a log or a file: plain, in base64, in hexadecimal."""
    plain = secret.encode()
    return [plain, plain.hex().encode(), base64.b64encode(plain).rstrip(b"=")[:-1]]


@attrs.frozen
class Canaries:
    """Secrets by name, each in its forms as bytes."""

    forms: Mapping[str, Iterable[bytes]]

    def __repr__(self) -> str:
        return "<canaries>"

    def found_in(self, content: bytes | str) -> set[str]:
        """Name the secrets that stand in a content; bytes are also found where Python shows them with escapes."""
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogateescape")
        return {
            name
            for name, forms in self.forms.items()
            if any(form in content or repr(form)[2:-1].encode() in content for form in forms)
        }

    def found_below(self, *places: Path) -> dict[str, set[str]]:
        """Name the files below some places that hold secrets, with which."""
        found = {}
        for path in files_below(*places):
            try:
                with path.open("rb") as file:
                    names = self.found_in(file.read(_LONGEST))
            except OSError:  # gone meanwhile, or somebody else's
                continue
            if names:
                found[str(path)] = names
        return found


def files_below(*places: Path) -> list[Path]:
    """Give every file below some places, links not followed."""
    return [path for place in places for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
