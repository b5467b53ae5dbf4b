"""What is in a data file: meters and intervals of MDEF, rows of CSV.

A leaf: it reads files, and knows neither the client nor the network.  Structure is strict, meaning is lenient: a file
that breaks its layout is refused loudly, with the place; a code that nobody explained is handed on as it stands.
"""

from aiomar.formats._clocks import zone
from aiomar.formats._csv import CsvRow, read_csv_lines, read_csv_rows
from aiomar.formats._mdef import read_mdef
from aiomar.formats._meters import MdefChannel, MdefMeter
from aiomar.formats._sniff import Kind, sniff
from aiomar.formats._source import Source

__all__ = [
    "CsvRow",
    "Kind",
    "MdefChannel",
    "MdefMeter",
    "Source",
    "read_csv_lines",
    "read_csv_rows",
    "read_mdef",
    "sniff",
    "zone",
]
