"""How far a range has come: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from aiomar import DownloadFailed, DownloadFinished, DownloadProgress, Event, Observer
from aiomar.cli._output import Output

_SECONDS_BETWEEN_LINES = 10.0


class Tally:
    """Files and bytes so far.

    Args:
        total: how many files there will be.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.saved = 0
        self.failed = 0
        self._bytes = 0
        self._under_way: dict[Path, int] = {}

    @property
    def ended(self) -> int:
        """Files that are saved or given up."""
        return self.saved + self.failed

    @property
    def bytes(self) -> int:
        """Bytes that are here, those of unfinished files among them."""
        return self._bytes + sum(self._under_way.values())

    def observe(self, event: Event) -> None:
        """Count an event."""
        match event:
            case DownloadProgress():
                self._under_way[event.path] = event.received
            case DownloadFinished():
                self._under_way.pop(event.file.path, None)
                self._bytes += event.file.size
                self.saved += 1
            case DownloadFailed():
                self._under_way.pop(event.path, None)
                self.failed += 1
            case _:
                pass

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.ended} of {self.total} files, {decimal(self.bytes)}{failed}"


@contextlib.contextmanager
def shown(
    out: Output, total: int, label: str = "downloads", clock: Callable[[], float] = time.monotonic
) -> Iterator[Observer]:
    """Show how far a range has come for as long as the context lasts; give what takes the client's events."""
    tally = Tally(total)
    if out.display.quiet:
        yield out.observe
    elif sys.stderr.isatty() and not (console := Console(stderr=True)).is_dumb_terminal:
        with _live(out, console, tally, label) as refresh:
            yield in_turn(out.observe, tally.observe, refresh)
    else:
        yield _lines(out, tally, label, clock)


def in_turn(*observers: Observer) -> Observer:
    """Make one observer of several."""

    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe


@contextlib.contextmanager
def _live(out: Output, console: Console, tally: Tally, label: str) -> Iterator[Observer]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[words]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task(label, total=tally.total, words=str(tally))
        out.live = console
        try:
            yield lambda _: progress.update(task, completed=tally.ended, words=str(tally))
        finally:
            out.live = None


def _lines(out: Output, tally: Tally, label: str, clock: Callable[[], float]) -> Observer:
    told = clock()

    def observe(event: Event) -> None:
        nonlocal told
        out.observe(event)
        tally.observe(event)
        if clock() - told >= _SECONDS_BETWEEN_LINES:
            told = clock()
            out.say(f"{label}: {tally}")

    return observe
