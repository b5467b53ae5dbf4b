"""Reading an answer's body from aiohttp's stream, the same for both ways of sending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import attrs

from aiomar.errors import DeadlineError, TransportError, TruncatedBodyError
from aiomar.protocol import Origin, ResponseHead, announced_length
from aiomar.transport._failures import translate


@attrs.define(kw_only=True)
class BodyReader:
    """An `Exchange` over aiohttp's stream.

    Args:
        head: status and headers.
        origin: where it comes from, for messages.
        content: the stream.
        gap_seconds: the longest silence.
        give_back: gives the connection back to the pool.
        give_up: closes the connection.
    """

    head: ResponseHead
    _origin: Origin
    _content: aiohttp.StreamReader
    _gap_seconds: float
    _give_back: Callable[[], object]
    _give_up: Callable[[], object]
    _received: int = attrs.field(default=0, init=False)
    _open: bool = attrs.field(default=True, init=False)

    async def read(self) -> bytes:
        """Give the next piece as it came; see `Exchange.read`."""
        content = self._content
        try:
            # Most of the time the bytes are here already: no timer is set then.
            piece = content.read_nowait()
            if not piece and not content.at_eof():
                async with asyncio.timeout(self._gap_seconds):
                    piece = await content.readany()
        except TimeoutError as error:
            raise DeadlineError(
                f"{self._origin} sent nothing for {self._gap_seconds:g} s in the middle of its answer: try again",
                phase="read",
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error
        self._received += len(piece)
        return piece

    def close(self) -> None:
        """Give the connection back or up; see `Exchange.close`."""
        if self._open:
            self._open = False
            # Only a body that was read to its end leaves a connection that can be used again.
            (self._give_back if self._content.at_eof() else self._give_up)()

    def _broken(self, error: Exception) -> TransportError:
        if not isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientConnectionError | OSError):
            return translate(error, origin=self._origin, phase="response", answered=True)
        expected = announced_length(self.head)
        announced = "before its end" if expected is None else f"of {expected:,} bytes"
        return TruncatedBodyError(
            f"the answer of {self._origin} was cut after {self._received:,} bytes {announced}: try again",
            received=self._received,
            expected=expected,
        )
