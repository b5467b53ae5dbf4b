"""Who runs certain functions, in which thread, and over how many bytes: a profiler that looks at nothing else."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType

import attrs


@attrs.frozen
class Call:
    """One call."""

    function: str
    in_loop: bool
    """Whether it ran in the thread that asked for the watch, which is the event loop's."""
    size: int
    """Bytes of its first argument, or of all its pieces."""


def _size(value: object) -> int:
    if isinstance(value, bytes | bytearray):
        return len(value)
    return sum(len(piece) for piece in value if isinstance(piece, bytes)) if isinstance(value, list | tuple) else 0


@contextmanager
def watched(**arguments: tuple[Callable[..., object], str]) -> Iterator[list[Call]]:
    """Note the calls of functions, also those that threads make which are started meanwhile.

    Args:
        **arguments: under any name, a function and the name of the argument whose size counts.
    """
    calls: list[Call] = []
    loop = threading.get_ident()
    wanted: dict[CodeType, tuple[str, str]] = {
        function.__code__: (name, argument) for name, (function, argument) in arguments.items()
    }

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (found := wanted.get(frame.f_code)):
            name, argument = found
            calls.append(Call(name, threading.get_ident() == loop, _size(frame.f_locals.get(argument))))

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
