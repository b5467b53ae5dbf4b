"""Coverage made up: so many meters, a span, and trouble where chance puts it, the same in every run."""

from __future__ import annotations

import datetime as dt
import random
import sys
from array import array
from pathlib import Path

import attrs

from aiomar import FileFormat, TimeType
from aiomar.formats import zone
from aiomar.report import Coverage, Gap, Problem, Series
from aiomar.report._days import day_minutes

FIRST = dt.date(2026, 1, 1)
_QUARTERS = 4
_KINDS = ("missing", "missing", "short", "short", "flagged", "estimated", "duplicates", "conflicts", "long")
_NAMES = ("expected", "found", "missing", "duplicates", "conflicts", "estimated", "flagged")
_UNITS = ("01", "03", "07")


def made_up(
    meters: int,
    *,
    days: int = 365,
    channels: int = 3,
    trouble: float = 0.01,
    first_day: dt.date = FIRST,
    clock: TimeType = TimeType.DST,
    problems: tuple[Problem, ...] = (),
    seed: int = 7,
) -> Coverage:
    """Make the coverage of some meters.

    Args:
        meters: how many; their ids count from 1001.
        days: how many, from `first_day` on.
        channels: of each meter.
        trouble: how many of the days have some, as a share.
        first_day: the first one.
        clock: of the files.
        problems: that the report tells of.
        seed: of the chance.
    """
    chance = random.Random(seed)  # noqa: S311 - where trouble is, is no secret
    span = [first_day + dt.timedelta(days=place) for place in range(days)]
    due = array("H", (day_minutes(day, clock) * _QUARTERS // 60 for day in span))
    series = tuple(
        _series(f"{1001 + meter}", channel, due, first_day, _Trouble(chance, trouble, zone(clock)))
        for meter in range(meters)
        for channel in range(1, channels + 1)
    )
    return Coverage(
        directory=Path("/data/omar/2026"),
        clock=clock,
        file_format=FileFormat.MDEF,
        catalogued=True,
        first_day=span[0],
        last_day=span[-1],
        change_days=tuple(day for day in span if day_minutes(day, clock) != 24 * 60),
        series=series,
        problems=problems,
        files=meters,
        left_out=0,
        left_out_words=None,
    )


@attrs.frozen
class _Trouble:
    chance: random.Random
    share: float
    wall: dt.tzinfo

    def after(self, place: int) -> int:
        """Give the next day with trouble."""
        return place + 1 + int(self.chance.expovariate(self.share)) if self.share else sys.maxsize


def _series(
    recorder_id: str,
    channel: int,
    due: array[int],
    first_day: dt.date,
    trouble: _Trouble,
) -> Series:
    figures = {name: array("H", due if name in {"expected", "found"} else bytes(2 * len(due))) for name in _NAMES}
    gaps = []
    place = -1
    while (place := trouble.after(place)) < len(due):
        kind = trouble.chance.choice(_KINDS)
        some = trouble.chance.randint(1, 40)
        if kind == "long":
            figures["found"][place] += 4
            continue
        lost = {"missing": due[place], "short": some}.get(kind, 0)
        figures["missing"][place] = lost
        figures["found"][place] -= lost
        if lost:
            start = dt.datetime.combine(first_day + dt.timedelta(days=place), dt.time(), trouble.wall).astimezone(
                dt.UTC
            )
            reason = "download failed: the server answered 500 (StatusError)" if trouble.chance.random() < 0.3 else None
            end = start + dt.timedelta(minutes=15 * lost)
            gaps.append(Gap(start=start, end=end, intervals=lost, reason=reason))
        else:
            figures[kind][place] = some
            if kind == "conflicts":
                figures["duplicates"][place] = some
    return Series(
        recorder_id=recorder_id,
        channel=channel,
        unit_code=_UNITS[(channel - 1) % len(_UNITS)],
        label=("KWH D", "KVARH R", "VAN")[(channel - 1) % len(_UNITS)],
        per_hour=_QUARTERS,
        first_day=first_day,
        gaps=tuple(gaps),
        expected=figures["expected"],
        found=figures["found"],
        missing=figures["missing"],
        duplicates=figures["duplicates"],
        conflicts=figures["conflicts"],
        estimated=figures["estimated"],
        flagged=figures["flagged"],
    )
