"""What carries requests: identity, trust, and the connection."""

from aiomar.transport._aiohttp import AiohttpTransport
from aiomar.transport._choice import make_transport
from aiomar.transport._identity import ClientIdentity
from aiomar.transport._lean import LeanTransport
from aiomar.transport._pool import SocketFactory, Wiring
from aiomar.transport._resolver import ThreadsResolver
from aiomar.transport._seam import Exchange, Timeouts, Trace, Transport
from aiomar.transport._secret import Secret
from aiomar.transport._trust import LegacyTls, Trust, build_context

__all__ = [
    "AiohttpTransport",
    "ClientIdentity",
    "Exchange",
    "LeanTransport",
    "LegacyTls",
    "Secret",
    "SocketFactory",
    "ThreadsResolver",
    "Timeouts",
    "Trace",
    "Transport",
    "Trust",
    "Wiring",
    "build_context",
    "make_transport",
]
