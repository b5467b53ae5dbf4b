"""Every clause of the two documents has a test, and the documentation says which."""

from __future__ import annotations

import pytest

from tests import conformance


def test_every_clause_has_a_test(tests_by_clause: dict[str, set[str]]) -> None:
    """No clause is left without a test, save those that are due with later work."""
    assert conformance.untested(tests_by_clause) == []


def test_the_table_in_the_documentation_is_current(tests_by_clause: dict[str, set[str]]) -> None:
    """The committed page is what `nox -s conformance` would write."""
    assert conformance.TABLE.read_text(encoding="utf-8") == conformance.table(tests_by_clause)


def test_a_clause_without_a_test_is_named() -> None:
    """A clause is missed when its only test goes, and a clause that is due is not."""
    tests = {clause.id: {"test_x.py::test_y"} for clause in conformance.CLAUSES if not clause.due}
    assert conformance.untested(tests) == []
    del tests["SUB 3.2.2"]
    assert conformance.untested(tests) == ["SUB 3.2.2"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("see SUB 3.2.2.", ["SUB 3.2.2"]),
        ("(SUB/DL 1.2.3)", ["SUB 1.2.3", "DL 1.2.3"]),
        ("(DL 3.1, 3.2 and 3.3)", ["DL 3.1", "DL 3.2", "DL 3.3"]),
        ("(DL 3.3; SUB 3.2.2)", ["DL 3.3", "SUB 3.2.2"]),
        ("SUBDL 3.1, version 3.1", []),
    ],
)
def test_citations_are_read_as_people_write_them(text: str, ids: list[str]) -> None:
    """One citation may name two documents or several clauses."""
    assert list(conformance.cited(text)) == ids
