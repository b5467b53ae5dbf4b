"""Metrics of files, bytes, repeats, sessions, the limit and the certificate: few series, and none per meter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final
from weakref import WeakSet

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

from aiomar import __version__
from aiomar.errors import OmarError
from aiomar.protocol import Environment, FileFormat
from aiomar.telemetry._outcomes import outcome_of
from aiomar.transfer import (
    DownloadFailed,
    DownloadFinished,
    DownloadRetrying,
    DownloadReused,
    DownloadStopped,
    Event,
    LimitChanged,
    LoggedIn,
    LoginFailed,
    LoginRetrying,
    OutboxPassedOver,
    OutboxRefused,
    OutboxSent,
    OutboxWaiting,
    SessionEnded,
    UploadFailed,
    UploadFinished,
    UploadRetrying,
    UploadStopped,
)
from aiomar.transport import ClientIdentity

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
"""Bounds of durations: from a small file on a near server to a large one that was tried again and again."""


class Metrics:
    """Makes metrics of events.

    Args:
        environment: where the client talks to.
        identity: whose certificate is counted down.
        provider: makes the metrics; `None` for the global one.
    """

    def __init__(self, environment: Environment, identity: ClientIdentity, provider: MeterProvider | None) -> None:
        self.provider = metrics.get_meter_provider() if provider is None else provider
        self.identity = identity
        self.facts = {"aiomar.environment": environment.name}
        meter = self.provider.get_meter("aiomar", __version__)
        self._downloads = meter.create_counter("aiomar.downloads", "{file}", "Downloads that ended, and how")
        self._received = meter.create_counter("aiomar.download.io", "By", "Bytes of the files that were fetched")
        self._uploads = meter.create_counter("aiomar.uploads", "{file}", "Uploads that ended, and how")
        self._sent = meter.create_counter("aiomar.upload.io", "By", "Bytes of the files that were accepted")
        self._outbox = meter.create_counter("aiomar.outbox.files", "{file}", "Files of outboxes, and where they went")
        self._waits = meter.create_counter("aiomar.outbox.waits", "{wait}", "Times that an outbox stood still, and why")
        self._retries = meter.create_counter("aiomar.retries", "{retry}", "Requests that were tried again, and why")
        self._logins = meter.create_counter("aiomar.logins", "{login}", "Logins that ended, and how")
        self._ended = meter.create_counter("aiomar.sessions.ended", "{session}", "Sessions that the server ended")
        self._limit = meter.create_gauge("aiomar.download.limit", "{file}", "Downloads that may be under way at once")
        self._download_time = _duration(meter, "aiomar.download.duration", "Downloads that succeeded, with repeats")
        self._upload_time = _duration(meter, "aiomar.upload.duration", "Uploads that were accepted, with repeats")
        self._login_time = _duration(meter, "aiomar.login.duration", "Logins that succeeded, with repeats")
        _CERTIFICATES.watch(self, meter)

    def observe(self, event: Event) -> None:
        """Take an event."""
        if way := self._WAYS.get(type(event)):
            way(self, event)

    def _download_finished(self, event: DownloadFinished) -> None:
        file_format = event.file.file_format
        facts = {**self.facts, "aiomar.format": file_format.value}
        self._received.add(event.file.size, facts)
        self._download_time.record(event.elapsed, facts)
        self._count_file(file_format, "saved")

    def _upload_finished(self, event: UploadFinished) -> None:
        self._sent.add(event.receipt.size, self.facts)
        self._upload_time.record(event.elapsed, self.facts)
        self._count_upload("accepted")

    def _logged_in(self, event: LoggedIn) -> None:
        self._logins.add(1, self._with("opened"))
        self._login_time.record(event.elapsed, self.facts)

    def _count_file(self, file_format: FileFormat, outcome: str, error: OmarError | None = None) -> None:
        self._downloads.add(1, {**self._with(outcome, error), "aiomar.format": file_format.value})

    def _count_upload(self, outcome: str, error: OmarError | None = None) -> None:
        self._uploads.add(1, self._with(outcome, error))

    def _count_retry(self, operation: str, error: OmarError) -> None:
        self._retries.add(1, {**self._because(error), "aiomar.operation": operation})

    def _with(self, outcome: str, error: OmarError | None = None) -> dict[str, str]:
        facts = self.facts if error is None else self._because(error)
        return {**facts, "aiomar.outcome": outcome}

    def _because(self, error: OmarError) -> dict[str, str]:
        return {**self.facts, "error.type": type(error).__name__}

    _WAYS: ClassVar[Mapping[type, Callable[[Metrics, Any], None]]] = {
        DownloadReused: lambda self, event: self._count_file(event.file.file_format, "reused"),
        DownloadFinished: _download_finished,
        DownloadFailed: lambda self, event: self._count_file(event.file_format, "failed", event.error),
        DownloadStopped: lambda self, event: self._count_file(event.file_format, "stopped"),
        DownloadRetrying: lambda self, event: self._count_retry("download", event.error),
        UploadFinished: _upload_finished,
        UploadFailed: lambda self, event: self._count_upload(outcome_of(event.error), event.error),
        UploadStopped: lambda self, event: self._count_upload("unknown" if event.in_doubt else "stopped"),
        UploadRetrying: lambda self, event: self._count_retry("upload", event.error),
        OutboxSent: lambda self, _: self._outbox.add(1, self._with("sent")),
        OutboxRefused: lambda self, event: self._outbox.add(1, self._with("refused", event.error)),
        OutboxPassedOver: lambda self, event: self._outbox.add(1, self._with("passed_over", event.error)),
        OutboxWaiting: lambda self, event: self._waits.add(1, self._because(event.error)),
        LoggedIn: _logged_in,
        LoginFailed: lambda self, event: self._logins.add(1, self._with("failed", event.error)),
        LoginRetrying: lambda self, event: self._count_retry("login", event.error),
        SessionEnded: lambda self, _: self._ended.add(1, self.facts),
        LimitChanged: lambda self, event: self._limit.set(event.limit, self.facts),
    }


def _duration(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=_SECONDS)


class _Certificates:
    """Counts down the certificates of all observers that are in use.

    A provider keeps one callback for a gauge, the first, and keeps it for good; an observer comes with each client and
    goes with it, maybe with a renewed certificate.  So the callback looks at whoever is there, from the provider's own
    thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: WeakSet[Metrics] = WeakSet()

    def watch(self, one: Metrics, meter: Meter) -> None:
        """Count down the certificate of one more, for as long as it is in use."""
        provider = one.provider
        with self._lock:
            self._watched.add(one)

        def look(_: CallbackOptions) -> Sequence[Observation]:
            with self._lock:
                mine = [each for each in self._watched if each.provider is provider]
            return [_days(each) for each in mine]

        meter.create_observable_gauge(
            "aiomar.certificate.remaining", [look], "d", "Whole days until the client certificate expires"
        )


def _days(one: Metrics) -> Observation:
    identity = one.identity
    return Observation(identity.days_left(), {**one.facts, "tls.client.subject": identity.subject})


_CERTIFICATES: Final = _Certificates()
