"""Every row of the table of faults has a test, every gate a test or a reason, and the page says which."""

from __future__ import annotations

from tests import fault_matrix
from tests.conftest import Carriers
from tests.fault_matrix import Figure


def test_every_row_has_a_test(carriers: Carriers) -> None:
    """No fault is left without a test."""
    assert fault_matrix.untested(carriers.faults) == []


def test_every_gate_has_a_test_or_a_reason(carriers: Carriers) -> None:
    """No number is left without the test that holds it, unless the page says why, and then only so long."""
    assert fault_matrix.unsettled(carriers.gates) == []


def test_the_rows_of_the_page_are_current(carriers: Carriers) -> None:
    """The committed page is what `nox -s conformance` would write, but for its figures."""
    page = fault_matrix.PAGE.read_text(encoding="utf-8")
    assert fault_matrix.sections(page)[0] == fault_matrix.derived(carriers.faults, carriers.gates)


def test_every_gate_has_a_figure(carriers: Carriers) -> None:
    """The page has what the short run of every gate with a test measured."""
    assert fault_matrix.measured(fault_matrix.PAGE.read_text(encoding="utf-8"), "ci") == set(carriers.gates)


def test_the_register_is_whole() -> None:
    """Rows 1 to 78 and gates G1 to G31, each once and in order."""
    assert [row.number for row in fault_matrix.ROWS] == list(range(1, 79))
    assert [goal.id for goal in fault_matrix.GOALS] == [f"G{number}" for number in range(1, 32)]


def test_a_row_without_a_test_is_named() -> None:
    """A row is missed when its only test goes."""
    rows = {row.number: {"test_x.py::test_y"} for row in fault_matrix.ROWS}
    assert fault_matrix.untested(rows) == []
    del rows[6]
    assert fault_matrix.untested(rows) == [6]


def test_a_gate_with_a_test_and_a_reason_is_named() -> None:
    """As is one with neither."""
    settled = {goal.id: {"test_x.py::test_y"} for goal in fault_matrix.GOALS if not goal.instead}
    assert fault_matrix.unsettled(settled) == []
    without = settled.popitem()[0]
    with_both = next(goal.id for goal in fault_matrix.GOALS if goal.instead)
    settled[with_both] = {"test_x.py::test_y"}
    assert set(fault_matrix.unsettled(settled)) == {without, with_both}


def test_the_halves_of_the_page_come_apart_again() -> None:
    """What is derived and what each scale measured are found, whatever was written last."""
    figures = fault_matrix.figures([Figure("G1", "faulty downloads", 10_000, 0, 0, 12.3)])
    page = f"# Faults\n\n{fault_matrix.FIGURES['ci']}\n\n{figures}\n\n{fault_matrix.FIGURES['long']}\n\nNot run yet.\n"
    assert fault_matrix.sections(page) == ("# Faults\n\n", {"ci": figures, "long": "Not run yet."})
    assert fault_matrix.measured(page, "ci") == {"G1"}
    assert fault_matrix.measured(page, "long") == set()
