"""A directory whose files are submitted as they appear."""

from aiomar._outbox._outbox import Outbox

__all__ = ["Outbox"]
