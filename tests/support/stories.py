"""What the state machine of G23 has in its hands: a server in a loop that stands still, and faults by their names."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import TypeVar

import attrs

from aiomar import ClientIdentity
from aiomar.testing import (
    CutBody,
    Disconnect,
    DropAnswer,
    ExpireSession,
    Fault,
    Framing,
    LoginPage,
    OmarServer,
    Page,
    Redirect,
    Reset,
    Status,
)
from tests.client.helpers import raw

_T = TypeVar("_T")

DOWNLOAD_FAULTS: dict[str, Fault | None] = {
    "none": None,
    "cut": CutBody(200),
    "cut in a chunk": CutBody(200, "chunked"),
    "cut where the connection ends": CutBody(200, "close"),
    "cut by a reset": CutBody(100, reset=True),
    "ends with the connection": Framing("close"),
    "chunked": Framing("chunked"),
    "busy": Status(503),
    "broken": Status(500),
    "gone": Status(404),
    "hangs up": Disconnect(),
    "resets": Reset(),
    "login page": LoginPage(),
    "expires": ExpireSession(),
    "to the login": Redirect(),
    "elsewhere": Redirect("https://elsewhere.example/"),
    "page": Page("<html><title>Notice</title>Sorry</html>", times=2),
    "garbage": raw(b"\0\1\2", status="999 no"),
    "empty": Page(""),
}
UPLOAD_FAULTS: dict[str, Fault | None] = {
    "none": None,
    "hangs up": Disconnect(on="upload"),
    "resets": Reset(on="upload"),
    "answer lost": DropAnswer(),
    "answer cut": DropAnswer(after=60),
    "answer reset": DropAnswer(after=10, reset=True),
    "broken": Status(500, on="upload"),
    "busy": Status(503, on="upload"),
    "throttled": Status(429, on="upload"),
    "gone": Status(404, on="upload"),
    "login page": LoginPage(on="upload"),
    "expires": ExpireSession(on="upload"),
    "to the login": Redirect(on="upload"),
    "elsewhere": Redirect("https://elsewhere.example/", 307, on="upload"),
    "refused": Page("<html>Error in File Processing : no</html>", on="upload"),
    "page": Page("<html>Welcome</html>", on="upload"),
}
LOGIN_FAULTS: dict[str, Fault | None] = {
    "none": None,
    "busy": Status(503, on="login"),
    "refused": Status(403, on="login"),
    "hangs up": Disconnect(on="login"),
    "no cookie": Page("<html>Welcome</html>", on="login"),
}


@attrs.frozen
class World:
    """What all examples share: starting a server for each would take most of the time."""

    runner: asyncio.Runner
    server: OmarServer
    identity: ClientIdentity
    directory: Path
    fired: Counter[str] = attrs.field(factory=Counter)
    steps: Counter[str] = attrs.field(factory=Counter)

    def run(self, call: Coroutine[object, object, _T]) -> _T:
        """Drive the loop until a call has ended."""
        return self.runner.run(call)
