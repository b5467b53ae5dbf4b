"""The synthetic data, judged by a checker written from the format's description alone."""

from __future__ import annotations

import csv
import datetime as dt
import io
import struct
from collections import Counter
from itertools import chain

import pytest

from aiomar.protocol import TimeType
from aiomar.testing import _data

SPRING, AUTUMN, PLAIN = dt.date(2026, 3, 8), dt.date(2026, 11, 1), dt.date(2026, 1, 1)
Channels = dict[tuple[str, int], tuple[str, list[float], list[int]]]


def check_mdef(data: bytes, count: int) -> Channels:
    """Hold every structural gate; give flags, values and interval status words by meter and channel."""
    assert data
    assert len(data) % 216 == 0
    records = [data[at : at + 216] for at in range(0, len(data), 216)]
    codes = [struct.unpack_from("<HH", record) for record in records]
    assert {length for length, _ in codes} == {216}
    assert codes[0][1] == 1
    assert [place for place, (_, code) in enumerate(codes) if code == 9999] == [len(records) - 1]
    assert int(records[-1][34:44]) == len(records)
    assert records[-1][4:34] == b" " * 30
    found: Channels = {}
    place, meter = 0, b""
    while place < len(records) - 1:
        header = records[place]
        place += 1
        if codes[place - 1][1] == 1:
            meter = header[4:24]
            assert header[111:115] == b"0003"
            stamps = header[119:143]
            continue
        assert codes[place - 1][1] == 10
        assert (header[4:24], header[56:80]) == (meter, stamps)
        assert header[177:179] == b"04"
        flags = header[99:101].decode()
        assert flags in {"YY", "NY", "NN"}
        slot = struct.Struct("<f" + "H" * flags.count("Y"))
        per_record = 192 // slot.size
        needed = -(-count // per_record)
        block = records[place : place + needed]
        assert [code for _, code in codes[place : place + needed]] == list(range(1001, 1001 + needed))
        assert all(record[4:24] == meter for record in block)
        slots = b"".join(record[24:] for record in block)
        assert slots[count * slot.size :] == b"\xff\x7f" * ((len(slots) - count * slot.size) // 2)
        rows = list(slot.iter_unpack(slots[: count * slot.size]))
        key = (meter.decode().strip(), struct.unpack_from("<H", header, 95)[0])
        found[key] = (flags, [row[0] for row in rows], [row[-1] if "Y" in flags else 0 for row in rows])
        place += needed
    return found


@pytest.mark.parametrize(
    ("day", "time_type", "count"),
    [
        (PLAIN, TimeType.PST, 96),
        (PLAIN, TimeType.DST, 96),
        (SPRING, TimeType.PST, 96),
        (SPRING, TimeType.DST, 92),
        (AUTUMN, TimeType.PST, 96),
        (AUTUMN, TimeType.DST, 100),
    ],
)
def test_a_day_has_the_intervals_of_its_clock(day: dt.date, time_type: TimeType, count: int) -> None:
    """Days have 96 quarter hours, but 92 and 100 where a clock that follows daylight saving changes."""
    assert list(_data.day_counts(day, day, time_type)) == [(day, count)]
    found = check_mdef(_data.mdef(["1001"], day, day, time_type), count)
    assert {len(values) for _, values, _ in found.values()} == {count}
    rows = list(csv.DictReader(io.StringIO(_data.csv(["1001"], day, day, time_type).decode())))
    assert Counter(row["CHANNEL"] for row in rows) == {"1": count, "2": count, "3": count}
    assert {int(row["INTERVAL"]) for row in rows} == set(range(1, count + 1))


def test_a_group_is_several_meters_in_one_file() -> None:
    """A file of several meters passes every gate, holds each meter as it is alone, and has all three kinds of slots."""
    days = (dt.date(2026, 3, 1), dt.date(2026, 3, 30))
    found = check_mdef(_data.mdef(["1001", "1002"], *days, TimeType.DST), 30 * 96 - 4)
    assert {flags for flags, _, _ in found.values()} == {"YY", "NY", "NN"}
    alone = check_mdef(_data.mdef(["1002"], *days, TimeType.DST), 30 * 96 - 4)
    assert {key: value for key, value in found.items() if key[0] == "1002"} == alone
    assert found["1001", 1] != found["1002", 1]


def test_stamps_are_wall_clock_times() -> None:
    """A file starts one minute after midnight and stops at hour 24 of its last day, on either clock."""
    for time_type in TimeType:
        header = _data.mdef(["1001"], SPRING, SPRING + dt.timedelta(days=1), time_type)[:216]
        assert header[119:143] == b"202603080001202603092400"


def test_both_formats_hold_the_same_numbers() -> None:
    """CSV text and 32-bit floats are the same values and status words, and most values are not zero."""
    days = (dt.date(2026, 1, 1), dt.date(2026, 2, 28))
    found = check_mdef(_data.mdef(["1001"], *days, TimeType.PST), 59 * 96)
    rows = list(csv.DictReader(io.StringIO(_data.csv(["1001"], *days, TimeType.PST).decode())))
    for channel in (1, 2, 3):
        mine = [row for row in rows if row["CHANNEL"] == str(channel)]
        _, values, words = found["1001", channel]
        assert [float(row["VALUE"]) for row in mine] == values
        assert [int(row["STATUS"]) for row in mine] == words
        outages = [place for place, value in enumerate(values) if value == 0]
        assert 2 <= len(outages) <= 3
        assert [words[place] for place in outages] == [0 if channel == 3 else 1] * len(outages)


def test_both_clocks_show_the_same_load_at_the_same_moment() -> None:
    """In summer the clock that follows daylight saving is one hour ahead of the same values."""
    day = dt.date(2026, 7, 1)
    standard = check_mdef(_data.mdef(["1001"], day, day, TimeType.PST), 96)["1001", 1][1]
    clock = check_mdef(_data.mdef(["1001"], day, day, TimeType.DST), 96)["1001", 1][1]
    assert clock[4:] == standard[:-4]


def test_a_span_is_the_sum_of_its_days() -> None:
    """Asking for three days gives the values of each day asked for alone; the last day is included."""
    days = [SPRING + dt.timedelta(days=offset) for offset in (-1, 0, 1)]
    alone = [
        check_mdef(_data.mdef(["7"], day, day, TimeType.DST), count)["7", 2][1]
        for day, count in zip(days, (96, 92, 96), strict=True)
    ]
    assert check_mdef(_data.mdef(["7"], days[0], days[2], TimeType.DST), 284)["7", 2][1] == [*chain(*alone)]


def test_csv_rows_are_regular() -> None:
    """Every line ends with CRLF and has as many columns as the header, also for an id with a comma and a quote."""
    text = _data.csv(['a,"b'], PLAIN, PLAIN, TimeType.PST).decode()
    assert text.endswith("\r\n")
    assert text.count("\n") == text.count("\r\n") == 1 + 3 * 96
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in rows} == {7}
    assert {row[0] for row in rows[1:]} == {'a,"b'}


@pytest.mark.parametrize("meter", ["a meter with more than twenty characters", "Zähler"])
def test_an_id_that_does_not_fit_gets_a_key_that_does(meter: str) -> None:
    """The recorder key is 20 bytes of ASCII for any id, and differs between ids."""
    key = _data.recorder_key(meter)
    assert len(key) == 20
    assert key.isascii()
    assert key not in {_data.recorder_key(meter + "x"), _data.recorder_key("1001")}
