"""From the name of a data file back to its request."""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import unquote

from aiomar.errors import LimitError
from aiomar.protocol import FileFormat, Group, Meter, Span, TimeType, file_name
from aiomar.transfer._catalogue_rows import Terms
from aiomar.transfer._plan import Job

_NAME = re.compile(
    r"(?P<kind>meter|group)-(?P<id>.+)_(?P<start>[0-9]{8})_(?P<end>[0-9]{8})_(?P<clock>pst|dst)(?P<suffix>\.csv|\.dat)"
)


def read_name(name: str, origin: str) -> tuple[Job, Terms] | None:
    """Give the request that a file name stands for; `None` for a name that a range never gives.

    Args:
        name: without its directory.
        origin: where the file is said to come from; no name tells.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        identifier = unquote(found["id"], errors="strict")
        selection = Meter(identifier) if found["kind"] == "meter" else Group(identifier)
        span = Span(_day(found["start"]), _day(found["end"]))
    except (ValueError, LimitError):
        return None
    file_format = FileFormat.CSV if found["suffix"] == FileFormat.CSV.suffix else FileFormat.MDEF
    time_type = TimeType[found["clock"].upper()]
    if file_name(selection, span, file_format=file_format, time_type=time_type) != name:
        return None  # another way to write the same request, which no range looks for
    return Job(selection, span, name), Terms(origin=origin, file_format=file_format, time_type=time_type)


def _day(digits: str) -> dt.date:
    return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
