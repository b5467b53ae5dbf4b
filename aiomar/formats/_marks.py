"""What intervals are marked with: by whole lanes of bytes, never interval by interval.

Bit n of a status word is ``1 << (n - 1)``.  What the bits mean is inferred from other users of the format, and whether
CAISO uses them is unknown.
"""

from __future__ import annotations

import functools
import operator
from typing import Final, NamedTuple

from aiomar.formats._layout import FILL, STATUS, VALUE
from aiomar.formats._meters import MdefChannel

ESTIMATED: Final = 1 << 3
"""Bit 4 of a channel status."""
MISSING: Final = 1 << 6
"""Bit 7 of an interval status."""
OUTAGE: Final = 1 << 0
"""Bit 1 of an interval status."""
_FILLED: Final = tuple(bytes(byte == fill for byte in range(256)) for fill in FILL)
"""Which byte is that of fill, at even and at odd places."""


class Marks(NamedTuple):
    """A byte for each interval of a channel, 1 where it is so; nothing at all where none is.

    An interval that is nothing but fill has no status words, so it is neither of the others.
    """

    estimated: bytes
    missing: bytes
    filled: bytes


def marks(channel: MdefChannel) -> Marks:
    """Say which intervals of a channel are marked."""
    width, slots = channel.width, channel.slots
    estimated = marked(slots[VALUE::width], ESTIMATED) if channel.has_channel_status else b""
    missing = marked(slots[width - STATUS :: width], MISSING) if channel.has_interval_status else b""
    fill = _or_nothing(filled(slots, width))
    if fill:  # hardly ever
        estimated, missing = (_or_nothing(bytes(map(operator.gt, each, fill))) for each in (estimated, missing))
    return Marks(estimated, missing, fill)


def marked(lane: bytes, bit: int) -> bytes:
    """Say in which status words a bit is set.

    Args:
        lane: the low byte of each.
        bit: as a number, in that byte.
    """
    return _or_nothing(lane.translate(_table(bit))) if lane.count(0) < len(lane) else b""


def filled(slots: bytes, width: int) -> bytes:
    """Mark the intervals that are nothing but fill, statuses and all: a byte for each, 1 where it is so.

    Args:
        slots: of a channel, one after the other.
        width: bytes of one slot.
    """
    if FILL * (width // len(FILL)) not in slots:  # hardly ever it is
        return bytes(len(slots) // width)
    return functools.reduce(both, (slots[at::width].translate(_FILLED[at % 2]) for at in range(width)))


def both(one: bytes, other: bytes) -> bytes:
    """Join two rows of zeros and ones by ``and``, all at once."""
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(len(one), "little")


@functools.cache
def _table(bit: int) -> bytes:
    return bytes(bool(byte & bit) for byte in range(256))


def _or_nothing(found: bytes) -> bytes:
    return found if 1 in found else b""
