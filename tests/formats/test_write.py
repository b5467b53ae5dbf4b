"""Writing MDEF: what is built, what is laid over a header, everything that is refused, and where the bytes go."""

from __future__ import annotations

import datetime as dt
import errno
import io
import math
import os
import re
import resource
import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import attrs
import pytest

from aiomar import DestinationError, DiskError, FormatError, TimeType, UsageError
from aiomar.formats import MdefChannel, MdefMeter, check_mdef, read_mdef, write_mdef
from tests.support.mdef import RECORD, Channel, Slot, day, meter, packed, slot, whole

PST, DST = TimeType.PST, TimeType.DST
MORNING = dt.datetime(2026, 1, 31, 8, tzinfo=dt.UTC)
"""Midnight by either clock."""
CONTENT = whole(meter(b"1001", Channel(slots=day()), Channel(number=2, flags=b"NY", slots=day())))
CREATED = "202602010600"


def _written(*meters: MdefMeter, created: str | None = CREATED) -> bytes:
    target = io.BytesIO()
    write_mdef(meters, target, created=created)
    return target.getvalue()


def _one() -> MdefMeter:
    (found,) = read_mdef(CONTENT)
    return found


def _with(**changes: object) -> MdefMeter:
    """Give the meter with another second channel."""
    found = _one()
    channel = cast("MdefChannel", _evolved(found.channels[1], **changes))
    return attrs.evolve(found, channels=(found.channels[0], channel))


def _evolved(value: object, **changes: object) -> object:
    return cast("Callable[..., object]", attrs.evolve)(value, **changes)


def _channel(**changes: object) -> MdefChannel:
    arguments = {"values": [1.5] * 96, "number": 1, "begins": MORNING, "clock": PST} | changes
    return cast("Callable[..., MdefChannel]", MdefChannel.from_values)(**arguments)


# --- What is built ----------------------------------------------------------------------------------------------------


def test_the_defaults_of_a_channel() -> None:
    """The header says what known files mostly say, byte by byte, with the values in their fields."""
    channel = _channel(label="KWH D", channel_statuses=[0] * 96, interval_statuses=range(96), number=7)
    record = bytearray(b" " * RECORD)
    for offset, content in (
        (0, struct.pack("<HH", 216, 10)),
        (44, b"KWH D"),
        (56, b"202601310001202601312400"),
        (80, b"000000000000N"),
        (93, b"07\x07\x0001YY"),
        (126, b"000001.000"),
        (166, b"W"),
        (177, b"04"),
        (191, b"NAAC"),
        (210, b"D\0\0R"),
    ):
        record[offset : offset + len(content)] = content
    assert channel.record == record
    assert channel.slots == packed(Channel(slots=[slot(1.5, 0, index) for index in range(96)]))
    assert (channel.number, channel.physical_number, channel.unit_code, channel.label) == (7, "07", "01", "KWH D")


def test_every_field_of_a_channel_can_be_said() -> None:
    """All keywords stand where the layout has them, and read back."""
    channel = _channel(
        per_hour=2,
        unit_code="03",
        flow="R",
        device_id="A-RECORDER",
        physical_number="X",
        start_reading="1.5",
        stop_reading="2.5",
        multiplier="10",
    )
    (found,) = read_mdef(_written(MdefMeter.from_channels("R", [channel])))
    (read,) = found.channels
    assert (read.per_hour, read.unit_code, read.flow, read.device_id) == (2, "03", "R", "A-RECORDER")
    assert (read.physical_number, read.start_reading, read.stop_reading) == ("X", "1.5", "2.5")
    assert (read.multiplier, read.stop_stamp) == ("10", "202602012400")


def test_a_meter_counts_and_spans_its_channels() -> None:
    """Its header says how many there are, when the first begins and the last ends; all carry its key."""
    late = _channel(number=2, begins=MORNING + dt.timedelta(hours=1), values=[1.0] * 92)
    built = MdefMeter.from_channels(
        "A RECORDER", iter([_channel(values=[1.0] * 4), late]), name="N", address=("ONE", "TWO"), account="ACC"
    )
    assert (built.declared_channels, built.start_stamp, built.stop_stamp) == ("0002", "202601310001", "202601312400")
    assert (built.name, built.address, built.account, built.dst_flag) == ("N", ("ONE", "TWO"), "ACC", "N")
    records = [built.record, *(channel.record for channel in built.channels)]
    assert {record[4:24] for record in records} == {b"A RECORDER".ljust(20)}


def test_midnight_belongs_to_the_day_that_ends() -> None:
    """Also the last one of a year; any other end is the minute on the wall."""
    stops = [_channel(values=[1.0] * count).stop_stamp for count in (95, 96, 97)]
    assert stops == ["202601312345", "202601312400", "202602010015"]
    assert _channel(begins=dt.datetime(2027, 1, 1, 7, tzinfo=dt.UTC), values=[1.0] * 4).stop_stamp == "202612312400"


def test_begins_may_have_any_zone() -> None:
    """It is an instant, also where its own clock shows halves of an hour or the hour twice."""
    india = MORNING.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert _channel(begins=india, per_hour=1) == _channel(per_hour=1)


def test_values_are_rounded_to_a_float32() -> None:
    """Whatever numbers they are; those of an array keep every bit."""
    assert _channel(values=(number for number in [0.1, 3, True, math.inf])).values() == array(
        "f", [0.1, 3, 1, math.inf]
    )
    bits = struct.pack("=4I", 0x7FA0_0001, 0xFF80_0001, 0x8000_0000, 0x7FC0_0000)
    assert _channel(values=array("f", bits)).values().tobytes() == bits


def test_a_channel_that_was_read_can_be_built_into_another_meter() -> None:
    """Its header keeps all its bytes but the key, and says what its attributes say."""
    old = _one().channels[0]
    built = MdefMeter.from_channels("OTHER", [attrs.evolve(old, kva_set=3)])
    (channel,) = built.channels
    assert channel.record == old.record[:4] + b"OTHER".ljust(20) + old.record[24:211] + b"\x03\0" + old.record[213:]
    (found,) = read_mdef(_written(built))
    assert (found, found.record, found.channels[0].record) == (built, built.record, channel.record)


# --- What is laid over a header ---------------------------------------------------------------------------------------


def test_a_changed_key_goes_into_every_record() -> None:
    """Of headers and of intervals; nothing else changes."""
    expected = whole(meter(b"X 2", Channel(slots=day()), Channel(number=2, flags=b"NY", slots=day())))
    content = bytearray(_written(attrs.evolve(_one(), recorder_id="X 2")))
    for header in (1, 6):
        content[header * RECORD + 24 : header * RECORD + 38] = b"X 2".ljust(14)  # the device is another field
    assert bytes(content) == expected


def test_a_key_that_is_padded_otherwise_stays() -> None:
    """Blanks and NULs say the same."""
    content = bytearray(CONTENT)
    content[4:24] = b"1001".ljust(20, b"\0")
    for record in range(2, 6):
        content[record * RECORD + 4 : record * RECORD + 24] = content[4:24]
    for record in range(7, len(CONTENT) // RECORD - 1):
        content[record * RECORD + 4 : record * RECORD + 24] = content[4:24]
    assert _written(*read_mdef(bytes(content))) == bytes(content)


def test_what_was_changed_reads_back_equal() -> None:
    """Although the header records say it only after it was written: they do not count when values are compared."""
    old = _one()
    changed = attrs.evolve(old, name="X", channels=tuple(attrs.evolve(each, label="Y") for each in old.channels))
    (found,) = read_mdef(_written(changed))
    assert found == changed != old
    assert hash(found) == hash(changed)
    assert found.record != changed.record
    assert found.channels[0].record != changed.channels[0].record


CHANGES: list[tuple[str, object, int, bytes]] = [
    ("number", 513, 95, b"\x01\x02"),
    ("physical_number", "9", 93, b"9 "),
    ("unit_code", "Z\xe9", 97, b"Z\xe9"),
    ("label", "", 44, b" " * 12),
    ("label", "TWELVE BYTES", 44, b"TWELVE BYTES"),
    ("device_id", "D", 24, b"D".ljust(14)),
    ("start_reading", "7", 101, b"7".ljust(12)),
    ("stop_reading", "8", 113, b"8".ljust(12)),
    ("multiplier", "9", 126, b"9".ljust(10)),
    ("service_type", "D", 166, b"D"),
    ("validation", "RE", 193, b"RE"),
    ("flow", "R", 210, b"R"),
    ("kva_set", 0xFFFF, 211, b"\xff\xff"),
    ("origin", "", 213, b" "),
    ("stop_stamp", "202602010000", 68, b"202602010000"),
]


@pytest.mark.parametrize(("field", "value", "offset", "expected"), CHANGES)
def test_a_changed_field_of_a_channel_takes_effect(field: str, value: object, offset: int, expected: bytes) -> None:
    """In its place, and all other bytes stay."""
    at = 6 * RECORD + offset
    changed = _with(**{field: value})
    content = _written(changed)
    assert content == CONTENT[:at] + expected + CONTENT[at + len(expected) :]
    (read,) = read_mdef(content)
    assert getattr(read.channels[1], field) == value


@pytest.mark.parametrize(
    ("field", "value", "offset", "expected"),
    [
        ("name", "OTHER", 24, b"OTHER".ljust(20)),
        ("address", ("1 MAIN STREET", ""), 64, b" " * 20),
        ("account", "\xc4", 84, b"\xc4".ljust(20)),
        ("declared_channels", "2", 111, b"2   "),
        ("start_stamp", "no time yet ", 119, b"no time yet "),
        ("stop_stamp", " " * 12, 131, b" " * 12),
        ("dst_flag", "Y", 143, b"Y"),
    ],
)
def test_a_changed_field_of_a_meter_takes_effect(field: str, value: object, offset: int, expected: bytes) -> None:
    """In its place, and all other bytes stay."""
    changed = cast("MdefMeter", _evolved(_one(), **{field: value}))
    content = _written(changed)
    assert content == CONTENT[:offset] + expected + CONTENT[offset + len(expected) :]
    (read,) = read_mdef(content)
    assert getattr(read, field) == value


def test_other_slots_and_flags_take_effect() -> None:
    """With their fill, and the interval records that they need."""
    slots = packed(Channel(flags=b"NN", slots=day()))
    content = _written(_with(slots=slots, has_interval_status=False))
    expected = meter(b"1001", Channel(slots=day()), Channel(number=2, flags=b"NN", slots=day()))
    expected[0] = CONTENT[:RECORD]
    assert content == whole(expected)


def test_the_trailer() -> None:
    """It counts all records; without a stamp it has the latest stop, midnight as the beginning of a day."""
    content = _written(_one(), created=None)
    assert content[-RECORD:] == struct.pack("<HH", 216, 9999).ljust(34) + b"%010d" % 11 + b" " * 160 + b"202602010000"
    early = attrs.evolve(_channel(values=[1.0] * 4), number=9)
    assert _written(MdefMeter.from_channels("A", [early]), _one(), created=None)[-12:] == b"202602010000"
    assert _written(MdefMeter.from_channels("A", [early]), created=None)[-12:] == b"202601310100"
    assert _written(_one(), created="202612312400")[-12:] == b"202612312400"


# --- What is refused --------------------------------------------------------------------------------------------------

LONG_TEXTS = {
    "physical_number": 2,
    "label": 12,
    "device_id": 14,
    "start_reading": 12,
    "stop_reading": 12,
    "multiplier": 10,
    "service_type": 1,
    "validation": 2,
    "flow": 1,
    "origin": 1,
}
BAD_FIELDS: list[tuple[str, object]] = [
    *((field, "x" * (width + 1)) for field, width in LONG_TEXTS.items()),
    *((field, text) for field in ("label", "origin") for text in (" ", "€", "\0")),
    ("label", " X"),
    ("unit_code", "1"),
    ("unit_code", "001"),
    ("start_stamp", "20260131001"),
    ("number", 0x1_0000),
    ("number", -1),
    ("kva_set", -1),
    ("per_hour", 100),
    ("per_hour", -4),
]


def _refused(*meters: MdefMeter) -> FormatError:
    target = io.BytesIO()
    with pytest.raises(FormatError) as caught:
        write_mdef(meters, target, created=CREATED)
    assert len(target.getvalue()) % RECORD == 0
    return caught.value


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_what_does_not_fit_its_field_is_refused(field: str, value: object) -> None:
    """The message names meter, channel and field, and shows no value."""
    error = _refused(_with(**{field: value}))
    number = value if field == "number" else 2
    assert error.where == f"meter 1001, channel {number}"
    assert str(error).startswith(f"{field} does not fit its field (meter 1001, channel {number}): ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recorder_id", "x" * 21),
        ("recorder_id", " 1"),
        ("name", "x" * 21),
        ("address", ("x" * 21, "")),
        ("address", ("x" * 21, "x" * 19)),
        ("address", ("one",)),
        ("account", "\u0100"),
        ("declared_channels", "00001"),
        ("dst_flag", ""),
        ("start_stamp", ""),
    ],
)
def test_what_does_not_fit_a_meters_field_is_refused(field: str, value: object) -> None:
    """The message names meter and field."""
    changed = cast("MdefMeter", _evolved(_one(), **{field: value}))
    error = _refused(changed)
    assert error.where == f"meter {changed.recorder_id}"
    assert str(error).startswith(f"{field} does not fit its field (meter {changed.recorder_id}): ")


FLAGS_GONE = attrs.evolve(_one().channels[1], record=_one().channels[1].record[:99] + b"??" + b" " * 115)
BAD_CHANNELS: list[tuple[str, MdefMeter, str]] = [
    ("no flags", _with(record=FLAGS_GONE.record, has_interval_status=False), "Y or N"),
    ("no channels", attrs.evolve(_one(), channels=()), "no channels"),
    ("no intervals", _with(slots=b""), "no intervals"),
    ("half a slot", _with(slots=_one().channels[1].slots[:-1]), "whole slots of 6 bytes"),
    ("fill at the end", _with(slots=_one().channels[1].slots[:-6] + b"\xff\x7f" * 3), "unused slots"),
    ("an interval too few", _with(slots=_one().channels[1].slots[:-6]), "95 intervals"),
    ("an hour too many", _with(stop_stamp="202602010100"), "its stamps make 100"),
    ("another width", _with(has_channel_status=True), "72 intervals"),
    ("other intervals", _with(per_hour=12), "96 intervals"),
    ("no divisor", _with(per_hour=7), "divide the hour"),
    ("none an hour", _with(per_hour=0), "divide the hour"),
    ("no time", _with(stop_stamp="202602302400"), "not a time"),
    ("too many records", _with(slots=bytes(6 * 32 * 8_998 + 6)), "more than 8998 records"),
    ("a short record", _with(record=b""), "record"),
    ("a record of another kind", _with(record=_one().record), "record"),
    ("a meter of another kind", attrs.evolve(_one(), record=_one().channels[0].record), "record"),
]


@pytest.mark.parametrize(("changed", "what"), [pytest.param(*case[1:], id=case[0]) for case in BAD_CHANNELS])
def test_what_no_reader_would_read_is_refused(changed: MdefMeter, what: str) -> None:
    """The message names meter and channel and shows no value; what was written before is whole records."""
    error = _refused(_one(), changed)
    assert error.where.startswith("meter 1001")
    assert what in str(error)
    assert f"({error.where}" in str(error)
    assert "1234" not in str(error)
    assert "5678" not in str(error)


def test_no_meters_are_refused() -> None:
    """A file without a meter is none."""
    assert "no meters" in str(_refused())


def test_one_clock_fits_the_whole_file() -> None:
    """Channels of one meter and of several, each right by a clock of its own, are refused together."""
    spring = dt.datetime(2026, 3, 8, 8, tzinfo=dt.UTC)
    one, other = (
        MdefMeter.from_channels(clock.value, [_channel(begins=spring, clock=clock, values=[1.0] * count)])
        for clock, count in ((PST, 96), (DST, 92))
    )
    assert one.clocks != other.clocks
    error = _refused(one, other)
    assert "another clock" in str(error)
    assert error.where == "meter DST, channel 1"
    assert _refused(attrs.evolve(one, channels=(*one.channels, *other.channels))).where == "meter PST, channel 1"


def test_as_many_records_as_there_are_numbers() -> None:
    """A channel of 8,998 interval records is written, one interval more is refused."""
    most = 8_998 * 48
    content = _written(MdefMeter.from_channels("A", [_channel(values=array("f", bytes(4 * most)))]))
    assert check_mdef(content, clock=PST) == ()
    assert struct.unpack_from("<H", content, len(content) - 2 * RECORD + 2) == (9998,)
    with pytest.raises(FormatError, match="more than 8998 records"):
        _channel(values=array("f", bytes(4 * (most + 1))))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"values": []}, "no intervals"),
        ({"values": [1e39] * 4}, "float32"),
        ({"values": array("f", b"\xff\x7f\xff\x7f")}, "unused slots"),
        ({"interval_statuses": [0x1_0000] * 96}, "16 bits"),
        ({"channel_statuses": [-1] * 96}, "16 bits"),
        ({"per_hour": 7}, "divisor of 60"),
        ({"per_hour": 0}, "divisor of 60"),
        ({"begins": MORNING + dt.timedelta(minutes=5)}, "boundary"),
        ({"begins": MORNING + dt.timedelta(seconds=1)}, "boundary"),
        ({"begins": MORNING + dt.timedelta(microseconds=1)}, "boundary"),
        ({"begins": dt.datetime.max.replace(tzinfo=dt.UTC)}, "calendar"),
        ({"begins": dt.datetime.min.replace(tzinfo=dt.UTC)}, "calendar"),
        ({"number": 0x1_0000}, "number does not fit"),
        ({"number": 100}, "physical_number does not fit"),
        ({"label": "thirteen char"}, "label does not fit"),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, object], what: str) -> None:
    """Before there is a channel; the message names it."""
    with pytest.raises(FormatError, match=what) as caught:
        _channel(**changes)
    assert caught.value.where == f"channel {changes.get('number', 1)}"


@pytest.mark.parametrize(
    "changes",
    [
        {"begins": MORNING.replace(tzinfo=None)},
        {"clock": "PST"},
        {"clock": None},
        {"interval_statuses": [0] * 95},
        {"channel_statuses": [0] * 97},
        {"interval_statuses": [0.5] * 96},
        {"values": ["1"] * 96},
        {"values": None},
    ],
)
def test_a_wrong_call_is_a_usage_error(changes: dict[str, object]) -> None:
    """A naive time, what is no clock, lists of different lengths, and what is no number."""
    with pytest.raises(UsageError, match="clock" if "clock" in changes else "channel 1"):
        _channel(**changes)


def test_a_meter_needs_channels_and_a_key_that_fits() -> None:
    """It is refused before there is a meter."""
    with pytest.raises(FormatError, match="no channels"):
        MdefMeter.from_channels("A", [])
    with pytest.raises(FormatError, match="recorder_id does not fit"):
        MdefMeter.from_channels("x" * 21, [_channel()])


@pytest.mark.parametrize("created", ["", "2026", "202602300000", "202601012401", "20260101000\u0661"])
def test_a_time_of_creation_is_a_time(created: str) -> None:
    """Anything else is refused before a byte is written."""
    target = io.BytesIO()
    with pytest.raises(UsageError, match="created"):
        write_mdef([_one()], target, created=created)
    assert target.getvalue() == b""


# --- Where the bytes go -----------------------------------------------------------------------------------------------


def test_a_path_and_a_file_get_the_same_bytes(tmp_path: Path) -> None:
    """A path as text too, which replaces what was there; a file is written from where it stands and stays open."""
    path = tmp_path / "x.dat"
    path.write_bytes(b"old")
    write_mdef([_one()], path, created=CREATED)
    assert path.read_bytes() == CONTENT
    write_mdef([_one()], str(tmp_path / "y.dat"), created=CREATED)
    with (tmp_path / "z.dat").open("wb") as file:
        file.write(b"before")
        write_mdef([_one()], file, created=CREATED)
        assert (tmp_path / "z.dat").read_bytes() == b"before" + CONTENT
        assert not file.closed
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.dat", "y.dat", "z.dat"]


def test_a_file_may_be_rewritten_from_itself(tmp_path: Path) -> None:
    """It is read lazily while the new one is written beside."""
    path = tmp_path / "x.dat"
    path.write_bytes(CONTENT)
    write_mdef((attrs.evolve(each, name="NEW") for each in read_mdef(path)), path, created=CREATED)
    (found,) = read_mdef(path)
    assert found.name == "NEW"


def test_a_new_file_is_its_owners(tmp_path: Path) -> None:
    """Meter data are nobody else's, whatever the mask would leave."""
    mask = os.umask(0)
    try:
        write_mdef([_one()], tmp_path / "x.dat")
    finally:
        os.umask(mask)
    assert (tmp_path / "x.dat").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    """Whoever could read it before can read it afterwards; of the set-user bit nothing is left."""
    path = tmp_path / "x.dat"
    for mode in (0o640, 0o600, 0o4664):
        path.write_bytes(b"old")
        path.chmod(mode)
        write_mdef([_one()], path)
        assert path.stat().st_mode & 0o7777 == mode & 0o777
        assert path.read_bytes() != b"old"


class _Breakdown(Exception):  # noqa: N818 - stands for any exception of the caller's
    pass


def _breaks_down() -> Iterator[MdefMeter]:
    yield _one()
    raise _Breakdown


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failure_leaves_the_path_as_it_was(tmp_path: Path, before: bytes | None) -> None:
    """Whether the meters fail to come or one is refused: nothing half, and no temporary file."""
    path = tmp_path / "x.dat"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(_Breakdown):
        write_mdef(_breaks_down(), path)
    with pytest.raises(FormatError):
        write_mdef([_one(), _with(per_hour=7)], path)
    with pytest.raises(FormatError):
        write_mdef([], path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == ([("x.dat", before)] if before else [])


def test_a_caller_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    """An interrupt between two meters is passed on."""

    def interrupted() -> Iterator[MdefMeter]:
        yield _one()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mdef(interrupted(), tmp_path / "x.dat")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_callers_own_file_is_passed_on(tmp_path: Path) -> None:
    """It is not about the target."""

    def broken() -> Iterator[MdefMeter]:
        yield _one()
        raise OSError(errno.EIO, "theirs")

    for target in (tmp_path / "x.dat", io.BytesIO()):
        with pytest.raises(OSError, match="theirs"):
            write_mdef(broken(), target)


def _places(root: Path) -> dict[str, Path]:
    (root / "link").symlink_to(root / "file")
    (root / "loop").symlink_to(root / "loop")
    (root / "file").write_bytes(b"old")
    os.mkfifo(root / "pipe")
    return {
        "a missing directory": root / "missing" / "x.dat",
        "a file for a directory": root / "file" / "x.dat",
        "a directory": root,
        "a link": root / "link",
        "a loop of links": root / "loop",
        "a pipe": root / "pipe",
        "a name too long": root / ("x" * 300),
        "a NUL": root / "a\0b",
        "nothing": Path(),
    }


def test_where_there_can_be_no_file_is_a_destination_error(tmp_path: Path) -> None:
    """No meter is asked for, nothing is left, and what was there stays."""
    asked: list[object] = []

    def never() -> Iterator[MdefMeter]:
        asked.append(1)
        yield _one()

    for what, path in _places(tmp_path).items():
        with pytest.raises(DestinationError) as caught:
            write_mdef(never(), path)
        assert ": " in str(caught.value), what
    assert asked == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link", "loop", "pipe"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_directory_without_rights_is_a_destination_error(tmp_path: Path) -> None:
    """The message says to check them."""
    tmp_path.chmod(0o500)
    with pytest.raises(DestinationError, match="rights"):
        write_mdef([_one()], tmp_path / "x.dat")


def test_a_directory_that_comes_in_the_meantime_is_a_destination_error(tmp_path: Path) -> None:
    """Nothing is left beside it."""
    path = tmp_path / "x.dat"

    def late() -> Iterator[MdefMeter]:
        path.mkdir()
        yield _one()

    with pytest.raises(DestinationError, match=re.escape(str(path))):
        write_mdef(late(), path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_a_disk_error() -> None:
    """At once without a buffer; with one at the end of the file, and not when it is closed."""
    with Path("/dev/full").open("wb", buffering=0) as file:
        with pytest.raises(DiskError) as caught:
            write_mdef([_one()], file)
        assert caught.value.errno == errno.ENOSPC
    buffered = Path("/dev/full").open("wb")  # noqa: SIM115 - closing it fails as well
    with pytest.raises(DiskError, match=r"/dev/full could not be written"):
        write_mdef([_one()], buffered)
    with pytest.raises(OSError, match="No space"):
        buffered.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_a_path_on_a_disk_that_refuses_is_a_disk_error(tmp_path: Path) -> None:
    """A limit in the middle of the file, after a short write: the number of the error, and nothing left."""
    path = tmp_path / "x.dat"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(DiskError) as caught:
            write_mdef([_one()], path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("x.dat", b"old")]


class _Sparing(io.RawIOBase):
    """Takes a few bytes at a time, as a file without a buffer may."""

    def __init__(self, takes: int | None) -> None:
        self.content = b""
        self._takes = takes

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int | None:
        if self._takes is None:
            return None
        taken = bytes(cast("bytes", piece))[: self._takes]
        self.content += taken
        return len(taken)


def test_a_file_that_takes_less_is_asked_again() -> None:
    """Until it has everything; one that takes nothing is a disk error and no endless loop."""
    file = _Sparing(100)
    write_mdef([_one()], cast("BinaryIO", file), created=CREATED)
    assert file.content == CONTENT
    for takes in (0, None):
        with pytest.raises(DiskError) as caught:
            write_mdef([_one()], cast("BinaryIO", _Sparing(takes)))
        assert caught.value.errno == errno.EAGAIN


def test_what_is_no_target_is_a_usage_error(tmp_path: Path) -> None:
    """A number, nothing, text, a file that is read or closed."""
    (tmp_path / "x").write_bytes(b"")
    closed = io.BytesIO()
    closed.close()
    with (tmp_path / "x").open("rb") as reading:
        for target in (7, None, io.StringIO(), reading, closed, b"x.dat"):
            with pytest.raises(UsageError):
                write_mdef([_one()], cast("BinaryIO", target))


def test_meters_are_taken_one_by_one() -> None:
    """Each is written before the next one is asked for."""
    target = io.BytesIO()
    sizes = []

    def meters() -> Iterator[MdefMeter]:
        for _ in range(3):
            sizes.append(len(target.getvalue()))
            yield _one()

    write_mdef(meters(), target)
    assert sizes == [index * (len(CONTENT) - RECORD) for index in range(3)]


def test_what_is_written_is_found_in_order() -> None:
    """A slot that looks like fill before the end is a value; the checker only mentions it."""
    slots = [slot(1.0), Slot(0x7FFF_7FFF, 0x7FFF, 0x7FFF), *day(94)]
    content = whole(meter(b"1001", Channel(slots=slots)))
    assert _written(*read_mdef(content)) == content
    assert [finding.severity for finding in check_mdef(content)] == ["warning"]


def test_the_example_of_the_reference_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As printed, and its file has nothing to find."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "formats.md").read_text("utf-8")
    (example,) = [each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "write_mdef(" in each]
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "formats.md", "exec"), {})  # noqa: S102 - our own words
    assert check_mdef(tmp_path / "meter-1001.dat", clock=PST) == ()
