"""What users import from `aiomar.report`: exactly the names that are meant, each explained."""

from __future__ import annotations

import inspect
import types
from pathlib import Path

import pytest

from aiomar import report


def test_all_is_what_is_public() -> None:
    """Nothing becomes public by accident, and every name has one place."""
    found = {
        name
        for name, value in vars(report).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert sorted(found) == list(report.__all__) == sorted(set(report.__all__))


@pytest.mark.parametrize("name", report.__all__)
def test_every_name_is_explained_and_in_the_reference(name: str) -> None:
    """With a docstring of its own, also for what a class offers, and a line in the documentation."""
    value = getattr(report, name)
    offered: list[object] = [value]
    if inspect.isclass(value):
        members = [member for key, member in vars(value).items() if not key.startswith("_")]
        offered += [member for member in members if inspect.isfunction(member) or isinstance(member, property)]
    assert [each for each in offered if len((each.__doc__ or "").split()) < 3] == []
    page = (Path(__file__).parents[2] / "docs" / "reference" / "report.md").read_text("utf-8")
    assert f"aiomar.report.{name}" in {line.split("::")[-1].strip() for line in page.splitlines()}
