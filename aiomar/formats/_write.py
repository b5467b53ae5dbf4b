"""Writing MDEF: a meter at a time, and nothing that the reader would refuse.

What makes a file readable is looked at in the values: flags, times and slots of every channel, and that one clock fits
them all.  The frame around them (lengths, codes, keys, numbers, the count of the trailer) is made here and cannot be
wrong.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aiomar._beside import new_file
from aiomar._types import PathLike
from aiomar.errors import DiskError, FormatError, UsageError
from aiomar.formats._channel_gates import Clocks, channel_shown, shape
from aiomar.formats._clocks import stamp, wall_time
from aiomar.formats._fields import METER
from aiomar.formats._layout import KEY
from aiomar.formats._meters import MdefChannel, MdefMeter, channel_header
from aiomar.formats._packing import interval_records, slots_fault, trailer
from aiomar.formats._source import name_of, reason_of


def write_mdef(meters: Iterable[MdefMeter], target: PathLike | BinaryIO, *, created: str | None = None) -> None:
    """Write meters as an MDEF file; memory grows with the largest meter.

    Headers are written as the meters and channels hold them in `record`, with the value of an attribute laid over its
    field where the two differ.  So a file that was read is written back byte for byte, apart from its trailer;
    and `attrs.evolve` changes what it names.  All records carry the key of their meter header.

    Args:
        meters: consumed one by one.
        target: a path, or a binary file that is open for writing.  Under a path the file is written beside and renamed,
            so that it shows the old content or the whole new one; it keeps the permissions of a file that it replaces,
            and is its owner's alone otherwise.  A file is written to as it goes, and not closed.
        created: the stamp of creation, ``YYYYMMDDHHMM``; `None`: the latest stop of a channel, so that the same meters
            always make the same bytes.

    Raises:
        FormatError: `read_mdef` would refuse the file, or a text does not fit its field; ``where`` names the meter
            and the channel.
        DestinationError: there can be no file at the path.
        DiskError: the operating system refuses to write.
        UsageError: the target is neither a path nor a binary file to write to, or `created` is no stamp.
        ConfigError: this machine has no time zone database.
    """
    if created is not None and wall_time(created) is None:
        raise UsageError(f"created is no time ({created!a:.40}): give YYYYMMDDHHMM")
    with _written(target) as write:
        writing = _Writing(created)
        for meter in meters:
            write(b"".join(writing.meter(meter)))
        write(writing.trailer())


class _Writing:
    """What a file so far adds up to."""

    def __init__(self, created: str | None) -> None:
        self._created = created
        self._latest = ""
        self._clocks = Clocks(None)
        self._records = 0

    def meter(self, meter: MdefMeter) -> list[bytes]:
        """Give the records of the next meter."""
        owner = f"meter {meter.recorder_id}"
        header = METER.told(meter, meter.record, owner)
        if not meter.channels:
            raise FormatError(
                f"there are no channels ({owner}): give at least one, or leave the meter out", where=owner
            )
        records = [header]
        for channel in meter.channels:
            record = channel_header(channel, header)
            self._check(channel, record, f"{owner}, channel {channel.number}")
            records.append(record)
            records += interval_records(header[KEY], channel.slots)
            self._latest = max(self._latest, channel.stop_stamp)
        self._records += len(records)
        return records

    def _check(self, channel: MdefChannel, record: bytes, owner: str) -> None:
        """Refuse what the reader would."""
        form = shape(record)
        if form.faults:
            fault: str | None = form.faults[0][1].format(channel_shown(record))
        else:
            fault = slots_fault(channel.slots, channel.width)
        if fault is None and (misfit := self._clocks.misfit(record, form, channel.count)):
            fault = misfit.words
        if fault is not None:
            raise FormatError(f"{fault} ({owner}): build the channel with from_values", where=owner)

    def trailer(self) -> bytes:
        """Give the last record."""
        if not self._records:
            raise FormatError("there are no meters: give at least one", where="the file")
        latest = wall_time(self._latest)  # a time, or the channel had been refused
        return trailer(self._records + 1, self._created or (stamp(latest) if latest else self._latest))


# --- Where the bytes go -----------------------------------------------------------------------------------------------


@contextmanager
def _written(target: PathLike | BinaryIO) -> Iterator[Callable[[bytes], None]]:
    """Open a target; give the function that writes the next piece.

    Args:
        target: a path is given its new content when the block ends without an exception, and after one it is what it
            was.  A binary file is written from where it stands and not closed.

    Raises:
        DestinationError: there can be no file at the path.
        DiskError: the operating system refuses to write.
        UsageError: it is neither a path nor a binary file to write to.
    """
    if isinstance(target, str | os.PathLike):
        with new_file(Path(target), overwrite=True) as write:
            yield write
    elif callable(getattr(target, "write", None)):
        yield lambda piece: _write_into(target, piece)
        if callable(getattr(target, "flush", None)):
            # What it still holds back: a full disk is known here and not when it is closed.
            with _errors_of(target):
                target.flush()
    else:
        raise UsageError(f"a {type(target).__name__} is no place for a file: give a path or a binary file")


def _write_into(file: BinaryIO, piece: bytes) -> None:
    rest: bytes | memoryview = piece
    while rest:
        with _errors_of(file):
            taken: object = file.write(rest)
        if not isinstance(taken, int) or taken < 1:
            raise DiskError(
                f"{name_of(file)} takes no more bytes for now: open it so that writing waits", errno=errno.EAGAIN
            )
        rest = memoryview(rest)[taken:]


@contextmanager
def _errors_of(file: BinaryIO) -> Iterator[None]:
    """Turn errors of an open file into ours."""
    try:
        yield
    except (TypeError, ValueError) as error:  # text, open for reading only, or closed
        raise UsageError(f"{name_of(file)} cannot be written to: open it with 'wb', and close it afterwards") from error
    except OSError as error:
        raise DiskError(
            f"{name_of(file)} could not be written ({reason_of(error)}): make room or mend the disk, then try again",
            errno=error.errno,
        ) from error
