"""What an observer costs for each downloaded file: the events of a small one, told to each observer in turn.

Run it as ``python -m benchmarks.telemetry`` where aiomar[otel] and opentelemetry-sdk are installed.  Nothing is
exported: what an exporter costs, and in which thread, is its own affair.
"""

from __future__ import annotations

import datetime as dt
import logging
import statistics
import tempfile
import time
from pathlib import Path

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from aiomar import (
    TEST,
    ClientIdentity,
    DownloadFinished,
    DownloadProgress,
    DownloadStarted,
    Event,
    FileFormat,
    Meter,
    Observer,
    OmarConfig,
    RangeStarted,
    SavedFile,
    TimeType,
)
from aiomar.telemetry import OpenTelemetryObserver, log_events
from aiomar.testing import Authority

_ROUNDS = 15
_FILES = 2_000
_DAY = dt.date(2026, 1, 1)
_INTO = Path("data")


def _events() -> tuple[Event, ...]:
    path = _INTO / "meter-1001_20260101_20260101_pst.csv"
    how = FileFormat.CSV, TimeType.PST
    now = dt.datetime.now(dt.UTC)
    file = SavedFile(path, 8192, "0" * 64, Meter("1001"), _DAY, _DAY, *how, now, "length")
    return (
        DownloadStarted(file.selection, _DAY, _DAY, path, *how),
        DownloadProgress(path, file.size, file.size),
        DownloadFinished(file, 0.05, 1),
    )


def _observers() -> dict[str, Observer]:
    with tempfile.TemporaryDirectory() as directory:
        files = Authority().write(Path(directory))
        config = OmarConfig(ClientIdentity.from_pem(files.certificate, files.key), TEST, state_dir=Path(directory))
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    kept = TracerProvider(shutdown_on_exit=False)
    dropped = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    return {
        "log_events, its level off": log_events,
        "OpenTelemetryObserver without an SDK": OpenTelemetryObserver(config),
        "the same, metrics and no span sampled": OpenTelemetryObserver(
            config, tracer_provider=dropped, meter_provider=meters
        ),
        "the same, metrics and every span": OpenTelemetryObserver(config, tracer_provider=kept, meter_provider=meters),
    }


def _microseconds(observer: Observer, events: tuple[Event, ...]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for _ in range(_FILES):
            for event in events:
                observer(event)
        rounds.append((time.perf_counter() - started) / _FILES * 1e6)
    return statistics.median(rounds)


def main() -> None:
    """Print the median of some rounds for each observer."""
    logging.getLogger("aiomar").setLevel(logging.WARNING)
    events = _events()
    for name, observer in _observers().items():
        observer(RangeStarted(_DAY, _DAY, FileFormat.CSV, TimeType.PST, _INTO))
        print(f"{_microseconds(observer, events):6.1f} µs  {name}")


if __name__ == "__main__":
    main()
