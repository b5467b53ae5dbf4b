"""What a built package has to hold: ``python -m tests.support.packaged dist again`` looks, and names what is wrong.

The tree is the measure: a package holds what is there and nothing else, so a file that was forgotten is seen as well as
one that was swept along.  What a user gets to feel (entry points, types, extras) ``nox -s package`` tries out instead.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
FOLDERS = ("aiomar", "benchmarks", "docs", "tests")
FILES = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md", "noxfile.py", "pyproject.toml"}
BY_HATCHLING = {".gitignore", "PKG-INFO"}
"""What the build puts into a source package by itself."""
INFO = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
KINDS = {".css", ".py", ".toml", ".typed"}
"""How the names of files end that the package is made of."""


def is_source(name: str) -> bool:
    """Say whether a file is one that somebody wrote: nothing hidden, compiled or generated."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") or part in {"__pycache__", "_build"} for part in parts)


def tree(project: Path, *folders: str) -> set[str]:
    """Name the files that somebody wrote, relative to the project."""
    files = (path for folder in folders for path in (project / folder).rglob("*") if path.is_file())
    return {name for path in files if is_source(name := path.relative_to(project).as_posix())}


def _differences(what: str, found: Collection[str], wanted: set[str]) -> Iterator[str]:
    if len(found) != len(set(found)):
        yield f"{what} has names twice"
    if missing := wanted - set(found):
        yield f"{what} lacks {', '.join(sorted(missing))}"
    if strange := set(found) - wanted:
        yield f"{what} has also {', '.join(sorted(strange))}"


def wheel_complaints(wheel: Path, project: Path) -> Iterator[str]:
    """Say what is wrong with a wheel."""
    sources = tree(project, "aiomar")
    if odd := sorted(name for name in sources if PurePosixPath(name).suffix not in KINDS):
        yield f"not of a kind that the package is made of: {', '.join(odd)}"
    name, version, *_ = wheel.name.split("-")
    info = {f"{name}-{version}.dist-info/{each}" for each in INFO}
    with zipfile.ZipFile(wheel) as archive:
        yield from _differences("the wheel", archive.namelist(), sources | info)


def sdist_complaints(sdist: Path, project: Path) -> Iterator[str]:
    """Say what is wrong with a source package."""
    root = sdist.name.removesuffix(".tar.gz")
    wanted = {f"{root}/{name}" for name in tree(project, *FOLDERS) | FILES | BY_HATCHLING}
    with tarfile.open(sdist) as archive:
        yield from _differences("the sdist", [each.name for each in archive if not each.isdir()], wanted)


def complaints(dist: Path, again: Path, project: Path) -> Iterator[str]:
    """Say what is wrong with a build.

    Args:
        dist: holds a source package, and the wheel that was built from it.
        again: holds a wheel that was built from the tree.
        project: the tree.
    """
    wheels, sdists, others = (sorted(each) for each in (dist.glob("*.whl"), dist.glob("*.tar.gz"), again.glob("*.whl")))
    if (len(wheels), len(sdists), len(others)) != (1, 1, 1):
        yield f"one wheel, one sdist and one more wheel were expected: {wheels}, {sdists}, {others}"
        return
    if wheels[0].read_bytes() != others[0].read_bytes():
        yield "the wheel from the sdist is not the wheel from the tree"
    yield from wheel_complaints(wheels[0], project)
    yield from sdist_complaints(sdists[0], project)


def main() -> None:
    """Look at what was built in two directories."""
    sys.exit("\n".join(complaints(Path(sys.argv[1]), Path(sys.argv[2]), ROOT)) or None)


if __name__ == "__main__":
    main()
