"""From measurements of a workload to a section: times, ratios of the same round, and goals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median, quantiles

import attrs

from benchmarks.contenders import Contender
from benchmarks.measure import Measurement
from benchmarks.report import Goal, Section
from benchmarks.workloads import PEAK_GOAL, Workload

_HEADINGS = (
    "contender",
    "kind",
    "rounds",
    "inner s",
    "min-max",
    "user+sys s",
    "peak MB",
    "growth MB",
    "handshakes",
    "ratio",
    "quartiles",
)


@attrs.frozen(kw_only=True)
class _Row:
    """One contender's rounds on one workload."""

    workload: Workload
    contender: Contender
    rounds: Sequence[Measurement]
    ratios: Sequence[float]

    @property
    def inner(self) -> float:
        """Seconds, the median of the rounds."""
        return median(each.inner_s for each in self.rounds)

    @property
    def growth(self) -> float | None:
        """MB, the highest of all rounds."""
        return max((each.growth_mb for each in self.rounds if each.growth_mb is not None), default=None)

    def goals(self) -> list[Goal]:
        """Give the goals that are for this contender alone, with what came out."""
        goals = []
        name, workload = self.contender.name, self.workload
        if self.ratios and workload.goal:
            ratio = median(self.ratios)
            goals.append(Goal(what=f"{name}, ratio", value=ratio, limit=workload.goal, aim=workload.aim))
        if workload.seconds_goal:
            goals.append(Goal(what=f"{name}, seconds", value=self.inner, limit=workload.seconds_goal))
        if self.growth is not None and workload.growth_goal:
            goals.append(Goal(what=f"{name}, growth in MB", value=self.growth, limit=workload.growth_goal))
        goals.append(Goal(what=f"{name}, peak in MB", value=_most(self.rounds, _peak), limit=PEAK_GOAL))
        handshakes = _most(self.rounds, _handshakes)
        return [*goals, Goal(what=f"{name}, handshakes", value=handshakes, limit=workload.concurrency)]

    def cells(self) -> tuple[str, ...]:
        """Give the row as text, in the order of the headings."""
        inner = sorted(each.inner_s for each in self.rounds)
        handshakes, resumed = _most(self.rounds, _handshakes), max(each.resumed for each in self.rounds)
        return (
            self.contender.name,
            self.contender.kind,
            str(len(inner)),
            f"{median(inner):.2f}",
            f"{inner[0]:.2f}-{inner[-1]:.2f}",
            f"{median(each.cpu_s for each in self.rounds):.2f}",
            f"{_most(self.rounds, _peak):.0f}",
            "-" if self.growth is None else f"{self.growth:.1f}",
            f"{handshakes:.0f}" + (f" ({resumed} resumed)" if resumed else "") if handshakes else "-",
            f"{median(self.ratios):.2f}" if self.ratios else "-",
            _quartiles(self.ratios),
        )


def section(
    workload: Workload, measurements: Iterable[Measurement], contenders: Mapping[str, Contender]
) -> Section | None:
    """Put a workload's measurements together, fastest contender first; `None` if there are none.

    Args:
        workload: which.
        measurements: of any workloads and rounds.
        contenders: by name.
    """
    mine = [each for each in measurements if each.workload == workload.key]
    rounds = {
        number: {each.contender: each.inner_s for each in mine if each.round == number} for number in _numbers(mine)
    }
    references = {number: workload.reference(inner) for number, inner in rounds.items()}
    rows = []
    for name in {each.contender: None for each in mine}:
        own = [each for each in mine if each.contender == name]
        pairs = [(each.inner_s, references[each.round]) for each in own]
        ratios = [inner / reference for inner, reference in pairs if reference]
        rows.append(_Row(workload=workload, contender=contenders[name], rounds=own, ratios=ratios))
    if not rows:
        return None
    rows.sort(key=lambda row: row.inner)
    judged = [row for row in rows if row.contender.judged]
    goals = [goal for row in judged for goal in row.goals()]
    if workload.against:
        goals += [goal for row in judged for goal in _ahead(row, rows)]
    return Section(
        title=f"{workload.key}: {workload.title}",
        conditions=_conditions(workload, rows),
        headings=_HEADINGS,
        rows=[row.cells() for row in rows],
        goals=goals,
    )


def _ahead(ours: _Row, rows: Iterable[_Row]) -> list[Goal]:
    """Judge whether we are ahead of each peer that is Python itself, by quotients of the same rounds."""
    goals = []
    own = {each.round: each.inner_s for each in ours.rounds}
    for row in rows:
        quotients = [own[each.round] / each.inner_s for each in row.rounds if each.round in own]
        if row.contender.kind == "python" and quotients:
            what = f"{ours.contender.name}, time beside {row.contender.name}"
            goals.append(Goal(what=what, value=median(quotients), limit=1.0))
    return goals


def _conditions(workload: Workload, rows: Sequence[_Row]) -> str:
    connections = f"At most {workload.concurrency} connections"
    if workload.ideal:
        return f"{connections}; ratio to the ideal {workload.ideal:.2f} s."
    if workload.against:
        medians = {row.contender.name: f" ({row.inner:.2f} s)" for row in rows}
        names = " and ".join(name + medians.get(name, "") for name in workload.against)
        return f"{connections}; ratio to {'the slower of ' if workload.against[1:] else ''}{names} in the same round."
    return f"{connections}."


def _numbers(measurements: Iterable[Measurement]) -> set[int]:
    return {each.round for each in measurements}


def _most(rounds: Iterable[Measurement], number: Callable[[Measurement], float]) -> float:
    return max(map(number, rounds))


def _peak(each: Measurement) -> float:
    return each.peak_mb


def _handshakes(each: Measurement) -> float:
    return each.handshakes


def _quartiles(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "-"
    low, _, high = quantiles(values, n=4, method="inclusive")
    return f"{low:.2f}-{high:.2f}"
