"""Intervals as Arrow: every value, time and status against a loop over the bytes, and what batches share."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomar import FormatError
from aiomar.formats import interval_batches, intervals
from aiomar.formats._arrow import ENOUGH
from aiomar.protocol import TimeType
from tests.support.mdef import Channel, Slot, day, meter, saved, slot, whole

PACIFIC = ZoneInfo("America/Los_Angeles")
STANDARD = dt.timezone(dt.timedelta(hours=-8))
FLAGS = (b"YY", b"YN", b"NY", b"NN")
Row = tuple[object, ...]


def by_hand(content: bytes, first: dt.datetime, name: str) -> Iterator[Row]:
    """Read records with `struct`, slot by slot; every channel begins at the same instant and has no fill but its last.

    Args:
        content: a whole file.
        first: when all channels begin.
        name: of the file.
    """
    key, left = "", 0
    for at in range(0, len(content), 216):
        record = content[at : at + 216]
        (code,) = struct.unpack_from("<H", record, 2)
        if code == 1:
            key = record[4:24].decode().strip()
        elif code == 10:
            (number,) = struct.unpack_from("<H", record, 95)
            unit, flags, start = record[97:99].decode(), record[99:101], first
            step = dt.timedelta(minutes=60 // int(record[177:179]))
            left = count_of(record[56:68], record[68:80], step)
        elif code != 9999:
            form = "<f" + "H" * flags.count(b"Y")
            for value, *statuses in struct.iter_unpack(form, record[24 : 24 + 192]):
                if left:
                    given = iter(statuses)
                    pair = [next(given) if flag == ord("Y") else None for flag in flags]
                    yield key, number, unit, start, start + step, value, *pair, name
                    start, left = start + step, left - 1


def count_of(start: bytes, stop: bytes, step: dt.timedelta) -> int:
    """Count intervals from stamps of standard time."""
    days = dt.date.fromisoformat(stop[:8].decode()) - dt.date.fromisoformat(start[:8].decode())
    return (days + dt.timedelta(days=1)) // step


def rows(table: pa.Table) -> list[Row]:
    """Give a table as rows."""
    return [tuple(row.values()) for row in table.to_pylist()]


def test_the_schema_is_as_documented(tmp_path: Path) -> None:
    """Names, types, and the clock in the metadata."""
    file = saved(tmp_path / "a.dat", meter(b"M1", Channel(slots=day())))
    words = pa.dictionary(pa.int32(), pa.string())
    for clock in TimeType:
        schema = intervals(file, clock=clock).schema
        assert schema.metadata[b"aiomar.clock"] == clock.value.encode()
        assert schema.metadata[b"aiomar.version"]
        assert dict(zip(schema.names, schema.types, strict=True)) == {
            "recorder_id": words,
            "channel": pa.int32(),
            "unit_code": words,
            "start": pa.timestamp("us", tz="UTC"),
            "end": pa.timestamp("us", tz="UTC"),
            "value": pa.float64(),
            "channel_status": pa.uint16(),
            "interval_status": pa.uint16(),
            "file": words,
        }
        assert interval_batches(file, clock=clock).schema.equals(schema, check_metadata=True)


@pytest.mark.parametrize("per_hour", [12, 4, 2, 1])
def test_every_cell_is_what_a_loop_over_the_bytes_reads(tmp_path: Path, per_hour: int) -> None:
    """All combinations of flags, as channels of several meters of one file, for every length of an interval."""
    slots = [slot(0.1 + index / 7 - 3, index % 65_536, 65_535 - index) for index in range(2 * 24 * per_hour)]
    channels = [
        Channel(
            number=300 + index,
            unit=b"0%d" % index,
            flags=flags,
            per_hour=b"%02d" % per_hour,
            stop=b"202602012400",
            slots=slots,
        )
        for index, flags in enumerate(FLAGS)
    ]
    content = whole([*meter(b"M1", *channels), *meter(b"M2", *reversed(channels)), *meter(b"M3", channels[3])])
    (tmp_path / "a.dat").write_bytes(content)
    table = intervals(tmp_path / "a.dat", clock=TimeType.PST)
    table.validate(full=True)
    first = dt.datetime(2026, 1, 31, tzinfo=STANDARD).astimezone(dt.UTC)
    assert rows(table) == list(by_hand(content, first, "a.dat"))


@given(
    forms=st.lists(
        st.tuples(st.sampled_from(FLAGS), st.integers(1, 2), st.sampled_from([1, 4])), min_size=1, max_size=9
    )
)
@settings(max_examples=25, deadline=None)
def test_any_sequence_of_channels(
    tmp_path_factory: pytest.TempPathFactory, forms: list[tuple[bytes, int, int]]
) -> None:
    """Runs of equal channels are decoded together, and never mixed up."""
    meters = []
    for number, (flags, days, per_hour) in enumerate(forms):
        slots = [Slot(0x3F800000 + 977 * number + index, number, index) for index in range(days * 24 * per_hour)]
        stop = b"202601%02d2400" % days
        channel = Channel(
            number=number, flags=flags, per_hour=b"%02d" % per_hour, start=b"202601010001", stop=stop, slots=slots
        )
        meters += meter(b"M%d" % (number // 2), channel)
    path = tmp_path_factory.mktemp("any") / "a.dat"
    path.write_bytes(whole(meters))
    table = intervals(path, clock=TimeType.PST)
    table.validate(full=True)
    first = dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC)
    assert rows(table) == list(by_hand(path.read_bytes(), first, "a.dat"))


def bits(number: float) -> int:
    """Give the bits of a double."""
    return int.from_bytes(struct.pack("<d", number), "little")


def widened(single: int) -> int:
    """Widen the bits of a float32 by hand: subnormals become normal, a signalling NaN becomes a quiet one."""
    sign, exponent, fraction = single >> 31 << 63, single >> 23 & 0xFF, single & 0x7FFFFF
    if exponent == 0xFF:
        quiet = 1 << 51 if fraction else 0
        return sign | 0x7FF << 52 | fraction << 29 | quiet
    if exponent == 0:
        return sign | bits(fraction * 2.0**-149)
    return sign | (exponent - 127 + 1023) << 52 | fraction << 29


@pytest.mark.parametrize("flags", FLAGS)
def test_values_are_widened_bit_by_bit(tmp_path: Path, flags: bytes) -> None:
    """Zeros, subnormals, infinities and NaN of either kind with their payload, and what fills a record."""
    edges = [0, 1, 0x7FFFFF, 0x800000, 0x3DCCCCCD, 0x7F7FFFFF]
    edges += (0x7F800000, 0x7F800001, 0x7FA00123, 0x7FC00456, 0x7FFF7FFF)
    singles = [sign | edge for edge in edges for sign in (0, 1 << 31)]
    singles += [0x42 + 977 * index for index in range(96 - len(singles))]
    slots = [Slot(single) for single in singles]
    file = saved(tmp_path / "a.dat", meter(b"M1", Channel(flags=flags, slots=slots)))
    values = intervals(file, clock=TimeType.PST)["value"].combine_chunks()
    found = struct.unpack("<96Q", values.buffers()[1])
    assert list(found) == [widened(single) for single in singles]
    assert values.null_count == 0


def test_a_status_that_is_not_carried_is_null(tmp_path: Path) -> None:
    """And what a null hides is zero; the other channels of the same batch keep theirs."""
    slots = [slot(1, 8, 64)] * 96
    channels = [Channel(number=1 + index, flags=flags, slots=slots) for index, flags in enumerate(FLAGS)]
    table = intervals(saved(tmp_path / "a.dat", meter(b"M1", *channels)), clock=TimeType.PST)
    assert table["channel_status"].to_pylist() == [8] * 192 + [None] * 192
    assert table["interval_status"].to_pylist() == ([64] * 96 + [None] * 96) * 2
    none = intervals(saved(tmp_path / "b.dat", meter(b"M1", channels[3])), clock=TimeType.PST)
    assert none["interval_status"].null_count == 96


SPRING, AUTUMN, PLAIN = dt.date(2026, 3, 8), dt.date(2026, 11, 1), dt.date(2026, 3, 7)


@pytest.mark.parametrize(
    ("clock", "date", "count"),
    [(TimeType.DST, SPRING, 92), (TimeType.DST, PLAIN, 96), (TimeType.DST, AUTUMN, 100)]
    + [(TimeType.PST, date, 96) for date in (SPRING, PLAIN, AUTUMN)],
)  # fmt: skip
def test_days_of_change(tmp_path: Path, clock: TimeType, date: dt.date, count: int) -> None:
    """92, 96 or 100 quarter hours by daylight saving, always 96 by standard time; all of the day, without a gap."""
    text = f"{date:%Y%m%d}".encode()
    file = saved(tmp_path / "a.dat", meter(b"M1", Channel(start=text + b"0001", stop=text + b"2400", slots=day(count))))
    table = intervals(file, clock=clock)
    local = PACIFIC if clock is TimeType.DST else STANDARD
    begin = dt.datetime.combine(date, dt.time(), local).astimezone(dt.UTC)
    quarter = dt.timedelta(minutes=15)
    assert table["start"].to_pylist() == [begin + index * quarter for index in range(count)]
    assert table["end"].to_pylist() == [begin + index * quarter for index in range(1, count + 1)]
    assert {start.astimezone(local).date() for start in table["start"].to_pylist()} == {date}


@pytest.mark.parametrize(("clock", "count"), [(TimeType.DST, 96), (TimeType.PST, 92), (TimeType.PST, 100)])
def test_the_wrong_clock_is_an_error(tmp_path: Path, clock: TimeType, count: int) -> None:
    """A count that its stamps do not make on the clock names the file and the record."""
    date = AUTUMN if count == 100 else SPRING
    text = f"{date:%Y%m%d}".encode()
    file = saved(tmp_path / "a.dat", meter(b"M1", Channel(start=text + b"0001", stop=text + b"2400", slots=day(count))))
    with pytest.raises(FormatError, match=r"clock") as caught:
        intervals(file, clock=clock)
    assert caught.value.where.startswith(f"{file}, record 2")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of 800 small files, and one large one in the middle."""
    directory = tmp_path_factory.mktemp("many")
    for number in range(800):
        channel = Channel(unit=b"%02d" % (number % 7), slots=day(96, number))
        saved(directory / f"{number:04}.dat", meter(b"M%d" % number, channel))
    year = Channel(start=b"202501010001", stop=b"202612312400", slots=day(2 * 35_040))
    saved(directory / "0400a.dat", meter(b"YEARS", year))
    return directory


def test_small_channels_share_batches(many: Path) -> None:
    """Batches are neither tiny nor huge, and together they are the table."""
    batches = list(interval_batches(many, clock=TimeType.PST))
    assert all(ENOUGH <= len(batch) < 2 * ENOUGH + 2 * 35_040 for batch in batches[:-1])
    table = intervals(many, clock=TimeType.PST)
    assert table.num_rows == 800 * 96 + 2 * 35_040
    together = pa.Table.from_batches(batches)
    assert together.unify_dictionaries().equals(table)
    together.validate(full=True)


def test_how_much_memory_a_table_takes(tmp_path: Path) -> None:
    """44 bytes a row, as the documentation says: 1.5 MB for a channel and year."""
    year = Channel(flags=b"YY", start=b"202501010001", stop=b"202512312400", slots=[slot(1)] * 35_040)
    table = intervals(saved(tmp_path / "a.dat", meter(b"M1", year)), clock=TimeType.PST)
    assert table.nbytes // table.num_rows == 44
    assert 1_500_000 < table.nbytes < 1_600_000


def test_what_a_number_of_a_dictionary_means_stays(many: Path) -> None:
    """Every dictionary of a reader begins with the one before it; those of a table are one."""
    batches = list(interval_batches(many, clock=TimeType.PST))
    assert len(batches) > 1
    table = intervals(many, clock=TimeType.PST)
    for name in ("recorder_id", "unit_code", "file"):
        words = [batch[name].dictionary.to_pylist() for batch in batches]
        assert all(more[: len(less)] == less for less, more in itertools.pairwise(words))
        chunks = table[name].chunks
        assert all(chunk.dictionary.equals(chunks[0].dictionary) for chunk in chunks)


def test_a_table_can_be_grouped_sorted_and_joined(many: Path) -> None:
    """What pyarrow does only with one dictionary."""
    table = intervals(many, clock=TimeType.PST)
    grouped = table.group_by(["recorder_id", "unit_code", "file"]).aggregate([("value", "sum")])
    assert grouped.num_rows == 801
    assert math.isclose(sum(grouped["value_sum"].to_pylist()), sum(table["value"].to_pylist()))
    assert table.sort_by([("start", "descending")])["recorder_id"][0].as_py() == "YEARS"
    assert table.combine_chunks().equals(table)
    names = pa.table({"recorder_id": pa.array(["M3", "M9"]).dictionary_encode(), "site": ["a", "b"]})
    names = names.set_column(0, "recorder_id", names["recorder_id"].cast(table.schema.field("recorder_id").type))
    assert table.join(names, "recorder_id", join_type="inner").num_rows == 2 * 96


def test_batches_come_before_what_is_broken_further_on(many: Path, tmp_path: Path) -> None:
    """A reader raises our error itself, when it gets there."""
    broken = tmp_path / "broken.dat"
    broken.write_bytes(b"<html>")
    reader = interval_batches([*sorted(many.iterdir()), broken], clock=TimeType.PST)
    assert len(reader.read_next_batch()) >= ENOUGH
    with pytest.raises(FormatError, match=r"a page"):
        reader.read_all()
