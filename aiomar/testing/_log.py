"""What the embedded server saw: one record per request, and how many ran at the same time."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Iterator

import attrs

from aiomar.testing._faults import Fault
from aiomar.testing._site import Door, Kind, SiteRequest


@attrs.frozen(kw_only=True)
class RequestRecord:
    """One request, in the order in which the answers were decided."""

    kind: Kind
    door: Door
    method: str
    target: str
    """Path and query as on the wire."""
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    """In wire order; cookies are among them, so they are not in the repr."""
    size: int
    """Bytes of the request's body that were read."""
    time: dt.datetime
    """Aware, UTC: when its head was there."""
    status: int | None
    """The HTTP status of the answer; `None` where the client got none, or raw bytes."""
    fault: Fault | None
    """What was made to go wrong."""

    @property
    def program(self) -> str:
        """The path."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """Give the first value of a header, or `None`."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@attrs.frozen(kw_only=True)
class Connections:
    """TCP connections since the start, by port."""

    upload: int
    download: int
    refused: int
    """On either port: those whose TLS handshake failed."""


class Log:
    """The records of one server since its start or its last `clear`."""

    def __init__(self) -> None:
        self.requests: list[RequestRecord] = []
        self._running: Counter[Kind] = Counter()
        self.most: Counter[Kind] = Counter()
        """The largest number of requests that ran at the same time, by kind."""

    def add(self, request: SiteRequest, fault: Fault | None, *, time: dt.datetime, status: int | None) -> None:
        """Write down what was decided."""
        record = RequestRecord(
            kind=request.kind,
            door=request.door,
            method=request.method,
            target=request.target,
            headers=request.headers,
            size=len(request.body),
            time=time,
            status=status,
            fault=fault,
        )
        self.requests.append(record)

    @contextlib.contextmanager
    def running(self, kind: Kind) -> Iterator[None]:
        """Count a request as running, from its head to the last byte of its answer."""
        self._running[kind] += 1
        self.most[kind] = max(self.most[kind], self._running[kind])
        try:
            yield
        finally:
            self._running[kind] -= 1
