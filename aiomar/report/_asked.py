"""What was asked for, meter by meter: runs of days, each with what is known to have gone wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

import attrs

from aiomar.protocol import Group, Meter, Selection
from aiomar.report._data import DataDirectory, DataRequest
from aiomar.report._days import Days
from aiomar.report._found import Inventory

UNREADABLE: Final = "file cannot be read"
GONE: Final = "file is gone"
FAILED: Final = "download failed"


@attrs.frozen
class Asked:
    """A run of days that was asked for."""

    first: int
    """Counted as in `Days`."""
    behind: int
    """The day behind the last."""
    reason: str | None
    """Why data of these days are not there, if they are not."""


@attrs.frozen
class Question:
    """What was asked for of one meter; or of a meter or group of which nothing could be read."""

    name: str
    """The recorder id, or the id that was asked for."""
    found: bool
    """Whether a file tells which meter it is."""
    days: tuple[Asked, ...]
    group: bool = False
    """Whether the name is that of a group."""


def questions(data: DataDirectory, inventory: Inventory, days: Days) -> Iterator[Question]:
    """Say of which days every meter should have data.

    Which meters a selection has is what its files hold.  A meter of which no file could be read is taken for the one of
    the same id, where other files have one.
    """
    recorders = {key.recorder_id for key in inventory.channels}
    if not data.catalogued:
        whole = _whole(inventory, days)
        yield from (Question(recorder, found=True, days=whole) for recorder in sorted(recorders))
        return
    by_selection = _by_selection(data.requests, inventory, days)
    selections: dict[str, list[Selection]] = {}
    for selection, asked in by_selection.items():
        known = inventory.recorders.get(selection)
        if known is None and isinstance(selection, Meter) and selection.id in recorders:
            known = {selection.id}
        for recorder in known or ():
            selections.setdefault(recorder, []).append(selection)
        if known is None:
            yield Question(selection.id, found=False, days=_runs(asked), group=isinstance(selection, Group))
    together: dict[tuple[Selection, ...], tuple[Asked, ...]] = {}  # the meters of a group were asked for alike
    for recorder in sorted(recorders):
        chosen = tuple(selections.get(recorder, ()))
        if chosen not in together:
            together[chosen] = _runs([asked for selection in chosen for asked in by_selection[selection]])
        yield Question(recorder, found=True, days=together[chosen])


def _whole(inventory: Inventory, days: Days) -> tuple[Asked, ...]:
    """Give all days from the first to the last that any file has."""
    spans = [(begin, end) for found in inventory.channels.values() for begin, end, _, _ in found.spans()]
    if not spans:
        return ()
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    return (Asked(days.index(first), days.index(last - 1) + 1, None),)


def _by_selection(requests: Iterable[DataRequest], inventory: Inventory, days: Days) -> Mapping[Selection, list[Asked]]:
    unreadable = {
        inventory.paths[number]: GONE if number in inventory.gone else UNREADABLE for number in inventory.unreadable
    }
    found: dict[Selection, list[Asked]] = {}
    for request in requests:
        if request.selection is None or request.start is None or request.end is None:
            continue
        first, behind = days.clip(request.start, request.end)
        if request.path is not None:
            reason = unreadable.get(request.path)
        else:
            reason = f"{FAILED}: {request.error}" if request.error else FAILED
        asked = found.setdefault(request.selection, [])
        if first < behind:
            asked.append(Asked(first, behind, reason))
    return found


def _runs(asked: list[Asked]) -> tuple[Asked, ...]:
    """Put runs together, each day once; of several reasons that a day has, the last one that is known counts."""
    if not asked:
        return ()
    first, behind = min(run.first for run in asked), max(run.behind for run in asked)
    reasons: list[str | bool | None] = [False] * (behind - first)  # False: nobody asked
    for run in sorted(asked, key=lambda run: run.reason is not None):
        reasons[run.first - first : run.behind - first] = [run.reason] * (run.behind - run.first)
    runs, day = [], first
    for reason, same in groupby(reasons):
        last, day = day, day + sum(1 for _ in same)
        if not isinstance(reason, bool):
            runs.append(Asked(last, day, reason))
    return tuple(runs)
