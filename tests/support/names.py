"""Names that lead where a test wants them to."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult


class Addresses(AbstractResolver):
    """Knows every name by the same addresses.

    Args:
        addresses: of IPv4.
    """

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's
    ) -> list[ResolveResult]:
        """Give all of them."""
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""
