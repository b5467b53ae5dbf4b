"""From a page's bytes to its visible text, in time that grows with its length and nothing else.

Pages come from a server that may be broken or hostile, so nothing here backtracks: what a pattern has taken it keeps,
and what is hidden (comments, scripts, styles) is cut in one pass, the first opening first, as a browser does.  A hidden
part that is never closed reaches to the end: better a page that nobody can read than words that nobody should see.
"""

from __future__ import annotations

import codecs
import html
import re

SEPARATOR = "\x1f"
"""Stands between two pieces of text that a tag keeps apart."""

TAG = re.compile(r"""<(?:[^<>"']|"[^"<]*+"|'[^'<]*+'|["'])*+>|<[^<>]*+>""")
"""A tag, with quoted values that may hold ``>``; where a quote is missing, anything from ``<`` to ``>``."""

_HIDDEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(script|style)\b.*?(?:</\1\b[^<>]*+>?|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TITLE = re.compile(r"<title\b[^<>]*+>([^<]*)", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
# Python refuses to read a number of thousands of digits; no character has a number of more than seven.
_LONG_NUMBER = re.compile(r"&#([0-9]{8,});?")


def decode(page: bytes) -> str:
    """Read a page as UTF-16 if it says so by its first bytes, as UTF-8 if it is that, else as Latin-1."""
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if page.startswith(mark):
            return page.removeprefix(mark).decode(name, "replace")
    try:
        return page.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        return page.decode("latin-1")


def without_hidden(source: str) -> str:
    """Drop comments, scripts and styles."""
    return _HIDDEN.sub(SEPARATOR, source)


def unescape(text: str) -> str:
    """Replace HTML's character references."""
    return html.unescape(_LONG_NUMBER.sub(lambda number: f"&#{number[1].lstrip('0')[:8]};", text))


def fold(text: str) -> str:
    """Make every run of blanks one blank, and every run that holds a line end one line end."""
    return _BLANKS.sub(lambda run: "\n" if "\n" in run[0] else " ", text).strip()


def on_one_line(text: str) -> str:
    """Make every run of blanks, line ends and separators one blank."""
    return " ".join(text.split())


def segments(source: str) -> list[str]:
    """Give the pieces of visible text between tags, folded, without empty ones."""
    pieces = TAG.sub(SEPARATOR, without_hidden(source)).split(SEPARATOR)
    return [piece for piece in (fold(unescape(item)) for item in pieces) if piece]


def title(source: str) -> str:
    """Give the page's title, folded; empty when it has none."""
    found = _TITLE.search(without_hidden(source))
    return on_one_line(unescape(found[1])) if found else ""
