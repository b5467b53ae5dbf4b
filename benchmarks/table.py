"""From measurements to a table, and to the list of goals that were missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import attrs

from benchmarks.measure import Measurement
from benchmarks.workloads import PEAK_GOAL, WORKLOADS, Workload

_HEADINGS = ("contender", "inner s", "min-max", "user+sys s", "peak MB", "growth MB", "handshakes", "ratio", "goals")


@attrs.frozen(kw_only=True)
class Goal:
    """One number that is to stay under another."""

    what: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether it did."""
        return self.value <= self.limit

    def __str__(self) -> str:
        return f"{self.what} <= {self.limit:g}: {'met' if self.met else f'MISSED ({self.value:.2f})'}"


@attrs.frozen(kw_only=True)
class Row:
    """One contender's rounds on one workload."""

    workload: Workload
    contender: str
    rounds: Sequence[Measurement]
    ratios: Sequence[float]
    judged: bool

    @property
    def goals(self) -> list[Goal]:
        """The goals that are for this contender, with what came out."""
        if not self.judged:
            return []
        goals = [Goal(what="peak", value=self.peak, limit=PEAK_GOAL)]
        if self.ratios and self.workload.goal:
            goals.insert(0, Goal(what="ratio", value=median(self.ratios), limit=self.workload.goal))
        if self.growth is not None and self.workload.growth_goal:
            goals.append(Goal(what="growth", value=self.growth, limit=self.workload.growth_goal))
        handshakes = max(each.handshakes for each in self.rounds)
        return [*goals, Goal(what="handshakes", value=handshakes, limit=self.workload.concurrency)]

    @property
    def peak(self) -> float:
        """MB, the highest of all rounds."""
        return max(each.peak_mb for each in self.rounds)

    @property
    def growth(self) -> float | None:
        """MB, the highest of all rounds."""
        return max((each.growth_mb for each in self.rounds if each.growth_mb is not None), default=None)

    def cells(self) -> tuple[str, ...]:
        """Give the row as text, in the order of the headings."""
        inner = sorted(each.inner_s for each in self.rounds)
        last = self.rounds[-1]
        handshakes = f"{last.handshakes or '-'}" + (f" ({last.resumed} resumed)" if last.resumed else "")
        return (
            self.contender,
            f"{median(inner):.2f}",
            f"{inner[0]:.2f}-{inner[-1]:.2f}",
            f"{median(each.cpu_s for each in self.rounds):.2f}",
            f"{self.peak:.0f}",
            "-" if self.growth is None else f"{self.growth:.1f}",
            handshakes,
            f"{median(self.ratios):.2f}" if self.ratios else "-",
            "; ".join(str(goal) for goal in self.goals),
        )


def rows(workload: Workload, measurements: Iterable[Measurement], judged: frozenset[str]) -> list[Row]:
    """Put a workload's measurements together, fastest contender first.

    Args:
        workload: which.
        measurements: of any workloads and rounds.
        judged: contenders that the goals are for.
    """
    mine = [each for each in measurements if each.workload == workload.key]
    references = {
        number: workload.reference({each.contender: each.inner_s for each in mine if each.round == number})
        for number in {each.round for each in mine}
    }
    result = []
    for name in {each.contender: None for each in mine}:
        own = [each for each in mine if each.contender == name]
        pairs = [(each.inner_s, references[each.round]) for each in own]
        ratios = [inner / reference for inner, reference in pairs if reference]
        result.append(Row(workload=workload, contender=name, rounds=own, ratios=ratios, judged=name in judged))
    return sorted(result, key=lambda row: median(each.inner_s for each in row.rounds))


def render(measurements: Sequence[Measurement], judged: frozenset[str]) -> str:
    """Give all tables, and what was missed, as Markdown that reads as plain text too."""
    parts, missed, goals = [], [], 0
    for workload in WORKLOADS:
        found = rows(workload, measurements, judged)
        if found:
            parts += [f"## {workload.key}: {workload.title}, {_conditions(workload)}", _table(found)]
            judgements = [(row, goal) for row in found for goal in row.goals]
            goals += len(judgements)
            missed += [f"- {workload.key}, {row.contender}: {goal}" for row, goal in judgements if not goal.met]
    verdict = f"Goals missed: {len(missed)} of {goals}"
    return "\n\n".join([*parts, "\n".join([verdict, "", *missed] if missed else [verdict])])


def _conditions(workload: Workload) -> str:
    connections = f"{workload.concurrency} connections"
    if workload.ideal:
        return f"{connections}; ratio to the ideal {workload.ideal:.2f} s"
    if workload.against:
        slower = "the slower of " if workload.against[1:] else ""
        return f"{connections}; ratio to {slower}{' and '.join(workload.against)}"
    return connections


def _table(found: Sequence[Row]) -> str:
    lines = [_HEADINGS, *(row.cells() for row in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    texts = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts)
