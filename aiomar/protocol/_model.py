"""The words of the two documents as values: environment, selection, format, time type, span.

Nothing here does I/O.  Everything is frozen, checks itself when it is made, and raises a `UsageError` if it cannot be.
"""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import re
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

import attrs

from aiomar.errors import ConfigError, LimitError

# Control characters, and lone surrogates: they are no text and cannot be encoded.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# One slash at the end is how addresses are copied.  A host name is ASCII; brackets tell an IPv6 address from a port.
_ORIGIN = re.compile(
    r"https://(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?))(?::(?P<port>[0-9]{0,5}))?/?",
    re.ASCII | re.IGNORECASE,
)
_HTTPS_PORT = 443
_LAST_PORT = 65_535


class CookieStyle(enum.Enum):
    """How the session cookie goes back to the server (SUB 3.1.1.1)."""

    AUTO = "auto"
    """`RFC2109` for a cookie that came with ``Version=1``, `PLAIN` for any other."""
    PLAIN = "plain"
    """``NAME=VALUE``"""
    RFC2109 = "rfc2109"
    """``$Version=1; NAME=VALUE; $Path=…``"""


class TimeType(enum.Enum):
    """The clock that a download's intervals are cut by (DL 3.1).

    Never defaulted: the wrong clock gives wrong hours without any error.
    """

    PST = "PST"
    """Pacific standard time, eight hours behind UTC, all year."""
    DST = "DST"
    """Clock time that follows daylight saving (inferred: the documents do not explain the word)."""


class FileFormat(enum.Enum):
    """Program, parameter and suffix of a download in one value, so that they cannot disagree (DL 3.1, 3.2, 3.3)."""

    CSV = "CSV"
    MDEF = "MDEF"

    @property
    def program(self) -> str:
        """The JSP program that produces the format (DL 3.2)."""
        return "getSQMDCsvForDownload.jsp" if self is FileFormat.CSV else "getMDEF.jsp"

    @property
    def parameter(self) -> str:
        """The value of the ``fileFormat`` parameter (DL 3.1)."""
        return self.value

    @property
    def suffix(self) -> str:
        """The extension of the data file (DL 3.3; the pair of extensions is the upload's, SUB 3.2.2)."""
        return ".csv" if self is FileFormat.CSV else ".dat"


def _check_id(instance: object, _attribute: attrs.Attribute[str], value: object) -> None:
    """Hold the reading of spec/README: any non-blank text without control characters."""
    kind = type(instance).__name__
    if not isinstance(value, str) or not value.strip() or CONTROL.search(value):
        raise LimitError(
            f"a {kind.lower()} id must be non-blank text without control characters; got {value!a:.80}: correct the id",
            rule="selection",
            value=value,
            limit="non-blank text without control characters",
        )


@attrs.frozen
class Meter:
    """One resource (meter), by its id (DL 3.1: ``groupOrMeter=meter``).

    Args:
        id: any non-blank text without control characters; percent-encoded as UTF-8 on the wire.

    Raises:
        LimitError: rule ``"selection"``.
    """

    id: str = attrs.field(validator=_check_id)
    kind: ClassVar[Literal["meter"]] = "meter"


@attrs.frozen
class Group:
    """A group of meters, by its id (DL 3.1: ``groupOrMeter=group``).

    Args:
        id: any non-blank text without control characters; percent-encoded as UTF-8 on the wire.

    Raises:
        LimitError: rule ``"selection"``.
    """

    id: str = attrs.field(validator=_check_id)
    kind: ClassVar[Literal["group"]] = "group"


Selection = Meter | Group
"""What a download is for."""


@attrs.frozen
class Span:
    """The days of one request, both sent as given (whether the end day is included is not stated by the documents).

    Args:
        start: first day.
        end: last day; not before `start`.

    Raises:
        LimitError: rule ``"range"``.
    """

    start: dt.date
    end: dt.date

    def __attrs_post_init__(self) -> None:
        given: tuple[tuple[str, object], ...] = (("start", self.start), ("end", self.end))
        for name, day in given:
            if not isinstance(day, dt.date) or isinstance(day, dt.datetime):
                raise LimitError(
                    f"{name} must be a datetime.date, not {type(day).__name__}: give a day without a time",
                    rule="range",
                    value=day,
                    limit="datetime.date",
                )
        if self.end < self.start:
            raise LimitError(
                f"the range ends on {self.end} before it starts on {self.start}: exchange the two days",
                rule="range",
                value=self.end,
                limit=self.start,
            )


@attrs.frozen
class Origin:
    """Scheme, host and port of a server, as ``https://host[:port]``."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}" if self.port == _HTTPS_PORT else f"https://{host}:{self.port}"

    @property
    def netloc(self) -> str:
        """``host`` or ``host:port``, as the Host header wants it."""
        return str(self).removeprefix("https://")


def parse_origin(text: object) -> Origin:
    """Read ``https://host[:port]`` and nothing more.

    Raises:
        ConfigError: for another scheme, a path, a query, user information or no host.
    """
    found = _ORIGIN.fullmatch(text) if isinstance(text, str) else None
    port = int((found and found["port"]) or _HTTPS_PORT)
    if found is None or not 0 < port <= _LAST_PORT or not _is_address(found["v6"]):
        # What stands in front of an @ may hold a password, wherever an address would end there.
        shown = text.rpartition("@")[2] if isinstance(text, str) else text
        raise ConfigError(
            f"{shown!a:.200} is not an https origin: write scheme, host and port only, like 'https://host:444'"
        )
    return Origin(host=(found["v6"] or found["host"]).lower(), port=port)


def _is_address(text: str | None) -> bool:
    """Whether the text between brackets, if there is any, is an IPv6 address."""
    try:
        return text is None or bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _origin(text: str) -> str:
    return str(parse_origin(text))


def _check_name(_instance: object, _attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError("an environment needs a name: give it a word for people and logs")


def _check_style(_instance: object, _attribute: attrs.Attribute[CookieStyle], value: object) -> None:
    if not isinstance(value, CookieStyle):
        raise ConfigError("cookie_style must be a CookieStyle: AUTO, PLAIN or RFC2109")


@attrs.frozen
class Environment:
    """Where an OMAR-Online is (SUB/DL 2).

    Args:
        name: for people, logs and state directories.
        upload_origin: ``"https://host[:port]"`` of login (``fr_top.jsp``) and upload (SUB 3.1).
        download_origin: ``"https://host[:port]"`` of the download programs (DL 3.1).
        cookie_style: how the session cookie is sent back; `CookieStyle.AUTO` decides by what came.

    Raises:
        ConfigError: when an origin is not ``https://host[:port]`` or the name is blank.
    """

    name: str = attrs.field(validator=_check_name)
    upload_origin: str = attrs.field(converter=_origin)
    download_origin: str = attrs.field(converter=_origin)
    cookie_style: CookieStyle = attrs.field(default=CookieStyle.AUTO, validator=_check_style, kw_only=True)
    upload: Origin = attrs.field(init=False, repr=False, eq=False)
    """The upload origin as a value."""
    download: Origin = attrs.field(init=False, repr=False, eq=False)
    """The download origin as a value."""

    @upload.default
    def _upload(self) -> Origin:
        return parse_origin(self.upload_origin)

    @download.default
    def _download(self) -> Origin:
        return parse_origin(self.download_origin)


PRODUCTION = Environment("production", "https://omar-online.caiso.com", "https://omar-online.caiso.com:444")
"""SUB/DL 2."""

STAGING = Environment("staging", "https://omar-onlinestage.caiso.com", "https://omar-onlinestage.caiso.com:444")
"""SUB 2; that its downloads are on port 444 too is inferred from production."""

TEST = Environment("test", "https://omar-onlinetest.caiso.com", "https://omar-onlinetest.caiso.com:444")
"""DL 2.1; that its uploads are on port 443 is inferred from production."""


@attrs.frozen
class UploadReceipt:
    """What the server said of a file that it took (SUB 3.3.1), checked against what was sent.

    "Uploaded" is not "loaded": validation takes about an hour and more (SUB 3.4).
    """

    file_id: str
    """Keep it: file status inquiries need it."""
    source_name: str
    """The name that was sent."""
    saved_name: str
    """The name under which the server keeps the file.  Data, never a path."""
    size: int
    """Bytes."""
    sha256: str
    """Of the bytes that were sent, in hexadecimal."""
    submitted_at: dt.datetime
    """Aware, UTC: when sending began."""
    ledger_id: str | None = None
    """The submission in the ledger; `None` where no ledger is kept."""


@attrs.frozen(slots=False)  # made faster that way, and there are never many at once
class HttpRequest:
    """One request exactly as it goes onto the wire; the transport adds framing headers and nothing else."""

    method: Literal["GET", "POST"]
    origin: Origin
    target: str
    """Path and query, already percent-encoded; never encoded again."""
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)  # the cookie is among them
    body: bytes = attrs.field(default=b"", repr=lambda body: f"<{len(body)} bytes>")

    @property
    def url(self) -> str:
        """The absolute address, already percent-encoded."""
        return f"{self.origin}{self.target}"


class Headers(Protocol):
    """The headers of an answer as the transport's library keeps them; names in any case."""

    def get(self, name: str, /) -> str | None:
        """Give the first value of a header, or `None`."""

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """Give every value of a header, in wire order, or the default."""


@attrs.frozen(slots=False)  # as above
class ResponseHead:
    """Status and headers of an answer."""

    status: int
    headers: Headers = attrs.field(repr=False)  # not copied: a small answer would pay more for that than for its hash

    def all(self, name: str) -> list[str]:
        """Give every value of a header, in wire order."""
        return list(self.headers.getall(name, ()))

    def first(self, name: str) -> str | None:
        """Give the first value of a header, or `None`."""
        return self.headers.get(name)
