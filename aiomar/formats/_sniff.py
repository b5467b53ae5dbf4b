"""What a file is, by its first bytes."""

from __future__ import annotations

import codecs
import enum
import re

_MARKS = rb"\xef\xbb\xbf|\xff\xfe|\xfe\xff"
_NOTHING = re.compile(rb"(?:[ \t\n\v\f\r]|%b)*" % _MARKS)
# A byte order mark of UTF-16 puts a NUL beside every character behind it.
_PAGE = re.compile(
    rb"(?:[ \t\n\v\f\r]|%b)*(?P<wide>\xff\xfe|\xfe\xff)?(?(wide)(?:[\0 \t\n\v\f\r]|%b)*)<(?(wide)\0?)[A-Za-z!?]"
    % (codecs.BOM_UTF8, _MARKS)
)
_METER_HEADER = b"\xd8\x00\x01\x00"
"""Length 216, code 1."""
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


class Kind(enum.Enum):
    """What the first bytes of a file look like."""

    MDEF = "mdef"
    """It begins with a meter header."""
    CSV = "csv"
    """Text with a comma in it."""
    PAGE = "page"
    """It begins, after blanks and a byte order mark, with ``<`` and a letter, ``!`` or ``?``: an error page, mostly."""
    EMPTY = "empty"
    """Nothing, or nothing but blanks and a byte order mark."""
    UNKNOWN = "unknown"


def sniff(first: bytes) -> Kind:
    """Say what a file looks like.

    A look at the beginning proves nothing about the rest; reading does.

    Args:
        first: the beginning of the file; a few hundred bytes are plenty.
    """
    if _NOTHING.fullmatch(first):
        return Kind.EMPTY
    if _PAGE.match(first):
        return Kind.PAGE
    if first.startswith(_METER_HEADER):
        return Kind.MDEF
    text = first.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return Kind.CSV if b"," in text and not _CONTROL.search(text) else Kind.UNKNOWN
