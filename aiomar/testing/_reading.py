"""The strict readers of the embedded site: a request as it came, or a `Refusal` in one sentence.

Written from the two documents alone and without the client's request code, so that a mistake there is refused here
rather than mirrored.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from urllib.parse import unquote

import attrs

from aiomar.errors import LimitError
from aiomar.protocol import FileFormat, Group, Meter, Selection, TimeType

MAX_NAME = 40
"""Characters, with the extension (SUB 3.2.2)."""
MAX_BYTES = 512_000
"""A file must be smaller (SUB 3.2.2: "less than 500KB")."""

_PARAMETERS = (
    "requestedFormat",
    "datasourceType",
    "groupOrMeter",
    "selectedMeters",
    "startDate",
    "endDate",
    "timeType",
    "fileFormat",
    "group",
)
"""DL 3.1, in its order."""
_FIXED = {"requestedFormat": "download", "datasourceType": "SQMD"}
_DATE = re.compile(r"(\d\d)%2[Ff](\d\d)%2[Ff](\d{4})", re.ASCII)
_ENCODED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})*")
_FORM = re.compile(r'multipart/form-data; ?boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_DISPOSITION = re.compile(rb'form-data; name="([^"\r\n]*)"; filename="([^"\r\n]*)"')
_EXTENSIONS = (".csv", ".dat")


class Refusal(Exception):  # noqa: N818 - a verdict in the site's own words, not an error of the library
    """The site does not do what the request asks; the text is the reason."""


@attrs.frozen(kw_only=True)
class Query:
    """What a download asks for."""

    selection: Selection
    start: dt.date
    end: dt.date
    time_type: TimeType


@attrs.frozen
class Part:
    """The one file of an upload."""

    field: str
    name: str
    content: bytes = attrs.field(repr=lambda content: f"<{len(content)} bytes>")


def _date(name: str, raw: str) -> dt.date:
    found = _DATE.fullmatch(raw)
    if not found:
        raise Refusal(f"{name} must be MM%2FDD%2FYYYY")
    month, day, year = map(int, found.groups())
    try:
        return dt.date(year, month, day)
    except ValueError as error:
        raise Refusal(f"{name} is not a day of the calendar") from error


def _id(name: str, raw: str) -> str:
    if not _ENCODED.fullmatch(raw):
        raise Refusal(f"{name} is not percent-encoded")
    try:
        return unquote(raw, encoding="utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise Refusal(f"{name} is not UTF-8") from error


def _selection(values: dict[str, str]) -> Selection:
    chosen, group = _id("selectedMeters", values["selectedMeters"]), _id("group", values["group"])
    if not chosen.strip():
        raise Refusal("selectedMeters is empty")
    match values["groupOrMeter"]:
        case "group" if group == chosen:
            return Group(chosen)
        case "group":
            raise Refusal("group and selectedMeters must match")
        case "meter" if not group:
            return Meter(chosen)
        case "meter":
            raise Refusal("group must be blank when downloading by resource")
    raise Refusal("groupOrMeter must be group or meter")


def read_query(method: str, query: str, file_format: FileFormat) -> Query:
    """Read a download request against DL 3.1 and 3.2, or refuse it."""
    if method != "GET":
        raise Refusal("the request URL must be submitted with GET")
    pairs = [pair.partition("=") for pair in query.split("&")]
    if tuple(name for name, _, _ in pairs) != _PARAMETERS or not all(equals for _, equals, _ in pairs):
        raise Refusal("the parameters must be " + ", ".join(_PARAMETERS) + ", in this order")
    values = {name: value for name, _, value in pairs}
    for name, value in {**_FIXED, "fileFormat": file_format.value}.items():
        if values[name] != value:
            raise Refusal(f"{name} must be {value}")
    if values["timeType"] not in ("PST", "DST"):
        raise Refusal("timeType must be PST or DST")
    start, end = _date("startDate", values["startDate"]), _date("endDate", values["endDate"])
    if end < start:
        raise Refusal("endDate is before startDate")
    try:
        selection = _selection(values)
    except LimitError as error:
        raise Refusal("selectedMeters holds control characters") from error
    return Query(selection=selection, start=start, end=end, time_type=TimeType(values["timeType"]))


def _boundary(content_types: Iterable[str]) -> bytes:
    values = list(content_types)
    found = _FORM.fullmatch(values[0]) if len(values) == 1 else None
    if not found:
        raise Refusal("the request is not packaged in multipart/form-data")
    return (found[1] or found[2]).encode("latin-1")


def read_part(method: str, content_types: Iterable[str], body: bytes) -> Part:
    """Read an upload's form (SUB 3.2.1, RFC 1867), or refuse it; `check_part` judges the file in it."""
    if method != "POST":
        raise Refusal("a file can only be sent with POST")
    delimiter = b"\r\n--" + _boundary(content_types)
    before, *sections = (b"\r\n" + body).split(delimiter)
    if before or not sections or sections.pop() not in (b"--", b"--\r\n"):
        raise Refusal("the form does not begin and end with its boundary")
    if len(sections) != 1:
        raise Refusal("Only one meter data file can be uploaded at a time")
    head, blank, content = sections[0].partition(b"\r\n\r\n")
    if not head.startswith(b"\r\n") or not blank:
        raise Refusal("the part has no header")
    fields = [line.partition(b":") for line in head[2:].split(b"\r\n")]
    texts = [value.strip() for name, _, value in fields if name.lower() == b"content-disposition"]
    found = _DISPOSITION.fullmatch(texts[0]) if len(texts) == 1 else None
    if not found:
        raise Refusal("the part is not a file with a field name and a file name")
    return Part(found[1].decode("utf-8", "replace"), found[2].decode("utf-8", "replace"), content)


def check_part(part: Part) -> None:
    """Hold a file against SUB 3.2.2, or refuse it."""
    if part.field != "datafile":
        raise Refusal("the file NAME field must be 'datafile'")
    if len(part.name) > MAX_NAME:
        raise Refusal(f"the file name exceeds {MAX_NAME} characters")
    if not part.name.lower().endswith(_EXTENSIONS):
        raise Refusal("Invalid file extension: use .csv or .dat")
    if not part.content:
        raise Refusal("the file is empty")
    if len(part.content) >= MAX_BYTES:
        raise Refusal("the file is too large: it must be less than 500KB")
