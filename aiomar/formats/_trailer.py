"""The trailer alone: how many records a file has and when it was made, without reading the rest."""

from __future__ import annotations

import attrs

from aiomar.errors import FormatError
from aiomar.formats._fields import number
from aiomar.formats._layout import RECORD, TRAILER, TRAILER_COUNT, TRAILER_CREATED
from aiomar.formats._source import Source, opened

_BEGINNING = RECORD.to_bytes(2, "little") + TRAILER.to_bytes(2, "little")


@attrs.frozen(kw_only=True)
class MdefTrailer:
    """The last record of an MDEF file."""

    records: int | None
    """How many records it says that there are, itself among them; `None` where that is no number."""
    created_stamp: str
    """When the file was made, ``YYYYMMDDHHMM`` of some clock, as it stands."""
    record: bytes = attrs.field(repr=False)
    """The trailer as it stood, all 216 bytes, for what has no name here."""


def read_mdef_trailer(source: Source, *, name: str | None = None) -> MdefTrailer:
    """Read the trailer of an MDEF file.  Only the last record is looked at; whether the rest is right, it does not say.

    Args:
        source: a path, bytes, or a binary file that one can go to the end of; it is left where it stands.
        name: what to call the source in messages; `None` for its path.

    Raises:
        FormatError: there is no such file, or its last 216 bytes are no trailer.
        DiskError: the operating system refuses to read.
        UsageError: the source is a file that one cannot go to the end of.
    """
    with opened(source, name) as data:
        size, record = data.end(RECORD)
    place, over = divmod(size, RECORD)
    if size and not over and record.startswith(_BEGINNING):
        return MdefTrailer(
            records=number(record[TRAILER_COUNT]),
            created_stamp=record[TRAILER_CREATED].decode("latin-1"),
            record=record,
        )
    if over:
        place, what = place + 1, f"the file is cut: its last {over} bytes are not a whole record"
    else:
        place, what = max(place, 1), "the last record is no trailer" if size else "the file is empty"
    byte = (place - 1) * RECORD
    raise FormatError(
        f"{what} (record {place} at byte {byte} of {data.name}): fetch the file again, or ask who made it",
        where=f"{data.name}, record {place}, byte {byte}",
    )
