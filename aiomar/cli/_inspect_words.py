"""What ``aiomar inspect`` says of a file: a heading, and below it lines and a table that fit a terminal.

Texts of a file are somebody else's: whatever is not printable ASCII is escaped.
"""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from rich.filesize import decimal

from aiomar import TimeType
from aiomar.cli._contents import STRANGE, FileFacts
from aiomar.cli._contents_csv import CsvFacts, LayoutFacts, SeriesFacts
from aiomar.cli._contents_mdef import ChannelFacts, MdefFacts
from aiomar.cli._output import count
from aiomar.cli._tables import MOST_ROWS, Column, cut, drawn, line_width, more, offset
from aiomar.formats import Finding, Kind, zone
from aiomar.protocol import printable

_MOST_FINDINGS = 10
_MOST_COLUMNS = 20
"""Names of a header that are shown."""
_INDENT = "  "
_MORE = "--verbose shows them"
_NAMES: Final = {
    Kind.MDEF: "MDEF",
    Kind.CSV: "CSV",
    Kind.PAGE: "a page",
    Kind.EMPTY: "empty",
    Kind.UNKNOWN: "unknown kind",
}
_NUMBERS: Final = frozenset({"ch", "min", "count", "empty", "est", "miss", "fill"})
"""Columns of numbers."""
_FOLDED: Final = frozenset({"meter", "unit", "label"})
"""Columns that give way where a table is too wide."""

_Column = tuple[str, Callable[[ChannelFacts], str]]


def in_lines(facts: FileFacts, *, everything: bool) -> Iterator[str]:
    """Say what is in a file.

    Args:
        facts: what is known of it.
        everything: whether long tables and lists are given whole.
    """
    width = line_width()
    yield f"{facts.path}: {_NAMES[facts.kind]}, {decimal(facts.size)}"
    for line in _lines(facts, everything=everything):
        words = f"{_INDENT}{line}"
        yield from [words] if len(words) <= width else textwrap.wrap(words, width, subsequent_indent=_INDENT * 2)


def _lines(facts: FileFacts, *, everything: bool) -> Iterator[str]:
    if facts.kind in STRANGE and facts.mdef is None:
        yield f"error: {STRANGE[facts.kind]}"
    if facts.mixed_up is not None:
        yield f"warning: {facts.mixed_up}"
    if facts.words:
        yield f"it says: {printable(facts.words, 70)}"
    if facts.mdef is not None:
        yield from _of_mdef(facts.mdef, everything=everything)
    if facts.csv is not None:
        yield from _of_csv(facts.csv, everything=everything)
    if facts.layout is not None:
        yield from _of_layout(facts.layout, everything=everything)


# --- MDEF -------------------------------------------------------------------------------------------------------------


def _of_mdef(facts: MdefFacts, *, everything: bool) -> Iterator[str]:
    if facts.meters:
        yield (
            f"{count(facts.meter_count, 'meter')}, {count(facts.channel_count, 'channel')}, "
            f"{count(facts.interval_count, 'interval')} in {count(facts.records, 'record')}"
        )
        if facts.created_stamp is not None:
            yield f"made: {printable(facts.created_stamp)}"
        yield f"clock: {_fitting(facts.clocks)}"
        yield f"flagged: {_flagged(facts)}"
        yield from _channels(facts, everything=everything)
    yield from _findings(facts.findings, everything=everything)
    if facts.error is not None and not any(finding.severity == "error" for finding in facts.findings):
        yield f"error: {facts.error}"


def _fitting(clocks: Sequence[TimeType]) -> str:
    if len(clocks) == 1:
        return f"{clocks[0].value}, the only one that fits"
    return f"{' or '.join(clock.value for clock in clocks)}, nothing in the file tells them apart"


def _flagged(facts: MdefFacts) -> str:
    counts = ((facts.estimated, "estimated"), (facts.missing, "missing"), (facts.filled, "nothing but fill"))
    told = ", ".join(f"{number:,} {what}" for number, what in counts if number)
    return told or ("none" if facts.status_words else "none, no channel carries status words")


def _channels(facts: MdefFacts, *, everything: bool) -> Iterator[str]:
    spans = {(channel.start_stamp, channel.stop_stamp) for meter in facts.meters for channel in meter.channels}
    columns: list[_Column] = [
        ("ch", lambda channel: str(channel.number)),
        ("unit", lambda channel: " ".join(filter(None, [printable(channel.unit_code), channel.unit]))),
        ("label", lambda channel: printable(channel.label)),
    ]
    if len(spans) == 1 and len(facts.meters) == facts.meter_count:
        yield "span: {} to {}".format(*spans.pop())
    else:
        columns += [("start", lambda channel: channel.start_stamp), ("stop", lambda channel: channel.stop_stamp)]
    columns += [
        ("min", lambda channel: str(channel.minutes)),
        ("count", lambda channel: f"{channel.intervals:,}"),
        ("status", lambda channel: "NY"[channel.channel_status] + "NY"[channel.interval_status]),
    ]
    if facts.estimated:
        columns.append(("est", lambda channel: _number(channel.estimated)))
    if facts.missing:
        columns.append(("miss", lambda channel: _number(channel.missing)))
    if facts.filled:
        columns.append(("fill", lambda channel: _number(channel.filled)))
    rows = [
        (printable(meter.recorder_id) if index == 0 else "", *(cell(channel) for _, cell in columns))
        for meter in facts.meters
        for index, channel in enumerate(meter.channels)
    ]
    yield from _table(("meter", *(title for title, _ in columns)), rows, facts.channel_count, everything=everything)


def _number(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _findings(findings: Sequence[Finding], *, everything: bool) -> Iterator[str]:
    shown, rest = cut(findings, None if everything else _MOST_FINDINGS)
    for finding in shown:
        yield f"{finding.severity}: {finding}"
    stopped = "; there the check stopped" if findings and findings[-1].gate == "too_many" else ""
    yield from (f"{words}{stopped}" for words in more(rest, "finding", _MORE))


# --- CSV --------------------------------------------------------------------------------------------------------------


def _of_csv(facts: CsvFacts, *, everything: bool) -> Iterator[str]:
    ends = " and ".join(facts.line_ends) or "no"
    encoding = "UTF-8" if facts.utf8 else "not UTF-8"
    mark = ", with a byte order mark" if facts.byte_order_mark else ""
    yield f"{count(facts.rows, 'row')}, {count(facts.columns, 'column')}, {ends} line ends, {encoding}{mark}"
    if facts.header is None:
        yield "no header: the first row has numbers in it"
    else:
        shown = facts.header if everything else facts.header[:_MOST_COLUMNS]
        more = len(facts.header) - len(shown)
        yield f"header: {', '.join(printable(name, 40) for name in shown)}{f', and {more:,} more' if more else ''}"
    if facts.ragged:
        lines = ", ".join(f"{line:,}" for line in facts.ragged_lines)
        more = facts.ragged - len(facts.ragged_lines)
        yield (
            f"warning: {count(facts.ragged, 'row')} of another length than the first row, "
            f"on line {lines}{f' and {more:,} more' if more else ''}"
        )
    if facts.error is not None:
        yield f"error: {facts.error}"


def _of_layout(facts: LayoutFacts, *, everything: bool) -> Iterator[str]:
    yield (
        f"by the layout: {count(facts.intervals, 'interval')} of {facts.minutes} minutes, "
        f"shown by the {facts.clock.value} clock"
    )
    titles = ("meter", "ch", "unit", "start", "end", "count", "empty")
    rows = [_series(series, facts.clock) for series in facts.series]
    yield from _table(titles, rows, len(rows), everything=everything)
    if facts.error is not None:
        yield f"error: {facts.error}"


def _series(series: SeriesFacts, clock: TimeType) -> tuple[str, ...]:
    start, end = (_on_clock(instant, clock) for instant in (series.start, series.end))
    unit = "-" if series.unit_code is None else printable(series.unit_code)
    return (
        printable(series.recorder_id),
        str(series.channel),
        unit,
        start,
        end,
        f"{series.intervals:,}",
        f"{series.empty:,}",
    )


def _on_clock(instant: dt.datetime, clock: TimeType) -> str:
    """Write a time; in the hour that autumn has twice, also which of the two it is."""
    local = instant.astimezone(zone(clock))
    twice = local.utcoffset() != local.replace(fold=not local.fold).utcoffset()
    return f"{local:%Y-%m-%d %H:%M}{f' {offset(local)}' if twice else ''}"


# --- Tables -----------------------------------------------------------------------------------------------------------


def _table(titles: Iterable[str], rows: Sequence[tuple[str, ...]], number: int, *, everything: bool) -> Iterator[str]:
    """Give a table line by line; of a long one its first rows, and how many more channels there are."""
    if not rows:
        return
    shown, _ = cut(rows, None if everything else MOST_ROWS)
    columns = [Column(title, right=title in _NUMBERS, folds=title in _FOLDED) for title in titles]
    yield from drawn(columns, shown, width=line_width() - len(_INDENT)).splitlines()
    yield from more(number - len(shown), "channel", "only counted" if everything else _MORE)
