"""What all benchmarks report: a section with a table, and goals that are met or missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs


@attrs.frozen(kw_only=True)
class Goal:
    """One number that is to stay at or under another.

    Attributes:
        what: the number's name.
        value: the number.
        limit: what it is to stay at or under.
        aim: the same, wished for: to miss it is no miss.
    """

    what: str
    value: float
    limit: float
    aim: float | None = None

    @property
    def met(self) -> bool:
        """Whether it did."""
        return self.value <= self.limit

    def __str__(self) -> str:
        text = f"{self.what} {self.value:.2f}; goal at most {self.limit:g}: {'met' if self.met else 'MISSED'}"
        if self.aim is None:
            return text
        return f"{text}; aim {self.aim:g}: {'met' if self.value <= self.aim else 'not met'}"


@attrs.frozen(kw_only=True)
class Section:
    """One table with what belongs to it.

    Attributes:
        title: its letter and what it is about.
        conditions: a sentence on how it was measured.
        headings: of the columns.
        rows: text, in the order of the headings.
        goals: what it is judged by.
    """

    title: str
    conditions: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    goals: Sequence[Goal] = ()

    def render(self) -> str:
        """Give it as Markdown that reads as plain text too."""
        parts = [f"## {self.title}", self.conditions, table(self.headings, self.rows)]
        if self.goals:
            parts.append("\n".join(f"- {goal}" for goal in self.goals))
        return "\n\n".join(parts)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a Markdown table whose columns stand in line."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    texts = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts)


def render(sections: Sequence[Section]) -> str:
    """Give all sections, and what was missed."""
    judged = [(section, goal) for section in sections for goal in section.goals]
    missed = [f"- {section.title.partition(':')[0]}: {goal}" for section, goal in judged if not goal.met]
    verdict = [f"Goals missed: {len(missed)} of {len(judged)}"]
    if missed:
        verdict.append("\n".join(missed))
    return "\n\n".join([*(section.render() for section in sections), *verdict])
