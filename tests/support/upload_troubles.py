"""What goes wrong with an upload in the gates, drawn by chance: the server's answers, its logins, and the caller.

None of these servers lies: who says that a file was not taken (4xx, a refusal, a login page) did not take it, and who
gives a receipt for it did.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

import attrs

from aiomar.testing import (
    CutBody,
    Disconnect,
    DropAnswer,
    ExpireSession,
    Fault,
    Framing,
    LoginPage,
    Page,
    Raw,
    Redirect,
    Reset,
    SlowFirstByte,
    Stall,
    Status,
    _html,
)
from aiomar.testing._site import Reply
from tests.support.answers import Taking

Blow = Literal["cancel", "close"]
Moment = Literal["any", "started", "decided"]
_BLOWS: tuple[Blow, ...] = ("cancel", "cancel", "close")
_MOMENTS: tuple[Moment, ...] = ("any", "started", "decided")
_REFUSAL = "<h3>Error in File Processing</h3><p>Meter is not known</p>"


@attrs.frozen(kw_only=True)
class Trouble:
    """What happens to some uploads.

    Args:
        faults: of the server.
        calls: how many calls of sockets go well until one fails; `None` for all.
        blow: what the caller does: gives a call up, or closes the client.
        moment: when he does: at any time, after the call began in earnest, or when the server has decided.
    """

    faults: tuple[Fault, ...] = ()
    calls: int | None = None
    blow: Blow | None = None
    moment: Moment = "any"

    @property
    def name(self) -> str:
        """What the caller does, in words."""
        return f"{self.blow}, {self.moment}"


BLOWS = frozenset(Trouble(blow=blow, moment=moment).name for blow in _BLOWS for moment in _MOMENTS)
"""Everything that a caller may do."""


def _status(status: int, *headers: tuple[str, str]) -> Callable[[Reply], Reply]:
    return lambda reply: attrs.evolve(reply, status=status, headers=(*reply.headers, *headers))


def _other(old: bytes, new: bytes) -> Callable[[Reply], Reply]:
    return lambda reply: attrs.evolve(reply, body=reply.body.replace(old, new))


def _broken(status: int) -> Callable[[Reply], Reply]:
    return lambda reply: attrs.evolve(
        reply, status=status, body=b"<html><h1>java.lang.NullPointerException</h1></html>"
    )


def _taken(rng: random.Random) -> Fault:
    """Give a site that takes the file, and an answer that does or does not say so."""
    size = rng.choice((0, 1, 60, 120, 250, -1))
    return rng.choice(
        (
            DropAnswer(rng.choice((None, size)), reset=rng.random() < 0.5),
            CutBody(size, rng.choice(("length", "chunked", "close")), on="upload", reset=rng.random() < 0.5),
            Framing(rng.choice(("length", "chunked", "close")), on="upload"),
            SlowFirstByte(rng.choice((0.001, 0.01)), on="upload"),
            Taking(instead=_status(rng.choice((200, 201, 206, 500, 503)))),
            Taking(instead=_broken(rng.choice((200, 500, 502, 503)))),
            Taking(instead=_status(302, ("Location", "https://elsewhere.example/"))),
            Taking(instead=_other(b"meter", b"other")),
            Taking(instead=_other(b"File Size : ", b"File Size : 9")),
            Taking(instead=_other(b"File Id: ", b"File Id: x")),
            Taking(instead=lambda reply: attrs.evolve(reply, body=reply.body + reply.body.replace(b"meter", b"other"))),
        )
    )


def _not_taken(rng: random.Random) -> Fault:
    """Give an answer that the site knows nothing of."""
    return rng.choice(
        (
            Status(rng.choice((400, 403, 404, 408, 413, 429, 500, 502, 503, 504)), on="upload"),
            Redirect(rng.choice(("/fr_top.jsp", "https://elsewhere.example/")), rng.choice((302, 307)), on="upload"),
            LoginPage(on="upload", times=rng.choice((1, 2))),
            ExpireSession(on="upload", times=rng.choice((1, 1, 2))),
            Page(_REFUSAL, rng.choice((200, 500)), on="upload"),
            Page(_html.receipt("other.csv", 7, 528_526), on="upload"),
            Page(rng.choice(("", "<html>Welcome</html>", "id,value\r\n")), on="upload"),
            Raw(rng.choice((b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le")), on="upload"),
            Disconnect(on="upload"),
            Reset(on="upload"),
        )
    )


def _login(rng: random.Random) -> tuple[Fault, ...]:
    """Give a session that has ended, and trouble with the next one."""
    times = rng.choice((1, 2))
    faults: tuple[Fault, ...] = (
        Status(rng.choice((401, 404, 500, 503)), on="login", times=times),
        Page("<html>no cookie</html>", on="login", times=times),
        Redirect(on="login"),
        Disconnect(on="login", times=times),
        Reset(on="login", times=times),
        Raw(b"garbage\r\n\r\n", on="login", times=times),
        SlowFirstByte(0.01, on="login"),
    )
    return ExpireSession(on="upload"), rng.choice(faults)


def draw(rng: random.Random, *, hasty: bool, sockets: bool) -> Trouble:
    """Draw what happens next.

    Args:
        rng: chance.
        hasty: whether the client gives up soon by itself, so that a silent server costs no time.
        sockets: whether calls of sockets can be made to fail.
    """
    kinds = ("none", "taken", "not taken", "login", "blow", "silence", "sockets")
    weights = (15, 25, 22, 6, 22, 15 if hasty else 0, 30 if sockets else 0)
    match rng.choices(kinds, weights)[0]:
        case "taken":
            trouble = Trouble(faults=(_taken(rng),))
        case "not taken":
            trouble = Trouble(faults=(_not_taken(rng),))
        case "login":
            trouble = Trouble(faults=_login(rng))
        case "blow":
            trouble = Trouble(blow=rng.choice(_BLOWS), moment=rng.choice(_MOMENTS))
        case "silence":
            trouble = Trouble(faults=(Stall(rng.choice((None, 0, 100, 300)), on="upload"),))
        case "sockets":
            trouble = Trouble(calls=rng.randrange(25))
        case _:
            trouble = Trouble()
    return trouble
