"""Ids from a file or from stdin, one a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from aiomar import ConfigError, Group, LimitError, Meter, Selection

_OPTION: Final = "--ids-from"
_LONGEST: Final = 1_000
"""Characters of a line; longer ones come from something else than a list of ids."""


def read_ids(source: str | None) -> list[Selection]:
    """Read the ids of ``--ids-from``.

    Args:
        source: a path, ``-`` for stdin, or `None`.

    Raises:
        ConfigError: it cannot be read, is no UTF-8 text, or has no id.
        LimitError: an id cannot be one.
    """
    if source is None:
        return []
    name = "stdin" if source == "-" else f"{source!a:.300}"
    try:
        found = list(_from_stdin() if source == "-" else _from_file(source))
    except UnicodeError as error:
        raise ConfigError(f"{_OPTION}: {name} is not UTF-8 text: save it as UTF-8, one id a line") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{_OPTION}: {name} cannot be read ({reason}): correct the path") from error
    if not found:
        raise ConfigError(f"{_OPTION}: {name} has no id: one a line is expected")
    return found


def _from_file(source: str) -> Iterator[Selection]:
    with Path(source).open(encoding="utf-8-sig") as lines:
        yield from parse_ids(lines, source)


def _from_stdin() -> Iterator[Selection]:
    if sys.stdin is None:
        raise OSError(0, "it is closed")
    if isinstance(sys.stdin, TextIOWrapper):  # whatever the locale is: a list of ids is the same everywhere
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")
    yield from parse_ids(sys.stdin, "stdin")


def parse_ids(lines: Iterable[str], source: str) -> Iterator[Selection]:
    """Read one id a line, with ``meter:`` or ``group:`` in front or without, which is a meter.

    Blank lines, and lines that begin with ``#``, are passed over.

    Raises:
        LimitError: an id cannot be one.
        ConfigError: a line is far too long.
    """
    for number, line in enumerate(lines, start=1):
        if len(line) > _LONGEST:
            raise ConfigError(f"line {number} of {source} has {len(line):,} characters: one id a line is expected")
        text = line.strip().removeprefix("\ufeff")
        if not text or text.startswith("#"):
            continue
        kind, colon, rest = text.partition(":")
        try:
            if colon and kind == "group":
                yield Group(rest.strip())
            else:
                yield Meter(rest.strip() if colon and kind == "meter" else text)
        except LimitError as error:
            raise LimitError(
                f"line {number} of {source}: {error}", rule=error.rule, value=error.value, limit=error.limit
            ) from error
