"""Which data files are meant by a path, and what the column ``file`` calls them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from aiomar._types import PathLike
from aiomar.errors import FormatError, UsageError
from aiomar.formats._csv_layout import CsvLayout
from aiomar.formats._source import not_opened, path_shown
from aiomar.protocol import FileFormat

_ENDINGS = tuple(sorted(kind.suffix for kind in FileFormat))


@attrs.frozen
class DataFile:
    """A file to read."""

    path: PathLike
    shown: str
    """What the column ``file`` says: its path from the directory that all files have in common."""

    layout: CsvLayout | None
    """What its columns mean, if its name says that it is CSV; everything else is read as MDEF, whose gates tell what is
    none."""


def data_files(source: PathLike | Iterable[PathLike], layout: CsvLayout | None) -> list[DataFile]:
    """Name the files of a source.

    Args:
        source: a file, files, or a directory.
        layout: of CSV files.

    Raises:
        FormatError: a directory cannot be read or has no data file, or CSV comes without a layout.
        UsageError: it is no path and no iterable of paths, or an empty one.
    """
    if not isinstance(source, str | os.PathLike):
        paths = _paths(source)
    elif os.path.isdir(source):  # noqa: PTH112 - never raises, whatever the path
        paths = [Path(source, name) for name in _names(source)]
    else:
        paths = [source]
    if layout is None and (rows := next(filter(_is_csv, paths), None)):
        shown = path_shown(_text(rows))
        raise FormatError(
            f"{shown} is CSV, whose columns only a layout explains: give layout=CsvLayout(...)", where=shown
        )
    names = _from_common(paths)
    return [DataFile(path, name, layout if _is_csv(path) else None) for path, name in zip(paths, names, strict=True)]


def _is_csv(path: PathLike) -> bool:
    return str(os.fspath(path)).lower().endswith(FileFormat.CSV.suffix)


def _paths(source: object) -> list[PathLike]:
    paths: list[PathLike] = []
    for path in source if isinstance(source, Iterable) and not isinstance(source, bytes) else [source]:
        if not isinstance(path, str | os.PathLike):
            raise UsageError(f"a {type(path).__name__} names no data file: give a path, paths or a directory")
        paths.append(path)
    if not paths:
        raise UsageError("no data file is named: give at least one")
    return paths


def _from_common(paths: Sequence[PathLike]) -> list[str]:
    """Name files by their paths from the directory that they have in common; links count as they stand."""
    whole = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - removes ".." and follows no link
    try:
        common = os.path.commonpath({os.path.dirname(path) for path in whole})  # noqa: PTH120 - a hundred thousand of them
    except ValueError:  # on several drives
        common = ""
    at = len(os.path.join(common, ""))  # noqa: PTH118 - with a separator behind it, which a root has already
    return [_text(path[at:].replace(os.sep, "/")) for path in whole]


def _names(directory: PathLike) -> list[str]:
    shown = path_shown(_text(directory))
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are what is wanted
    except OSError as error:
        raise FormatError(not_opened(shown, error), where=shown) from error
    found = sorted(name for name in names if name.lower().endswith(_ENDINGS) and not name.startswith("."))
    if not found:
        raise FormatError(
            f"{shown} has no data file, none that ends in {' or '.join(_ENDINGS)}: download into it, or name another",
            where=shown,
        )
    return found


def _text(path: PathLike) -> str:
    """Give a path as text that every library takes: bytes that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
