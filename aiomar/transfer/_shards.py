"""A destination of many processes: directories below one, each a destination with a catalogue of its own.

A process has a destination to itself, so ranges over a cluster have up to 256 of them, and a selection's own is told by
its hash.  The rule knows nothing of workers: a range that is run again finds its files whatever became of the cluster.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from aiomar._types import PathLike
from aiomar.errors import DestinationError
from aiomar.protocol import Selection
from aiomar.transfer._catalogue_file import catalogue_path

_NAME = re.compile(r"[0-9a-f]{2}")


def shard_name(selection: Selection) -> str:
    """Give the name of the directory that a selection belongs to."""
    return hashlib.sha256(f"{selection.kind}:{selection.id}".encode()).hexdigest()[:2]


def shard_directory(into: PathLike, selection: Selection) -> Path:
    """Give the directory below `into` that has the files of a selection.

    Args:
        into: as for `download_range`.
        selection: a meter or a group.
    """
    return Path(os.fspath(into)) / shard_name(selection)


def shard_directories(into: PathLike) -> list[Path]:
    """Give the directories below `into` that have files, sorted; each is a destination with a catalogue of its own.

    Args:
        into: as for `download_range`.

    Raises:
        DestinationError: there is no such directory, or it cannot be read.
    """
    place = Path(os.fspath(into))
    try:
        with os.scandir(place) as entries:
            return sorted(place / entry.name for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir())
    except OSError as error:
        raise DestinationError(f"{place} cannot be looked into ({error.strerror}): name a destination") from error


def shards_of(place: Path) -> list[Path]:
    """Give the directories that one stands for which is no destination itself; none for any other directory.

    Directories that have lost their catalogue are among them, as long as one has it.
    """
    if os.path.lexists(catalogue_path(place)):
        return []
    try:
        shards = shard_directories(place)
    except (DestinationError, ValueError):  # who asks says in words of its own that there is nothing
        return []
    return shards if any(os.path.lexists(catalogue_path(shard)) for shard in shards) else []
