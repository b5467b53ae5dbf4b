"""Arithmetic on runs of time: what is covered, what is covered twice, and what is not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

Span = tuple[int, int]
"""From a minute to the minute behind the last."""


def merged(spans: Iterable[Span]) -> tuple[list[Span], list[Span]]:
    """Put spans together.

    Args:
        spans: sorted.

    Returns:
        What any of them covers, and what more than one of them covers; both sorted, as few spans as possible.
    """
    once: list[Span] = []
    twice: list[Span] = []
    for begin, end in spans:
        if once and begin < once[-1][1]:
            _append(twice, begin, min(end, once[-1][1]))
        _append(once, begin, end)
    return once, twice


def _append(spans: list[Span], begin: int, end: int) -> None:
    if spans and begin <= spans[-1][1]:
        spans[-1] = spans[-1][0], max(end, spans[-1][1])
    else:
        spans.append((begin, end))


def touching(begin: int, end: int, cover: Sequence[Span]) -> Iterator[Span]:
    """Give the spans that have something in common with one.

    Args:
        begin: of the one.
        end: of the one.
        cover: sorted and apart from each other.
    """
    first = max(bisect_right(cover, begin, key=_begin) - 1, 0)
    for place in range(first, len(cover)):
        span = cover[place]
        if span[0] >= end:
            return
        if span[1] > begin:
            yield span


def _begin(span: Span) -> int:
    return span[0]


def uncovered(begin: int, end: int, cover: Sequence[Span]) -> Iterator[Span]:
    """Give the parts of a span that are not covered.

    Args:
        begin: of the span.
        end: of the span.
        cover: sorted and apart from each other.
    """
    for covered_from, covered_to in touching(begin, end, cover):
        if begin < covered_from:
            yield begin, covered_from
        begin = max(begin, covered_to)
    if begin < end:
        yield begin, end
