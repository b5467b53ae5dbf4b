"""A sandbox for the examples of a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiomar.testing import Authority
from tests.documents.commands import waiting
from tests.documents.sandbox import Sandbox, sandbox


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the directory of ``aiomar``, ``python`` and ``pytest``."""
    with waiting(tmp_path_factory.mktemp("commands")) as directory:
        yield directory


@pytest.fixture
def place(commands: Path, omar_authority: Authority, tmp_path: Path) -> Iterator[Sandbox]:
    """Be in a sandbox of the test's own."""
    with sandbox(tmp_path, commands, omar_authority) as found:
        yield found
