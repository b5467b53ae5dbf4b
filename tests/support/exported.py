"""Providers of the OpenTelemetry SDK that keep in memory what they get, and looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aiomar import OmarConfig
from aiomar.telemetry import OpenTelemetryObserver

METRICS = (
    "downloads",
    "download.io",
    "download.duration",
    "download.limit",
    "uploads",
    "upload.io",
    "upload.duration",
    "outbox.files",
    "outbox.waits",
    "logins",
    "login.duration",
    "sessions.ended",
    "retries",
    "certificate.remaining",
)
"""All there are, without the beginning that they have in common."""


class Open(SpanProcessor):
    """Counts the spans that are open, and the most there ever were."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002, D102 - the SDK's
        self.now += 1
        self.most = max(self.most, self.now)

    def on_end(self, span: ReadableSpan) -> None:  # noqa: ARG002, D102 - the SDK's
        self.now -= 1


@attrs.frozen
class Seen:
    """What was exported."""

    exporter: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    open: Open = attrs.field(factory=Open)
    traces: TracerProvider = attrs.field(init=False)
    meters: MeterProvider = attrs.field(init=False)

    @traces.default
    def _make_traces(self) -> TracerProvider:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self.open)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        return provider

    @meters.default
    def _make_meters(self) -> MeterProvider:
        return MeterProvider([self.reader], shutdown_on_exit=False)

    def observer(self, config: OmarConfig, *, identifiers: bool = False) -> OpenTelemetryObserver:
        """Give an observer whose spans and metrics come here."""
        return OpenTelemetryObserver(
            config, tracer_provider=self.traces, meter_provider=self.meters, identifiers=identifiers
        )

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Give the spans that have ended, of one name or all."""
        return [
            span for span in self.exporter.get_finished_spans() if span.name in {name, f"aiomar {name}"} or not name
        ]

    def span(self, name: str) -> ReadableSpan:
        """Give the only span of a name."""
        [span] = self.spans(name)
        return span

    def metric(self, name: str) -> dict[tuple[object, ...], Any]:
        """Give the points of a metric by the values of their attributes, the environment's left out."""
        found = self.reader.get_metrics_data()
        points: dict[tuple[object, ...], Any] = {}
        for resource in found.resource_metrics if found else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == f"aiomar.{name}":
                        for point in metric.data.data_points:
                            facts = dict(point.attributes or {})
                            facts.pop("aiomar.environment")
                            key = tuple(facts[each] for each in sorted(facts))
                            points[key] = point.count if hasattr(point, "count") else point.value
        return points

    def text(self) -> str:
        """Give every word that was exported; not the numbers, in which any id may be found by chance."""
        words: list[object] = []
        for span in self.spans():
            words += [span.name, span.status.description, *facts(span).values()]
            for event in span.events:
                words += [event.name, *(event.attributes or {}).values()]
        for name in METRICS:
            words += [word for key in self.metric(name) for word in key]
        return "\n".join(word for word in words if isinstance(word, str))


def facts(span: ReadableSpan) -> Mapping[str, Any]:
    """Give the attributes of a span."""
    return span.attributes or {}


def times(span: ReadableSpan) -> tuple[int, int]:
    """Give beginning and end in nanoseconds."""
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time, span.end_time


def is_child(child: ReadableSpan, parent: ReadableSpan) -> bool:
    """Whether one span is the other's, in its trace and within its time."""
    (begin, end), (first, last) = times(child), times(parent)
    related = child.parent is not None and child.parent == parent.get_span_context()
    return related and first <= begin <= end <= last
