"""What the whole suite shares: the marks of clauses, faults and gates, and the record of who carries them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeVar

import attrs
import pytest
from hypothesis import settings

from tests import conformance, fault_matrix
from tests.support import gates

# The same examples in every run of CI; anywhere else new ones each time.  No example has a time that it must keep.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("anywhere", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")

_Id = TypeVar("_Id", str, int)


@attrs.frozen
class Carriers:
    """Which tests carry a mark, by what stands in it.

    Args:
        clauses: of the two documents.
        faults: rows of the table of faults.
        gates: numbers that must hold.
        missing: files of tests that were not collected.
    """

    clauses: dict[str, set[str]]
    faults: dict[int, set[str]]
    gates: dict[str, set[str]]
    missing: set[Path]


CARRIERS = pytest.StashKey[Carriers]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to write the tables, to kill more often, and to draw other faults."""
    parser.addoption("--write-conformance", action="store_true", help="write docs/reference/conformance.md anew")
    parser.addoption("--write-faults", action="store_true", help="write docs/reference/faults.md anew")
    parser.addoption("--faults-seed", type=int, default=gates.SEED, help="the chance that the gates go by")
    parser.addoption("--faults-scale", choices=("ci", "long"), default="ci", help="how much the gates do")
    parser.addoption("--kills", type=int, default=20, help="how often the kill test kills")
    parser.addoption("--kill-files", type=int, default=100, help="how many files the killed range has")
    parser.addoption("--kill-seed", type=int, help="at which random instants; printed by a run that chose its own")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and who adds up the figures of the gates."""
    config.addinivalue_line("markers", "clause(*ids): the clauses of the two documents that a test proves")
    config.addinivalue_line("markers", "fault(*rows): the rows of the table of faults that a test proves")
    config.addinivalue_line("markers", "gate(id): a number that must hold; left out unless asked for by -m gate")
    config.addinivalue_line("markers", "interop: talks to a server that nobody here wrote; skips where it is absent")
    config.pluginmanager.register(gates.Figures(config), "figures of gates")


@pytest.fixture(autouse=True)
def nothing_of_ours(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test submit into the ledger of whoever runs the tests, or read a profile of theirs."""
    # One for each test: a port and the authority of another test come round again.
    home = tmp_path_factory.getbasetemp() / "homes" / uuid.uuid4().hex
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note which test carries which mark, before anything is deselected."""
    carriers = config.stash[CARRIERS] = Carriers(
        _carriers(items, "clause", conformance.IDS),
        _carriers(items, "fault", fault_matrix.NUMBERS),
        _carriers(items, "gate", fault_matrix.GATES),
        set((conformance.ROOT / "tests").rglob("test_*.py")) - {item.path for item in items},
    )
    if config.getoption("--write-conformance"):
        conformance.TABLE.write_text(conformance.table(carriers.clauses), encoding="utf-8")
    # A worker of pytest-xdist, or a run of some files, has nothing to say about the table of rows.
    if config.getoption("--write-faults") and not carriers.missing and not hasattr(config, "workerinput"):
        fault_matrix.write_derived(carriers.faults, carriers.gates)


def _carriers(items: Iterable[pytest.Item], mark: str, known: Collection[_Id]) -> dict[_Id, set[str]]:
    tests: dict[_Id, set[str]] = {}
    for item in items:
        for found in item.iter_markers(mark):
            for id_ in found.args:
                if id_ not in known:
                    raise pytest.UsageError(f"{item.nodeid} carries {mark} {id_!r}, which there is not")
                tests.setdefault(id_, set()).add(item.nodeid.partition("[")[0].removeprefix("tests/"))
    return tests


@pytest.fixture
def carriers(request: pytest.FixtureRequest) -> Carriers:
    """Give the tests of every mark; skips when only a part of the suite was collected."""
    found = request.config.stash[CARRIERS]
    if found.missing:
        pytest.skip(f"only a part of the suite runs: {len(found.missing)} files of tests were not collected")
    return found


@pytest.fixture
def tests_by_clause(carriers: Carriers) -> dict[str, set[str]]:
    """Give the tests of every clause."""
    return carriers.clauses
