"""Reading an answer's body from aiohttp's stream, the same for both ways of sending."""

from __future__ import annotations

import time
from typing import Protocol

import aiohttp
import attrs

from aiomar.errors import DeadlineError, TransportError, TruncatedBodyError
from aiomar.protocol import Origin, ResponseHead, announced_length
from aiomar.transport._failures import translate
from aiomar.transport._watch import Watch


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
    """

    head: ResponseHead
    _origin: Origin
    _content: aiohttp.StreamReader
    _watch: Watch
    _source: Source
    _received: int = attrs.field(default=0, init=False)
    _open: bool = attrs.field(default=True, init=False)

    async def read(self) -> bytes:
        """Give the next piece as it came; see `Exchange.read`."""
        content = self._content
        if content.at_eof():
            return b""
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
