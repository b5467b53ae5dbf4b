"""Whether what was submitted shows in what was downloaded (SUB 3.4).

MDEF is compared by intervals.  One is known by its recorder id, the logical number of its channel and the instant at
which it begins; length, value and status words must be the same, bit by bit.  CSV has columns that nobody explained, so
it is compared by rows, as sets: line ends, blanks at the end of a line, empty lines and a byte order mark aside.

Only what was submitted is held in memory; the download passes by, one meter or one line at a time.  The results name
places and never a value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

import attrs

from aiomar.formats import MdefChannel, read_csv_lines, read_mdef, zone
from aiomar.protocol import FileFormat, TimeType, printable

EXAMPLES = 20
"""How many places a comparison names; it counts all of them."""
_SUBMITTED, _DOWNLOADED = "the submitted file", "the downloaded data"
_VALUE = slice(2, 6)
_SHAPE = slice(0, 2)

_Key = tuple[str, int]
"""Recorder id and logical channel number."""


@attrs.frozen(kw_only=True)
class Comparison:
    """What of a submitted file shows in downloaded data."""

    expected: int
    """Intervals (MDEF) or different rows (CSV) that were submitted."""
    found: int
    """How many of them are there, equal."""
    missing_count: int
    """How many are not there at all."""
    different_count: int
    """How many are there with another value, status or length.  Always 0 for CSV, where a row has no key."""
    missing: tuple[str, ...]
    """Examples, at most `EXAMPLES`: recorder, channel and time, or the line in the submitted file."""
    different: tuple[str, ...]
    """Examples, likewise, with what differs."""

    @property
    def complete(self) -> bool:
        """Whether everything that was submitted is there; where there was nothing, nothing can show."""
        return 0 < self.expected == self.found


def compare(submitted: bytes, downloaded: BinaryIO, *, file_format: FileFormat, clock: TimeType) -> Comparison:
    """Compare a submitted file with downloaded data.

    Blocks; runs in a thread.

    Args:
        submitted: the whole file, as it was sent.
        downloaded: a download that covers it; read from where it stands, and not closed.
        file_format: of both.
        clock: by which both were written; for CSV it decides nothing.

    Raises:
        FormatError: one of the two is not of this format, is damaged, or was written by the other clock.
        DiskError: the operating system refuses to read the download.
    """
    if file_format is FileFormat.MDEF:
        return _Intervals(submitted, clock).compare(downloaded)
    return _compare_rows(submitted, downloaded)


class _Intervals:
    """The submitted intervals that were not found yet."""

    def __init__(self, submitted: bytes, clock: TimeType) -> None:
        self._clock = clock
        # Channel → the second at which an interval begins → its content.  What stands twice counts once, as it stands
        # last.
        self._left: dict[_Key, dict[int, bytes]] = {}
        self._differs: dict[tuple[_Key, int], str] = {}
        for meter in read_mdef(submitted, clock=clock, name=_SUBMITTED):
            for channel in meter.channels:
                left = self._left.setdefault((meter.recorder_id, channel.number), {})
                left.update(_contents(channel, clock))
        self._expected = self._count()

    def compare(self, downloaded: BinaryIO) -> Comparison:
        """Look for all of them."""
        for meter in read_mdef(downloaded, clock=self._clock, name=_DOWNLOADED):
            for channel in meter.channels:
                self._look_into((meter.recorder_id, channel.number), channel)
        missing = self._count() - len(self._differs)
        return Comparison(
            expected=self._expected,
            found=self._expected - missing - len(self._differs),
            missing_count=missing,
            different_count=len(self._differs),
            missing=tuple(islice(self._missing(), EXAMPLES)),
            different=tuple(f"{self._place(*at)}: {what}" for at, what in islice(self._differs.items(), EXAMPLES)),
        )

    def _look_into(self, key: _Key, channel: MdefChannel) -> None:
        left = self._left.get(key)
        if not left:
            return
        for second, content in _contents(channel, self._clock, min(left), max(left)):
            wanted = left.get(second)
            if wanted == content:
                del left[second]
                self._differs.pop((key, second), None)
            elif wanted is not None:
                self._differs[key, second] = _difference(wanted, content)

    def _count(self) -> int:
        return sum(map(len, self._left.values()))

    def _missing(self) -> Iterator[str]:
        for key, left in self._left.items():
            yield from (self._place(key, second) for second in left if (key, second) not in self._differs)

    def _place(self, key: _Key, second: int) -> str:
        time = dt.datetime.fromtimestamp(second, zone(self._clock)).isoformat(timespec="minutes")
        return f"recorder {printable(key[0], 40)}, channel {key[1]}, interval from {time}"


def _contents(
    channel: MdefChannel, clock: TimeType, first: float = -float("inf"), last: float = float("inf")
) -> Iterator[tuple[int, bytes]]:
    """Give the intervals that begin between two seconds: when, and everything that has to be equal.

    That is two bytes for the shape, the interval's length and its status words, and the slot as it stands in the file.
    """
    shape = bytes((channel.per_hour, channel.has_channel_status + 2 * channel.has_interval_status))
    begin, step = int(channel.begins(clock).timestamp()), int(channel.interval.total_seconds())
    for index in range(channel.count):
        second = begin + index * step
        if first <= second <= last:
            slot = index * channel.width
            yield second, shape + channel.slots[slot : slot + channel.width]


def _difference(wanted: bytes, found: bytes) -> str:
    if wanted[_SHAPE] != found[_SHAPE]:
        return "another length of the interval, or other status words"
    return "another value" if wanted[_VALUE] != found[_VALUE] else "another status"


def _compare_rows(submitted: bytes, downloaded: BinaryIO) -> Comparison:
    left: dict[bytes, int] = {}
    for line, text in enumerate(read_csv_lines(submitted, name=_SUBMITTED), start=1):
        if row := text.rstrip():
            left.setdefault(row, line)
    expected = len(left)
    for text in read_csv_lines(downloaded, name=_DOWNLOADED):
        left.pop(text.rstrip(), None)
    return Comparison(
        expected=expected,
        found=expected - len(left),
        missing_count=len(left),
        different_count=0,
        missing=tuple(f"line {line} of {_SUBMITTED}" for line in islice(left.values(), EXAMPLES)),
        different=(),
    )
