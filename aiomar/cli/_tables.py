"""Tables and lists of results: plain text that fits a terminal, with an end where it gets long."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from aiomar.cli._output import count

MOST_ROWS: Final = 20
"""Rows of a table and lines of a list that are shown."""
_WIDE = 400
"""Characters a line where there is no terminal: nothing is shortened or wrapped."""
_T = TypeVar("_T")


class Column(NamedTuple):
    """How a column looks."""

    title: str
    right: bool = False
    """Whether it is numbers, which stand at the right."""
    folds: bool = False
    """Whether it gives way, on several lines, where the table is too wide."""


def line_width() -> int:
    """Give how many characters a line of results may have."""
    console = Console()
    return console.width if console.is_terminal else _WIDE


def drawn(columns: Iterable[Column], rows: Iterable[Sequence[str]], *, width: int | None = None) -> str:
    """Give a table as text, without blanks at the ends of its lines.

    Args:
        columns: from the left.
        rows: their cells.
        width: characters a line; `None` for `line_width`.
    """
    # Without styles: lines may go through a live display, which counts every character.
    text = io.StringIO()
    console = Console(file=text, force_terminal=False, highlight=False, markup=False, width=width or line_width())
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        justify: JustifyMethod = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, overflow="fold", no_wrap=not column.folds)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def offset(instant: dt.datetime) -> str:
    """Write how far a clock is from UTC, so that it is no part of a span: ``UTC-07:00``."""
    return f"UTC{instant.isoformat()[-6:]}"


def cut(items: Sequence[_T], most: int | None = MOST_ROWS) -> tuple[Sequence[_T], int]:
    """Give the first items of a list, and how many more there are.

    Args:
        items: of the list.
        most: that are given; `None` for all.
    """
    shown = items[:most]
    return shown, len(items) - len(shown)


def more(number: int, thing: str, how: str) -> Iterator[str]:
    """Say how many more there are, if there are any, and what shows them."""
    if number:
        yield f"and {count(number, f'more {thing}')} ({how})"
