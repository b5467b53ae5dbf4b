"""Where words go: results and JSON to stdout, everything else to stderr, one line each.

While a live display holds the terminal, lines for that terminal go through it; a stream that is no terminal is written
to directly.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Literal, TextIO

from rich.console import Console

from aiomar import (
    DownloadFailed,
    DownloadProgress,
    DownloadRetrying,
    Event,
    LoggedIn,
    LoginRetrying,
    OmarError,
    SessionEnded,
    UnexpectedPageError,
    UploadFailed,
    UploadFinished,
    UploadReport,
    UploadRetrying,
    UploadStarted,
    UploadStopped,
)
from aiomar.cli._codes import UNEXPECTED
from aiomar.cli._json import error_to_dict, event_to_dict
from aiomar.cli._options import Display
from aiomar.transfer import InDoubt

_MOST_FAILURES = 10
"""Failed downloads that get a line each; beyond them only their number is told (with --json, all are)."""
_MOST_RETRIES = 10
"""Repeats that get a line each, likewise: an outage of an hour must not bury everything else."""


class Output:
    """What one command has to say.

    Args:
        command: its name.
        display: what is wanted.
    """

    def __init__(self, command: str, display: Display) -> None:
        self.command = command
        self.display = display
        self.summary: dict[str, object] = {}
        """What is known so far, for the last JSON line."""
        self.logged_in = False
        """Whether there ever was a session."""
        self.in_flight: str | None = None
        """The name of the file that is being sent."""
        self.when_interrupted = "run the same command again to go on"
        """What to tell whoever interrupts."""
        self.live: Console | None = None
        """The console of a live display."""
        self.retries = 0
        """Downloads that were tried again."""
        self._failures = 0
        self._gone: set[Literal["stdout", "stderr"]] = set()
        self._lost: OSError | None = None

    # --- Channels -----------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Give a line of results; with --json they are records instead."""
        if not self.display.json:
            self._write("stdout", text)

    def record(self, value: Mapping[str, object]) -> None:
        """Give one JSON object, if that is wanted."""
        if self.display.json:
            self._write("stdout", json.dumps(value))

    def say(self, text: str) -> None:
        """Tell people something on the side."""
        if not self.display.quiet:
            self._write("stderr", text)

    def complain(self, text: str) -> None:
        """Tell an error, in one line."""
        self._write("stderr", f"aiomar: error: {' '.join(text.split())}")

    def interrupted(self) -> None:
        """Tell how to go on after an interruption."""
        self.summary["interrupted"] = True
        how = self.when_interrupted
        if self.in_flight is not None:
            how = f"{self.in_flight!a} was being sent and may have been taken: see 'aiomar submissions list'"
        self._write("stderr", f"aiomar: interrupted: {how}")

    def fail(self, error: BaseException) -> None:
        """Tell the error that ended the command."""
        self.summary["error"] = error_to_dict(error)
        if isinstance(error, OmarError):
            self.complain(told(error))
        elif self.display.verbose:
            self._write("stderr", "".join(traceback.format_exception(error)).rstrip())
        else:
            self.complain(f"unexpected {type(error).__name__}: run it again with --verbose and report what it shows")

    def finish(self, code: int) -> int:
        """Give the last JSON line, and the exit code: never 0 if results could not be written."""
        if self._failures > _MOST_FAILURES:
            self.complain(f"and {self._failures - _MOST_FAILURES} more downloads failed")
        self.record({"event": "summary", "command": self.command, "exit_code": code, **self.summary})
        if self._lost is None:
            return code
        self.complain(unwritable(self._lost))
        return code or UNEXPECTED

    def _write(self, name: Literal["stdout", "stderr"], text: str) -> None:
        stream: TextIO | None = getattr(sys, name)
        if stream is None or name in self._gone:
            return
        if self.live is not None and stream.isatty():
            self.live.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        try:
            stream.write(f"{text}\n")
            stream.flush()
        except OSError as error:
            # The work goes on: files are fetched and ledgers kept all the same.
            self._gone.add(name)
            silence(stream)
            if name == "stdout" and not isinstance(error, BrokenPipeError):  # a reader that left has what it wanted
                self._lost = error

    # --- Events -------------------------------------------------------------------------------------------------------

    def observe(self, event: Event) -> None:
        """Take an event of the client: as a record, in words, or both."""
        if isinstance(event, DownloadProgress):
            return
        self._remember(event)
        if self.display.json or self.display.verbose:
            self._in_full(event)
        if isinstance(event, DownloadFailed):
            if self._failures <= _MOST_FAILURES:
                self.complain(f"{_which(event)}: {told(event.error)}")
        elif not self.display.verbose and (words := self._in_words(event)):
            self.say(words)

    def _remember(self, event: Event) -> None:
        match event:
            case LoggedIn():
                self.logged_in = True
            case UploadStarted():
                self.in_flight = event.name
            case UploadFinished() | UploadFailed() | UploadStopped(in_doubt=False):
                self.in_flight = None
            case DownloadRetrying():
                self.retries += 1
            case DownloadFailed():
                self._failures += 1
            case _:
                pass

    def _in_full(self, event: Event) -> None:
        record = event_to_dict(event)
        self.record(record)
        if self.display.verbose and not isinstance(event, DownloadFailed):
            name = record.pop("event")
            self.say(f"{name} {' '.join(f'{key}={json.dumps(value)}' for key, value in record.items())}")

    def _in_words(self, event: Event) -> str | None:
        if not isinstance(event, DownloadRetrying) or self.retries < _MOST_RETRIES:
            return in_words(event)
        return f"{in_words(event)} (from now on repeats are only counted)" if self.retries == _MOST_RETRIES else None

    @contextlib.contextmanager
    def logging(self) -> Iterator[None]:
        """Show what aiomar logs: warnings, or everything with --verbose."""
        log, handler = logging.getLogger("aiomar"), _Handler(self)
        # It logs each repeat, which events tell in better words; unheard, a log writes into the live display.
        repeats, nobody = logging.getLogger("stamina"), logging.NullHandler()
        level = log.level
        log.setLevel(logging.DEBUG if self.display.verbose else logging.WARNING)
        log.addHandler(handler)
        repeats.addHandler(nobody)
        try:
            yield
        finally:
            repeats.removeHandler(nobody)
            log.removeHandler(handler)
            log.setLevel(level)


class _Handler(logging.Handler):
    def __init__(self, out: Output) -> None:
        super().__init__()
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record) if self._out.display.verbose else record.getMessage()
        self._out.say(f"aiomar: {record.levelname.lower()}: {text}")


def silence(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, so that Python does not complain again when it closes the stream."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


def unwritable(error: OSError) -> str:
    """Say that results cannot be written."""
    reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return f"standard output cannot be written ({reason}): make room, or send it elsewhere"


def told(error: OmarError) -> str:
    """Give an error's text, with the page's own words where a page came."""
    return f"{error} (it begins: {error.excerpt})" if isinstance(error, UnexpectedPageError) else str(error)


def count(number: int, thing: str) -> str:
    """Give a number of things, such as ``1 file`` or ``2,000 files``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def uploads_in_short(report: UploadReport, *, done: str, held: str) -> str:
    """Count what became of the files of a report.

    Args:
        report: what was sent, or tried.
        done: what those are called that the server has taken.
        held: what those are called that were not tried.
    """
    taken, failed, left = len(report.receipts), len(report.failures), len(report.not_sent)
    doubt = sum(isinstance(failure.error, InDoubt) for failure in report.failures)
    ends = ((failed - doubt, "not"), (doubt, "unknown"), (left, held))
    rest = "".join(f", {number:,} {what}" for number, what in ends if number)
    return f"{taken:,} of {count(taken + failed + left, 'file')} {done}{rest}"


def in_one_line(name: str) -> str:
    """Give a name that somebody else may have chosen, without what would steer a terminal or begin a line."""
    return name if name.isprintable() else ascii(name)


def _which(event: DownloadFailed | DownloadRetrying) -> str:
    return f"{event.selection.kind} {event.selection.id}, {event.start} to {event.end}"


def in_words(event: Event) -> str | None:
    """Tell people of an event that they should know of; `None` for the many that go without saying."""
    match event:
        case DownloadRetrying():
            return f"again in {event.wait:.1f} s: {_which(event)}: {event.error}"
        case UploadRetrying():
            return f"again in {event.wait:.1f} s, as not a byte has left: {event.source}: {event.error}"
        case LoginRetrying():
            return f"login again in {event.wait:.1f} s: {event.error}"
        case SessionEnded():
            return "the session has ended: logging in again"
        case LoggedIn(renewed=True):
            return f"logged in again to {event.environment}"
        case _:
            return None
