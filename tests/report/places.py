"""Directories of data files for tests: channels to be written, and catalogues that say what was asked for."""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Iterable
from pathlib import Path

import attrs

from aiomar import FailedDownload, FileFormat, Meter, OmarError, SavedFile, Selection, TimeType
from aiomar.formats import MdefChannel, MdefMeter, write_mdef, zone
from aiomar.protocol import Span, file_name
from aiomar.transfer import Catalogue, FailedRow, Terms
from aiomar.transfer._catalogue_rows import SavedRow

PST, DST = TimeType.PST, TimeType.DST
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
MARCH = dt.date(2026, 3, 1)


def midnight(day: dt.date, clock: TimeType = PST) -> dt.datetime:
    """Give the instant with which a day begins."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=zone(clock)).astimezone(dt.UTC)


def days_later(day: dt.date, days: int) -> dt.date:
    """Give a day some days later."""
    return day + dt.timedelta(days=days)


def channel(
    first: dt.date | dt.datetime = MARCH,
    days: int = 1,
    *,
    count: int | None = None,
    values: Iterable[float] | None = None,
    number: int = 1,
    per_hour: int = 4,
    clock: TimeType = PST,
    channel_statuses: Iterable[int] | None = None,
    interval_statuses: Iterable[int] | None = None,
) -> MdefChannel:
    """Make a channel of whole days, or of `count` intervals from an instant on; a value is its place, from 0."""
    begins = first if isinstance(first, dt.datetime) else midnight(first, clock)
    if count is None:
        assert not isinstance(first, dt.datetime)
        count = (midnight(days_later(first, days), clock) - begins) // (dt.timedelta(hours=1) / per_hour)
    return MdefChannel.from_values(
        array("f", range(count) if values is None else values),
        number=number,
        begins=begins,
        clock=clock,
        per_hour=per_hour,
        channel_statuses=channel_statuses,
        interval_statuses=interval_statuses,
        label=f"CH {number}",
    )


def meter(recorder_id: str, *channels: MdefChannel) -> MdefMeter:
    """Make a meter of channels; of one day of March if none are given."""
    return MdefMeter.from_channels(recorder_id, channels or (channel(),))


@attrs.frozen
class DataPlace:
    """A directory that ranges were downloaded to."""

    path: Path
    clock: TimeType = PST
    file_format: FileFormat = FileFormat.MDEF

    def put(
        self,
        selection: Selection | str,
        *content: MdefMeter,
        first: dt.date = MARCH,
        days: int = 1,
        text: bytes | None = None,
    ) -> Path:
        """Put a file under the name that a range gives it, and a row into the catalogue; of `days` days."""
        wanted = Meter(selection) if isinstance(selection, str) else selection
        span = Span(first, days_later(first, days - 1))
        name = file_name(wanted, span, file_format=self.file_format, time_type=self.clock)
        path = self.path / name
        if text is not None:
            path.write_bytes(text)
        else:
            write_mdef(content, path)
        facts = path.stat()
        file = SavedFile(
            path=path,
            size=facts.st_size,
            sha256="0" * 64,
            selection=wanted,
            start=span.start,
            end=span.end,
            file_format=self.file_format,
            time_type=self.clock,
            fetched_at=NOW,
            completeness="length",
        )
        with Catalogue.open(self.path) as catalogue:
            catalogue.record([SavedRow(name, file, self._terms, facts.st_mtime_ns, attempts=1)])
        return path

    def fail(self, selection: Selection | str, error: str, *, first: dt.date = MARCH, days: int = 1) -> None:
        """Note in the catalogue that a download failed."""
        wanted = Meter(selection) if isinstance(selection, str) else selection
        span = Span(first, days_later(first, days - 1))
        name = file_name(wanted, span, file_format=self.file_format, time_type=self.clock)
        failure = FailedDownload(wanted, span.start, span.end, self.file_format, self.clock, OmarError(error), 3)
        with Catalogue.open(self.path) as catalogue:
            catalogue.record_failures([FailedRow(name, failure, self._terms, NOW)])

    @property
    def _terms(self) -> Terms:
        return Terms(origin="https://omar.example:444", file_format=self.file_format, time_type=self.clock)
