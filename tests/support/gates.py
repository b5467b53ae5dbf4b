"""What a gate of the fault suite measures with, and how its figures get from the workers into one table.

A gate is a number that must hold: so many faulty downloads, no corrupt file.  Its test carries ``@pytest.mark.gate``,
asks for the fixture ``gate``, draws chance from it and records what it did.  The figures travel as properties of the
test's report, so they also come from the workers of pytest-xdist; the process that prints the report adds them up.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Literal, TypedDict, cast

import attrs
import pytest

from tests import fault_matrix

Scale = Literal["ci", "long"]
SEED = 20260131
"""Of every run that is given no other: the same chance each time."""
_PROPERTY = "gate"


class _Note(TypedDict):
    """What a test's report carries."""

    gates: list[str]
    figures: list[tuple[int, int, str]]
    seconds: float


@attrs.define
class Gate:
    """What a gate's test works with.

    Args:
        rng: chance, from the run's seed and the test's own name: the same whichever tests run beside it.
        scale: ``"ci"``, or ``"long"`` for the larger numbers.
        seed: the run's.
    """

    rng: random.Random
    scale: Scale
    seed: int
    figures: list[tuple[int, int, str]] = attrs.field(factory=list, init=False)

    def count(self, *, ci: int, long: int) -> int:
        """Give the number for the scale of this run."""
        return ci if self.scale == "ci" else long

    def record(self, done: int, bad: int, what: str = "") -> None:
        """Write a figure into the table of the run; tests of one gate add up under the same words.

        Args:
            done: how many cases were really gone through, each with its fault.
            bad: how many of them ended as they must not; any fails the test.
            what: of what, in a few words.
        """
        self.figures.append((done, bad, what))

    @property
    def complaint(self) -> str | None:
        """Why a test that passed has not shown its gate; `None` when it has."""
        if not self.figures:
            return "the gate recorded nothing: call gate.record(done, bad, what)"
        if any(done <= 0 for done, _, _ in self.figures):
            return f"the gate went through no case at all: {self.figures}"
        if any(bad for _, bad, _ in self.figures):
            return f"the gate recorded bad cases: {self.figures}"
        return None


def gates(item: pytest.Item) -> list[str]:
    """Name the gates that a test carries."""
    return [gate for mark in item.iter_markers("gate") for gate in mark.args]


def measured(request: pytest.FixtureRequest) -> Iterator[Gate]:
    """Make a gate, measure the processor's time, and leave the figures where the report finds them."""
    item: pytest.Item = request.node
    seed: int = item.config.getoption("--faults-seed")
    chance = random.Random(f"{seed} {item.nodeid}")  # noqa: S311 - a test's chance, no secret
    gate = Gate(chance, item.config.getoption("--faults-scale"), seed)
    before = sum(os.times()[:4])  # of this process, all its threads, and the children that it waited for
    yield gate
    note = _Note(gates=gates(item), figures=gate.figures, seconds=sum(os.times()[:4]) - before)
    item.user_properties.append((_PROPERTY, note))


@attrs.define
class _Sum:
    """What a gate's tests recorded together."""

    figures: dict[str, tuple[int, int]] = attrs.field(factory=dict)
    seconds: float = 0.0
    failed: int = 0


class Figures:
    """Adds up what the gates recorded, prints it at the end of the run, and writes it into the page when asked to."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._sums: dict[str, _Sum] = {}
        self._failed: set[str] = set()

    @property
    def _chance(self) -> str:
        return f"--faults-seed {self._config.getoption('--faults-seed')} --faults-scale {self._scale}"

    @property
    def _scale(self) -> Scale:
        scale: Scale = self._config.getoption("--faults-scale")
        return scale

    def pytest_report_header(self) -> str | None:
        """Say by which chance the gates go, so that a run can be repeated."""
        return f"gates: {self._chance}" if self._config.getoption("-m") == "gate" else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test left behind; its last report has all of it."""
        if report.failed:
            self._failed.add(report.nodeid)
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    self._take(cast("_Note", value), failed=report.nodeid in self._failed)

    def _take(self, note: _Note, *, failed: bool) -> None:
        total = self._sums.setdefault(", ".join(note["gates"]), _Sum())
        total.failed += failed
        total.seconds += note["seconds"]
        for done, bad, what in note["figures"]:
            before = total.figures.get(what, (0, 0))
            total.figures[what] = (before[0] + done, before[1] + bad)

    @property
    def _rows(self) -> list[fault_matrix.Figure]:
        """One for each kind of case; a test that shows several gates has them all before its figures."""
        return [
            fault_matrix.Figure(gate, what, done, bad, total.failed, total.seconds)
            for gate, total in sorted(self._sums.items(), key=lambda entry: fault_matrix.number(entry[0]))
            for what, (done, bad) in sorted(total.figures.items() or [("nothing was recorded", (0, 0))])
        ]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, and write it where that was asked for."""
        if not (rows := self._rows):
            return
        terminalreporter.section(f"gates: {self._chance}")
        terminalreporter.line(f"{'gate':11} {'done':>11} {'bad':>5} {'failed':>6} {'cpu s':>7}  what")
        for row in rows:
            terminalreporter.line(
                f"{row.gate:11} {row.done:>11,} {row.bad:>5,} {row.failed:>6,} {row.seconds:>7.1f}  {row.what}"
            )
        seconds = sum(total.seconds for total in self._sums.values())
        terminalreporter.line(f"{seconds:,.0f} s of processor time")
        if self._config.getoption("--write-faults"):
            fault_matrix.write_figures(rows, self._scale)
