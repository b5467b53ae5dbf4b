"""What the whole suite shares: the mark of a clause, and the record of who carries it."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests import conformance

# The same examples in every run of CI; anywhere else new ones each time.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

TESTS_BY_CLAUSE = pytest.StashKey[dict[str, set[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to write the conformance table, and to kill more often."""
    parser.addoption("--write-conformance", action="store_true", help="write docs/reference/conformance.md anew")
    parser.addoption("--kills", type=int, default=20, help="how often the kill test kills")
    parser.addoption("--kill-files", type=int, default=100, help="how many files the killed range has")
    parser.addoption("--kill-seed", type=int, help="at which random instants; printed by a run that chose its own")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    config.addinivalue_line("markers", "clause(*ids): the clauses of the two documents that a test proves")
    config.addinivalue_line("markers", "interop: talks to a server that nobody here wrote; skips where it is absent")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note which test carries which clause, before anything is deselected."""
    tests: dict[str, set[str]] = {}
    for item in items:
        for mark in item.iter_markers("clause"):
            for clause in mark.args:
                if clause not in conformance.IDS:
                    raise pytest.UsageError(f"{item.nodeid} carries {clause!r}, which is no clause: see conformance.py")
                tests.setdefault(clause, set()).add(item.nodeid.partition("[")[0].removeprefix("tests/"))
    config.stash[TESTS_BY_CLAUSE] = tests
    if config.getoption("--write-conformance"):
        conformance.TABLE.write_text(conformance.table(tests), encoding="utf-8")


@pytest.fixture
def tests_by_clause(request: pytest.FixtureRequest) -> dict[str, set[str]]:
    """Give the tests of every clause; skips when only a part of the suite was collected."""
    collected = {item.path for item in request.session.items}
    if missing := set((conformance.ROOT / "tests").rglob("test_*.py")) - collected:
        pytest.skip(f"only a part of the suite runs: {len(missing)} files of tests were not collected")
    return request.config.stash[TESTS_BY_CLAUSE]
