"""What stands around every command: its loop, interruption, errors as one line and a code, and the summary."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Coroutine

from aiomar import OmarError
from aiomar.cli._codes import INTERRUPTED, UNEXPECTED, code_for
from aiomar.cli._options import Display
from aiomar.cli._output import Output

_log = logging.getLogger(__name__)

Work = Coroutine[object, object, int]
"""A command at work; it gives its exit code."""


def carry_out(command: str, display: Display, prepare: Callable[[Output], Work]) -> int:
    """Run a command to its exit code.

    Args:
        command: its name.
        display: what is shown.
        prepare: reads settings and gives the work; it runs outside the loop, where asking at a terminal can be
            interrupted.
    """
    out = Output(command, display)
    with out.logging():
        try:
            code = _in_loop(prepare(out))
        except (KeyboardInterrupt, asyncio.CancelledError):
            code = INTERRUPTED
            out.interrupted()
        except OmarError as error:
            code = code_for(error)
            out.fail(error)
        except Exception as error:  # noqa: BLE001 - the last resort: a line and a code instead of a traceback
            code = UNEXPECTED
            out.fail(error)
    return out.finish(code)


def _in_loop(work: Work) -> int:
    async def until_terminated() -> int:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        _log.debug("event loop: %s.%s", type(loop).__module__, type(loop).__qualname__)
        # Not on Windows, and not outside the main thread, which asyncio and uvloop say in different ways.
        nowhere = contextlib.suppress(NotImplementedError, RuntimeError, ValueError)
        with nowhere:
            if task is not None:
                loop.add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            return await work
        finally:
            with nowhere:  # uvloop would leave it behind
                loop.remove_signal_handler(signal.SIGTERM)

    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(until_terminated())


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give what makes loops of uvloop where that is installed (there is none for Windows); `None` for asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    make: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop  # has no types where it is not installed
    return make
