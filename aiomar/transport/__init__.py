"""What carries requests: identity, trust, and the connection."""

from aiomar.transport._aiohttp import AiohttpTransport
from aiomar.transport._identity import ClientIdentity
from aiomar.transport._resolver import ThreadsResolver
from aiomar.transport._seam import Exchange, Timeouts, Trace, Transport
from aiomar.transport._trust import LegacyTls, Trust, build_context

__all__ = [
    "AiohttpTransport",
    "ClientIdentity",
    "Exchange",
    "LegacyTls",
    "ThreadsResolver",
    "Timeouts",
    "Trace",
    "Transport",
    "Trust",
    "build_context",
]
