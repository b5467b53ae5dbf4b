"""The look at a built package sees what is missing, what was swept along, and what differs."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.packaged import BY_HATCHLING, FILES, INFO, complaints, is_source

SOURCES = ("aiomar/__init__.py", "aiomar/py.typed", "aiomar/testing/csv-layout.toml", "docs/a.md", "tests/test_a.py")
WHEEL = "aiomar-0.1.0-py3-none-any.whl"
SDIST = "aiomar-0.1.0.tar.gz"


class Built:
    """A small project, packed by hand as a build does it.

    Attributes:
        wheel: names in the wheels; change them before `found`.
        sdist: names in the source package, without its folder; the same.
    """

    def __init__(self, place: Path) -> None:
        self.project, self._dist, self._again = place, place / "dist", place / "again"
        for name in (*SOURCES, *FILES):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(name)
        info = {f"aiomar-0.1.0.dist-info/{name}" for name in INFO}
        self.wheel = sorted({name for name in SOURCES if name.startswith("aiomar/")} | info)
        self.sdist = sorted({*SOURCES, *FILES, *BY_HATCHLING})

    def found(self) -> list[str]:
        """Pack, and say what the look finds."""
        for directory in (self._dist, self._again):
            directory.mkdir()
            with zipfile.ZipFile(directory / WHEEL, "w") as archive:
                for name in self.wheel:
                    archive.writestr(zipfile.ZipInfo(name), name)
        with tarfile.open(self._dist / SDIST, "w:gz") as sdist:
            for name in self.sdist:
                sdist.addfile(tarfile.TarInfo(f"aiomar-0.1.0/{name}"))
        return self.look()

    def look(self) -> list[str]:
        """Say what the look finds in what is packed."""
        return list(complaints(self._dist, self._again, self.project))


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """One that is as it should be."""
    return Built(tmp_path)


def test_a_good_build_is_good(built: Built) -> None:
    """Also where the tree holds what tools have left there."""
    for left in ("aiomar/__pycache__/a.pyc", "docs/_build/html/index.html", "tests/.aiomar/catalogue.db"):
        (built.project / left).parent.mkdir(parents=True)
        (built.project / left).touch()
    assert built.found() == []


@pytest.mark.parametrize("name", ["aiomar/py.typed", "aiomar/testing/csv-layout.toml"])
def test_a_file_that_was_forgotten(built: Built, name: str) -> None:
    """It is named, for either package."""
    built.wheel.remove(name)
    built.sdist.remove(name)
    assert built.found() == [f"the wheel lacks {name}", f"the sdist lacks aiomar-0.1.0/{name}"]


@pytest.mark.parametrize("name", ["tests/test_a.py", "aiomar/__pycache__/a.pyc", "aiomar/.aiomar/catalogue.db"])
def test_a_stray_file_in_the_wheel(built: Built, name: str) -> None:
    """It holds the package and nothing else."""
    built.wheel.append(name)
    assert built.found() == [f"the wheel has also {name}"]


@pytest.mark.parametrize("name", [".nox/log", "docs/_build/index.html", "tests/__pycache__/a.pyc", "dist/a.whl"])
def test_a_stray_file_in_the_sdist(built: Built, name: str) -> None:
    """It holds what somebody wrote, and nothing that tools have left."""
    built.sdist.append(name)
    assert built.found() == [f"the sdist has also aiomar-0.1.0/{name}"]


def test_a_file_of_another_kind(built: Built) -> None:
    """What was left beside the sources is seen although it is in the tree and in both packages."""
    (built.project / "aiomar/_client.py.orig").touch()
    built.wheel.append("aiomar/_client.py.orig")
    built.sdist.append("aiomar/_client.py.orig")
    assert built.found() == ["not of a kind that the package is made of: aiomar/_client.py.orig"]


def test_a_name_that_is_there_twice(built: Built) -> None:
    """Whichever of the two is installed."""
    built.sdist.append("LICENSE")
    assert built.found() == ["the sdist has names twice"]


def test_a_wheel_that_the_sdist_does_not_give(built: Built) -> None:
    """The two wheels have to be equal in every byte."""
    built.found()
    other = built.project / "again" / WHEEL
    other.write_bytes(other.read_bytes() + b"\0")
    assert built.look() == ["the wheel from the sdist is not the wheel from the tree"]


def test_a_build_of_long_ago(built: Built) -> None:
    """Another version in the same directory would be uploaded with it."""
    built.found()
    (built.project / "dist" / "aiomar-0.0.9-py3-none-any.whl").touch()
    (complaint,) = built.look()
    assert complaint.startswith("one wheel, one sdist and one more wheel were expected")


@pytest.mark.parametrize(("name", "expected"), [("a/b.py", True), ("a/.b/c", False), ("docs/_build/a", False)])
def test_what_somebody_wrote(name: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table above
    """Nothing hidden, compiled or generated."""
    assert is_source(name) is expected
