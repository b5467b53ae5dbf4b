"""From a wish to the exact bytes of a request: login, download, upload.

Percent-encoding is done here and only here, exactly as DL 3.1 shows it; nothing later may touch a target again.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from urllib.parse import quote

from aiomar.protocol._model import Environment, FileFormat, Group, HttpRequest, Selection, Span, TimeType
from aiomar.protocol._multipart import encode_file

LOGIN_PROGRAM = "fr_top.jsp"
"""SUB 3.1.1.2: the authentication page, on the upload origin."""

UPLOAD_PROGRAM = "uploadProcess.jsp"
"""SUB 3.1: the upload meter data file program."""


def build_login(environment: Environment) -> HttpRequest:
    """Ask for the authentication page, which gives the session cookie (SUB 3.1.1.2)."""
    return HttpRequest(method="GET", origin=environment.upload, target=f"/{LOGIN_PROGRAM}")


def build_download(
    environment: Environment, selection: Selection, span: Span, *, file_format: FileFormat, time_type: TimeType
) -> HttpRequest:
    """Ask for a data file: exactly these parameters in this order, the slash of dates as ``%2F`` (DL 3.1, 3.2).

    A group's id stands in both `selectedMeters` and `group`; for a meter `group` is present and empty.
    """
    identifier = encode_id(selection.id)
    group = identifier if isinstance(selection, Group) else ""
    target = (
        f"/{file_format.program}?requestedFormat=download&datasourceType=SQMD&groupOrMeter={selection.kind}"
        f"&selectedMeters={identifier}&startDate={_date(span.start)}&endDate={_date(span.end)}"
        f"&timeType={time_type.value}&fileFormat={file_format.parameter}&group={group}"
    )
    return HttpRequest(method="GET", origin=environment.download, target=target)


def build_upload(environment: Environment, name: str, content: bytes) -> HttpRequest:
    """Submit one file in the field ``datafile`` (SUB 3.1, 3.2.1, 3.2.2).

    ``POST``, although the sample form says ``GET``: a ``GET`` form cannot carry a file (RFC 1867).  The name and the
    size must have been checked.
    """
    content_type, body = encode_file(name, content)
    return HttpRequest(
        method="POST",
        origin=environment.upload,
        target=f"/{UPLOAD_PROGRAM}",
        headers=(("Content-Type", content_type), ("Content-Length", str(len(body)))),
        body=body,
    )


def file_name(selection: Selection, span: Span, *, file_format: FileFormat, time_type: TimeType) -> str:
    """Name a data file: ``meter-1001_20260101_20260131_pst.csv`` (DL 3.3).

    An id that is not safe in a file name is percent-encoded, so two ids never share a name.
    """
    return selection_part(selection) + span_part(span, file_format=file_format, time_type=time_type)


def encode_id(identifier: str) -> str:
    """Percent-encode an id as UTF-8, a blank as ``%20``; most ids have nothing to encode."""
    return identifier if identifier.isascii() and identifier.isalnum() else quote(identifier, safe="")


def selection_part(selection: Selection) -> str:
    """Give the beginning of a file name: ``meter-1001``."""
    # `quote` leaves "~" alone as well, which is not in the contract's list.
    return f"{selection.kind}-{encode_id(selection.id).replace('~', '%7E')}"


def span_part(span: Span, *, file_format: FileFormat, time_type: TimeType) -> str:
    """Give the end of a file name, the same for every selection: ``_20260101_20260131_pst.csv``."""
    days = "_".join(day.isoformat().replace("-", "") for day in (span.start, span.end))
    return f"_{days}_{time_type.value.lower()}{file_format.suffix}"


@lru_cache(maxsize=1024)  # a range has few days and many selections
def _date(day: dt.date) -> str:
    """``MM%2FDD%2FYYYY``, with four digits for any year."""
    return f"{day.month:02}%2F{day.day:02}%2F{day.year:04}"
