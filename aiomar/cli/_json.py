"""Events and errors as plain values for JSON: dates in ISO form, paths as text, and nothing secret."""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import cast

import attrs

from aiomar import Event, Group, Meter, OmarError

_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


def event_name(event: Event) -> str:
    """Give an event's name, such as ``download_finished``."""
    return _HUMP.sub("_", type(event).__name__).lower()


def event_to_dict(event: Event) -> dict[str, object]:
    """Give an event as plain values, its name under ``event``."""
    return {"event": event_name(event), **fields(event)}


def fields(value: attrs.AttrsInstance) -> dict[str, object]:
    """Give the fields of a value as plain values."""
    return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}


def error_to_dict(error: BaseException) -> dict[str, object]:
    """Give an error as its type, its message and its facts; a report is told otherwise."""
    facts = {key: plain(value) for key, value in vars(error).items() if key != "report" and not key.startswith("_")}
    told = isinstance(error, OmarError)
    message = str(error) if told else f"unexpected {type(error).__name__}"
    return {"type": type(error).__name__, "message": message, **(facts if told else {})}


def plain(value: object) -> object:  # noqa: PLR0911 - one line a kind
    """Give a value as JSON knows it."""
    match value:
        case Meter(id) | Group(id):
            return {"kind": value.kind, "id": id}
        case enum.Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case dt.date():  # a datetime is one too
            return value.isoformat()
        case PurePath():
            return str(value)
        case BaseException():
            return error_to_dict(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return [plain(item) for item in value]
        case _ if attrs.has(type(value)):
            return fields(cast("attrs.AttrsInstance", value))
        case _:
            return type(value).__name__
