"""What is in a data file: meters and intervals of MDEF, rows of CSV.

A leaf: it reads and writes files, and knows neither the client nor the network.  Structure is strict, meaning is
lenient: a file that breaks its layout is refused loudly, with the place; a code that nobody explained is handed on as
it stands.

Who looks for something finds it here, from the bytes upwards:

- all: `_source` opens, `_sniff` tells kinds apart, `_clocks` turns times on the wall into instants and back;
- MDEF: `_layout` has the places, `_fields` the values in headers, `_packing` the slots; `_records` goes through a file,
  `_walk` holds it to the grammar and `_channel_gates` its channels; upon these `_mdef` reads, `_check` checks and
  `_write` writes what `_meters` describes;
- CSV: `_csv` has rows; `_csv_layout`, `_csv_times` and `_csv_order` say what they mean, and `_csv_intervals` makes
  intervals of them;
- tables: `_data_files` says which files are meant, and `_intervals` is the face of everything in ``_arrow*``, where
  alone numpy and pyarrow are known.
"""

from aiomar.formats._check import check_mdef
from aiomar.formats._clocks import zone
from aiomar.formats._csv import CsvRow, read_csv_lines, read_csv_rows
from aiomar.formats._csv_intervals import read_csv_intervals
from aiomar.formats._csv_layout import CsvLayout
from aiomar.formats._csv_order import CsvInterval
from aiomar.formats._findings import Finding, Gate, Severity
from aiomar.formats._intervals import ParquetSummary, interval_batches, intervals, write_parquet
from aiomar.formats._mdef import MdefTrailer, read_mdef, read_mdef_trailer
from aiomar.formats._meters import MdefChannel, MdefMeter
from aiomar.formats._sniff import Kind, sniff
from aiomar.formats._source import Source
from aiomar.formats._write import write_mdef

__all__ = [
    "CsvInterval",
    "CsvLayout",
    "CsvRow",
    "Finding",
    "Gate",
    "Kind",
    "MdefChannel",
    "MdefMeter",
    "MdefTrailer",
    "ParquetSummary",
    "Severity",
    "Source",
    "check_mdef",
    "interval_batches",
    "intervals",
    "read_csv_intervals",
    "read_csv_lines",
    "read_csv_rows",
    "read_mdef",
    "read_mdef_trailer",
    "sniff",
    "write_mdef",
    "write_parquet",
    "zone",
]
