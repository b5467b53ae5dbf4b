"""Whether every interval is there: coverage of a directory of data files, gaps, and one HTML file to look at."""

from aiomar.report._coverage import read_coverage
from aiomar.report._coverage_values import Coverage, DayCoverage, DayState, Gap, MeterGap, Problem, Series, Totals
from aiomar.report._data import DataDirectory, DataRequest, find_data
from aiomar.report._html import write_html
from aiomar.report._profile import LoadProfile, ProfileDay, ProfileSlot, read_profile

__all__ = [
    "Coverage",
    "DataDirectory",
    "DataRequest",
    "DayCoverage",
    "DayState",
    "Gap",
    "LoadProfile",
    "MeterGap",
    "Problem",
    "ProfileDay",
    "ProfileSlot",
    "Series",
    "Totals",
    "find_data",
    "read_coverage",
    "read_profile",
    "write_html",
]
