"""Checks of settings and of choices; each raises a `ConfigError` that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from aiomar.errors import ConfigError

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def number(*, above: float | None = None, at_least: float = 0.0, optional: bool = False) -> Validator:
    """Ask for a number above or at least something; `True` and `False` are no numbers, nor is NaN."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is None and optional:
            return
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not (good and (value > above if above is not None else value >= at_least)):  # type: ignore[operator] # a number
            bound = f"above {above:g}" if above is not None else f"of at least {at_least:g}"
            raise ConfigError(f"{type(instance).__name__}.{attribute.name} must be a number {bound}, not {value!r:.40}")

    return check


def whole_number(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Ask for a whole number of at least 1."""
    check_whole(f"{type(instance).__name__}.{attribute.name}", value)


def check_whole(name: str, value: object) -> int:
    """Give a whole number of at least 1, which it has to be."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} must be a whole number of at least 1, not {value!r:.40}")
    return value


def raise_or_collect(errors: object) -> None:
    """Ask for one of the two things that may be done with errors."""
    if errors not in {"raise", "collect"}:
        raise ConfigError(f'errors must be "raise" or "collect", not {errors!r:.40}')
