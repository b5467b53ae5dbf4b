"""How far a range has come: a bar and a line on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from aiomar import DownloadsPaused, Event, LimitChanged, Observer
from aiomar.cli._output import Output
from aiomar.cli._tally import Tally, duration

_SECONDS_BETWEEN_LINES = 10.0
_TIMES_A_SECOND = 8.0
_WHY = {
    "busy": "the server is busy",
    "timeout": "the server falls silent",
    "latency": "the server answers later and later",
}
"""Reason of a lower limit → what to say of it."""


@contextlib.contextmanager
def shown(
    out: Output, total: int, label: str = "downloads", clock: Callable[[], float] = time.monotonic
) -> Iterator[Observer]:
    """Show how far a range has come for as long as the context lasts; give what takes the client's events."""
    tally = Tally(total, clock)
    with displayed(out, tally, label, clock) as lines:
        yield in_turn(out.observe, tally.observe if lines is None else lines.observe)


@contextlib.contextmanager
def displayed(
    out: Output, tally: Tally, label: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Lines | None]:
    """Show a tally for as long as the context lasts; give what tells it in lines, if there is no terminal for it."""
    if out.display.quiet:
        yield None
    elif (console := _terminal()) is not None:
        with _Live(console, tally, label).over(out):
            yield None
    else:
        yield Lines(out, tally, label, clock)


def _terminal() -> Console | None:
    """Give the terminal that a live display can be shown on, if stderr is one."""
    if not sys.stderr.isatty():
        return None
    console = Console(stderr=True)
    return None if console.is_dumb_terminal else console


def in_turn(*observers: Observer) -> Observer:
    """Make one observer of several."""

    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe


class _Live(Progress):
    """A bar with a line of words below it; it looks at the tally by itself, so an event costs no drawing."""

    def __init__(self, console: Console, tally: Tally, label: str) -> None:
        self._tally = tally
        super().__init__(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[files]}"),
            TimeElapsedColumn(),
            console=console,
            refresh_per_second=_TIMES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._bar = self.add_task(label, total=tally.total, files=tally.files)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Give the bar as it is now, and the words."""
        if self.tasks:  # the first time is before there is one
            self.update(self._bar, completed=self._tally.ended, files=self._tally.files)
            yield self.make_tasks_table(self.tasks)
            yield Text("  " + "; ".join(self._tally.facts()))

    @contextlib.contextmanager
    def over(self, out: Output) -> Iterator[None]:
        """Hold the terminal for as long as the context lasts; lines of a command go above the bar."""
        with self:
            out.live = self.console
            try:
                yield
            finally:
                out.live = None


class Lines:
    """A line in ten seconds, and one about a server that is busy; never more often."""

    def __init__(self, out: Output, tally: Tally, label: str, clock: Callable[[], float]) -> None:
        self._out = out
        self._tally = tally
        self._label = label
        self._clock = clock
        self._told = {"tally": clock()}

    def observe(self, event: Event) -> None:
        """Count an event, and tell how far it is if that is due."""
        self._tally.observe(event)
        match event:
            case LimitChanged(reason=reason) if reason in _WHY:
                self._now_and_then("limit", f"{_WHY[reason]}: limit {event.limit} of {event.most}")
            case DownloadsPaused():
                wait = duration(event.wait)
                self._now_and_then("pause", f"paused for {wait}, the server asked for it")
            case _:
                self.tick()

    def tick(self) -> None:
        """Tell how far it is if that is due."""
        self._now_and_then("tally", self._tally)

    def _now_and_then(self, kind: str, words: object) -> None:
        now = self._clock()
        if now - self._told.get(kind, now - _SECONDS_BETWEEN_LINES) >= _SECONDS_BETWEEN_LINES:
            self._told[kind] = now
            self._out.say(f"{self._label}: {words}")
