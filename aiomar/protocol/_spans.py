"""Splitting a range of days into the spans of single requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from aiomar.errors import LimitError
from aiomar.protocol._model import Span


def check_days_per_file(days_per_file: object) -> None:
    """Hold `days_per_file` to a whole number of at least 1, or `None`.

    Raises:
        LimitError: rule ``"range"``.
    """
    if days_per_file is None:
        return
    if not isinstance(days_per_file, int) or isinstance(days_per_file, bool) or days_per_file < 1:
        raise LimitError(
            f"days_per_file must be a whole number of at least 1, not {days_per_file!r:.40}",
            rule="range",
            value=days_per_file,
            limit=1,
        )


def split(span: Span, days_per_file: int | None) -> Iterator[Span]:
    """Cut a span into consecutive ones of `days_per_file` days, counted from its start; the last may be shorter.

    Every day is in exactly one of them.  With `None` the span stays whole.

    Raises:
        LimitError: rule ``"range"``, when the first span is asked for.
    """
    check_days_per_file(days_per_file)
    if days_per_file is None:
        yield span
        return
    first = span.start
    while True:
        left = (span.end - first).days
        if left < days_per_file:
            yield Span(first, span.end)
            return
        yield Span(first, first + dt.timedelta(days=days_per_file - 1))
        first += dt.timedelta(days=days_per_file)
