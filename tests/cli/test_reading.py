"""Reading files in a thread: what is counted on the way."""

from __future__ import annotations

from pathlib import Path

from aiomar.cli._reading import counting_files
from aiomar.cli._tally import Tally


def test_files_are_counted_by_their_bytes() -> None:
    """A file has been read when it and those before it have; one that is empty or not there takes none."""
    sizes = {"a": 10, "empty": 0, "b": 5}
    for name, size in sizes.items():
        Path(name).write_bytes(bytes(size))
    files = [Path(name) for name in (*sizes, "nowhere", "a\0b")]
    tally = Tally(len(files))

    def progress(size: int) -> None:
        tally.bytes += size

    counted = counting_files(tally, files, progress)
    seen = []
    for size in (9, 1, 4, 1, 100):
        counted(size)
        seen.append(tally.fetched)
    assert seen == [0, 2, 2, 5, 5]
