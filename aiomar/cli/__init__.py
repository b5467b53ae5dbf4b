"""The command line, from the extra ``cli``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_LIBRARIES = {"cyclopts", "rich"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code.

    Args:
        argv: the words after ``aiomar``; `None` for those of this process.
    """
    try:
        from aiomar.cli._app import run  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _LIBRARIES:
            raise
        sys.stderr.write("aiomar: error: the command line needs its extra: run pip install 'aiomar[cli]'\n")
        return 2
    return run(sys.argv[1:] if argv is None else argv)
