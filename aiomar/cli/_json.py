"""Events and errors as plain values for JSON: dates in ISO form, paths as text, and nothing secret.

A range that is resumed may have an event for each of a million files: what depends on a class only is found out once.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import attrs

from aiomar import Event, Group, Meter, OmarError

_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


def event_name(event: Event) -> str:
    """Give an event's name, such as ``download_finished``."""
    return _snake_case(type(event))  # type: ignore[arg-type] # mypy mistakes a class's hash for that of its instances


def event_to_dict(event: Event) -> dict[str, object]:
    """Give an event as plain values, its name under ``event``."""
    return {"event": event_name(event), **fields(event)}


def fields(value: attrs.AttrsInstance) -> dict[str, object]:
    """Give the fields of a value as plain values."""
    return {name: plain(getattr(value, name)) for name in _field_names(type(value))}


def error_to_dict(error: BaseException) -> dict[str, object]:
    """Give an error as its type, its message and its facts; a report is told otherwise."""
    facts = {key: plain(value) for key, value in vars(error).items() if key != "report" and not key.startswith("_")}
    told = isinstance(error, OmarError)
    message = str(error) if told else f"unexpected {type(error).__name__}"
    return {"type": type(error).__name__, "message": message, **(facts if told else {})}


def plain(value: object) -> object:
    """Give a value as JSON knows it."""
    return _way(type(value))(value)  # type: ignore[arg-type] # likewise


_WAYS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any], object]], ...]] = (
    ((Meter, Group), lambda selection: {"kind": selection.kind, "id": selection.id}),
    (enum.Enum, lambda member: member.value),
    ((type(None), bool, int, float, str), lambda value: value),
    (dt.date, lambda day: day.isoformat()),  # a datetime is one too
    (PurePath, str),
    (BaseException, error_to_dict),
    (Mapping, lambda mapping: {str(key): plain(item) for key, item in mapping.items()}),
    ((bytes, bytearray, memoryview), lambda secret: type(secret).__name__),
    (Sequence, lambda items: [plain(item) for item in items]),
)
"""Class → how its values become plain; the first line that fits counts."""


@functools.cache
def _way(kind: type) -> Callable[[Any], object]:
    for classes, way in _WAYS:
        if issubclass(kind, classes):
            return way
    return fields if attrs.has(kind) else lambda _: kind.__name__


@functools.cache
def _snake_case(kind: type) -> str:
    return _HUMP.sub("_", kind.__name__).lower()


@functools.cache
def _field_names(kind: type[attrs.AttrsInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind))
