"""Reading MDEF: a whole file, or its trailer alone.

One meter is in memory, and the first broken gate raises; the gates stand in `aiomar.formats._walk`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NoReturn

import attrs

from aiomar.errors import FormatError
from aiomar.formats._clocks import checked_clock
from aiomar.formats._fields import CHANNEL, METER, number
from aiomar.formats._findings import Finding
from aiomar.formats._layout import RECORD, TRAILER, TRAILER_COUNT, TRAILER_CREATED
from aiomar.formats._meters import MdefChannel, MdefMeter
from aiomar.formats._source import Source, opened
from aiomar.formats._walk import TO_DO, ChannelPart, MeterPart, Walk, cut, no_mdef
from aiomar.protocol import TimeType

_TRAILER: Final = RECORD.to_bytes(2, "little") + TRAILER.to_bytes(2, "little")
"""How a trailer begins."""


def read_mdef(source: Source, *, clock: TimeType | None = None, name: str | None = None) -> Iterator[MdefMeter]:
    """Read the meters of an MDEF file one after the other; memory grows with the largest meter, not with the file.

    Args:
        source: a path, bytes, or a binary file.
        clock: the clock that the file was written by.  `None` takes every file whose counts fit either clock;
            `MdefMeter.clocks` says which.
        name: what to call the source in messages; `None` for its path.

    Returns:
        An iterator that gives each meter once its last channel is read.  What is broken further on shows when it gets
        there.

    Raises:
        FormatError: there is no such file, or it breaks a rule of the layout; the message and ``where`` name
            the record, counted from 1, and the byte, counted from 0.
        DiskError: the operating system refuses to read.
        ConfigError: this machine has no time zone database.
        UsageError: the clock is no `TimeType`, which is told at once, or the source nothing that can be read.
    """
    return _meters(source, None if clock is None else checked_clock(clock), name)


def _meters(source: Source, clock: TimeType | None, name: str | None) -> Iterator[MdefMeter]:
    with opened(source, name) as data:

        def refuse(finding: Finding, to_do: str) -> NoReturn:
            raise _error(data.name, finding.record, finding.words, to_do)

        header: bytes | None = None
        channels: list[MdefChannel] = []
        for part in Walk(data, clock, refuse).parts():
            if isinstance(part, ChannelPart):
                channels.append(MdefChannel(**CHANNEL.read(part.record), record=part.record, slots=part.slots))
                continue
            if header is not None:
                yield MdefMeter(**METER.read(header), record=header, channels=tuple(channels))
            header, channels = (part.record, []) if isinstance(part, MeterPart) else (None, [])


@attrs.frozen(kw_only=True)
class MdefTrailer:
    """The last record of an MDEF file."""

    records: int | None
    """How many records it says that there are, itself among them; `None` where that is no number.  A known writer
    counts intervals here."""
    created_stamp: str
    """When the file was made, ``YYYYMMDDHHMM`` of some clock, as it stands."""
    record: bytes = attrs.field(repr=False)
    """The trailer as it stood, all 216 bytes, for what has no name here."""


def read_mdef_trailer(source: Source, *, name: str | None = None) -> MdefTrailer:
    """Read the trailer of an MDEF file.  Only the last record counts; whether the rest is right, it does not say.

    Args:
        source: a path, bytes, or a binary file that one can go to the end of; it is left where it stands.
        name: what to call the source in messages; `None` for its path.

    Raises:
        FormatError: there is no such file, it is no MDEF, or its last 216 bytes are no trailer.
        DiskError: the operating system refuses to read.
        UsageError: the source is a file that one cannot go to the end of.
    """
    with opened(source, name) as data:
        size, first, record = data.ends(RECORD + 2, RECORD)
    place, over = divmod(size, RECORD)
    if over or not record.startswith(_TRAILER):
        if stranger := no_mdef(first):
            raise _error(data.name, 1, stranger.words, stranger.to_do)
        if over:
            raise _error(data.name, place + 1, cut(over), TO_DO)
        raise _error(data.name, place, "the last record is no trailer", TO_DO)
    return MdefTrailer(
        records=number(record[TRAILER_COUNT]), created_stamp=record[TRAILER_CREATED].decode("latin-1"), record=record
    )


def _error(name: str, record: int, what: str, to_do: str) -> FormatError:
    byte = (record - 1) * RECORD
    return FormatError(
        f"{what} (record {record} at byte {byte} of {name}): {to_do}", where=f"{name}, record {record}, byte {byte}"
    )
