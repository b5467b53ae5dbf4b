"""Reading an answer's body from aiohttp's stream, the same for both ways of sending.

uvloop drops what it has received but not yet handed on when a connection ends just while reading is paused.  A body
that ends with its connection would then be cut without a sign, so its last bytes are asked of TLS itself, which has
them.
"""

from __future__ import annotations

import ssl
import time
from typing import Protocol

import aiohttp
import attrs

from aiomar.errors import DeadlineError, TransportError, TruncatedBodyError
from aiomar.protocol import Origin, ResponseHead, announced_length, framing
from aiomar.transport._failures import translate
from aiomar.transport._watch import Watch

_PIECE = 262_144


class Source(Protocol):
    """Where the connection goes after the body."""

    def release(self) -> object:
        """Give it back for the next request."""

    def close(self) -> object:
        """Close it."""


@attrs.define
class BodyReader:
    """An `Exchange` over aiohttp's stream.

    Args:
        head: status and headers.
        origin: where it comes from, for messages.
        content: the stream.
        watch: bounds each silence.
        source: gets the connection at the end.
        tls: of a connection that may end with its answer.
    """

    head: ResponseHead
    _origin: Origin
    _content: aiohttp.StreamReader
    _watch: Watch
    _source: Source = attrs.field(repr=False)  # aiohttp's response prints its headers, the cookie among them
    _tls: ssl.SSLObject | None
    _received: int = attrs.field(default=0, init=False)
    _open: bool = attrs.field(default=True, init=False)

    async def read(self) -> bytes:
        """Give the next piece as it came; see `Exchange.read`."""
        content = self._content
        if content.at_eof():
            return b"" if self._tls is None else self._left_behind(self._tls)
        try:
            # Most of the time the bytes are here already: nobody needs to be watched then.
            piece = content.read_nowait()
            if not piece:
                self._watch.begin(content, time.monotonic())
                try:
                    piece = await content.readany()
                finally:
                    self._watch.end(content)
        except TimeoutError as error:
            raise DeadlineError(
                f"{self._origin} sent nothing for {self._watch.seconds:g} s in the middle of its answer: try again",
                phase="read",
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error
        self._received += len(piece)
        return piece or await self.read()

    def _left_behind(self, tls: ssl.SSLObject) -> bytes:
        """Give what the loop did not hand on; after any framing but the connection's end that is not of this answer."""
        if framing(self.head) != "close":
            return b""
        try:
            piece = tls.read(_PIECE)
        except ssl.SSLError:  # however TLS says that nothing more comes
            return b""
        self._received += len(piece)
        return piece

    def close(self) -> None:
        """Give the connection back or up; see `Exchange.close`."""
        if self._open:
            self._open = False
            # Only a body that was read to its end leaves a connection that can be used again.
            if self._content.at_eof():
                self._source.release()
            else:
                self._source.close()

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
