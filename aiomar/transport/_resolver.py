"""Name look-ups in the client's own threads; aiohttp's resolver would leave threads behind."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver, ResolveResult

if TYPE_CHECKING:
    from aiomar._threads import Threads

_Address = tuple[socket.AddressFamily, int, str]  # with the number of the protocol


class ThreadsResolver(AbstractResolver):
    """`socket.getaddrinfo` in a thread of the client; a look-up that hangs is left behind by the connect deadline.

    There is never more than one look-up of a host at a time, so those that hang take one thread for each host, and the
    others stay free for the disk.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._under_way: dict[tuple[str, socket.AddressFamily], asyncio.Future[list[_Address]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a host.

        Raises:
            OSError: the name cannot be resolved.
        """
        key = (host, family)
        if key not in self._under_way:
            look_up = self._threads.start(_look_up, host, family)
            self._under_way[key] = look_up
            look_up.add_done_callback(lambda _: self._under_way.pop(key))
        addresses = await asyncio.shield(self._under_way[key])  # others wait for it too
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, protocol, address in addresses
        ]

    async def close(self) -> None:
        """Wait for no look-up any longer; the threads are the client's."""
        for look_up in list(self._under_way.values()):
            look_up.cancel()


def _look_up(host: str, family: socket.AddressFamily) -> list[_Address]:
    found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(kind, protocol, str(address[0])) for kind, _, protocol, _, address in found]
