"""What a client does, told to whoever watches over it: a log of its events, and OpenTelemetry (extra ``otel``).

Both are observers.  A client that has neither knows nothing of them, and `import aiomar` does not import them.
"""

from aiomar.telemetry._log import log_events
from aiomar.telemetry._observer import OpenTelemetryObserver

__all__ = ["OpenTelemetryObserver", "log_events"]
