"""What an answer is, from its status, its headers and its first bytes.

Three questions are answered here, each once: does the head promise data (`judge_head`), how is the body framed
(`framing`), and does the body begin like a page (`PageSniffer`).  `Content-Type` decides nothing: ``text/html`` is a
JSP's default, and pages come as anything.
"""

from __future__ import annotations

import codecs
import datetime as dt
import enum
import re
from collections.abc import Set as AbstractSet
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

import attrs

from aiomar.errors import Hint, ResponseError, StatusError, UnexpectedRedirectError
from aiomar.protocol._model import ResponseHead
from aiomar.protocol._requests import LOGIN_PROGRAM

Framing = Literal["length", "chunked", "close"]
"""How the end of a body is known: its announced length, its last chunk, or only the end of the connection."""

_OK = 200
_BUSY = frozenset({408, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DIGITS = re.compile(r"[0-9]{1,18}")
_TEXT_LIMIT = 500


class HeadVerdict(enum.Enum):
    """What the head of an answer allows."""

    BODY = "body"
    """Status 200, nothing encoded: the body decides."""
    LOGIN = "login"
    """A redirect to the authentication page: the session has ended."""


def judge_head(head: ResponseHead, *, now: float) -> HeadVerdict:
    """Judge status and headers where data was due.

    Args:
        head: status and headers.
        now: seconds since the epoch, for a ``Retry-After`` that is a date.

    Raises:
        StatusError: for any status but 200 that is not a redirect.
        UnexpectedRedirectError: for a redirect to anything but the authentication page; it is never followed.
        ResponseError: for a coding of the content, which was not asked for.
    """
    if head.status != _OK:
        location = redirect_location(head)
        if location is None:
            raise status_error(head, now=now)
        if is_login_location(location):
            return HeadVerdict.LOGIN
        raise unexpected_redirect(head.status, location)
    unasked = _list(head, "Content-Encoding") - {"", "identity"} | _list(head, "Transfer-Encoding") - {"", "chunked"}
    if unasked:
        raise ResponseError(
            f"the server encoded its answer as {printable(' and '.join(sorted(unasked)), 80)}, which was not asked "
            "for, so it cannot be proved whole: ask the operator to switch compression off",
            hint=Hint.NEVER,
        )
    return HeadVerdict.BODY


def _list(head: ResponseHead, name: str) -> AbstractSet[str]:
    """Give the members of a header that is a list, over all its lines."""
    if head.first(name) is None:  # nearly always
        return frozenset()
    return {member.strip().casefold() for line in head.all(name) for member in line.split(",")}


def redirect_location(head: ResponseHead) -> str | None:
    """Give the place that a 3xx answer points to; empty when it does not say, `None` when it is no redirect."""
    if not 300 <= head.status < 400:  # noqa: PLR2004 - 3xx
        return None
    return head.first("Location") or ("" if head.status in _REDIRECTS else None)


def is_login_location(location: str) -> bool:
    """Whether a ``Location`` is the authentication page: its path ends in ``fr_top.jsp`` (SUB 3.1.1.2)."""
    try:
        path = urlsplit(location).path
    except ValueError:
        return False
    return path.split(";")[0].endswith(LOGIN_PROGRAM)


def unexpected_redirect(status: int, location: str) -> UnexpectedRedirectError:
    """Say that the server points elsewhere."""
    return UnexpectedRedirectError(
        f"the server answered with HTTP {status} and points to {printable(location) or 'no place'}, which aiomar never "
        "follows: check the environment's origins",
        location=printable(location),
    )


def status_error(head: ResponseHead, *, now: float) -> StatusError:
    """Say what an HTTP status means: a busy server and its faults may pass, a refusal does not."""
    retry = head.status in _BUSY or head.status >= 500  # noqa: PLR2004 - 5xx
    advice = "try again later" if retry else "check the request, the account and the environment's origins"
    return StatusError(
        f"the server answered with HTTP {head.status}: {advice}",
        status=head.status,
        retry_after=retry_after(head.first("Retry-After"), now=now) if retry else None,
        hint=Hint.RETRY if retry else Hint.NEVER,
    )


def retry_after(value: str | None, *, now: float) -> float | None:
    """Read a ``Retry-After``: seconds in ASCII digits, or an HTTP date.

    Args:
        value: the header's text.
        now: seconds since the epoch.

    Returns:
        Seconds to wait, 0 or more; `None` for anything else, such as ``-5``, ``1e3`` or digits of another script.
    """
    if value is None:
        return None
    text = value.strip(" \t")
    if _DIGITS.fullmatch(text):
        return float(text)
    if not text.isascii():
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:  # HTTP dates are UTC, whatever clock this machine is set to
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, moment.timestamp() - now)


def framing(head: ResponseHead) -> Framing:
    """Tell how the body's end is known; conflicting or malformed lengths never come this far."""
    if (
        head.first("Transfer-Encoding") is not None
        and head.all("Transfer-Encoding")[-1].rpartition(",")[2].strip().casefold() == "chunked"
    ):
        return "chunked"
    return "length" if head.first("Content-Length") is not None else "close"


def announced_length(head: ResponseHead) -> int | None:
    """Give the announced length in bytes, or `None`."""
    text = head.first("Content-Length")
    if text is None or framing(head) != "length":
        return None
    text = text.strip()
    return int(text) if _DIGITS.fullmatch(text) else None


def printable(text: str, limit: int = _TEXT_LIMIT) -> str:
    """Make the server's words fit for messages and logs: blanks folded, escaped to printable ASCII, bounded."""
    shown = escaped(" ".join(text.split()))
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


def escaped(text: str) -> str:
    """Escape everything but printable ASCII."""
    shown = text.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in shown)


_BLANKS = b" \t\r\n\v\f"
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CAN_BEGIN_A_PAGE = frozenset((*_BLANKS, *(mark[0] for mark in _BOMS), *b"<", 0))
_MARKUP = re.compile(rb"<[A-Za-z!?]")


@attrs.define
class PageSniffer:
    """Tell from its first bytes whether a body is a page.

    A page begins, after blanks and a byte order mark, with ``<`` and a letter, ``!`` or ``?``.  Feed it pieces until it
    stops saying `None`.  Three outcomes, stated once: `True` a page, `False` not a page, `None` more is needed to tell.
    """

    _held: bytes = b""
    _wide: bool = False

    def feed(self, piece: bytes) -> bool | None:
        """Take the next piece and give the verdict so far."""
        if (
            piece and not self._held and not self._wide and piece[0] not in _CAN_BEGIN_A_PAGE
        ):  # nearly every body of data
            return False
        text = self._held + piece
        while True:
            if self._wide:
                text = text.replace(b"\0", b"")
            text = text.lstrip(_BLANKS)
            mark = next((mark for mark in _BOMS if text.startswith(mark)), None)
            if mark is None:
                break
            self._wide = self._wide or mark is not codecs.BOM_UTF8
            text = text[len(mark) :]
        self._held = text[:4]
        if not text or any(mark.startswith(text) for mark in _BOMS) or text == b"<":
            return None
        return _MARKUP.match(text) is not None
