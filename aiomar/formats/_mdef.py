"""Reading MDEF: one meter in memory, and the first broken gate raises; the gates stand in `aiomar.formats._walk`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from aiomar.errors import FormatError
from aiomar.formats._findings import Finding
from aiomar.formats._headers import read_channel, read_meter
from aiomar.formats._meters import MdefChannel, MdefMeter
from aiomar.formats._source import OpenSource, Source, opened
from aiomar.formats._walk import ChannelPart, MeterPart, Walk
from aiomar.protocol import TimeType


def read_mdef(source: Source, *, clock: TimeType | None = None, name: str | None = None) -> Iterator[MdefMeter]:
    """Read the meters of an MDEF file one after the other; memory grows with the largest meter, not with the file.

    Args:
        source: a path, bytes, or a binary file.
        clock: the clock that the file was written by.  `None` takes every file whose counts fit either clock;
            `MdefMeter.clocks` says which.
        name: what to call the source in messages; `None` for its path.

    Yields:
        Each meter once its last channel is read.  What is broken further on shows when iteration gets there.

    Raises:
        FormatError: there is no such file, or it breaks a rule of the layout; the message and ``where`` name
            the record, counted from 1, and the byte, counted from 0.
        DiskError: the operating system refuses to read.
        ConfigError: this machine has no time zone database.
    """
    with opened(source, name) as data:

        def refuse(finding: Finding, to_do: str) -> NoReturn:
            raise _error(data, finding, to_do)

        header: bytes | None = None
        channels: list[MdefChannel] = []
        for part in Walk(data, clock, refuse).parts():
            if isinstance(part, ChannelPart):
                channels.append(read_channel(part.record, part.slots))
                continue
            if header is not None:
                yield read_meter(header, tuple(channels))
            header, channels = (part.record, []) if isinstance(part, MeterPart) else (None, [])


def _error(data: OpenSource, finding: Finding, to_do: str) -> FormatError:
    return FormatError(
        f"{finding.words} (record {finding.record} at byte {finding.byte} of {data.name}): {to_do}",
        where=f"{data.name}, record {finding.record}, byte {finding.byte}",
    )
