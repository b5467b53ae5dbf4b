"""An OMAR-Online to test against: in this process, over real mutual TLS, as strict as the two documents.

::

    async with OmarServer(meters=["1001"], faults=[CutBody(after=500)]) as server:
        config = OmarConfig(server.identity(), server.environment, trust=server.trust)
        async with OmarClient(config) as client:
            asked = {"file_format": FileFormat.CSV, "time_type": TimeType.PST}
            await client.download(Meter("1001"), start, end, **asked, into="data")  # cut once, and repeated

Needs the extra ``testing``.  Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomar.testing._authority import Authority, Credentials
    from aiomar.testing._csv_layout import CSV_LAYOUT
    from aiomar.testing._faults import (
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
        UnusedFaultError,
    )
    from aiomar.testing._log import Connections, RequestRecord
    from aiomar.testing._server import DEFAULT_GROUPS, DEFAULT_METERS, OmarServer
    from aiomar.testing._sessions import CookieMode
    from aiomar.testing._site import Upload
    from aiomar.testing._thread import in_thread

__all__ = [
    "CSV_LAYOUT",
    "DEFAULT_GROUPS",
    "DEFAULT_METERS",
    "Authority",
    "Connections",
    "CookieMode",
    "Credentials",
    "CutBody",
    "Disconnect",
    "DropAnswer",
    "ExpireSession",
    "Fault",
    "Framing",
    "LoginPage",
    "OmarServer",
    "Page",
    "Raw",
    "Redirect",
    "RequestRecord",
    "Reset",
    "SlowFirstByte",
    "Stall",
    "Status",
    "UnusedFaultError",
    "Upload",
    "in_thread",
]

_HOMES = {
    "_authority": ("Authority", "Credentials"),
    "_csv_layout": ("CSV_LAYOUT",),
    "_log": ("Connections", "RequestRecord"),
    "_server": ("DEFAULT_GROUPS", "DEFAULT_METERS", "OmarServer"),
    "_sessions": ("CookieMode",),
    "_site": ("Upload",),
    "_thread": ("in_thread",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker knows the names above, and should complain about any other

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME.get(name, '_faults')}"), name)


def __dir__() -> list[str]:
    return __all__
