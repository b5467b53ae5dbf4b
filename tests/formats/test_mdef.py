"""Reading MDEF: every field and bit where the layout has it, every gate with its place, and nothing else raised."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import pickle
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import BinaryIO, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar import FormatError, TimeType, UsageError
from aiomar.formats import MdefChannel, MdefMeter, check_mdef, read_mdef, zone
from aiomar.testing import _data
from tests.support.broken_mdef import BROKEN, EDITS, KEY, RECORDS, SMALL, Broken, edited, with_fields
from tests.support.mdef import (
    RECORD,
    Channel,
    Slot,
    channel_header,
    day,
    interval_records,
    meter,
    packed,
    slot,
    trailer,
    whole,
)
from tests.support.sources import Made, Short

PST, DST = TimeType.PST, TimeType.DST


def _read(content: bytes, clock: TimeType | None = None) -> list[MdefMeter]:
    return list(read_mdef(content, clock=clock))


def _channel(content: bytes, clock: TimeType | None = None) -> MdefChannel:
    (found,) = _read(content, clock)
    return found.channels[0]


def _fault(content: bytes, clock: TimeType | None = None) -> FormatError:
    with pytest.raises(FormatError) as caught:
        _read(content, clock)
    return caught.value


def test_every_field_is_read_where_the_layout_has_it() -> None:
    """Texts lose their blanks, codes stay as they are, and the whole header is there for what has no name."""
    (found,) = _read(whole(meter(b"ABC_1234567890", Channel(number=300, unit=b"03", slots=day()))))
    assert (found.recorder_id, found.name, found.address) == (
        "ABC_1234567890",
        "A CUSTOMER",
        ("1 MAIN STREET", "FOLSOM"),
    )
    assert (found.account, found.declared_channels, found.dst_flag) == ("ACCOUNT-7", "0001", "N")
    assert (found.start_stamp, found.stop_stamp) == ("202601310001", "202601312400")
    (channel,) = found.channels
    assert attrs.asdict(channel, filter=lambda field, _: field.name not in {"record", "slots"}) == {
        "number": 300,
        "physical_number": "00",
        "unit_code": "03",
        "label": "KWH D",
        "device_id": "ABC_1234567890",
        "start_stamp": "202601310001",
        "stop_stamp": "202601312400",
        "per_hour": 4,
        "has_channel_status": True,
        "has_interval_status": True,
        "start_reading": "000001234.50",
        "stop_reading": "000005678.25",
        "multiplier": "042000.000",
        "service_type": "W",
        "validation": "AC",
        "flow": "D",
        "kva_set": 0,
        "origin": "R",
    }
    assert channel.record[125:126] == b"3"
    assert (channel.count, channel.interval) == (96, dt.timedelta(minutes=15))


@pytest.mark.parametrize(("flags", "width"), [(b"YY", 8), (b"YN", 6), (b"NY", 6), (b"NN", 4)])
def test_the_two_flags_decide_the_slot(flags: bytes, width: int) -> None:
    """A status that the channel does not carry is null, and the other one stands where it belongs."""
    slots = [slot(-1.5, 16, 64), *day(94), slot(3.25, 512, 1026)]
    channel = _channel(whole(meter(KEY, Channel(flags=flags, slots=slots))))
    assert (channel.width, channel.count) == (width, 96)
    assert channel.values().tolist() == [-1.5, *(0.5 + index for index in range(94)), 3.25]
    of_channel, of_interval = channel.channel_statuses(), channel.interval_statuses()
    assert (None if of_channel is None else of_channel.tolist()) == (
        [16, *[0] * 94, 512] if flags[:1] == b"Y" else None
    )
    assert (None if of_interval is None else of_interval.tolist()) == (
        [64, *[0] * 94, 1026] if flags[1:] == b"Y" else None
    )


WORD = st.integers(0, 0x7FFE)
SLOT = st.builds(Slot, st.integers(0, 0xFFFF_FFFF).filter(lambda bits: bits != 0x7FFF_7FFF), WORD, WORD)


@given(
    flags=st.sampled_from([b"YY", b"YN", b"NY", b"NN"]),
    per_hour=st.sampled_from([1, 2, 4, 12]),
    hours=st.integers(1, 40),
    data=st.data(),
)
def test_every_bit_comes_back(flags: bytes, per_hour: int, hours: int, data: st.DataObject) -> None:
    """Also those of infinities, of either zero, and of every kind of NaN."""
    count = per_hour * hours
    few = data.draw(st.lists(SLOT, min_size=1, max_size=20))
    slots = [few[index % len(few)] for index in range(count)]
    stop = dt.datetime(2026, 6, 1) + dt.timedelta(hours=hours)  # noqa: DTZ001 - a wall has no zone
    made = Channel(
        flags=flags, per_hour=b"%02d" % per_hour, start=b"202606010001", stop=f"{stop:%Y%m%d%H%M}".encode(), slots=slots
    )
    channel = _channel(whole(meter(KEY, made)))
    assert channel.slots == packed(made)
    assert channel.values().tobytes() == struct.pack(f"={count}I", *(each.bits for each in slots))
    of_channel, of_interval = channel.channel_statuses(), channel.interval_statuses()
    assert of_channel is None or of_channel.tolist() == [each.channel for each in slots]
    assert of_interval is None or of_interval.tolist() == [each.interval for each in slots]


@pytest.mark.parametrize("flags", [b"YY", b"NY", b"NN"])
@pytest.mark.parametrize("days", [30, 43, 365])
def test_long_channels_come_back_whole(flags: bytes, days: int) -> None:
    """Slots are cut out of many records at a time, and block after block: none is lost or stands elsewhere."""
    stop = dt.date(2026, 1, 1) + dt.timedelta(days=days - 1)
    slots = day(days * 96)
    made = Channel(flags=flags, start=b"202601010001", stop=f"{stop:%Y%m%d}2400".encode(), slots=slots)
    (found,) = _read(whole(meter(KEY, made, attrs.evolve(made, number=2, slots=slots[::-1]))), PST)
    assert [channel.slots for channel in found.channels] == [
        packed(made),
        packed(attrs.evolve(made, slots=slots[::-1])),
    ]


def test_several_meters_follow_each_other() -> None:
    """Each with its own channels, one after the other."""
    first = meter(b"A", Channel(slots=day()), Channel(number=2, flags=b"NN", slots=day()))
    found = _read(whole([*first, *meter(b"B", Channel(slots=day(first=7)))]))
    assert [(each.recorder_id, [channel.number for channel in each.channels]) for each in found] == [
        ("A", [1, 2]),
        ("B", [1]),
    ]
    assert found[1].channels[0].values()[0] == 7


def test_what_is_read_is_equal_and_travels() -> None:
    """Two readings of the same bytes are equal values, and come out of a pickle so."""
    content = whole(meter(KEY, Channel(slots=[Slot(0x7FC0_0001), *day(95)])))
    (first,), (second,) = _read(content), _read(content)
    assert first == second == pickle.loads(pickle.dumps(first))  # noqa: S301 - our own bytes
    assert first != _read(whole(meter(KEY, Channel(slots=day()))))[0]


def test_a_repr_shows_no_meter_values() -> None:
    """Neither intervals nor readings: values get into logs by their repr."""
    text = repr(_read(whole(RECORDS)))
    assert "KWH D" in text
    assert "<768 bytes>" in text
    assert "1234.50" not in text
    assert "5678.25" not in text
    assert "\\x" not in text


# --- Clocks -----------------------------------------------------------------------------------------------------------

MARCH, NOVEMBER = b"20260308", b"20261101"
"""The days of change of 2026."""


def _span(start: bytes, stop: bytes, count: int, flags: bytes = b"YY") -> bytes:
    return whole(meter(KEY, Channel(start=start, stop=stop, flags=flags, slots=day(count))))


@pytest.mark.parametrize(
    ("start", "stop", "count", "clocks"),
    [
        (b"202601310001", b"202601312400", 96, {PST, DST}),
        (b"202601310001", b"202602010000", 96, {PST, DST}),
        (b"202606010001", b"202606302400", 2_880, {PST, DST}),
        (b"202601010001", b"202612312400", 35_040, {PST, DST}),
        (MARCH + b"0001", MARCH + b"2400", 96, {PST}),
        (MARCH + b"0001", MARCH + b"2400", 92, {DST}),
        (NOVEMBER + b"0001", NOVEMBER + b"2400", 96, {PST}),
        (NOVEMBER + b"0001", NOVEMBER + b"2400", 100, {DST}),
        (MARCH + b"0001", MARCH + b"0200", 8, {PST, DST}),
        (MARCH + b"0001", MARCH + b"0300", 12, {PST}),
        (MARCH + b"0201", MARCH + b"0300", 4, {PST}),
        (MARCH + b"0301", MARCH + b"2400", 84, {PST, DST}),
        (NOVEMBER + b"0001", NOVEMBER + b"0200", 8, {PST, DST}),
        (NOVEMBER + b"0001", NOVEMBER + b"0200", 12, {DST}),
        (NOVEMBER + b"0101", NOVEMBER + b"2400", 92, {PST, DST}),
        (NOVEMBER + b"0101", NOVEMBER + b"2400", 96, {DST}),
        (NOVEMBER + b"0101", NOVEMBER + b"0200", 8, {DST}),
        (NOVEMBER + b"0101", NOVEMBER + b"0200", 4, {PST}),
        (NOVEMBER + b"0131", NOVEMBER + b"0145", 1, {PST}),
        (MARCH + b"0001", MARCH + b"0300", 8, {DST}),
        (NOVEMBER + b"0001", NOVEMBER + b"0100", 8, {DST}),
        (NOVEMBER + b"0001", NOVEMBER + b"0100", 4, {PST, DST}),
        (NOVEMBER + b"0101", NOVEMBER + b"0100", 4, {DST}),
    ],
)
def test_the_clocks_that_fit(start: bytes, stop: bytes, count: int, clocks: set[TimeType]) -> None:
    """The number of intervals, counted to where the fill begins, says which clock the stamps were read from."""
    content = _span(start, stop, count)
    (found,) = _read(content)
    assert found.clocks == found.channels[0].clocks == clocks
    for clock in clocks:
        assert _read(content, clock) == [found]
    for clock in set(TimeType) - clocks:
        assert clock.value in str(_fault(content, clock))
        with pytest.raises(UsageError, match=clock.value):
            found.channels[0].begins(clock)


@pytest.mark.parametrize(
    ("start", "stop", "count", "clock", "begin"),
    [
        (b"202601310001", b"202601312400", 96, PST, "2026-01-31T08:00"),
        (b"202607010001", b"202607012400", 96, PST, "2026-07-01T08:00"),
        (b"202607010001", b"202607012400", 96, DST, "2026-07-01T07:00"),
        (MARCH + b"0001", MARCH + b"2400", 92, DST, "2026-03-08T08:00"),
        (MARCH + b"0301", MARCH + b"2400", 84, DST, "2026-03-08T10:00"),
        (NOVEMBER + b"0101", NOVEMBER + b"2400", 96, DST, "2026-11-01T08:00"),
        (NOVEMBER + b"0101", NOVEMBER + b"2400", 92, DST, "2026-11-01T09:00"),
        (NOVEMBER + b"0101", NOVEMBER + b"0100", 4, DST, "2026-11-01T08:00"),
        (NOVEMBER + b"0101", NOVEMBER + b"0200", 4, PST, "2026-11-01T09:00"),
    ],
)
def test_the_instant_of_the_first_interval(start: bytes, stop: bytes, count: int, clock: TimeType, begin: str) -> None:
    """In the hour that the clock shows twice the number of intervals chooses."""
    channel = _channel(_span(start, stop, count), clock)
    assert channel.begins(clock) == dt.datetime.fromisoformat(begin).replace(tzinfo=dt.UTC)


def test_what_may_be_either_of_two_hours_is_not_guessed() -> None:
    """A channel that lies wholly in the hour that the clock shows twice begins at no time on it."""
    channel = _channel(_span(NOVEMBER + b"0101", NOVEMBER + b"0200", 4))
    with pytest.raises(
        UsageError, match=r"channel 1 of meter 1001 .* begin in the hour that the DST clock shows twice"
    ):
        channel.begins(DST)
    assert "begin in the hour that the DST clock shows twice" in str(
        _fault(_span(NOVEMBER + b"0101", NOVEMBER + b"0200", 4), DST)
    )


@pytest.mark.parametrize("clock", ["PST", 8, TimeType])
def test_text_is_no_clock(clock: object) -> None:
    """What is no `TimeType` is refused at once, also before anything is read."""
    wrong = cast("TimeType", clock)
    channel = _channel(whole(RECORDS))
    calls: list[Callable[[], object]] = [
        lambda: read_mdef(b"", clock=wrong),
        lambda: check_mdef(b"", clock=wrong),
        lambda: channel.begins(wrong),
        lambda: zone(wrong),
    ]
    for call in calls:
        with pytest.raises(UsageError, match=r"must be a TimeType"):
            call()
    for needed in (lambda: channel.begins(cast("TimeType", None)), lambda: zone(cast("TimeType", None))):
        with pytest.raises(UsageError, match="NoneType"):
            needed()


@pytest.mark.parametrize("clock", TimeType)
@given(first=st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)), days=st.integers(0, 12))
def test_the_embedded_servers_data(clock: TimeType, first: dt.date, days: int) -> None:
    """Every span that it answers for reads back by its own clock, and begins where the day does."""
    last = first + dt.timedelta(days=days)
    content = _data.mdef(["1001", "a meter with a long name"], first, last, clock)
    found = _read(content, clock)
    count = sum(number for _, number in _data.day_counts(first, last, clock))
    assert [each.recorder_id for each in found][:1] == ["1001"]
    assert {channel.count for each in found for channel in each.channels} == {count}
    assert {channel.begins(clock) for each in found for channel in each.channels} == {
        dt.datetime.fromtimestamp(_data._midnight(first, clock) * 900, dt.UTC)
    }


# --- Gates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", BROKEN, ids=[broken.name for broken in BROKEN])
def test_a_broken_gate_has_its_place(broken: Broken) -> None:
    """The first one that is broken raises, with its record, its byte and what to do; a file object tells the same."""
    content, (_, number) = broken.content, broken.found[0]
    error = _fault(content)
    place = f"(record {number} at byte {(number - 1) * RECORD} of the content)"
    assert broken.words in str(error)
    assert f"{place}: " in str(error)
    assert error.where == f"the content, record {number}, byte {(number - 1) * RECORD}"
    with pytest.raises(FormatError) as caught:
        list(read_mdef(io.BytesIO(content), name="the content"))
    assert str(caught.value) == str(error)


def test_one_clock_fits_the_whole_file() -> None:
    """A channel that fits the one clock only, behind one that fits the other only, is refused."""
    channels = [
        Channel(number=n, start=MARCH + b"0001", stop=MARCH + b"2400", slots=day(c)) for n, c in ((1, 96), (2, 92))
    ]
    error = _fault(whole(meter(KEY, *channels)))
    assert "another clock" in str(error)
    assert error.where.endswith("record 7, byte 1296")


def test_a_clock_that_does_not_fit_names_the_other() -> None:
    """The message says what to do: read it by the other clock."""
    error = _fault(_span(MARCH + b"0001", MARCH + b"2400", 92), PST)
    assert "92 intervals, but its stamps make 96 (PST), 92 (DST)" in str(error)
    assert "read it by the DST clock" in str(error)


def test_a_cut_file_gives_no_meter() -> None:
    """Where the length is known beforehand, a file that is cut in a record is refused before its first meter."""
    content = whole([*RECORDS, *meter(b"B", Channel(slots=day()))])
    with pytest.raises(FormatError, match=r"record 13 at byte 2592.*cut|cut.*record 13 at byte 2592"):
        next(read_mdef(content[:-1]))
    assert next(read_mdef(content[:-RECORD])).recorder_id == "1001"


def test_an_error_shows_no_meter_value() -> None:
    """Whatever gate is broken: neither intervals nor readings are in the message."""
    texts = [str(_fault(broken.content)) for broken in BROKEN]
    assert [text for text in texts if "1234" in text or "5678" in text or "\\x" in text] == []


def test_padding_of_a_key_does_not_matter() -> None:
    """Blanks and NULs fill it up as the writer likes."""
    content = with_fields(3, (4, b"1001".ljust(20, b"\0")))
    assert [each.recorder_id for each in _read(content)] == ["1001"]


def test_unknown_codes_and_unassigned_bytes_are_no_gates() -> None:
    """What nobody explained is handed on: units, flags, validation, the number of channels, everything between."""
    strange = ((24, b"\xff" * 32), (80, b"\x01" * 13), (97, b"Z\xe9"), (101, b"?" * 24), (125, b"\0" * 52))
    content = bytearray(with_fields(2, *strange, (179, b"\x07" * 37)))
    content[24:119] = b"\xfe" * 95
    (found,) = _read(bytes(content))
    assert (found.channels[0].unit_code, found.declared_channels) == ("Z\xe9", "\xfe" * 4)


# --- Anything at all --------------------------------------------------------------------------------------------------


def _reads(content: bytes, clock: TimeType | None = None) -> bool:
    try:
        for each in read_mdef(content, clock=clock):
            for channel in each.channels:
                channel.values(), channel.channel_statuses(), channel.interval_statuses()
    except FormatError:
        return False
    return True


def test_no_cut_file_is_read() -> None:
    """Cut at any byte, it breaks a gate."""
    assert [end for end in range(len(SMALL)) if _reads(SMALL[:end])] == []


@given(edits=EDITS, clock=st.sampled_from([None, PST, DST]))
def test_damage_is_a_format_error_or_reads(edits: list[tuple[str, int, bytes]], clock: TimeType | None) -> None:
    """Whatever is written, cut, put in or doubled: nothing else is raised."""
    _reads(edited(SMALL, edits), clock)


@given(st.binary(max_size=700).map(lambda rest: SMALL[:4] + rest), st.sampled_from([None, PST, DST]))
def test_anything_behind_a_good_beginning(content: bytes, clock: TimeType | None) -> None:
    """Random bytes are refused."""
    assert not _reads(content, clock)


@given(
    start=st.text("0123456789", min_size=12, max_size=12).map(str.encode),
    stop=st.text("0123456789", min_size=12, max_size=12).map(str.encode),
)
def test_any_digits_for_stamps(start: bytes, stop: bytes) -> None:
    """Times at the very ends of the calendar included."""
    _reads(whole(meter(KEY, Channel(start=start, stop=stop, slots=day(4)))))
    _reads(whole(meter(KEY, Channel(start=b"0001010100" + start[:2], stop=b"99991231" + stop[:4], slots=day(4)))))


# --- Memory -----------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_file() -> None:
    """Nine megabytes pass by, and a few blocks of one are the most that is held."""
    each = Channel(flags=b"NN", start=b"202601010001", stop=b"202601202400", slots=day(20 * 96))
    one = b"".join(meter(KEY, each))
    source = Made(itertools.chain(itertools.repeat(one, 1_000), [trailer(1_000 * len(one) // RECORD + 1)]))
    tracemalloc.start()
    try:
        count = sum(len(each.channels) for each in read_mdef(cast("BinaryIO", source)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 1_000
    assert source.given > 9_000_000
    assert peak < 6_000_000


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30))
def test_how_the_bytes_come_does_not_matter(sizes: list[int]) -> None:
    """A file that gives less than it was asked for is read on."""
    assert list(read_mdef(Short(SMALL, sizes))) == _read(SMALL)


def test_interval_records_of_other_makers() -> None:
    """The helper of these tests and the embedded server agree on where intervals stand."""
    ours = _data.mdef(["1001"], dt.date(2026, 1, 31), dt.date(2026, 1, 31), PST)
    channel = _channel(ours)
    statuses = channel.interval_statuses()
    assert statuses is not None
    bits = struct.unpack("=96I", channel.values().tobytes())
    slots = [Slot(value, 0, status) for value, status in zip(bits, statuses, strict=True)]
    made = Channel(slots=slots)
    assert b"".join(interval_records(b"1001", made)) == ours[2 * RECORD : 6 * RECORD]
    assert channel_header(b"1001", made)[4:24] == ours[RECORD + 4 : RECORD + 24]


def test_a_machine_without_time_zones_is_told_what_to_install() -> None:
    """The DST clock needs the zone database; nothing but a `ConfigError` says that it is missing."""
    code = (
        "import sys, zoneinfo; sys.modules['tzdata'] = None; zoneinfo.reset_tzpath(to=[])\n"
        "import aiomar; from aiomar.formats import zone\n"
        "try: zone(aiomar.TimeType.DST)\n"
        "except aiomar.ConfigError as error: print(error, zone(aiomar.TimeType.PST))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip().endswith("install tzdata PST")
