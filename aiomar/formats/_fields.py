"""Named fields of header records: to values and back.

Reading and writing share one table, so that they cannot disagree about a place.  Writing lays a value over a record
only where the record says something else, and reads back what it laid: bytes without a name stay as they stood, and
a text that would come back changed is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from aiomar.errors import FormatError
from aiomar.formats._layout import CHANNEL_HEADER, HEAD, KEY, METER_HEADER, RECORD, ChannelPlaces, MeterPlaces
from aiomar.protocol import printable

_PADDING: Final = " \0"
_LONGEST_SHOWN: Final = 40
"""Characters of a recorder id in messages; escapes may make it longer than its 20 bytes."""


class _Kind(NamedTuple):
    """What a field holds."""

    read: Callable[[str], Any]
    """From the field as text: a character for each byte."""
    write: Callable[[Any, int], bytes]
    needs: str


def key_text(key: bytes) -> str:
    """Read a recorder key, without what pads its 20 bytes."""
    return _stripped(key.decode("latin-1"))


def meter_shown(key: bytes) -> str:
    """Name a meter in messages by its recorder key."""
    return f"meter {printable(key_text(key), _LONGEST_SHOWN) or 'without a recorder id'}"


def number(field: bytes) -> int | None:
    """Read a number in text, with zeros or blanks around it; `None` when it is none."""
    digits = field.strip(b" ")
    return int(digits) if digits.isdigit() else None


def _stripped(field: str) -> str:
    return field.strip(_PADDING)


def _bytes(field: str) -> bytes:
    return field.encode("latin-1")


def _packed_text(text: str, width: int) -> bytes:
    return text.encode("latin-1").ljust(width)


# Channels have few different numbers; looking one up is a fifth of reading it.
_remembered = functools.lru_cache(maxsize=256)

_TEXT = _Kind(_stripped, _packed_text, "give at most {width} characters of Latin-1, no blanks around them")
_LINES = _Kind(
    lambda field: (_stripped(field[: len(field) // 2]), _stripped(field[len(field) // 2 :])),
    lambda lines, width: b"".join(_packed_text(line, width // len(lines)) for line in lines),
    "give two lines of at most 20 characters of Latin-1, no blanks around them",
)
_CODE = _Kind(str, _packed_text, "give {width} characters of Latin-1")
_WORD = _Kind(
    _remembered(lambda field: int.from_bytes(_bytes(field), "little")),
    lambda value, width: value.to_bytes(width, "little"),
    "give a whole number from 0 to 65535",
)
_DIGITS = _Kind(
    _remembered(lambda field: number(_bytes(field)) or 0),
    lambda value, width: b"%0*d" % (width, value),
    "give a whole number of at most {width} digits",
)
_FLAG = _Kind(lambda field: field == "Y", lambda value, width: (b"Y" if value else b"N") * width, "give True or False")


class Header:
    """The fields of one kind of header record.

    Args:
        code: of the record.
        blank: what a record of this kind has where nothing else is said.
        fields: place and kind of every field, by the name of the attribute that holds its value.
    """

    def __init__(
        self, code: int, blank: Sequence[tuple[slice, bytes]], fields: Mapping[str, tuple[slice, _Kind]]
    ) -> None:
        record = bytearray(HEAD.pack(RECORD, code, b" " * 20).ljust(RECORD))
        for place, content in blank:
            record[place] = content
        self._blank: Final = bytes(record)
        self._fields: Final = fields
        # Most fields are text; a call for each of them would take as long as all the rest of reading a channel.
        self._texts: Final = [(name, place) for name, (place, kind) in fields.items() if kind is _TEXT]
        self._others: Final = [(name, place, kind.read) for name, (place, kind) in fields.items() if kind is not _TEXT]
        order = [name for name, _ in self._texts] + [name for name, *_ in self._others]
        self._values: Final = attrgetter(*order)

    def read(self, record: bytes) -> dict[str, Any]:
        """Give the value of every field by its name."""
        text = record.decode("latin-1")
        values: dict[str, Any] = {name: text[place].strip(_PADDING) for name, place in self._texts}
        for name, place, read in self._others:
            values[name] = read(text[place])
        return values

    def made(self, values: Mapping[str, Any], owner: str) -> bytes:
        """Make a record from values; fields that are not named are as in a record in which nobody has written.

        Args:
            values: by the name of their field.
            owner: whose header it is, for messages.

        Raises:
            FormatError: a value does not fit its field.
        """
        return self._laid(self._blank, values, owner)

    def told(self, holder: object, record: bytes, owner: str) -> bytes:
        """Give a record that says what the attributes of something say.

        Args:
            holder: has an attribute for every field.
            record: what it was read from; where it says the same, it stays as it is.
            owner: as above.

        Raises:
            FormatError: the record is none of this kind, or a value does not fit its field.
        """
        if len(record) != RECORD or record[: KEY.start] != self._blank[: KEY.start]:
            raise FormatError(
                f"the record that a header was read from is none of its kind ({owner}): leave `record` as it is",
                where=owner,
            )
        stood, values = self.read(record), self._values(holder)
        if tuple(stood.values()) == values:
            return record
        changed = {name: value for (name, was), value in zip(stood.items(), values, strict=True) if value != was}
        return self._laid(record, changed, owner)

    def _laid(self, record: bytes, values: Mapping[str, Any], owner: str) -> bytes:
        made = bytearray(record)
        for name, value in values.items():
            place, kind = self._fields[name]
            width = place.stop - place.start
            try:
                field = kind.write(value, width)
            except (OverflowError, UnicodeError):
                field = b""
            if len(field) != width or kind.read(field.decode("latin-1")) != value:
                raise FormatError(
                    f"{name} does not fit its field ({owner}): {kind.needs.format(width=width)}", where=owner
                )
            made[place] = field
        return bytes(made)


METER: Final = Header(
    METER_HEADER,
    ((MeterPlaces.DST, b"N"),),
    {
        "recorder_id": (MeterPlaces.RECORDER, _TEXT),
        "name": (MeterPlaces.NAME, _TEXT),
        "address": (MeterPlaces.ADDRESS, _LINES),
        "account": (MeterPlaces.ACCOUNT, _TEXT),
        "declared_channels": (MeterPlaces.CHANNELS, _TEXT),
        "start_stamp": (MeterPlaces.START, _CODE),
        "stop_stamp": (MeterPlaces.STOP, _CODE),
        "dst_flag": (MeterPlaces.DST, _CODE),
    },
)

# What has no name is as in the known files; blank where they have NULs, as another writer has it.
CHANNEL: Final = Header(
    CHANNEL_HEADER,
    (
        (slice(80, 93), b"000000000000N"),
        (ChannelPlaces.CHANNEL_STATUS, b"N"),
        (ChannelPlaces.INTERVAL_STATUS, b"N"),
        (ChannelPlaces.MULTIPLIER, b"000001.000"),
        (ChannelPlaces.SERVICE, b"W"),
        (slice(191, 193), b"NA"),
        (ChannelPlaces.VALIDATION, b"AC"),
        (ChannelPlaces.KVA_SET, b"\0\0"),
        (ChannelPlaces.ORIGIN, b"R"),
    ),
    {
        "number": (ChannelPlaces.NUMBER, _WORD),
        "physical_number": (ChannelPlaces.PHYSICAL, _TEXT),
        "unit_code": (ChannelPlaces.UNIT, _CODE),
        "label": (ChannelPlaces.LABEL, _TEXT),
        "device_id": (ChannelPlaces.DEVICE, _TEXT),
        "start_stamp": (ChannelPlaces.START, _CODE),
        "stop_stamp": (ChannelPlaces.STOP, _CODE),
        "per_hour": (ChannelPlaces.PER_HOUR, _DIGITS),
        "has_channel_status": (ChannelPlaces.CHANNEL_STATUS, _FLAG),
        "has_interval_status": (ChannelPlaces.INTERVAL_STATUS, _FLAG),
        "start_reading": (ChannelPlaces.START_READING, _TEXT),
        "stop_reading": (ChannelPlaces.STOP_READING, _TEXT),
        "multiplier": (ChannelPlaces.MULTIPLIER, _TEXT),
        "service_type": (ChannelPlaces.SERVICE, _TEXT),
        "validation": (ChannelPlaces.VALIDATION, _TEXT),
        "flow": (ChannelPlaces.FLOW, _TEXT),
        "kva_set": (ChannelPlaces.KVA_SET, _WORD),
        "origin": (ChannelPlaces.ORIGIN, _TEXT),
    },
)
