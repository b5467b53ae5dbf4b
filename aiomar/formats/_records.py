"""The records of a file, one in hand, and whole runs of interval records at once.

A year of quarter hours has 1,460 records, and nothing may be done in Python for each of them.  So a block of the file
is seen as words of four and eight bytes: what stands at one place of every record is a slice with a step, and one
comparison holds a whole run against what it should be.  About where a run ends is known before: interval records have
codes above 255, headers have not.  What does not fit is left for the walk to look at, record by record.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Final

from aiomar.formats._layout import FIRST_INTERVALS, LAST_INTERVALS, RECORD, SLOTS
from aiomar.formats._source import OpenSource

_BLOCK: Final = 1_024 * RECORD
"""Bytes that are read at once: few enough to stay in a core's cache while they are looked at."""
_AT_ONCE: Final = 128
"""Records whose slots are cut out by one `struct.Struct`, and joined while they are in the innermost cache."""
_WORDS: Final = struct.Struct("<HH")
"""Length and code."""
_FOURS, _EIGHTS = RECORD // 4, RECORD // 8
"""Words of a record."""
_NUMBERED: Final = memoryview(
    b"".join(struct.pack("<HH", RECORD, code) for code in range(FIRST_INTERVALS, LAST_INTERVALS + 1))
).cast("I")
"""How the interval records of the longest channel begin: with their length and their number."""


class Records:
    """Goes through the records of a source."""

    def __init__(self, data: OpenSource) -> None:
        self._data = data
        self._at = -1
        self.number = 0
        """Of the record in hand, from 1; at the end the number that one more would have."""
        self.over = 0
        """Bytes behind the last whole record, known when that is reached."""
        self.beginning = self._load()[: RECORD + 2]
        """The first record and the length of the second, before a record is taken."""

    def step(self) -> bool:
        """Take the next record in hand; false when there is none."""
        self._at += 1
        self.number += 1
        if self._at == self._count and self._count and not self.over:
            self._at = 0
            self._load()
        return self._at < self._count

    def _load(self) -> bytes:
        block = self._data.read(_BLOCK)
        self._count, self.over = divmod(len(block), RECORD)
        self._block = block
        records = memoryview(block)[: self._count * RECORD]
        self._fours, self._eights = records.cast("I"), records.cast("Q")
        self._highs = block[3::RECORD]
        return block

    def head(self) -> tuple[int, int]:
        """Give the two first words of the record in hand: its length, and its kind or number."""
        length, code = _WORDS.unpack_from(self._block, self._at * RECORD)
        return length, code

    def record(self) -> bytes:
        """Give the record in hand, all of it."""
        start = self._at * RECORD
        return self._block[start : start + RECORD]

    def run(self, due: int, key: bytes) -> list[bytes]:
        """Take interval records as long as each is, to the last bit of length, number and key, the next of its channel.

        Args:
            due: the number that the record in hand should have.
            key: the recorder key that all should have.

        Returns:
            Their slots, in pieces of any number of records.  The last one of them is in hand then; none, and nothing
            has happened, when already the record in hand is not as it should be.
        """
        at = self._at
        end = self._highs.find(0, at, self._count)
        most = min(self._count if end < 0 else end, at + LAST_INTERVALS + 1 - due) - at
        if most <= 0 or self._block[at * RECORD + 4 : at * RECORD + 24] != key:
            return []
        count = _longest(most, lambda count: self._is_run(at, count, due))
        if not count:
            return []
        self._at += count - 1
        self.number += count - 1
        return [
            b"".join(_cutter(min(_AT_ONCE, at + count - first)).unpack_from(self._block, first * RECORD))
            for first in range(at, at + count, _AT_ONCE)
        ]

    def _is_run(self, at: int, count: int, due: int) -> bool:
        """Whether so many records have their lengths, are numbered on, and all carry the key of the first."""
        first, last = at * _FOURS, (at + count) * _FOURS
        due -= FIRST_INTERVALS
        if self._fours[first:last:_FOURS] != _NUMBERED[due : due + count]:
            return False
        # The 20 bytes of the key are the second word of four bytes, and the second and the third of eight.
        keys = (
            self._fours[first + 1 : last : _FOURS],
            self._eights[at * _EIGHTS + 1 : (at + count) * _EIGHTS : _EIGHTS],
            self._eights[at * _EIGHTS + 2 : (at + count) * _EIGHTS : _EIGHTS],
        )
        return all(words[1:] == words[:-1] for words in keys)


def _longest(most: int, fits: Callable[[int], bool]) -> int:
    """Give the largest number up to `most` that fits; every smaller one fits then too."""
    if fits(most):
        return most
    low = 0
    while most - low > 1:
        middle = (low + most) // 2
        low, most = (middle, most) if fits(middle) else (low, middle)
    return low


@functools.lru_cache(maxsize=_AT_ONCE)
def _cutter(count: int) -> struct.Struct:
    """Make what cuts the slots out of so many records."""
    return struct.Struct(f"{RECORD - SLOTS}x{SLOTS}s" * count)
