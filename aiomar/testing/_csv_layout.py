"""The layout of the embedded server's CSV files, read from the example that users get too."""

from __future__ import annotations

from importlib.resources import as_file, files

from aiomar.formats import CsvLayout

FILE = files("aiomar.testing") / "csv-layout.toml"

with as_file(FILE) as _path:
    CSV_LAYOUT = CsvLayout.from_toml(_path)
    """The layout of the embedded server's CSV files.  It is our own: CAISO's is not public."""
