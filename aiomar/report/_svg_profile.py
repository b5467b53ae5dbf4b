"""The picture of a load profile: mean and band by time of day, for weekdays and for weekends, and the sums of days."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby, pairwise

import attrs

from aiomar.report._html_rows import unit
from aiomar.report._html_text import clock_words, number, table, text
from aiomar.report._profile import LoadProfile, ProfileSlot
from aiomar.report._verdict import counted

_WIDTH, _HEIGHT = 360, 230
"""Of a panel, in units that are pixels on a phone."""
_BROAD, _LOW = 1_180, 180
"""Of the sums of days, which have a box of their own to scroll in."""
_RIGHT, _TOP, _BOTTOM = 20, 26, 24
_LETTER = 8
"""Width of a digit, at most."""
_HOURS = 24
_MINUTES_A_DAY = 1_440
_ROOM = 7
_TICKS = 5
"""Lines of a scale, about."""
_DATES = 8
"""Dates below the sums of days, at most."""
_NEARLY = 0.999
"""A step that is this near to what is needed will do: reckoning with binary fractions is never quite exact."""
_SMALL, _LARGE = 1e-3, 1e9
"""Values beyond are written with a power of ten."""


@attrs.frozen(kw_only=True)
class _Frame:
    """Where values come to stand."""

    width: int
    height: int
    least: float
    most: float
    step: float

    @cached_property
    def left(self) -> int:
        """Where the plot begins, beside the longest number of its scale."""
        return _LETTER * (1 + max(len(_short(value)) for value in self.ticks()))

    def ticks(self) -> Iterator[float]:
        """Give the values of the scale."""
        return (self.least + place * self.step for place in range(round((self.most - self.least) / self.step) + 1))

    def y(self, value: float) -> float:
        """Say how far down a value is."""
        return round(self.height - _BOTTOM - (value - self.least) / (self.most - self.least) * self.inner, 1)

    def x(self, part: float) -> float:
        """Say how far to the right a part of the whole width is."""
        return round(self.left + part * (self.width - self.left - _RIGHT), 1)

    @property
    def inner(self) -> int:
        return self.height - _TOP - _BOTTOM

    def scale(self, words: str) -> Iterator[str]:
        """Draw the scale at the left, with its unit on top."""
        yield f'<text x="2" y="14">{text(words)}</text>'
        left = self.left
        for value in self.ticks():
            y = self.y(value)
            yield f'<path class="grid" d="M{left} {y}H{self.width - _RIGHT}"/>'
            yield f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{_short(value)}</text>'
        yield f'<path class="axis" d="M{left} {self.y(self.least)}H{self.width - _RIGHT}"/>'


def draw_profile(profile: LoadProfile) -> Iterator[str]:
    """Draw the load of a meter, or say why there is none."""
    if not profile.days:
        yield f"<h2>Load of {text(profile.recorder_id)}</h2>\n"
        yield f"<p>There is nothing to draw: {_why_nothing(profile)}.</p>\n"
        return
    name = unit(profile.unit_code) or "value"
    per = f"{name} per {profile.minutes} min"
    yield f"<h2>Load of {text(profile.recorder_id)}, channel {profile.channel}</h2>\n"
    yield f"<p>By time of day on the clock ({clock_words(profile.clock)}): the line is the mean, the band reaches from "
    yield f"the least to the most. {counted(profile.used, 'interval')} in {counted(len(profile.days), 'day')}"
    yield f"; {number(profile.left_out)} left out (marked as missing, or without a number)"
    if profile.outages:
        yield f"; {counted(profile.outages, 'interval')} {_be(profile.outages)} marked as power outage"
    yield f"; {_unread(profile)}" if profile.unread else ""
    yield '.</p>\n<div class="panels">\n'
    most = [slot.most for slot in (*profile.weekdays, *profile.weekends)]
    least = [slot.least for slot in (*profile.weekdays, *profile.weekends)]
    frame = _frame(min(least), max(most), _WIDTH, _HEIGHT)
    yield from _panel("Monday to Friday", profile.weekdays, profile.minutes, frame, per)
    yield from _panel("Saturday and Sunday", profile.weekends, profile.minutes, frame, per)
    yield from _sums(profile, f"{name} per day")
    yield "</div>\n<details><summary>The same in numbers</summary>\n"
    for words, slots in (("Monday to Friday", profile.weekdays), ("Saturday and Sunday", profile.weekends)):
        heads = ("Time", "Mean", "Least", "Most", "Days")
        rows = (
            (f"{slot.time:%H:%M}", *map(_exact, (slot.mean, slot.least, slot.most)), f"{slot.count}") for slot in slots
        )
        yield from table(f"{words}, {per}", heads, rows, numeric=frozenset({1, 2, 3, 4}))
    yield "</details>\n"


def _why_nothing(profile: LoadProfile) -> str:
    reasons = []
    if profile.left_out:
        every = counted(profile.left_out, "interval")
        reasons.append(f"of {every} each is marked as missing, or without a number")
    if profile.unread:
        reasons.append(_unread(profile))
    return "; ".join(reasons) or "no file has an interval of it"


def _unread(profile: LoadProfile) -> str:
    return f"{counted(profile.unread, 'file')} {_be(profile.unread)} gone or cannot be read"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _panel(title: str, slots: Sequence[ProfileSlot], minutes: int, frame: _Frame, per: str) -> Iterator[str]:
    name = title.split(maxsplit=1)[0].lower()
    yield f"<figure><figcaption><b>{title}</b></figcaption>"
    yield f'<svg viewBox="0 0 {frame.width} {frame.height}" role="img" aria-labelledby="{name}-t {name}-d">'
    yield f'<title id="{name}-t">{title}, {text(per)}</title>'
    yield f'<desc id="{name}-d">Mean, least and most by time of day; the table below tells the same in numbers.</desc>'
    yield from frame.scale(per)
    for hour in range(0, _HOURS + 1, 6):
        x = frame.x(hour / _HOURS)
        yield f'<path class="grid" d="M{x} {_TOP}V{frame.height - _BOTTOM}"/>'
        yield f'<text x="{x}" y="{frame.height - 7}" text-anchor="middle">{hour:02}:00</text>'
    if not slots:
        yield f'<text class="strong" x="{frame.x(0.5)}" y="{frame.height // 2}" text-anchor="middle">no such day</text>'
    for some in _unbroken(slots, minutes):
        yield from _curve(some, minutes, frame)
    yield "</svg></figure>\n"


def _unbroken(slots: Sequence[ProfileSlot], minutes: int) -> Iterator[list[ProfileSlot]]:
    """Cut a profile where times of day have no value, so that no line is drawn over them."""
    numbered = enumerate(slots)
    for _, group in groupby(numbered, lambda item: _minute(item[1]) // minutes - item[0]):
        yield [slot for _, slot in group]


def _curve(slots: Sequence[ProfileSlot], minutes: int, frame: _Frame) -> Iterator[str]:
    """Draw steps: a value is that of a whole interval, from its beginning to its end."""
    ends = [(_minute(slot), _minute(slot) + minutes) for slot in slots]
    xs = [(frame.x(begin / _MINUTES_A_DAY), frame.x(end / _MINUTES_A_DAY)) for begin, end in ends]
    up = _steps(xs, [frame.y(slot.most) for slot in slots])
    down = _steps([(end, begin) for begin, end in reversed(xs)], [frame.y(slot.least) for slot in reversed(slots)])
    yield f'<path class="band" d="M{up}L{down}Z"/>'
    yield f'<path class="mean" d="M{_steps(xs, [frame.y(slot.mean) for slot in slots])}"/>'
    for slot, (begin, end) in zip(slots, xs, strict=True):
        words = f"{slot.time:%H:%M}: mean {_exact(slot.mean)}, {_exact(slot.least)} to {_exact(slot.most)}"
        yield f'<rect class="clear" x="{begin}" y="{_TOP}" width="{round(end - begin, 1)}" height="{frame.inner}">'
        yield f"<title>{words}</title></rect>"


def _sums(profile: LoadProfile, per: str) -> Iterator[str]:
    totals = [day.total for day in profile.days]
    frame = _frame(min(totals), max(totals), _BROAD, _LOW)
    first, last = profile.days[0].day, profile.days[-1].day
    count = (last - first).days + 1
    yield '<figure class="broad"><figcaption><b>Sums of days</b>; a ring is a day that is not whole</figcaption>'
    yield '<div class="box" tabindex="0" role="region" aria-label="Sums of days">'
    yield f'<svg width="{frame.width}" height="{frame.height}" role="img" aria-labelledby="sums-t sums-d">'
    yield f'<title id="sums-t">Sums of days, {text(per)}</title>'
    yield f'<desc id="sums-d">{counted(len(totals), "day")} from {first} to {last}.</desc>'
    yield from frame.scale(per)
    places = [(frame.x(((day.day - first).days + 0.5) / count), frame.y(day.total), day) for day in profile.days]
    for place in range(0, count, math.ceil(count / _DATES)):
        x = frame.x((place + 0.5) / count)
        yield f'<text x="{x}" y="{frame.height - 7}" text-anchor="middle">{first + dt.timedelta(days=place)}</text>'
    # A line joins whole days that follow each other, and leaves out what is not known.
    joined = [
        f"M{x} {y}L{next_x} {next_y}"
        for (x, y, day), (next_x, next_y, following) in pairwise(places)
        if day.whole and following.whole and following.day - day.day == dt.timedelta(days=1)
    ]
    yield f'<path class="mean" d="{"".join(joined)}"/>'
    for x, y, day in places:
        kind = "dot" if day.whole else "ring"
        yield f'<circle class="{kind}" cx="{x}" cy="{y}" r="{2 if day.whole else 3.5}">'
        yield f"<title>{day.day:%a} {day.day}: {_exact(day.total)}{'' if day.whole else ', not whole'}</title></circle>"
    yield "</svg></div></figure>\n"


def _frame(least: float, most: float, width: int, height: int) -> _Frame:
    """Make a scale in round steps that has nought in it, so that lengths can be compared."""
    least, most = min(least, 0.0), max(most, 0.0)
    rough = (most - least) / _TICKS or 1 / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * _NEARLY)
    low, high = math.floor(least / step) * step, math.ceil(most / step) * step
    return _Frame(width=width, height=height, least=low, most=high if high > low else low + step, step=step)


def _steps(spans: Sequence[tuple[float, float]], ys: Sequence[float]) -> str:
    """Make the rest of a path that stands still over each span."""
    return "L".join(f"{begin} {y}H{end}" for (begin, end), y in zip(spans, ys, strict=True))


def _minute(slot: ProfileSlot) -> int:
    return slot.time.hour * 60 + slot.time.minute


def _exact(value: float) -> str:
    """Write a value with the digits that a meter has."""
    if value and not _SMALL <= abs(value) < _LARGE:
        return f"{value:.4g}"
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _short(value: float) -> str:
    """Write a value beside a scale, where there is room for seven characters."""
    written = f"{value:,.6g}"
    return written if len(written) <= _ROOM else f"{value:.2g}"
