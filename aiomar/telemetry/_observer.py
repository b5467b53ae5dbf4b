"""The door to OpenTelemetry, which is imported when an observer is made and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomar import OmarConfig
from aiomar.errors import ConfigError
from aiomar.transfer import Event

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider


class OpenTelemetryObserver:
    """Makes spans and metrics of what one client does: hand it to `OmarClient` as its observer.

    Nothing that names a meter, a group or a file leaves the machine unless `identifiers` says so, and metrics never
    name any; a passphrase, a key, a cookie or a meter value never does.  Nothing is added to any request.

    Args:
        config: the client's configuration: where it talks to, and whose certificate is counted down.
        tracer_provider: makes the spans; `None` for the global one.
        meter_provider: makes the metrics; `None` for the global one.
        identifiers: whether spans carry ids of meters and groups, names of files, and the sentence of every failure,
            which may have a path or words of the server in it; otherwise those of the conversation alone.

    Raises:
        ConfigError: opentelemetry-api is not installed.
    """

    def __init__(
        self,
        config: OmarConfig,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        identifiers: bool = False,
    ) -> None:
        try:
            from aiomar.telemetry._metrics import Metrics  # noqa: PLC0415 - needs the extra
            from aiomar.telemetry._spans import Spans  # noqa: PLC0415 - likewise
        except ImportError as error:
            raise ConfigError("OpenTelemetryObserver needs its extra: run pip install 'aiomar[otel]'") from error
        self._spans = Spans(config.environment, tracer_provider, identifiers=identifiers)
        self._metrics = Metrics(config.environment, config.identity, meter_provider)

    def __call__(self, event: Event) -> None:
        """Take an event of the client."""
        self._spans.observe(event)
        self._metrics.observe(event)
