"""The session cookie: the first one, verbatim, sent back in its own style (SUB 3.1.1).

No cookie jar: a jar keeps the last cookie of a repeated name and writes values in its own way, and OMAR wants the first
one as it came.  RFC 2109 allows quoted values and attributes with ``;`` inside quotes, and several cookies in one line,
so lines are scanned, not split.  Every repetition in the pattern is possessive: a hostile line costs its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime

import attrs

from aiomar.errors import LoginError
from aiomar.protocol._model import CookieStyle

_WORD = r"[!#$%&'*+.0-9A-Z^_`a-z|~-]++"
# A comma and the beginning of another cookie, NAME=; with a blank, because values hold commas: x!1!2,y==
_NEXT_COOKIE = rf",[ \t]++{_WORD}[ \t]*+="
_PAIR = re.compile(
    rf"""
    (?P<name> [^=;,"]*+ )
    (?: = [ \t]*+
        (?P<value>
            "(?:[^"\\]|\\.)*+" (?= [ \t]*+ (?:[;,]|\Z) )  # a quoted string with its escapes
          | (?: (?!{_NEXT_COOKIE}) [^;] )*+                  # or anything up to the next semicolon or cookie
        )
    )?+
    [ \t]*+ (?P<end> ; | , | \Z )
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(_WORD)
_SENDABLE = re.compile(r"[\x20-\x7e]+")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_LONG_GONE = 2000


@attrs.frozen
class SessionCookie:
    """A cookie as it came: name and value byte for byte, quotes included.

    Its text never shows the value.
    """

    name: str
    value: str = attrs.field(repr=False)
    version: str | None = None
    path: str | None = None

    def header(self, style: CookieStyle) -> str:
        """Render the ``Cookie`` header's value (SUB 3.1.1.1)."""
        pair = f"{self.name}={self.value}"
        if style is CookieStyle.PLAIN or (style is CookieStyle.AUTO and self.version != "1"):
            return pair
        path = "" if self.path is None else f"; $Path={self.path}"
        return f"$Version=1; {pair}{path}"


def first_cookie(lines: Sequence[str]) -> SessionCookie:
    """Take the first ``Set-Cookie`` line of the login's answer, also when a later line repeats its name (SUB 3.1.1.2).

    Args:
        lines: the values of all ``Set-Cookie`` headers in wire order.

    Raises:
        LoginError: when there is no cookie, or the first one cannot be sent back.
    """
    found = _first_cookie(lines)
    del lines  # no traceback that prints local variables shall show them
    if isinstance(found, SessionCookie):
        return found
    raise LoginError(found)


def _first_cookie(lines: Sequence[str]) -> SessionCookie | str:
    """Give the cookie, or what is wrong with it."""
    if not lines:
        return "the login page set no cookie, so there is no session: check the account and its certificate"
    (name, value), *rest = list(_pairs(lines[0])) or [("", None)]
    attributes = {key.casefold(): text for key, text in reversed(rest)}  # reversed: the first of a repeated one counts
    if not _TOKEN.fullmatch(name) or value is None or not _SENDABLE.fullmatch(value):
        return (
            "the login page set a cookie that cannot be sent back (its name, its value or an odd character): "
            "ask the operator what it should be"
        )
    if _takes_away(attributes):
        return "the login page took the session cookie away instead of giving one: check the account"
    version, path = attributes.get("version"), attributes.get("path")
    return SessionCookie(
        name=name,
        value=value,
        # Another cookie that follows without a blank leaves its beginning here: Version=1,OTHER=…
        version=None if version is None else version.partition(",")[0].strip(' "'),
        path=path if path and _SENDABLE.fullmatch(path) else None,
    )


def _pairs(line: str) -> Iterator[tuple[str, str | None]]:
    """Give the cookie of a line and its attributes; a further cookie in the same line ends them."""
    position = 0
    while position < len(line) and (match := _PAIR.match(line, position)) is not None:
        value = match["value"]
        yield match["name"].strip(" \t"), None if value is None else value.strip(" \t")
        if match["end"] != ";":
            return
        position = match.end()


def _takes_away(attributes: dict[str, str | None]) -> bool:
    """Whether the line ends a session: no age, or an expiry long gone.

    Compared with a fixed year and not with this machine's clock, which may be wrong.
    """
    age = (attributes.get("max-age") or "").strip('"')
    if _INTEGER.fullmatch(age):
        return int(age) <= 0
    try:
        expires = parsedate_to_datetime((attributes.get("expires") or "").strip('"').replace("-", " "))
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
    return expires.year < _LONG_GONE
