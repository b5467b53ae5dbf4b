"""How far a range has come: what is counted, what is said of it, and how often."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import attrs
import pytest

import aiomar
from aiomar import FileFormat, Meter, TimeType
from aiomar.cli._options import Display
from aiomar.cli._output import Output
from aiomar.cli._progress import shown
from aiomar.cli._tally import Tally, duration
from tests.cli.test_json import ERROR, EVENTS, FILE

DAY = dt.date(2026, 1, 1)
RETRY = aiomar.DownloadRetrying(Meter("1"), DAY, DAY, ERROR, 1, 0.5)
BUSY = aiomar.LimitChanged(6, 16, "busy")
REUSED = aiomar.DownloadReused(FILE)


@attrs.define
class Clock:
    """A clock that stands still until it is told."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now


def finished(number: int, size: int = 1_000) -> aiomar.DownloadFinished:
    """A file of so many bytes was fetched."""
    return aiomar.DownloadFinished(attrs.evolve(FILE, path=Path(f"{number}.csv"), size=size), 0.5, 1)


def fetch(tally: Tally, clock: Clock, *, seconds: int, a_second: int) -> None:
    """Fetch files at a steady rate, with somebody looking all the time."""
    for second in range(seconds):
        clock.now += 1
        for number in range(a_second):
            tally.observe(finished(1_000 * second + number))
        tally.facts()


def test_bytes_of_unfinished_files_count() -> None:
    """They are counted once: an attempt that begins anew takes them back, a failure as well."""
    tally = Tally(3)
    path = FILE.path
    steps: list[tuple[aiomar.Event, int]] = [
        (aiomar.DownloadProgress(path, 4, None), 4),
        (aiomar.DownloadProgress(path, 6, None), 6),
        (aiomar.DownloadProgress(path, 2, None), 2),
        (aiomar.DownloadFinished(FILE, 0.5, 2), 7),
        (aiomar.DownloadProgress(Path("b"), 5, None), 12),
        (aiomar.DownloadFailed(Meter("1"), DAY, DAY, Path("b"), ERROR, 3, FileFormat.CSV, TimeType.PST), 7),
        (REUSED, 7),
    ]
    for event, expected in steps:
        tally.observe(event)
        assert tally.bytes == expected
    assert (tally.fetched, tally.failed, tally.reused, tally.ended) == (1, 1, 1, 3)


def test_a_rate_is_that_of_the_last_seconds() -> None:
    """What was faster a while ago does not count any more."""
    clock = Clock()
    tally = Tally(10_000, clock)
    fetch(tally, clock, seconds=20, a_second=100)
    assert tally.facts()[0] == "2.0 MB at 100.0 kB/s, 100 files/s"
    fetch(tally, clock, seconds=20, a_second=2)
    assert tally.facts()[0] == "2.0 MB at 2.0 kB/s, 2.0 files/s"


def test_what_remains_is_told_by_the_files_that_were_fetched() -> None:
    """A hundred thousand files that were there already promise nothing for those that were not."""
    clock = Clock()
    tally = Tally(100_620, clock)
    for _ in range(100_000):
        tally.observe(REUSED)
    assert "left" not in str(tally)
    fetch(tally, clock, seconds=10, a_second=2)
    assert str(tally).endswith("about 5 min left")
    assert "100,000 reused" in str(tally)


def test_nothing_remains_in_the_end() -> None:
    """There is no estimate without files to come, or where nobody knows their number."""
    for total in (20, None):
        clock = Clock()
        tally = Tally(total, clock)
        fetch(tally, clock, seconds=10, a_second=2)
        assert "left" not in str(tally)


def test_everything_that_there_is_to_say() -> None:
    """Counts stand where there is something to count, the limit once it has changed, a pause while it lasts."""
    clock = Clock()
    tally = Tally(50, clock)
    assert str(tally) == "0 of 50 files; 0 bytes at 0 bytes/s, 0.0 files/s"
    for event in (*EVENTS, BUSY, RETRY):
        tally.observe(event)
    clock.now += 1
    assert str(tally) == (
        "3 of 50 files; 7 bytes at 7 bytes/s, 1.0 files/s; 1 reused, 1 failed, 2 repeated; limit 6 of 16; "
        "paused for 29 s, the server asked for it; about 47 s left"
    )
    clock.now += 29
    assert "paused" not in str(tally)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59.4, "59 s"), (60, "1 min"), (3_599, "60 min"), (3_600, "1 h 0 min"), (90_000, "25 h 0 min")],
)
def test_times_to_wait(seconds: float, words: str) -> None:
    """No more precise than anybody needs."""
    assert duration(seconds) == words


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of progress since the last call."""
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("downloads: ")]


def test_progress_is_an_occasional_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """One in ten seconds, however many events there are."""
    clock = Clock()
    with shown(Output("download", Display()), 500, clock=clock) as observe:
        for second in range(35):
            for number in range(10):
                observe(finished(10 * second + number))
            clock.now += 1
    lines = told(capsys)
    assert len(lines) == 3
    assert lines[0] == "downloads: 101 of 500 files; 101.0 kB at 10.1 kB/s, 10 files/s; about 40 s left"


def test_a_busy_server_is_an_occasional_line(capsys: pytest.CaptureFixture[str]) -> None:
    """So are a limit that falls and a pause; a limit that rises again is in the next line of all."""
    clock = Clock()
    pause, room = aiomar.DownloadsPaused(30.0), aiomar.LimitChanged(7, 16, "room")
    with shown(Output("download", Display()), 500, clock=clock) as observe:
        for event in (BUSY, BUSY, pause, pause, room):
            observe(event)
        assert told(capsys) == [
            "downloads: the server is busy: limit 6 of 16",
            "downloads: paused for 30 s, the server asked for it",
        ]
        clock.now += 10
        observe(room)
        facts = "0 bytes at 0 bytes/s, 0.0 files/s; limit 7 of 16; paused for 20 s, the server asked for it"
        assert told(capsys) == [f"downloads: 0 of 500 files; {facts}"]
        observe(BUSY)
        assert told(capsys) == ["downloads: the server is busy: limit 6 of 16"]


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """No line at all, whatever happens."""
    clock = Clock()
    with shown(Output("download", Display(quiet=True)), 500, clock=clock) as observe:
        for event in (BUSY, RETRY, finished(1)):
            clock.now += 20
            observe(event)
    assert capsys.readouterr() == ("", "")


def test_repeats_without_end_are_counted_and_not_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten get a line each; an outage does not bury everything else."""
    out = Output("download", Display())
    for _ in range(1_000):
        out.observe(RETRY)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert "only counted" in lines[-1]
    assert out.retries == 1_000
