"""The words that options take."""

from __future__ import annotations

import datetime as dt

import pytest

from aiomar import ConfigError, Group, Meter
from aiomar.cli._options import parse_age, parse_day, parse_selections

TODAY = dt.date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-02-28", dt.date(2026, 2, 28)),
        ("today", TODAY),
        ("yesterday", dt.date(2026, 2, 28)),
        ("-7d", dt.date(2026, 2, 22)),
        ("-0d", TODAY),
    ],
)
def test_days(text: str, day: dt.date) -> None:
    """A day is a date, or counted back from today."""
    assert parse_day(text, "--from", TODAY) == day


@pytest.mark.parametrize(
    "text", ["", "20260228", "2026-02-30", "2026-2-3", "7d", "+7d", "-7", "-999999999d", "-7 d", "now"]
)
def test_days_that_are_none(text: str) -> None:
    """Everything else is refused with the option's name."""
    with pytest.raises(ConfigError, match="--from"):
        parse_day(text, "--from", TODAY)


@pytest.mark.parametrize(("text", "age"), [("12h", dt.timedelta(hours=12)), ("3d", dt.timedelta(days=3))])
def test_ages(text: str, age: dt.timedelta) -> None:
    """An age is a number of hours or of days."""
    assert parse_age(text, "--max-age") == age


def test_no_time_at_all_where_it_makes_sense() -> None:
    """It does for what is let go of at once, not for what may not be older."""
    assert parse_age("0d", "--older-than", least=0) == dt.timedelta(0)


@pytest.mark.parametrize("text", ["", "12", "h", "0d", "-1d", "1.5h", "12 h", "12H", "3m", "9999999d", "\u0663d"])
def test_ages_that_are_none(text: str) -> None:
    """Everything else is refused with the option's name, and with examples."""
    with pytest.raises(ConfigError, match=r"--max-age must be .* like 12h or 3d"):
        parse_age(text, "--max-age")


def test_selections_are_put_together() -> None:
    """Each is kept once, in the order of the options."""
    assert parse_selections(["1", "2"], ["1"], [Meter("2"), Meter("3")]) == [
        Meter("1"),
        Meter("2"),
        Group("1"),
        Meter("3"),
    ]


def test_nothing_selected() -> None:
    """A download of nothing is a mistake in the options."""
    with pytest.raises(ConfigError, match="--meter, --group or --ids-from"):
        parse_selections([], [], [])
