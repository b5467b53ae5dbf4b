"""Words and numbers of the page, and the one way that foreign text gets into it.

Ids, names and reasons come from files and servers: whatever is in them, `text` makes it show as text.  Markup of our
own is a `str` that never went through a file.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterable, Sequence

from aiomar.formats import zone
from aiomar.protocol import TimeType

# Control characters are no HTML; those that turn the direction of writing round would turn what stands beside them.
_UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_LONGEST = 400
"""Characters of a foreign text that are shown; a reason has fewer, and a file can hold a megabyte."""
_HUNDRED = 100
_CLOCKS = {
    TimeType.PST: "PST: UTC\N{MINUS SIGN}8 all year, every day has 24 hours",
    TimeType.DST: "DST: Pacific time with daylight saving, days of 23 and 25 hours",
}


def text(value: object) -> str:
    """Make foreign text safe to stand in the page, between tags and in quoted attributes alike."""
    shown = _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", str(value)[: _LONGEST + 1])
    return html.escape(shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…")


def number(value: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{value:,}"


def share(part: int, whole: int) -> str:
    """Write a share in per cent, rounded so that only nothing is 0 % and only all is 100 %."""
    if part in {0, whole}:
        return f"{_HUNDRED if part else 0} %"
    percent = _HUNDRED * part / whole
    if percent < 0.01:  # noqa: PLR2004 - what two digits can show
        return "< 0.01 %"
    return f"{min(percent, 99.99):.2f} %"


def sentence_list(parts: Sequence[str]) -> str:
    """Join what a sentence lists: ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


def clock_words(clock: TimeType) -> str:
    """Say what a clock is."""
    return _CLOCKS[clock]


def on_clock(instant: dt.datetime, clock: TimeType) -> str:
    """Write an instant as the clock shows it, with its distance from UTC, so that autumn's hour has two names."""
    shown = instant.astimezone(zone(clock))
    return f"{shown:%Y-%m-%d %H:%M} {offset(shown)}"


def offset(shown: dt.datetime) -> str:
    """Write the distance from UTC: ``UTC−07:00``."""
    return "UTC" + shown.isoformat()[-6:].replace("-", "\N{MINUS SIGN}")


def days(first: dt.date, last: dt.date) -> str:
    """Write one day, or the first and the last of several."""
    return f"{first}" if first == last else f"{first} to {last}"


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: frozenset[int]
) -> Iterable[str]:
    """Make a table in a box of its own, which scrolls sideways where the page is narrow.

    Args:
        caption: says what is in it.
        heads: of the columns; markup.
        rows: cells; markup.  The first cell names the row.
        numeric: columns that hold numbers, from 0.
    """
    yield f'<div class="box" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
    yield f"<caption>{text(caption)}</caption><thead><tr>"
    yield "".join(f'<th scope="col"{_kind(place, numeric)}>{head}</th>' for place, head in enumerate(heads))
    yield "</tr></thead><tbody>\n"
    for row in rows:
        first, *rest = row
        cells = "".join(f"<td{_kind(place, numeric)}>{cell}</td>" for place, cell in enumerate(rest, 1))
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>\n'
    yield "</tbody></table></div>\n"


def _kind(place: int, numeric: frozenset[int]) -> str:
    return ' class="n"' if place in numeric else ""
