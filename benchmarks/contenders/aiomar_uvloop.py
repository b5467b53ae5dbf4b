"""aiomar on uvloop, all else as in ``aiomar_range.py``."""

from __future__ import annotations

import functools

import uvloop

from benchmarks.contenders import Contender
from benchmarks.contenders.aiomar_range import USED, run

CONTENDERS = (
    Contender(
        name="aiomar uvloop",
        kind="aiomar",
        workloads="ABCD",
        run=functools.partial(run, durable=True, new_loop=uvloop.new_event_loop),
        distributions=(*USED, "uvloop"),
    ),
)
