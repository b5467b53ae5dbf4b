"""The sessions of the embedded site: the cookies of a login, and the ``Cookie`` header that proves it (SUB 3.1.1).

A program has to send the first cookie back and nothing else.  A browser cannot: it sends every cookie that it was given
and, of a repeated name, the last one.  So the pages for people have sessions of another kind, with a cookie of their
own that may stand among others.  Only those pages set it, so nothing becomes easier for a program.
"""

from __future__ import annotations

import base64
import enum
import hashlib
from collections.abc import Sequence


class CookieMode(enum.Enum):
    """What the several ``Set-Cookie`` lines of a login look like; only the first is ever valid."""

    DISTINCT = "distinct"
    """Every line has a name of its own."""
    REPEATED = "repeated"
    """The later lines repeat the first one's name with another value."""
    VERSION_1 = "version-1"
    """RFC 2109: ``Version="1"``, a quoted value, ``Path="/"``; it is proved by ``$Version=1; NAME="…"; $Path="/"``."""


class Visit(enum.Enum):
    """What the cookies of a request say of a person's session."""

    NEW = "new"
    """There was none."""
    LIVE = "live"
    GONE = "gone"
    """There was one, and it has ended."""


_NAME = "JSESSIONID"
_PERSON = "OMARPERSON"
"""Our own: the documents know nothing of it."""


def _token(word: str, number: int) -> str:
    """Make a value with the characters that careless cookie code changes; predictable, because this is a test."""
    digest = hashlib.sha256(f"{word} {number}".encode()).digest()
    return f"0000{base64.b64encode(digest[:16]).decode()}:-1/{number}"


class Sessions:
    """The live sessions.

    Args:
        mode: how cookies look.
        requests: requests after which a session ends by itself; `None` for never.
        single: whether a login during a session gives the cookie of that session again.
    """

    def __init__(self, mode: CookieMode, *, requests: int | None = None, single: bool = False) -> None:
        self._mode = mode
        self._requests = requests
        self._single = single
        self._left: dict[str, int | None] = {}
        self._visits: dict[str, int | None] = {}
        self._welcomed = 0
        self.opened: int = 0

    def open(self) -> tuple[str, ...]:
        """Open a session; give the ``Set-Cookie`` lines."""
        if not (self._single and self._left):
            self.opened += 1
        number = self.opened
        good, decoy = _token("session", number), _token("decoy", number)
        cookie = f'{_NAME}="{good}"' if self._mode is CookieMode.VERSION_1 else f"{_NAME}={good}"
        proof = f'$Version=1; {cookie}; $Path="/"' if self._mode is CookieMode.VERSION_1 else cookie
        self._left.setdefault(proof, self._requests)
        match self._mode:
            case CookieMode.DISTINCT:
                return f"{cookie}; Path=/; Secure", f"OMARVISIT={decoy}; Path=/", "OMARTAB=top; Path=/"
            case CookieMode.REPEATED:
                return f"{cookie}; Path=/; Secure", f"{_NAME}={decoy}; Path=/"
            case CookieMode.VERSION_1:
                return f'{cookie}; Version="1"; Path="/"; Secure', f'{_NAME}="{decoy}"; Version="1"; Path="/"'

    def anonymous(self) -> str:
        """Give the ``Set-Cookie`` line that a login page carries: a session that nobody has logged in to."""
        return f"{_NAME}={_token('anonymous', self.opened)}; Path=/"

    def prove(self, cookie_headers: Sequence[str]) -> bool:
        """Judge the ``Cookie`` headers of an upload or a download.

        From a program: one header, the session's cookie verbatim and nothing else.  From a person: see above.
        """
        if len(cookie_headers) != 1:
            return False
        for sessions, proof in ((self._left, cookie_headers[0]), (self._visits, _visit_cookie(cookie_headers))):
            if proof in sessions:
                left = sessions[proof]
                if left is not None:
                    sessions[proof] = left - 1
                    if left <= 1:
                        del sessions[proof]
                return True
        return False

    def welcome(self) -> str:
        """Open a session for a person with a browser; give its ``Set-Cookie`` line."""
        self._welcomed += 1
        cookie = f"{_PERSON}={_token('person', self._welcomed)}"
        self._visits[cookie] = self._requests
        return f"{cookie}; Path=/; Secure; HttpOnly; SameSite=Lax"

    def visit(self, cookie_headers: Sequence[str]) -> Visit:
        """Tell whether the cookies are those of a person's session; unlike `prove` it counts nothing."""
        cookie = _visit_cookie(cookie_headers)
        if not cookie:
            return Visit.NEW
        return Visit.LIVE if cookie in self._visits else Visit.GONE

    def expire(self) -> None:
        """End every session."""
        self._left.clear()
        self._visits.clear()

    @property
    def live(self) -> int:
        """How many have not ended."""
        return len(self._left) + len(self._visits)


def _visit_cookie(cookie_headers: Sequence[str]) -> str:
    """Give the cookie of a person's session out of all that a browser sends; empty where there is none."""
    pairs = (pair for line in cookie_headers for pair in line.split("; "))
    return next((pair for pair in pairs if pair.startswith(f"{_PERSON}=")), "")
