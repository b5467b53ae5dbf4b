"""What users import from `aiomar.distributed`: exactly the names that are meant, each of them explained."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")

from aiomar import distributed

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "distributed.md"


def test_all_is_what_is_public() -> None:
    """Nothing becomes public by accident, and every name has one place."""
    found = {
        name
        for name, value in vars(distributed).items()
        if not name.startswith("_") and name != "annotations" and not isinstance(value, types.ModuleType)
    }
    assert sorted(found) == sorted(set(distributed.__all__)) == sorted(distributed.__all__)


@pytest.mark.parametrize("name", distributed.__all__)
def test_every_name_is_explained_and_in_the_reference(name: str) -> None:
    """With a docstring of its own, and a line in the documentation."""
    assert len((getattr(distributed, name).__doc__ or "").split()) >= 3
    assert f"aiomar.distributed.{name}" in {
        line.split("::")[-1].strip() for line in PAGE.read_text("utf-8").splitlines()
    }
