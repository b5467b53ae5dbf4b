"""The pages for people."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
]


def places(paths: list[Path]) -> list[object]:
    """Give paths as parameters of a test, named as they stand in the repository."""
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]
