"""From a reply to bytes: the three framings, and how a connection ends."""

from __future__ import annotations

import enum
from http import HTTPStatus
from typing import Literal

import attrs

from aiomar.testing._site import Reply

FramingKind = Literal["length", "chunked", "close"]
"""How the end of a body is shown: ``Content-Length``, chunks, or the end of the connection."""

_CHUNK = 4_096


class Ending(enum.Enum):
    """What happens after the bytes."""

    KEEP = "keep"
    """The connection stays open for the next request."""
    CLOSE = "close"
    """Everything is sent, then TLS and TCP are closed in order."""
    RESET = "reset"
    """A TCP reset, without a word of TLS."""
    STALL = "stall"
    """Nothing more, until the client leaves or the server stops."""


@attrs.frozen(kw_only=True)
class Delivery:
    """What goes onto the wire for one request."""

    reply: Reply | None = None
    """A whole reply for a connection that stays open; `None` where `wire` says everything."""
    wire: bytes = attrs.field(default=b"", repr=lambda wire: f"<{len(wire)} bytes>")
    """Raw bytes, status line included."""
    status: int | None
    """The status that the client can see; `None` where there is no status line of ours."""
    ending: Ending = Ending.KEEP
    wait: float = 0.0
    """Seconds before the first byte."""
    misfire: str = ""
    """Why a fault could do nothing; empty where it did what it says."""


def whole(reply: Reply) -> Delivery:
    """Deliver a reply as it is."""
    return Delivery(reply=reply, status=reply.status)


def head(reply: Reply, framing: FramingKind) -> bytes:
    """Write status line and headers; the connection is announced to close."""
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    match framing:
        case "length":
            lines.append(f"Content-Length: {len(reply.body)}")
        case "chunked":
            lines.append("Transfer-Encoding: chunked")
        case "close":
            pass
    return "\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1")


def body(content: bytes, framing: FramingKind, *, last: bool = True) -> bytes:
    """Frame a body, or the beginning of one (`last` is false: the closing chunk is not there)."""
    if framing != "chunked":
        return content
    pieces = [content[at : at + _CHUNK] for at in range(0, len(content), _CHUNK)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n\r\n" if last else chunks


def framed(reply: Reply, framing: FramingKind) -> Delivery:
    """Deliver a healthy reply in one of the framings, then close."""
    wire = head(reply, framing) + body(reply.body, framing)
    return Delivery(wire=wire, status=reply.status, ending=Ending.CLOSE)


def cut(reply: Reply, after: int, framing: FramingKind, ending: Ending) -> Delivery:
    """Deliver the first bytes of a body and end; a cut that would leave the body whole is a misfire.

    Args:
        reply: the healthy reply.
        after: how many bytes of the body go out; a negative number counts from its end, like a slice.
        framing: with ``"chunked"``, all bytes may go out, because the closing chunk is missing then.
        ending: what follows.
    """
    kept = reply.body[:after]
    whole_anyway = after > len(reply.body) or (len(kept) == len(reply.body) and framing != "chunked")
    misfire = f"the body has only {len(reply.body)} bytes, so it was not cut" if whole_anyway else ""
    wire = head(reply, framing) + body(kept, framing, last=False)
    return Delivery(wire=wire, status=reply.status, ending=ending, misfire=misfire)
