"""The body of a download: piece by piece, judged, counted and at its end proved whole (DL 3.3).

Completeness is proved by the framing where there is any.  A body that ends with the connection needs its content as
proof; without it nobody can tell it from one that was cut, and it is an error unless the caller allows that.

The piece at hand is never a local variable where something may be raised: some reports of errors print those.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import attrs

from aiomar.errors import DeadlineError, Hint, ResponseTooLargeError, TruncatedBodyError, UnexpectedPageError
from aiomar.protocol import (
    PAGE_LIMIT,
    ContentCheck,
    FileFormat,
    Framing,
    PageSniffer,
    ResponseHead,
    announced_length,
    content_check,
    framing,
    page_words,
)
from aiomar.transfer._results import Completeness

# "averaged over a minute"
_RATE_WINDOW = 60.0


@attrs.frozen(kw_only=True)
class BodyRules:
    """What is asked of a body, the same for every download of a client."""

    largest: int
    """Bytes."""
    minimum_rate: float
    """Bytes per second, averaged over a minute; 0 for no limit."""
    clock: Callable[[], float] = time.monotonic


class Body:
    """Iterates over the pieces of a body; ends normally only if it is whole.

    Args:
        head: status and headers.
        beginning: the pieces that were read already to judge them.
        sniffer: still undecided after the beginning, or `None`.
        read: gives the next piece; empty at the end.
        file_format: whose content can prove completeness.
        allow_unverified: take a body that nothing proves whole.
        rules: size and rate.
    """

    def __init__(
        self,
        head: ResponseHead,
        beginning: Sequence[bytes],
        *,
        sniffer: PageSniffer | None,
        read: Callable[[], Awaitable[bytes]],
        file_format: FileFormat,
        allow_unverified: bool,
        rules: BodyRules,
    ) -> None:
        self._waiting = deque(beginning)
        del beginning
        self._sniffer = sniffer
        self._read = read
        self._allow_unverified = allow_unverified
        self._rules = rules
        self.expected: int | None = announced_length(head)
        if self.expected is not None and self.expected > rules.largest:
            raise self._too_large(self.expected)
        self._framing: Framing = framing(head) if self.expected is None else "length"
        self._check: ContentCheck | None = content_check(file_format) if self._framing == "close" else None
        self._window_start = rules.clock()
        self._window_bytes = 0
        self.received: int = 0
        self.completeness: Completeness = "unverified"

    async def read(self) -> bytes:
        """Give the next piece as it came; empty once, and only if the body is whole.

        Raises:
            TruncatedBodyError: the body was cut, or nothing proves that it is whole.
            ResponseTooLargeError: it is larger than the client takes.
            DeadlineError: phase ``"read"`` or ``"rate"``.
            UnexpectedPageError: it turned out to be a page after a very long run of blanks.
        """
        if not self._waiting:
            self._waiting.append(await self._read())
            if not self._waiting[0]:
                self._finish()
                return self._waiting.popleft()
            if self._sniffer is not None:
                self._sniff(self._sniffer)
        self._take()
        return self._waiting.popleft()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Give the pieces one by one; see `read`."""
        while piece := await self.read():
            yield piece

    def _take(self) -> None:
        size = len(self._waiting[0])
        self.received += size
        if self.received > self._rules.largest:
            raise self._too_large(self.received)
        if self._check is not None:
            self._check.feed(self._waiting[0])
        self._keep_pace(size)

    def _sniff(self, sniffer: PageSniffer) -> None:
        verdict = sniffer.feed(self._waiting[0])
        if verdict:
            words = page_words(self._waiting[0][:PAGE_LIMIT])
            raise UnexpectedPageError(
                "the server sent a page after a very long run of blanks where data was due: check the id and the dates",
                title=words.title,
                excerpt=words.excerpt,
            )
        if verdict is False:
            self._sniffer = None

    def _keep_pace(self, size: int) -> None:
        self._window_bytes += size
        elapsed = self._rules.clock() - self._window_start
        if elapsed < _RATE_WINDOW:
            return
        if self._window_bytes < self._rules.minimum_rate * elapsed:
            raise DeadlineError(
                f"only {self._window_bytes / elapsed:.0f} bytes a second came over the last minute: "
                "try again, or lower Timeouts.minimum_rate",
                phase="rate",
            )
        self._window_start += elapsed
        self._window_bytes = 0

    def _finish(self) -> None:
        if self._framing != "close":
            self.completeness = self._framing
        elif self._check is not None and self._check.whole():
            self.completeness = "content"
        elif not self._allow_unverified:
            raise TruncatedBodyError(
                f"completeness cannot be proved: the {self.received:,} bytes ended with the connection and their "
                "content does not show that they are all; pass allow_unverified=True to take them as they are",
                received=self.received,
                expected=None,
                hint=Hint.NEVER,
            )

    def _too_large(self, size: int) -> ResponseTooLargeError:
        return ResponseTooLargeError(
            f"the answer has {size:,} bytes or more, beyond the {self._rules.largest:,} that this client takes: "
            "ask for fewer days, or raise OmarConfig.max_download_bytes"
        )
