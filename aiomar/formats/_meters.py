"""What an MDEF file holds, as values."""

from __future__ import annotations

import datetime as dt
import sys
from array import array
from typing import TypeVar

import attrs

from aiomar.errors import UsageError
from aiomar.formats._clocks import readings, wall_time
from aiomar.formats._layout import STATUS, VALUE
from aiomar.protocol import TimeType

_Number = TypeVar("_Number", int, float)


@attrs.frozen(kw_only=True)
class MdefChannel:
    """One channel of a meter: what is measured, and its intervals.

    Texts are without the blanks around them, codes as they stand.  What the codes mean is the sheet's to say, or
    nobody's; see the documentation.
    """

    number: int
    """The logical channel number."""
    physical_number: str
    unit_code: str
    """Two characters.  ``01`` is kWh and ``03`` kvarh; others mean what the sender says."""
    label: str
    """The meter number or a name for the channel."""
    device_id: str
    """The recorder as the channel header names it; the key that counts is `MdefMeter.recorder_id`."""
    start_stamp: str
    """Wall-clock time of the first minute of the first interval, ``YYYYMMDDHHMM``."""
    stop_stamp: str
    """Wall-clock time of the end of the last interval; midnight at the end of a day has the hour 24."""
    per_hour: int
    """Intervals in an hour."""
    has_channel_status: bool
    has_interval_status: bool
    start_reading: str = attrs.field(repr=False)
    stop_reading: str = attrs.field(repr=False)
    multiplier: str
    service_type: str
    validation: str
    flow: str
    """``D`` or ``R``, delivered or received as far as anybody knows."""
    kva_set: int
    origin: str
    record: bytes = attrs.field(repr=False)
    """The header as it stood, all 216 bytes, for what has no name here."""
    slots: bytes = attrs.field(repr=lambda slots: f"<{len(slots)} bytes>")
    """The intervals as they stood, one after the other, without what fills the last record.  Each is a
    little-endian float32, then channel status and interval status, two bytes each, as far as the channel has them."""

    @property
    def width(self) -> int:
        """How many bytes one interval has in `slots`, 8, 6 or 4."""
        return VALUE + STATUS * (self.has_channel_status + self.has_interval_status)

    @property
    def count(self) -> int:
        """Number of intervals."""
        return len(self.slots) // self.width

    @property
    def interval(self) -> dt.timedelta:
        """How long one interval is."""
        return dt.timedelta(hours=1) / self.per_hour

    @property
    def clocks(self) -> frozenset[TimeType]:
        """The clocks on which the stamps make as many intervals as there are."""
        return frozenset(clock for clock in TimeType if self._begins(clock) is not None)

    def begins(self, clock: TimeType) -> dt.datetime:
        """Give the instant at which the first interval begins; the others follow without a gap.

        A span that lies wholly in the hour which the DST clock shows twice has two readings; this is the earlier one.

        Args:
            clock: the clock that the file was written by.

        Returns:
            An aware time, UTC.

        Raises:
            UsageError: the stamps do not fit this clock; see `clocks`.
        """
        begin = self._begins(clock)
        if begin is None:
            raise UsageError(
                f"channel {self.number} has {self.count} intervals, which do not fit its stamps on the {clock.value} "
                "clock: take one of its clocks"
            )
        return begin

    def _begins(self, clock: TimeType) -> dt.datetime | None:
        start, stop = wall_time(self.start_stamp), wall_time(self.stop_stamp)
        if start is None or stop is None:
            return None
        found = readings(start, stop, self.per_hour, clock)
        return next((begin for begin, count in found if count == self.count), None)

    def values(self) -> array[float]:
        """Give the values as raw float32 (typecode ``f``), every bit as in the file."""
        return _native(array("f", self._lane(0, VALUE)))

    def channel_statuses(self) -> array[int] | None:
        """Give the status word of the channel for every interval; `None` where the channel carries none."""
        return _native(array("H", self._lane(VALUE, STATUS))) if self.has_channel_status else None

    def interval_statuses(self) -> array[int] | None:
        """Give the status word of every interval; `None` where the channel carries none."""
        return _native(array("H", self._lane(self.width - STATUS, STATUS))) if self.has_interval_status else None

    def _lane(self, offset: int, size: int) -> bytes:
        """Take the same bytes out of every slot: one byte of all slots at a time, never slot by slot."""
        packed = bytearray(size * self.count)
        for byte in range(size):
            packed[byte::size] = self.slots[offset + byte :: self.width]
        return bytes(packed)


def _native(numbers: array[_Number]) -> array[_Number]:
    """Turn little-endian numbers into this machine's."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


@attrs.frozen(kw_only=True)
class MdefMeter:
    """One meter of an MDEF file."""

    recorder_id: str
    """The key of the meter header, without the blanks around it."""
    name: str
    address: tuple[str, str]
    account: str
    declared_channels: str
    """How many channels the header says that there are.  A few real files are wrong about it."""
    start_stamp: str
    """``YYYYMMDDHHMM``, as it stands; what counts are the stamps of the channels."""
    stop_stamp: str
    dst_flag: str
    """``N`` in every known file; what another value means is unknown."""
    record: bytes = attrs.field(repr=False)
    """The header as it stood, all 216 bytes, for what has no name here."""
    channels: tuple[MdefChannel, ...]

    @property
    def clocks(self) -> frozenset[TimeType]:
        """The clocks that fit all channels.  They differ only over a change of daylight saving."""
        return frozenset(TimeType).intersection(*(channel.clocks for channel in self.channels))
