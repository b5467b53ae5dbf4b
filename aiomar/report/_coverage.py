"""Coverage of a directory: what was asked for, what is there, and what is to be said of the difference.

Data are read as pieces, runs of intervals without a gap, and reckoned with by their ends: no interval is looked at by
itself unless its status words say something or it is there more than once.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator

from aiomar.formats import CsvLayout
from aiomar.report._asked import questions
from aiomar.report._coverage_values import Coverage, Problem, Series
from aiomar.report._data import DataDirectory
from aiomar.report._days import Days, day_minutes, days_of
from aiomar.report._found import Found, Inventory, take_inventory
from aiomar.report._pieces import PieceReader
from aiomar.report._series import series_of, series_of_nothing
from aiomar.report._twice import compare_copies

_QUARTER = 15
_DAY = 1_440
_NOT_FETCHED = "it was not fetched: run the range again"


def read_coverage(
    data: DataDirectory, *, layout: CsvLayout | None = None, progress: Callable[[int], object] | None = None
) -> Coverage:
    """Say whether every interval is there that was asked for.

    Blocks; reads every file once, and those that have intervals in common once more.  A file that
    cannot be read is a problem and not an end; nothing of it counts as found.

    Args:
        data: the files, as `find_data` gives them.
        layout: what the columns of CSV files mean.
        progress: told the bytes that were read; what it raises ends the reading.

    Raises:
        UsageError: the files are CSV and there is no layout.
        ConfigError: this machine has no time zone database.
    """
    reader = PieceReader.of(data, layout, progress)
    days = days_of(data.clock)
    inventory = take_inventory(data.requests, reader, days)
    compare_copies(inventory, reader, days)
    series = []
    for one in _series(data, inventory, days):
        reader.go_on()
        series.append(one)
    series.sort(key=lambda one: (one.recorder_id, one.group, one.channel or 0))
    first = min((one.first_day for one in series), default=None)
    last = max((one.last_day for one in series), default=None)
    return Coverage(
        directory=data.directory,
        clock=data.clock,
        file_format=data.file_format,
        catalogued=data.catalogued,
        first_day=first,
        last_day=last,
        change_days=tuple(_changes(data, first, last)) if first is not None and last is not None else (),
        series=tuple(series),
        problems=tuple(_problems(data, inventory)),
        files=len(inventory.paths) - len(inventory.unreadable),
        left_out=data.left_out,
        left_out_words=data.left_out_words,
    )


def _series(data: DataDirectory, inventory: Inventory, days: Days) -> Iterator[Series]:
    channels: dict[str, list[Found]] = {}
    for found in inventory.channels.values():
        channels.setdefault(found.key.recorder_id, []).append(found)
    steps = Counter(found.step for found in inventory.channels.values())
    usual = steps.most_common(1)[0][0] if steps else _QUARTER
    for question in questions(data, inventory, days):
        if not question.found:
            series = [series_of_nothing(question, usual, days)]
        else:
            series = [series_of(found, question.days, days) for found in channels[question.name]]
        yield from (one for one in series if len(one))


def _problems(data: DataDirectory, inventory: Inventory) -> Iterator[Problem]:
    """Tell of the requests that failed and the files that cannot be read, in the order in which they first came."""
    number = -1
    for request in data.requests:
        number += request.path is not None
        words = inventory.unreadable.get(number) if request.path is not None else request.error or _NOT_FETCHED
        if words is not None:
            yield Problem(
                path=request.path,
                selection=request.selection,
                start=request.start,
                end=request.end,
                words=words,
                gone=request.path is not None and number in inventory.gone,
            )


def _changes(data: DataDirectory, first: dt.date, last: dt.date) -> Iterator[dt.date]:
    for offset in range((last - first).days + 1):
        day = first + dt.timedelta(days=offset)
        if day_minutes(day, data.clock) != _DAY:
            yield day
