"""How far a range has come, in numbers and in words.

It is told of every event, of which a large range has hundreds of thousands, so it only counts; rates and words are made
when somebody looks, a few times a second at most.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from rich.filesize import decimal

from aiomar import (
    DownloadFailed,
    DownloadFinished,
    DownloadProgress,
    DownloadRetrying,
    DownloadReused,
    DownloadsPaused,
    Event,
    LimitChanged,
)

_SMOOTH = 10.0
"""Seconds that a rate is averaged over."""
_FORESIGHT = 60.0
"""Seconds whose files tell how long the rest will take."""
_BETWEEN_SAMPLES = 1.0
_MINUTE, _HOUR = 60, 3600
_FEW = 10


class Tally:
    """What became of the files of a range so far.

    Args:
        total: how many files there will be; `None` if nobody knows.
        clock: seconds, never stepping back.
    """

    def __init__(self, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.fetched = 0
        self.reused = 0
        self.failed = 0
        self.retries = 0
        self.bytes = 0
        """Bytes that were fetched, those of unfinished files among them."""
        self.limit: tuple[int, int] | None = None
        """How many downloads may be under way at once, and what the configuration allows; `None` until it changes."""
        self._clock = clock
        self._under_way: dict[Path, int] = {}
        self._paused_until = 0.0
        # Time, fetched files and bytes; a sample a second, and one that is older than all that is looked at.
        self._samples: deque[tuple[float, int, int]] = deque([(clock(), 0, 0)])

    @property
    def ended(self) -> int:
        """Files that are there or given up."""
        return self.fetched + self.reused + self.failed

    @property
    def files(self) -> str:
        """How many files have ended, in words."""
        return f"{self.ended:,} files" if self.total is None else f"{self.ended:,} of {self.total:,} files"

    def observe(self, event: Event) -> None:
        """Count an event."""
        match event:
            case DownloadProgress():
                self.bytes += event.received - self._under_way.get(event.path, 0)
                self._under_way[event.path] = event.received
            case DownloadFinished():
                self.bytes += event.file.size - self._under_way.pop(event.file.path, 0)
                self.fetched += 1
            case DownloadReused():
                self.reused += 1
            case DownloadRetrying():
                self.retries += 1
            case DownloadFailed():
                self.bytes -= self._under_way.pop(event.path, 0)
                self.failed += 1
            case LimitChanged():
                self.limit = event.limit, event.most
            case DownloadsPaused():
                self._paused_until = max(self._paused_until, self._clock() + event.wait)
            case _:
                pass

    @property
    def pause(self) -> float:
        """Seconds that a pause still lasts; 0 without one."""
        return max(self._paused_until - self._clock(), 0.0)

    def __str__(self) -> str:
        return "; ".join([self.files, *self.facts()])

    def facts(self) -> list[str]:
        """Give what there is to say beyond how many files have ended, the most important first."""
        self._sample()
        files, size = self._rates(_SMOOTH)
        facts = [f"{decimal(self.bytes)} at {decimal(round(size))}/s, {_per_second(files)}"]
        counts = (("reused", self.reused), ("failed", self.failed), ("repeated", self.retries))
        if told := ", ".join(f"{number:,} {what}" for what, number in counts if number):
            facts.append(told)
        if self.limit is not None:
            facts.append("limit {:,} of {:,}".format(*self.limit))
        if (pause := self.pause) > 0:
            facts.append(f"paused for {duration(pause)}, the server asked for it")
        if (left := self._left()) is not None:
            facts.append(f"about {duration(left)} left")
        return facts

    def _left(self) -> float | None:
        """Guess the seconds that the rest takes, from files that were fetched: reused ones come in no time, in bulk."""
        files, _ = self._rates(_FORESIGHT)
        rest = 0 if self.total is None else self.total - self.ended
        return rest / files if files > 0 and rest > 0 else None

    def _sample(self) -> None:
        now = self._clock()
        if now - self._samples[-1][0] >= _BETWEEN_SAMPLES:
            self._samples.append((now, self.fetched, self.bytes))
        while len(self._samples) > 1 and now - self._samples[1][0] >= _FORESIGHT:
            self._samples.popleft()

    def _rates(self, seconds: float) -> tuple[float, float]:
        """Give files and bytes a second, since the youngest sample that is so many seconds old."""
        now = self._clock()
        past = next((sample for sample in reversed(self._samples) if now - sample[0] >= seconds), self._samples[0])
        elapsed = now - past[0]
        if elapsed <= 0:
            return 0.0, 0.0
        return (self.fetched - past[1]) / elapsed, max(self.bytes - past[2], 0) / elapsed


def duration(seconds: float) -> str:
    """Give a time to wait in words: ``40 s``, ``3 min`` or ``2 h 5 min``."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{max(whole, 1)} s"
    if whole < _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    hours, minutes = divmod(round(seconds / _MINUTE), _MINUTE)
    return f"{hours:,} h {minutes} min"


def _per_second(files: float) -> str:
    return f"{files:,.0f} files/s" if files >= _FEW else f"{files:.1f} files/s"
