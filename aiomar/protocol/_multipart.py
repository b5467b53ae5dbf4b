"""One file field as ``multipart/form-data`` (RFC 1867, SUB 3.2.1), byte for byte.

aiomar has its own encoder because the general ones escape blanks and other characters in the file name, which changes
the name that OMAR stores and counts (SUB 3.2.2).
"""

from __future__ import annotations

import hashlib

FIELD = "datafile"
"""SUB 3.2.2: "For the file NAME field - use 'datafile'"."""


def encode_file(name: str, content: bytes) -> tuple[str, bytes]:
    """Give the ``Content-Type`` and the body for one file.

    Args:
        name: the file's name; it must have passed `UploadLimits.check_name`, so it needs no escaping.
        content: the file's bytes.
    """
    boundary = _boundary(content)
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{FIELD}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n"
        "\r\n"
    )
    body = b"".join((head.encode("ascii"), content, f"\r\n--{boundary}--\r\n".encode("ascii")))
    return f"multipart/form-data; boundary={boundary}", body


def _boundary(content: bytes) -> str:
    """Derive a delimiter from the content: no file can hold the hash of itself, so it does not occur in it.

    Derived, not random: the same file gives the same bytes, so a capture of the wire can be compared.
    """
    return f"----aiomar{hashlib.sha256(content).hexdigest()[:32]}"
