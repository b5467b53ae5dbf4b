"""Days: spans and how a range is split into them."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.errors import LimitError
from aiomar.protocol import Span, check_days_per_file, split

DAY = dt.timedelta(days=1)


def _spans(largest: int) -> st.SearchStrategy[Span]:
    return st.builds(
        lambda start, days: Span(start, start + dt.timedelta(days=min(days, (dt.date.max - start).days))),
        st.dates(),
        st.integers(0, largest),
    )


@pytest.mark.clause("DL 3.1")
@given(_spans(400), st.integers(1, 500))
def test_split_covers_every_day_once(span: Span, days: int) -> None:
    """Consecutive spans of that many days, counted from the start; only the last may be shorter."""
    spans = list(split(span, days))
    assert spans[0].start == span.start
    assert spans[-1].end == span.end
    assert all(later.start == earlier.end + DAY for earlier, later in itertools.pairwise(spans))
    lengths = [(part.end - part.start).days + 1 for part in spans]
    assert lengths[:-1] == [days] * (len(spans) - 1)
    assert 1 <= lengths[-1] <= days
    assert sum(lengths) == (span.end - span.start).days + 1


@given(_spans(4_000_000), st.one_of(st.none(), st.integers(4_000_000)))
def test_a_span_that_fits_stays_whole(span: Span, days: int | None) -> None:
    """Without a number, or with one that no range reaches, nothing is split."""
    assert list(split(span, days)) == [span]


def test_split_is_lazy() -> None:
    """Three million days need no memory."""
    spans = split(Span(dt.date.min, dt.date.max), 1)
    assert next(spans) == Span(dt.date.min, dt.date.min)
    assert next(spans) == Span(dt.date(1, 1, 2), dt.date(1, 1, 2))


@pytest.mark.parametrize("days", [0, -1, 1.5, True, "7", float("nan")])
def test_days_per_file_is_a_whole_number(days: object) -> None:
    """Less than 1, or no whole number, is an error and never an endless range."""
    with pytest.raises(LimitError) as caught:
        check_days_per_file(days)
    assert caught.value.rule == "range"
    with pytest.raises(LimitError):
        next(split(Span(dt.date(2026, 1, 1), dt.date(2026, 1, 2)), days))  # type: ignore[arg-type]


@pytest.mark.parametrize("days", [None, 1, 31, 10**9])
def test_good_days_per_file(days: int | None) -> None:
    """Any whole number from 1, or none."""
    check_days_per_file(days)


@pytest.mark.fault(77)
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (dt.date(2026, 1, 2), dt.date(2026, 1, 1)),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.date(2026, 1, 1)),
        (dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        ("2026-01-01", dt.date(2026, 1, 1)),
        (dt.date(2026, 1, 1), None),
    ],
)
def test_spans_that_are_none(start: object, end: object) -> None:
    """The end before the start, a moment instead of a day, no day at all."""
    with pytest.raises(LimitError) as caught:
        Span(start, end)  # type: ignore[arg-type]
    assert caught.value.rule == "range"


def test_one_day_is_a_span() -> None:
    """Both days are included."""
    day = dt.date(2026, 1, 1)
    assert list(split(Span(day, day), 1)) == [Span(day, day)]
