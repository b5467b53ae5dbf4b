"""A pytest plugin that gives every test uvloop's event loop: ``python -m pytest -p tests.support.on_uvloop``."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """Name the only loop there is."""
    return {"uvloop": uvloop.new_event_loop}
