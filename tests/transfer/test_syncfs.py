"""One system call for a whole file system: used where it tells the truth, and never instead of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aiomar._files import sync_file_system, tells_errors
from aiomar.transfer._publish import Publication, Together, beside


@pytest.mark.parametrize(
    ("release", "told"),
    [
        ("4.18.0-553.el8_10.x86_64", False),
        ("5.7.19", False),
        ("5.8.0", True),
        ("5.15.0-1-amd64", True),
        ("6.18.44", True),
        ("7", True),
        ("", False),
    ],
)
def test_a_kernel_that_hides_errors_is_known(release: str, *, told: bool) -> None:
    """The call is used from the first Linux on that says when something could not be written."""
    assert tells_errors(release) is told


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not tells_errors(os.uname().release), reason="needs Linux 5.8 or newer"
)
def test_it_says_whether_it_could(tmp_path: Path) -> None:
    """An open file's file system is synced; what is no file is not."""
    with (tmp_path / "file").open("wb") as file:
        assert sync_file_system(file.fileno())
    assert not sync_file_system(-1)


def test_where_it_fails_each_file_is_synced_for_itself(tmp_path: Path) -> None:
    """A file that cannot be synced has its own error, and the others of its group none."""
    items = []
    for number in range(5):
        final = str(tmp_path / f"{number}.dat")
        part = beside(final)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT)
        items.append(Publication(fd, part, final, overwrite=True, existed=False))
    os.close(items[0].fd)
    Together(str(tmp_path), None, items).sync()
    assert isinstance(items[0].error, OSError)
    assert [item.error for item in items[1:]] == [None] * 4
    for item in items[1:]:
        os.close(item.fd)
