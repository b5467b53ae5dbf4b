"""Which of the two ways requests are sent."""

from __future__ import annotations

from aiomar.transport._aiohttp import AiohttpTransport
from aiomar.transport._lean import LeanTransport, usable
from aiomar.transport._pool import Wiring
from aiomar.transport._seam import Transport


def make_transport(wiring: Wiring, *, proxy: str | None, lean: bool) -> Transport:
    """Take the short way unless a proxy, the caller, or an aiohttp that has changed inside asks for the long one.

    Must be called inside the event loop that uses it.

    Args:
        wiring: TLS, deadlines, names.
        proxy: ``http://host:port`` of a CONNECT proxy, or `None`.
        lean: whether the short way may be taken.
    """
    if lean and proxy is None and usable():
        return LeanTransport(wiring)
    return AiohttpTransport(wiring, proxy=proxy)
