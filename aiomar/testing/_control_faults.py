"""Faults as plain values, for the control page and for other processes.

What a fault takes, and the words that explain it, come from the classes themselves: a new fault needs its name in the
list here and nothing more.  Plain values are those of JSON; the fields of a web form are made into such first.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Final, Literal, get_args, get_origin, get_type_hints

import attrs

from aiomar.testing import _faults
from aiomar.testing._faults import Fault
from aiomar.testing._reading import Refusal

FAULTS: Final[Mapping[str, type[Fault]]] = {
    kind.__name__: kind
    for kind in (
        _faults.Status,
        _faults.LoginPage,
        _faults.ExpireSession,
        _faults.Redirect,
        _faults.Page,
        _faults.CutBody,
        _faults.DropAnswer,
        _faults.Stall,
        _faults.SlowFirstByte,
        _faults.Framing,
        _faults.Disconnect,
        _faults.Reset,
        _faults.Raw,
    )
}
"""Every fault, the most usual ones first."""

_RANGES = {"status": (200, 599), "seconds": (0, 86_400), "times": (1, 1_000_000)}
_ARGUMENT = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Parameter:
    """One parameter of a fault."""

    name: str
    words: str
    types: tuple[type, ...]
    choices: tuple[str, ...]
    """The values there are; empty for any."""
    default: object
    required: bool

    @property
    def optional(self) -> bool:
        """Whether it may be `None`."""
        return NoneType in self.types

    @property
    def long(self) -> bool:
        """Whether it is a body, of any number of lines, and not for display."""
        return bytes in self.types


def _plain_text(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def summary(kind: type[Fault]) -> str:
    """Say in a sentence what a fault does."""
    return _plain_text((inspect.getdoc(kind) or "").partition("\n\n")[0])


@functools.cache
def parameters(kind: type[Fault]) -> tuple[Parameter, ...]:
    """Give what a fault takes: its own parameters first, then those of all faults."""
    hints = get_type_hints(kind)
    words = dict(_ARGUMENT.findall(inspect.getdoc(Fault) or "")) | dict(_ARGUMENT.findall(inspect.getdoc(kind) or ""))
    found = [
        Parameter(
            name=field.name,
            words=_plain_text(words.get(field.name, "")),
            types=()
            if get_origin(hints[field.name]) is Literal
            else get_args(hints[field.name]) or (hints[field.name],),
            choices=get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else (),
            default=None if field.default is attrs.NOTHING else field.default,
            required=field.default is attrs.NOTHING,
        )
        for field in attrs.fields(kind)
    ]
    common = [field.name for field in attrs.fields(Fault)]
    return tuple(sorted(found, key=lambda parameter: parameter.name in common))


def make_fault(values: object) -> Fault:
    """Make a fault of plain values: its name under ``fault``, its parameters under their names.

    Raises:
        Refusal: there is no such fault, or it does not take these.
    """
    if not isinstance(values, Mapping):
        raise Refusal("a fault is an object with its name under 'fault'")
    kind = _kind(values.get("fault"))
    known = {parameter.name: parameter for parameter in parameters(kind)}
    given = {str(name): value for name, value in values.items() if name != "fault"}
    if unknown := sorted(given.keys() - known.keys()):
        raise Refusal(f"{kind.__name__} does not take {', '.join(unknown)}: it takes {', '.join(known)}")
    if missing := [name for name, parameter in known.items() if parameter.required and name not in given]:
        raise Refusal(f"{kind.__name__} needs {', '.join(missing)}")
    make: Callable[..., Fault] = kind
    return make(**{name: _checked(known[name], value) for name, value in given.items()})


def _kind(name: object) -> type[Fault]:
    kind = FAULTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise Refusal(f"there is no such fault: choose one of {', '.join(FAULTS)}")
    return kind


def _checked(parameter: Parameter, value: object) -> object:
    """Hold a plain value against what a parameter takes."""
    name = parameter.name
    if parameter.choices:
        if value not in parameter.choices:
            raise Refusal(f"{name} must be one of {', '.join(parameter.choices)}")
        return value
    if parameter.long and isinstance(value, str):
        as_bytes = _encoded(name, value, "utf-8" if str in parameter.types else "latin-1")
        return value if str in parameter.types else as_bytes
    if float in parameter.types and type(value) is int:
        value = float(value)
    if type(value) not in parameter.types or parameter.long:
        raise Refusal(f"{name} must be {_wanted(parameter)}")
    if isinstance(value, str) and not value.isprintable():
        raise Refusal(f"{name} must be one line of text")
    if name in _RANGES and isinstance(value, int | float):
        least, most = _RANGES[name]
        if not least <= value <= most:
            raise Refusal(f"{name} must be from {least} to {most}")
    return value


def _wanted(parameter: Parameter) -> str:
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        bytes: "text",
        NoneType: "null",
    }
    return " or ".join(dict.fromkeys(words[kind] for kind in parameter.types))


def _encoded(name: str, text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise Refusal(f"{name} must be text that can be written as {encoding}") from error


def form_values(fields: Mapping[str, str]) -> dict[str, object]:
    """Make plain values of the fields of a web form; a field that is empty, or not there, says nothing.

    Raises:
        Refusal: there is no such fault, or a number is none.
    """
    kind = _kind(fields.get("fault"))
    read = {parameter.name: _form_value(parameter, fields.get(parameter.name, "")) for parameter in parameters(kind)}
    return {"fault": kind.__name__, **{name: value for name, value in read.items() if value is not ...}}


def _form_value(parameter: Parameter, text: str) -> object:
    """Read one field; an ellipsis stands for the default."""
    types = parameter.types
    if bool in types:
        return bool(text)
    if not text and not parameter.long:
        return None if parameter.optional else ...
    if (int in types or float in types) and not (str in types and not text.isdecimal()):
        try:
            return float(text) if float in types else int(text)
        except ValueError as error:
            raise Refusal(f"{parameter.name} must be {_wanted(parameter)}") from error
    return text


def plain_fault(fault: Fault) -> dict[str, object]:
    """Give a fault as plain values; of a body only its size."""
    values = {
        parameter.name: _plain(getattr(fault, parameter.name), parameter) for parameter in parameters(type(fault))
    }
    return {"fault": type(fault).__name__, **values}


def _plain(value: object, parameter: Parameter) -> object:
    if parameter.long and isinstance(value, Sequence):
        return f"<{len(value)} {'bytes' if isinstance(value, bytes) else 'characters'}>"
    return value


def short(fault: Fault) -> str:
    """Name a fault and what is not as usual about it: ``Status(status=503, on=upload)``."""
    said = [
        f"{parameter.name}={_plain(getattr(fault, parameter.name), parameter)}"
        for parameter in parameters(type(fault))
        if parameter.required or getattr(fault, parameter.name) != parameter.default
    ]
    return f"{type(fault).__name__}({', '.join(said)})"
