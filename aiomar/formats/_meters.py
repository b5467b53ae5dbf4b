"""What an MDEF file holds, as values."""

from __future__ import annotations

import datetime as dt
import sys
from array import array
from collections.abc import Iterable
from typing import Self, TypeVar

import attrs

from aiomar.errors import FormatError, UsageError
from aiomar.formats._clocks import beginnings, checked_clock, stamps
from aiomar.formats._fields import CHANNEL, METER, key_text, meter_shown
from aiomar.formats._layout import KEY, STATUS, VALUE
from aiomar.formats._packing import packed_slots
from aiomar.protocol import TimeType

_Number = TypeVar("_Number", int, float)


@attrs.frozen(kw_only=True)
class MdefChannel:
    """One channel of a meter: what is measured, and its intervals.

    Texts are without the blanks around them, codes as they stand: what is known of their meaning stands beside
    them.  Two channels are equal when everything but `record` is.
    """

    number: int
    """The logical channel number."""
    physical_number: str
    """The number of the channel at the recorder, as text."""
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
    """Whether every interval has a status word of the channel."""
    has_interval_status: bool
    """Whether every interval has a status word of its own."""
    start_reading: str = attrs.field(repr=False)
    """Of the meter's register at the start, as text."""
    stop_reading: str = attrs.field(repr=False)
    """Of the meter's register at the stop, as text.  The values need not add up to the difference."""
    multiplier: str
    """Of the meter, as text; it may be nought."""
    service_type: str
    """``W`` or ``D`` in known files, meaning unknown."""
    validation: str
    """``AC`` or ``RE`` in known files, accepted or rejected as far as anybody guesses."""
    flow: str
    """``D`` or ``R``, delivered or received as far as anybody knows."""
    kva_set: int
    """0 in known files, meaning unknown."""
    origin: str
    """``R`` in known files, meaning unknown."""
    record: bytes = attrs.field(repr=False, eq=False)
    """The header as it stood, all 216 bytes, for what has no name here."""
    slots: bytes = attrs.field(repr=lambda slots: f"<{len(slots)} bytes>")
    """The intervals as they stood, one after the other, without what fills the last record.  Each is a
    little-endian float32, then channel status and interval status, two bytes each, as far as the channel has them."""

    @classmethod
    def from_values(
        cls,
        values: Iterable[float],
        *,
        number: int,
        begins: dt.datetime,
        clock: TimeType,
        per_hour: int = 4,
        unit_code: str = "01",
        channel_statuses: Iterable[int] | None = None,
        interval_statuses: Iterable[int] | None = None,
        label: str = "",
        flow: str = "D",
        device_id: str = "",
        physical_number: str | None = None,
        start_reading: str = "",
        stop_reading: str = "",
        multiplier: str = "000001.000",
    ) -> Self:
        """Build a channel to be written, with the header that its values make; what is written of it reads back equal.

        The header says ``W`` for the service type, ``AC`` for the validation, 0 for the kVA set and ``R`` for the
        origin, as known files mostly do; `attrs.evolve` sets them otherwise.

        Args:
            values: one for each interval, without a gap.  They are rounded to float32, but those of an ``array("f")``
                keep every bit.
            number: the logical channel number.
            begins: when the first interval begins: an aware time, on a boundary of intervals within its hour.
            clock: the clock of the stamps; daylight saving costs or gives intervals on the days of change.
            per_hour: intervals in an hour; a divisor of 60.
            unit_code: ``01`` is kWh and ``03`` kvarh.
            channel_statuses: a word for every interval; `None`: the channel carries none.
            interval_statuses: the same.
            label: the meter number or a name for the channel.
            flow: ``D`` or ``R``.
            device_id: the recorder as the channel header names it.
            physical_number: two characters at most; `None`: the logical number in two digits.
            start_reading: of the meter's register, as text.
            stop_reading: the same.
            multiplier: of the meter, as text.

        Raises:
            FormatError: something does not fit its field, there are no intervals or too many, the last one is what
                unused slots are filled with, or the stamps cannot tell this span: it lies in the hour that the DST
                clock shows twice.
            UsageError: `begins` is naive, the clock is no `TimeType`, there are not as many status words as values, or
                something is no number.
            ConfigError: this machine has no time zone database.
        """
        owner = f"channel {number}"
        slots, count = packed_slots(values, channel_statuses, interval_statuses, owner)
        start, stop = stamps(begins, count, per_hour, clock, owner)
        fields = {
            "number": number,
            "physical_number": f"{number:02}" if physical_number is None else physical_number,
            "unit_code": unit_code,
            "label": label,
            "device_id": device_id,
            "start_stamp": start,
            "stop_stamp": stop,
            "per_hour": per_hour,
            "has_channel_status": channel_statuses is not None,
            "has_interval_status": interval_statuses is not None,
            "start_reading": start_reading,
            "stop_reading": stop_reading,
            "multiplier": multiplier,
            "flow": flow,
        }
        record = CHANNEL.made(fields, owner)
        return cls(**CHANNEL.read(record), record=record, slots=slots)

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
        """The clocks on which the stamps make as many intervals as there are, in one way only."""
        return frozenset(clock for clock in TimeType if len(self._begins(clock)) == 1)

    def begins(self, clock: TimeType) -> dt.datetime:
        """Give the instant at which the first interval begins; the others follow without a gap.

        Args:
            clock: the clock that the file was written by.

        Returns:
            An aware time, UTC.

        Raises:
            UsageError: the stamps do not fit this clock, see `clocks`; or they do in two ways, as those of a span that
                lies wholly in the hour which the DST clock shows twice; or it is no `TimeType`.
        """
        found = self._begins(checked_clock(clock))
        if len(found) == 1:
            return found[0]
        what = f"channel {self.number} of {meter_shown(self.record[KEY])} has {self.count} intervals, which"
        if found:
            raise UsageError(
                f"{what} begin in the hour that the {clock.value} clock shows twice: read it by the PST clock"
            )
        raise UsageError(f"{what} do not fit its stamps on the {clock.value} clock: take one of its clocks")

    def _begins(self, clock: TimeType) -> tuple[dt.datetime, ...]:
        return beginnings(self.start_stamp, self.stop_stamp, self.per_hour, clock, self.count)

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
    """One meter of an MDEF file.

    Two meters are equal when everything but `record` is: what `attrs.evolve` made of one is equal to what is read again
    after it was written, although only then its `record` says the same.
    """

    recorder_id: str
    """The key of the meter header, without the blanks around it."""
    name: str
    """Of the customer."""
    address: tuple[str, str]
    """Of the customer, two lines."""
    account: str
    """The customer's account number, as text."""
    declared_channels: str
    """How many channels the header says that there are.  A few real files are wrong about it."""
    start_stamp: str
    """``YYYYMMDDHHMM``, as it stands; what counts are the stamps of the channels."""
    stop_stamp: str
    """Likewise."""
    dst_flag: str
    """``N`` in every known file; what another value means is unknown."""
    record: bytes = attrs.field(repr=False, eq=False)
    """The header as it stood, all 216 bytes, for what has no name here."""
    channels: tuple[MdefChannel, ...]
    """In the order of the file."""

    @classmethod
    def from_channels(
        cls,
        recorder_id: str,
        channels: Iterable[MdefChannel],
        *,
        name: str = "",
        address: tuple[str, str] = ("", ""),
        account: str = "",
    ) -> Self:
        """Build a meter to be written, with the header that its channels make; it reads back equal.

        Args:
            recorder_id: the key that all records of the meter carry, 20 characters at most.
            channels: built with `MdefChannel.from_values`, or read from a file; their headers get the key.
            name: of the customer, 20 characters at most, as each line of the address and the account.
            address: two lines.
            account: the customer's account number.

        Raises:
            FormatError: a text does not fit its field, or there are no channels.
        """
        owner = f"meter {recorder_id}"
        found = tuple(channels)
        if not found:
            raise FormatError(f"there are no channels ({owner}): give at least one", where=owner)
        fields = {
            "recorder_id": recorder_id,
            "name": name,
            "address": address,
            "account": account,
            "declared_channels": f"{len(found):04}",
            "start_stamp": min(each.start_stamp for each in found),  # as text, hour 24 has its place, too
            "stop_stamp": max(each.stop_stamp for each in found),
        }
        record = METER.made(fields, owner)
        named = tuple(attrs.evolve(each, record=channel_header(each, record)) for each in found)
        return cls(**METER.read(record), record=record, channels=named)

    @property
    def clocks(self) -> frozenset[TimeType]:
        """The clocks that fit all channels.  They differ only over a change of daylight saving."""
        return frozenset(TimeType).intersection(*(channel.clocks for channel in self.channels))


def channel_header(channel: MdefChannel, meter: bytes) -> bytes:
    """Give the header record that says what a channel says: its own, where that says the same.

    Args:
        channel: it.
        meter: the header record of its meter, whose key every record of the channel carries.

    Raises:
        FormatError: a value does not fit its field; the message names it.
    """
    key = key_text(meter[KEY])
    record = CHANNEL.told(channel, channel.record, f"meter {key}, channel {channel.number}")
    if key_text(record[KEY]) == key:
        return record  # which may be padded otherwise
    return record[: KEY.start] + meter[KEY] + record[KEY.stop :]
