"""What users import from the rooms that have a face of their own: exactly the names that are meant, each explained."""

from __future__ import annotations

import inspect
import types
from pathlib import Path

import pytest

from aiomar import formats, report, telemetry

ROOMS = (formats, report, telemetry)
NAMES = [pytest.param(room, name, id=f"{room.__name__}.{name}") for room in ROOMS for name in room.__all__]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_all_is_what_is_public(room: types.ModuleType) -> None:
    """Nothing becomes public by accident, and every name has one place."""
    found = {
        name
        for name, value in vars(room).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert sorted(found) == list(room.__all__) == sorted(set(room.__all__))


@pytest.mark.parametrize(("room", "name"), NAMES)
def test_every_name_is_explained_and_in_the_reference(room: types.ModuleType, name: str) -> None:
    """With a docstring of its own, also for what a class offers, and a line in the documentation."""
    value = getattr(room, name)
    offered: list[object] = [value] if inspect.isclass(value) or inspect.isfunction(value) else []
    if inspect.isclass(value):
        members = [member for key, member in vars(value).items() if not key.startswith("_")]
        offered += [member for member in members if inspect.isfunction(member) or isinstance(member, property)]
    assert [each for each in offered if len((each.__doc__ or "").split()) < 3] == []
    page = Path(__file__).parents[1] / "docs" / "reference" / f"{room.__name__.rpartition('.')[2]}.md"
    assert f"{room.__name__}.{name}" in {line.split("::")[-1].strip() for line in page.read_text("utf-8").splitlines()}
