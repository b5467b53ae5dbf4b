"""Spans of ranges, files, logins and uploads.

Which span an event belongs to is known by the task that tells it: a file or an upload has one task from its beginning
to its end, so its span stands in a context variable, and a login inherits the span of the file or upload that asked
for it, as its task is made there.  A range is known by its directory, which has one range at a time.  So nothing
has to be looked up by name, and what is open is what is under way: every beginning has an end among the events.

A login has no beginning among them: its span is made at its end, and begins as long ago as it took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from aiomar import __version__
from aiomar.errors import (
    EmptyBodyError,
    OmarError,
    SessionError,
    StatusError,
    TransportError,
)
from aiomar.protocol import Environment, Origin
from aiomar.telemetry._outcomes import outcome_of
from aiomar.transfer import (
    DownloadFailed,
    DownloadFinished,
    DownloadRetrying,
    DownloadsPaused,
    DownloadStarted,
    DownloadStopped,
    Event,
    LoggedIn,
    LoginFailed,
    LoginRetrying,
    RangeFinished,
    RangeStarted,
    RangeStopped,
    SessionEnded,
    SubmissionNotRecorded,
    UploadFailed,
    UploadFinished,
    UploadRetrying,
    UploadStarted,
    UploadStopped,
)

_Facts: TypeAlias = Mapping[str, str | int | float | bool]
_Moment: TypeAlias = tuple[int, str, _Facts]
"""Something that happened on the way: nanoseconds since the epoch, its name, its attributes."""

_OUR_WORDS: Final = (TransportError, SessionError, StatusError, EmptyBodyError)
"""Errors whose sentences are about the conversation and name no file, no id and nothing that a page says."""


class Spans:
    """Makes spans of events.

    Args:
        environment: where the client talks to.
        provider: makes the spans; `None` for the global one.
        identifiers: whether they name meters, groups and files.
    """

    def __init__(self, environment: Environment, provider: TracerProvider | None, *, identifiers: bool) -> None:
        self._tracer = trace.get_tracer("aiomar", __version__, provider)
        self._identifiers = identifiers
        self._environment: _Facts = {"aiomar.environment": environment.name}
        self._upload_side = self._side(environment.upload)
        self._download_side = self._side(environment.download)
        self._ranges: dict[Path, Span] = {}
        self._current: ContextVar[Span | None] = ContextVar("aiomar span", default=None)
        self._repeats: ContextVar[tuple[_Moment, ...]] = ContextVar("aiomar login repeats", default=())

    def observe(self, event: Event) -> None:
        """Take an event; the many of progress have no way."""
        if way := self._WAYS.get(type(event)):
            way(self, event)

    def _side(self, origin: Origin) -> _Facts:
        return {**self._environment, "server.address": origin.host, "server.port": origin.port}

    # --- Ranges -------------------------------------------------------------------------------------------------------

    def _range_started(self, event: RangeStarted) -> None:
        facts = {**self._environment, **_asked(event)}
        self._ranges[event.into] = self._tracer.start_span("aiomar range", attributes=facts)

    def _range_ended(self, event: RangeFinished | RangeStopped) -> None:
        span = self._ranges.pop(event.into, None)
        if span is None:
            return
        facts = {
            "aiomar.files": event.files,
            "aiomar.files.reused": event.reused,
            "aiomar.files.failed": event.failures,
            "aiomar.bytes": event.bytes,
        }
        span.set_attributes(facts)
        if isinstance(event, RangeStopped):
            span.set_attribute("aiomar.outcome", "stopped")
            if event.error is not None:
                self._fail(span, event.error)
        elif event.failures:
            count = event.files + event.failures
            span.set_status(Status(StatusCode.ERROR, f"{event.failures} of {count} downloads failed"))
        span.end()

    # --- Files --------------------------------------------------------------------------------------------------------

    def _download_started(self, event: DownloadStarted) -> None:
        facts = {**self._download_side, **_asked(event)}
        if self._identifiers:
            kind = event.selection.kind
            facts |= {"aiomar.selection.kind": kind, "aiomar.selection.id": event.selection.id}
            facts["aiomar.file.name"] = event.path.name
        parent = self._ranges.get(event.path.parent) if self._ranges else None
        self._begin("aiomar download", facts, parent)

    def _download_finished(self, event: DownloadFinished) -> None:
        facts = {
            "aiomar.bytes": event.file.size,
            "aiomar.attempts": event.attempts,
            "aiomar.completeness": event.file.completeness,
        }
        self._end("saved", facts)

    def _download_failed(self, event: DownloadFailed) -> None:
        self._end("failed", {"aiomar.attempts": event.attempts}, event.error)

    def _download_stopped(self, event: DownloadStopped) -> None:
        self._end("stopped", {"aiomar.attempts": event.attempts})

    # --- Uploads ------------------------------------------------------------------------------------------------------

    def _upload_started(self, event: UploadStarted) -> None:
        facts = {**self._upload_side, "aiomar.bytes": event.size}
        if self._identifiers:
            facts["aiomar.file.name"] = event.name
        self._begin("aiomar upload", facts, None)

    def _upload_finished(self, event: UploadFinished) -> None:
        facts = {"aiomar.file_id": event.receipt.file_id}
        self._end("accepted", facts | _submission(event.receipt.ledger_id))

    def _upload_failed(self, event: UploadFailed) -> None:
        self._end(outcome_of(event.error), _submission(getattr(event.error, "ledger_id", None)), event.error)

    def _upload_stopped(self, event: UploadStopped) -> None:
        self._end("unknown" if event.in_doubt else "stopped", _submission(event.ledger_id))

    # --- Logins -------------------------------------------------------------------------------------------------------

    def _login_retrying(self, event: LoginRetrying) -> None:
        self._repeats.set((*self._repeats.get(), (time.time_ns(), "aiomar.retry", _repeat(event))))

    def _logged_in(self, event: LoggedIn) -> None:
        span = self._login_span(event)
        span.set_attribute("aiomar.renewed", event.renewed)
        span.end()

    def _login_failed(self, event: LoginFailed) -> None:
        span = self._login_span(event)
        self._fail(span, event.error)
        span.end()

    def _login_span(self, event: LoggedIn | LoginFailed) -> Span:
        asker = self._current.get()
        span = self._tracer.start_span(
            "aiomar login",
            context=None if asker is None else trace.set_span_in_context(asker),
            kind=SpanKind.CLIENT,
            attributes=self._upload_side,
            start_time=time.time_ns() - round(event.elapsed * 1e9),
        )
        for moment, name, facts in self._repeats.get():
            span.add_event(name, facts, moment)
        self._repeats.set(())
        return span

    # --- All of them --------------------------------------------------------------------------------------------------

    def _begin(self, name: str, facts: _Facts, parent: Span | None) -> None:
        context: Context | None = None if parent is None else trace.set_span_in_context(parent)
        self._current.set(self._tracer.start_span(name, context=context, kind=SpanKind.CLIENT, attributes=facts))

    def _end(self, outcome: str, facts: _Facts, error: OmarError | None = None) -> None:
        span = self._current.get()
        if span is None:
            return
        self._current.set(None)
        span.set_attributes({"aiomar.outcome": outcome, **facts})
        if error is not None:
            self._fail(span, error)
        span.end()

    def _fail(self, span: Span, error: OmarError) -> None:
        span.set_attribute("error.type", type(error).__name__)
        if isinstance(error, StatusError):
            span.set_attribute("http.response.status_code", error.status)
        told = self._identifiers or isinstance(error, _OUR_WORDS)
        span.set_status(Status(StatusCode.ERROR, str(error) if told else type(error).__name__))

    def _retrying(self, event: DownloadRetrying | UploadRetrying) -> None:
        self._happened("aiomar.retry", _repeat(event))

    def _happened(self, name: str, facts: _Facts) -> None:
        span = self._current.get()
        if span is not None:
            span.add_event(name, facts)

    _WAYS: ClassVar[Mapping[type, Callable[[Spans, Any], None]]] = {
        RangeStarted: _range_started,
        RangeFinished: _range_ended,
        RangeStopped: _range_ended,
        DownloadStarted: _download_started,
        DownloadRetrying: _retrying,
        DownloadFinished: _download_finished,
        DownloadFailed: _download_failed,
        DownloadStopped: _download_stopped,
        UploadStarted: _upload_started,
        UploadRetrying: _retrying,
        UploadFinished: _upload_finished,
        UploadFailed: _upload_failed,
        UploadStopped: _upload_stopped,
        LoginRetrying: _login_retrying,
        LoggedIn: _logged_in,
        LoginFailed: _login_failed,
        SessionEnded: lambda self, _: self._happened("aiomar.session_ended", {}),
        DownloadsPaused: lambda self, event: self._happened("aiomar.paused", {"aiomar.wait": event.wait}),
        SubmissionNotRecorded: lambda self, event: self._happened(
            "aiomar.not_recorded", {"aiomar.outcome": event.state}
        ),
    }


def _asked(event: RangeStarted | DownloadStarted) -> dict[str, str]:
    return {
        "aiomar.start": event.start.isoformat(),
        "aiomar.end": event.end.isoformat(),
        "aiomar.format": event.file_format.value,
        "aiomar.time_type": event.time_type.value,
    }


def _repeat(event: DownloadRetrying | UploadRetrying | LoginRetrying) -> _Facts:
    return {"error.type": type(event.error).__name__, "aiomar.attempt": event.attempt, "aiomar.wait": event.wait}


def _submission(ledger_id: str | None) -> dict[str, str]:
    return {} if ledger_id is None else {"aiomar.submission": ledger_id}
