"""Where a page may be written: in the place of an earlier one or of an empty file, never in that of anything else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from aiomar.errors import DestinationError
from aiomar.protocol import FileFormat
from aiomar.transfer import FOLDER

BEGINNING: Final = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n<meta name="generator" content="aiomar '
)
"""How every page begins; the version follows."""
_DATA = tuple(kind.suffix for kind in FileFormat)


def check_page(target: Path) -> None:
    """See whether a page can be written somewhere, before there is one.  Blocks.

    Args:
        target: where.

    Raises:
        DestinationError: there is something that is no page of ours, or may not be looked at; it has the name of a data
            file, or is among the records of a range; or there is no such directory.
    """
    try:
        if not target.absolute().parent.is_dir():
            raise DestinationError(f"the directory of {target} does not exist: make it first")
        home = target.absolute().parent.resolve()
        if home.name == FOLDER or target.name.lower().endswith(_DATA):
            raise DestinationError(f"{target} has the name or the place of something else: name it like report.html")
        if not stat.S_ISREG(target.lstat().st_mode):
            raise DestinationError(f"{target} exists and is no file: name another target")
        with target.open("rb") as file:
            ours = file.read(len(BEGINNING)) in {b"", BEGINNING.encode()}
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
        raise DestinationError(f"{str(target)!a:.200} cannot be looked at ({reason}): name another target") from error
    if not ours:
        raise DestinationError(f"{target} exists and is no page that aiomar wrote: remove it or name another target")
