"""From values to a file and back, and from a file to the same file: over flags, lengths, clocks and changes of time.

What a file looks like byte by byte is for `tests.support.mdef` to say, which knows nothing of the package.
"""

from __future__ import annotations

import datetime as dt
import io
import struct
import tracemalloc
from array import array
from typing import BinaryIO, cast
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar import FormatError, TimeType
from aiomar.formats import MdefChannel, MdefMeter, check_mdef, read_mdef, write_mdef
from aiomar.testing import _data
from tests.support.mdef import RECORD, Channel, Slot, channel_header, interval_records, meter_header, whole

PST, DST = TimeType.PST, TimeType.DST
ZONES: dict[TimeType, dt.tzinfo] = {PST: dt.timezone(dt.timedelta(hours=-8)), DST: ZoneInfo("America/Los_Angeles")}
CREATED = "202602010600"
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
SPRING, AUTUMN = dt.datetime(2026, 3, 8, 10, tzinfo=dt.UTC), dt.datetime(2026, 11, 1, 9, tzinfo=dt.UTC)
"""The instants at which the DST clock changes."""
FILL = Slot(0x7FFF_7FFF, 0x7FFF, 0x7FFF)

clocks = st.sampled_from(TimeType)
words = st.integers(0, 0xFFFF)
some_slots = st.lists(st.builds(Slot, st.integers(0, 0xFFFF_FFFF), words, words) | st.just(FILL), max_size=12)


def _written(*meters: MdefMeter) -> bytes:
    target = io.BytesIO()
    write_mdef(meters, target, created=CREATED)
    return target.getvalue()


def _exactly(meter: MdefMeter) -> tuple[object, ...]:
    """Give a meter with its header records, which do not count when meters are compared."""
    return meter, meter.record, *(channel.record for channel in meter.channels)


@attrs.frozen
class Span:
    """A run of intervals."""

    begins: dt.datetime
    count: int
    per_hour: int
    clock: TimeType

    @property
    def ends(self) -> dt.datetime:
        """When the last interval does."""
        return self.begins + self.count * HOUR / self.per_hour

    def stamps(self) -> tuple[bytes, bytes]:
        """Read the wall in the first minute and in the last one, of which the end is told."""
        first, last = self._wall(self.begins + MINUTE), self._wall(self.ends - MINUTE)
        stop = f"{last:%Y%m%d}2400" if f"{last:%H%M}" == "2359" else f"{last + MINUTE:%Y%m%d%H%M}"
        return f"{first:%Y%m%d%H%M}".encode(), stop.encode()

    def habits(self) -> set[tuple[bytes, bytes]]:
        """Give the stamps as some and as others write them: the last is the end as the wall shows it then."""
        start, stop = self.stamps()
        end = self._wall(self.ends)
        return {(start, stop), (start, stop if stop.endswith(b"2400") else f"{end:%Y%m%d%H%M}".encode())}

    def has_a_double(self) -> bool:
        """Whether an hour earlier or later the wall shows the same at both ends."""
        ends = (self.begins + MINUTE, self.ends - MINUTE)
        return any(all(self._wall(minute) == self._wall(minute + off) for minute in ends) for off in (-HOUR, HOUR))

    def _wall(self, instant: dt.datetime) -> dt.datetime:
        return instant.astimezone(ZONES[self.clock]).replace(tzinfo=None)


@st.composite
def spans(draw: st.DrawFn, clock: TimeType | None = None) -> Span:
    """Make spans of all lengths, mostly around the changes of daylight saving."""
    per_hour = draw(st.sampled_from([1, 2, 4, 12]))
    change = draw(st.sampled_from([SPRING, AUTUMN, AUTUMN, dt.datetime(2026, 6, 1, tzinfo=dt.UTC)]))
    begins = change + draw(st.integers(-4 * per_hour, 2 * per_hour)) * HOUR / per_hour
    count = draw(st.integers(1, 6 * per_hour) | st.integers(1, 40 * per_hour))
    return Span(begins, count, per_hour, clock or draw(clocks))


def _filled_up(few: list[Slot], count: int) -> list[Slot]:
    """Make as many slots as asked for of a few, the last of them no fill."""
    few = few or [Slot(0x3F80_0000)]
    return [*(few[index % len(few)] for index in range(count - 1)), Slot(0xBF80_0000, 0x7FFF, 64)]


# --- From values ------------------------------------------------------------------------------------------------------


@given(
    span=spans(),
    few=some_slots,
    has_channel_status=st.booleans(),
    has_interval_status=st.booleans(),
    number=st.integers(0, 99),
)
def test_what_is_built_reads_back_equal(
    *, span: Span, few: list[Slot], has_channel_status: bool, has_interval_status: bool, number: int
) -> None:
    """With every bit of its values, at the instants that were said; or it is refused, as no stamps would tell it."""
    slots = _filled_up(few, span.count)

    def build() -> MdefChannel:
        return MdefChannel.from_values(
            array("f", struct.pack(f"={span.count}I", *(slot.bits for slot in slots))),
            number=number,
            begins=span.begins,
            clock=span.clock,
            per_hour=span.per_hour,
            channel_statuses=[slot.channel for slot in slots] if has_channel_status else None,
            interval_statuses=(slot.interval for slot in slots) if has_interval_status else None,
        )

    if span.has_a_double():
        assert span.clock is DST
        with pytest.raises(FormatError, match="shows twice"):
            build()
        return
    meter = MdefMeter.from_channels("A METER", [build()])
    content = _written(meter)
    (channel,) = meter.channels
    flags = bytes(b"NY"[has] for has in (has_channel_status, has_interval_status))
    expected = Channel(number=number, flags=flags, slots=slots)
    assert content[2 * RECORD : -RECORD] == b"".join(interval_records(b"A METER", expected))
    assert (channel.start_stamp.encode(), channel.stop_stamp.encode()) == span.stamps()
    (found,) = read_mdef(content, clock=span.clock)
    assert _exactly(found) == _exactly(meter)
    assert (channel.begins(span.clock), channel.count) == (span.begins, span.count)
    assert {finding.gate for finding in check_mdef(content, clock=span.clock)} <= {"fill", "value"}


@given(span=spans())
def test_both_habits_of_a_stop_are_read(span: Span) -> None:
    """Around both changes: the true beginning, or a refusal where nothing tells it, and never another one."""
    for start, stop in span.habits():
        channel = Channel(
            flags=b"NN",
            per_hour=b"%02d" % span.per_hour,
            start=start,
            stop=stop,
            slots=_filled_up([], span.count),
        )
        content = whole([meter_header(b"A"), channel_header(b"A", channel), *interval_records(b"A", channel)])
        if span.has_a_double() and stop == span.stamps()[1]:
            with pytest.raises(FormatError, match="shows twice"):
                list(read_mdef(content, clock=span.clock))
            continue
        (meter,) = read_mdef(content, clock=span.clock)
        assert meter.channels[0].begins(span.clock) == span.begins


@given(
    counts=st.lists(st.lists(st.sampled_from([1, 2, 4, 12]), min_size=1, max_size=3), min_size=1, max_size=3),
    hours=st.integers(1, 60),
    clock=clocks,
    value=st.floats(width=32, allow_nan=False),
)
def test_many_meters_and_channels(counts: list[list[int]], hours: int, clock: TimeType, value: float) -> None:
    """They come back in their order, and the checker has nothing to say of finite values."""
    value = min(max(value, -3e38), 3e38)
    meters = [
        MdefMeter.from_channels(
            f"METER {place}",
            [
                MdefChannel.from_values(
                    [value] * per_hour * hours,
                    number=index,
                    begins=SPRING - 6 * HOUR,
                    clock=clock,
                    per_hour=per_hour,
                    interval_statuses=None if index % 2 else [index] * per_hour * hours,
                )
                for index, per_hour in enumerate(lengths)
            ],
        )
        for place, lengths in enumerate(counts)
    ]
    content = _written(*meters)
    assert list(read_mdef(content, clock=clock)) == meters
    assert check_mdef(content, clock=clock) == ()


@pytest.mark.parametrize(
    ("begins", "count", "clock", "start", "stop"),
    [
        ("2026-03-08T08:00", 96, PST, "202603080001", "202603082400"),
        ("2026-03-08T08:00", 92, DST, "202603080001", "202603082400"),
        ("2026-03-08T09:45", 1, DST, "202603080146", "202603080200"),
        ("2026-03-08T10:00", 1, DST, "202603080301", "202603080315"),
        ("2026-03-08T10:00", 1, PST, "202603080201", "202603080215"),
        ("2026-03-08T09:45", 2, DST, "202603080146", "202603080315"),
        ("2026-11-01T07:00", 100, DST, "202611010001", "202611012400"),
        ("2026-11-01T08:00", 96, PST, "202611010001", "202611012400"),
        ("2026-11-01T08:00", 8, DST, "202611010101", "202611010200"),
        ("2026-11-01T08:30", 4, DST, "202611010131", "202611010130"),
        ("2026-11-01T09:00", 5, DST, "202611010101", "202611010215"),
        ("2026-11-01T10:00", 1, DST, "202611010201", "202611010215"),
        ("2026-12-31T08:00", 96, DST, "202612310001", "202612312400"),
    ],
)
def test_stamps_around_a_change(begins: str, count: int, clock: TimeType, start: str, stop: str) -> None:
    """Written out by hand: the first minute on the wall, and the end as the last minute makes it."""
    channel = MdefChannel.from_values(
        [1.0] * count, number=1, begins=dt.datetime.fromisoformat(begins).replace(tzinfo=dt.UTC), clock=clock
    )
    assert (channel.start_stamp, channel.stop_stamp) == (start, stop)


@pytest.mark.parametrize(("begins", "count"), [("09:00", 4), ("09:00", 1), ("09:45", 1), ("09:30", 2)])
def test_either_of_two_equal_hours_is_refused(begins: str, count: int) -> None:
    """Nothing tells a span that lies wholly in one from one in the other; by the PST clock it is written."""
    instant = dt.datetime.fromisoformat(f"2026-11-01T{begins}").replace(tzinfo=dt.UTC)
    fold = instant.astimezone(ZONES[DST])
    assert fold.fold == 1
    for each in (instant, fold, fold.replace(fold=0)):
        with pytest.raises(FormatError, match="hour that it shows twice"):
            MdefChannel.from_values([1.0] * count, number=1, begins=each, clock=DST)
    assert MdefChannel.from_values([1.0] * count, number=1, begins=instant, clock=PST).begins(PST) == instant


@pytest.mark.parametrize("clock", TimeType)
@pytest.mark.parametrize("per_hour", [1, 2, 4, 12])
def test_a_year_holds_both_changes(clock: TimeType, per_hour: int) -> None:
    """It has 8,760 hours by either clock."""
    begins = dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC)
    channel = MdefChannel.from_values(
        [-0.5] * 8_760 * per_hour, number=1, begins=begins, clock=clock, per_hour=per_hour
    )
    content = _written(MdefMeter.from_channels("A", [channel]))
    (read,) = read_mdef(content)
    assert read.channels[0].stop_stamp == "202612312400"
    assert read.clocks == set(TimeType)
    assert check_mdef(content, clock=clock) == ()


def test_every_status_word() -> None:
    """All 65,536 of each status, beside each other."""
    channel = MdefChannel.from_values(
        [0.0] * 0x1_0000,
        number=1,
        begins=AUTUMN,
        clock=PST,
        per_hour=12,
        channel_statuses=range(0x1_0000),
        interval_statuses=reversed(range(0x1_0000)),
    )
    (meter,) = read_mdef(_written(MdefMeter.from_channels("A", [channel])))
    (read,) = meter.channels
    assert read.channel_statuses() == array("H", range(0x1_0000))
    assert read.interval_statuses() == array("H", reversed(range(0x1_0000)))


# --- From a file ------------------------------------------------------------------------------------------------------


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Make files that fit the layout, with any bytes where it has no gate."""
    clock = draw(clocks)
    records: list[bytes] = []
    for key in draw(st.lists(st.binary(max_size=20), min_size=1, max_size=3)):
        channels: list[bytes] = []
        for _ in range(draw(st.integers(1, 3))):
            span = draw(spans(clock).filter(lambda each: not each.has_a_double()))
            start, stop = span.stamps()
            channel = Channel(
                number=draw(words),
                flags=draw(st.sampled_from([b"YY", b"YN", b"NY", b"NN"])),
                per_hour=draw(st.sampled_from([b"%02d", b"%2d", b"%-2d"])) % span.per_hour,
                start=start,
                stop=stop,
                slots=_filled_up(draw(some_slots), span.count),
            )
            free = (slice(24, 56), slice(80, 95), slice(97, 99), slice(101, 177), slice(179, RECORD))
            channels += [_shaken(draw, channel_header(key, channel), *free), *interval_records(key, channel)]
        records += [_shaken(draw, meter_header(key), slice(24, RECORD)), *channels]
    return whole(records)


def _shaken(draw: st.DrawFn, record: bytes, *free: slice) -> bytes:
    """Put any bytes into some of the free places of a record."""
    made = bytearray(record)
    for place in free:
        if draw(st.booleans()):
            width = place.stop - place.start
            made[place] = draw(st.binary(min_size=width, max_size=width))
    return bytes(made)


@given(content=files())
def test_what_is_read_is_written_back_byte_for_byte(content: bytes) -> None:
    """Whatever stands where the layout has no gate; and once more."""
    meters = list(read_mdef(content))
    assert _written(*meters) == content
    assert list(map(_exactly, read_mdef(_written(*meters)))) == list(map(_exactly, meters))


@given(
    meters=st.lists(st.text(max_size=22), min_size=1, max_size=3),
    first=st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)) | st.sampled_from([SPRING.date(), AUTUMN.date()]),
    days=st.integers(0, 3),
    clock=clocks,
)
def test_the_embedded_servers_data_is_what_the_writer_writes(
    meters: list[str], first: dt.date, days: int, clock: TimeType
) -> None:
    """Its files, which are put together by shorter ways, are built again from their values, to the same bytes."""
    last = first + dt.timedelta(days=days)
    content = _data.mdef(meters, first, last, clock)
    midnight = dt.datetime.combine(first, dt.time(), ZONES[clock])
    built = [
        MdefMeter.from_channels(
            meter.recorder_id,
            [
                MdefChannel.from_values(
                    channel.values(),
                    number=channel.number,
                    begins=midnight,
                    clock=clock,
                    unit_code=channel.unit_code,
                    channel_statuses=channel.channel_statuses(),
                    interval_statuses=channel.interval_statuses(),
                    label=channel.label,
                    flow=channel.flow,
                    device_id=channel.device_id,
                    start_reading=channel.start_reading,
                    stop_reading=channel.stop_reading,
                )
                for channel in meter.channels
            ],
            name=meter.name,
            account=meter.account,
        )
        for meter in read_mdef(content, clock=clock)
    ]
    target = io.BytesIO()
    write_mdef(built, target, created=f"{last + dt.timedelta(days=1):%Y%m%d}0600")
    assert target.getvalue() == content
    assert {finding.gate for finding in check_mdef(content, clock=clock)} <= {"no_recorder"}


class _Sink(io.RawIOBase):
    """Forgets what it takes."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        taken = len(cast("bytes", piece))
        self.size += taken
        return taken


def test_memory_is_that_of_a_meter() -> None:
    """A file of sixty large meters takes no more than a few of them."""
    begins = dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC)
    channel = MdefChannel.from_values(array("f", bytes(4 * 35_040)), number=1, begins=begins, clock=PST)
    meter = MdefMeter.from_channels("A", [channel])
    sink = _Sink()
    tracemalloc.start()
    try:
        write_mdef((meter for _ in range(60)), cast("BinaryIO", sink))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sink.size > 60 * len(channel.slots)
    assert peak < 5 * len(channel.slots)
