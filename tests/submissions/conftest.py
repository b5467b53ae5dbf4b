"""A ledger of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiomar.submissions import Ledger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a ledger that is not there yet."""
    return tmp_path / "state" / "submissions" / "omar.example-0123456789abcdef"


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    """Give an empty ledger."""
    with Ledger.open(folder) as opened:
        yield opened
