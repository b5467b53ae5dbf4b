"""What the columns of a CSV file mean, as whoever has the layout declares it.

CAISO's layout is not public, so nothing here is known beforehand, and nothing is guessed: what a layout does not say
stays unknown.  Everything that can be wrong with a layout by itself is found when it is made.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections import Counter
from typing import Any, Literal

import attrs

from aiomar._types import PathLike
from aiomar.errors import ConfigError
from aiomar.formats._clocks import MINUTES
from aiomar.formats._csv import holds_ascii
from aiomar.formats._source import not_opened, path_shown

Column = str | int

_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_DATE_DIRECTIVES, _TIME_DIRECTIVES = frozenset("YymbBdjaA"), frozenset("HIMSp")
_DATES = (dt.datetime(2026, 11, 1), dt.datetime(2024, 2, 29))  # noqa: DTZ001 - dates of no clock
_HOURS = tuple(dt.datetime(1900, 1, 1, hour) for hour in (0, 1, 12, 23))  # noqa: DTZ001 - times of no clock


def _check_column(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    named = isinstance(value, str) and value.strip()
    placed = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not (named or placed or (value is None and attribute.default is None)):
        raise ConfigError(
            f"{attribute.name} must be the name of a column, or its position from 1, not {value!a:.60}: name the column"
        )


def _check_minutes(_instance: object, _attribute: attrs.Attribute[int], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1 or MINUTES % value:
        raise ConfigError(
            f"minutes must divide the hour, such as 5, 15 or 60, not {value!a:.60}: say how long they are"
        )


def _check_date_format(_instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    used = _directives(attribute.name, value, _DATE_DIRECTIVES)
    year, month, day = len(used & set("Yy")), len(used & set("mbB")), used & set("dj")
    whole = year == 1 and (month, day) in ((1, {"d"}), (0, {"j"}))
    if not (whole and _reads(value, _DATES)):
        raise ConfigError(
            f"date_format must hold year, month and day once each, like %Y-%m-%d, not {value!a:.60}: mend it"
        )


def _check_time_format(_instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    used = _directives(attribute.name, value, _TIME_DIRECTIVES)
    if not (("H" in used) != ({"I", "p"} <= used) and _reads(value, _HOURS)):
        raise ConfigError(f"time_format must hold the hour once, like %H:%M or %I:%M %p, not {value!a:.60}: mend it")


def _directives(setting: str, value: object, allowed: frozenset[str]) -> set[str]:
    """Give what a format asks for; every part of it may stand there once."""
    found = Counter(_DIRECTIVE.findall(value)) if isinstance(value, str) else Counter("?")
    if set(found) - allowed or max(found.values(), default=0) > 1:
        known = " ".join(f"%{name}" for name in sorted(allowed))
        raise ConfigError(f"{setting} may hold {known}, each of them once, not {value!a:.60}: mend it")
    return set(found)


def _reads(value: Any, samples: tuple[dt.datetime, ...]) -> bool:  # noqa: ANN401 - text by now
    """Say whether a format tells days, or hours, apart: what it writes it has to read again."""
    try:
        return all(dt.datetime.strptime(sample.strftime(value).strip(), value) == sample for sample in samples)  # noqa: DTZ007 - no clock
    except (ValueError, re.error):
        return False


def _check_header(_instance: object, _attribute: attrs.Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"header must be true or false, not {value!a:.60}: say whether the first row names columns")


def _check_time_is(_instance: object, _attribute: attrs.Attribute[str], value: object) -> None:
    if value not in ("start", "end"):
        raise ConfigError(f"time_is must be 'start' or 'end', not {value!a:.60}: say what of an interval the time is")


def _check_encoding(_instance: object, _attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not holds_ascii(value):
        raise ConfigError(
            f"encoding must be one that ASCII is part of, such as utf-8 or cp1252, not {value!a:.60}: name the file's"
        )


@attrs.frozen(kw_only=True)
class CsvLayout:
    """Which column of a CSV file holds what.

    A column is told by its name in the first row, without the blanks around it, or by its position from 1.

    Args:
        meter: the recorder id.
        date: the day, on the clock that the file was written by.
        value: what was measured.
        minutes: how long an interval is; it divides the hour.
        interval: the number of the interval within its day, from 1.  Give this or `time`.
        time: the time of day at which the interval starts or ends, see `time_is`.
        channel: the number of the channel; `None` where every row is of channel 1.
        unit: the unit of the value, handed on as it stands.
        status: the status word of the interval.
        channel_status: the status word of the channel.
        date_format: how the date is written, in the terms of `datetime.datetime.strptime`.
        time_format: how the time is written.
        time_is: whether the time is the ``"start"`` or the ``"end"`` of the interval.
        header: whether the first row has the names of the columns.
        encoding: of the text.

    Raises:
        ConfigError: a setting cannot be used or contradicts another one; the message names it.
    """

    meter: Column = attrs.field(validator=_check_column)
    date: Column = attrs.field(validator=_check_column)
    value: Column = attrs.field(validator=_check_column)
    minutes: int = attrs.field(validator=_check_minutes)
    interval: Column | None = attrs.field(default=None, validator=_check_column)
    time: Column | None = attrs.field(default=None, validator=_check_column)
    channel: Column | None = attrs.field(default=None, validator=_check_column)
    unit: Column | None = attrs.field(default=None, validator=_check_column)
    status: Column | None = attrs.field(default=None, validator=_check_column)
    channel_status: Column | None = attrs.field(default=None, validator=_check_column)
    date_format: str = attrs.field(default="%Y-%m-%d", validator=_check_date_format)
    time_format: str = attrs.field(default="%H:%M", validator=_check_time_format)
    time_is: Literal["start", "end"] = attrs.field(default="end", validator=_check_time_is)
    header: bool = attrs.field(default=True, validator=_check_header)
    encoding: str = attrs.field(default="utf-8", validator=_check_encoding)

    def __attrs_post_init__(self) -> None:
        if (self.interval is None) == (self.time is None):
            raise ConfigError("a layout needs interval or time, and not both: say which of the two the file has")
        for setting in ("time_format", "time_is"):
            if self.time is None and getattr(self, setting) != getattr(attrs.fields(CsvLayout), setting).default:
                raise ConfigError(f"{setting} says how to read time, which is not given: leave {setting} out")
        told: dict[Column, str] = {}
        for setting, column in self.columns().items():
            if isinstance(column, str) and not self.header:
                raise ConfigError(f"{setting} is a name, but header is false: give the position of the column, from 1")
            other = told.setdefault(column, setting)
            if other != setting:
                raise ConfigError(f"{other} and {setting} are the same column, {column!a:.60}: mend one of them")

    def columns(self) -> dict[str, Column]:
        """Give the columns that the layout tells of, by the name of the setting."""
        found = {name: getattr(self, name) for name in _COLUMNS}
        return {
            name: column.strip() if isinstance(column, str) else column
            for name, column in found.items()
            if column is not None
        }

    @classmethod
    def from_toml(cls, path: PathLike) -> CsvLayout:
        """Read a layout from a TOML file, whose keys are the names of the settings, at the top level.

        Raises:
            ConfigError: there is no such file, it is no TOML, or a key is unknown, missing or cannot be used.
        """
        file = path_shown(path)
        try:
            with open(path, encoding="utf-8-sig") as text:  # noqa: PTH123 - an empty path is none, and not "."
                settings = tomllib.loads(text.read())
        except OSError as error:
            raise ConfigError(not_opened(file, error)) from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{file} cannot be read as TOML ({error}): mend the file") from error
        known = {field.name: field for field in attrs.fields(cls)}
        unknown = sorted(set(settings) - known.keys())
        if unknown:
            raise ConfigError(f"{file} has unknown keys {unknown!a:.200}: allowed are {', '.join(known)}")
        missing = [name for name, field in known.items() if field.default is attrs.NOTHING and name not in settings]
        if missing:
            raise ConfigError(f"{file} does not say {', '.join(missing)}: every layout needs them")
        try:
            return cls(**settings)
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from error


_COLUMNS = ("meter", "channel", "date", "interval", "time", "value", "unit", "status", "channel_status")
