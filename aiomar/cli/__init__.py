"""The command line, from the extra ``cli``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_LIBRARIES = {"cyclopts", "rich"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code.

    Args:
        argv: the words after ``aiomar``; `None` for those of this process.
    """
    _occupy_standard_streams()
    try:
        from aiomar.cli._app import run  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _LIBRARIES:
            raise
        sys.stderr.write("aiomar: error: the command line needs its extra: run pip install 'aiomar[cli]'\n")
        return 2
    except KeyboardInterrupt:  # loading takes most of a second
        sys.stderr.write("aiomar: interrupted: nothing was begun\n")
        return 130
    return run(sys.argv[1:] if argv is None else argv)


def _occupy_standard_streams() -> None:
    """Open what a parent has closed of 0, 1 and 2, to nowhere.

    Else a socket or a ledger gets such a number, and whatever writes to standard error writes into it; uvloop, which
    cannot close a descriptor below 3, ends the process.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - the numbers are POSIX's
        pass
    os.close(descriptor)
