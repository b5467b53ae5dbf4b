"""MDEF files with one thing wrong, and what is to be found in them; made from the layout's own words, too."""

from __future__ import annotations

import struct

import attrs
from hypothesis import strategies as st

from tests.support.mdef import RECORD, Channel, day, meter, meter_header, record, trailer, whole

KEY = b"1001"
RECORDS = meter(KEY, Channel(slots=day()))
"""Header, channel, four records of intervals; records 1 to 6, and the trailer is 7."""


@attrs.frozen
class Broken:
    """A file that breaks a gate."""

    name: str
    content: bytes
    words: str
    """Part of what the reader says."""
    found: tuple[tuple[str, int], ...]
    """Gate and record of everything that a check finds, the first one being where the reader gives up."""


def with_fields(number: int, *fields: tuple[int, bytes], content: bytes | None = None) -> bytes:
    """Change fields of a record of the small file, or of another."""
    made = bytearray(content or whole(RECORDS))
    for offset, new in fields:
        at = (number - 1) * RECORD + offset
        made[at : at + len(new)] = new
    return bytes(made)


def without(number: int) -> bytes:
    """Leave a record of the small file out."""
    return whole(each for index, each in enumerate(RECORDS, start=1) if index != number)


def _broken(name: str, content: bytes, words: str, *found: tuple[str, int]) -> Broken:
    return Broken(name, content, words, found)


_FILL = b"\xff\x7f"
_WORD_215 = struct.pack("<H", 215)
BROKEN = (
    _broken("no byte", b"", "empty", ("empty", 1)),
    _broken("a page", b"\r\n<html><body>Error</body></html>", "page", ("page", 1)),
    _broken("a long page", b"\xef\xbb\xbf<!DOCTYPE html>".ljust(RECORD * 3), "page", ("page", 1)),
    _broken("text", b"METER,CHANNEL\r\n" * 40, "length", ("not_mdef", 1)),
    _broken("little text", b"none", "length", ("not_mdef", 1)),
    _broken("zeros", bytes(RECORD * 4), "length", ("not_mdef", 1)),
    _broken("a cut", whole(RECORDS)[:-1], "215 bytes", ("truncated", 7)),
    _broken("a cut in the first record", whole(RECORDS)[:100], "100 bytes", ("truncated", 1)),
    _broken("a cut in the first word", b"\xd8", "its last byte is not", ("truncated", 1)),
    _broken("a cut among intervals", whole(RECORDS)[: 5 * RECORD + 7], "7 bytes", ("truncated", 6), ("count", 2)),
    _broken("a length word", with_fields(4, (0, _WORD_215)), "length", ("length", 4)),
    _broken("the first length word", with_fields(1, (0, _WORD_215)), "length", ("length", 1)),
    _broken("the trailer's length word", with_fields(7, (0, _WORD_215)), "length", ("length", 7)),
    _broken(
        "a record of zeros",
        with_fields(4, (0, bytes(RECORD))),
        "length",
        ("length", 4),
        ("numbering", 5),
    ),
    _broken("a file that begins with a channel", without(1), "code 10", ("sequence", 1)),
    _broken("only a trailer", trailer(1), "code 9999", ("sequence", 1)),
    _broken(
        "a meter without a channel",
        whole([meter_header(KEY), *RECORDS]),
        "code 1 ",
        ("sequence", 2),
        ("declared_channels", 1),
    ),
    _broken("intervals without a channel", without(2), "code 1001", ("sequence", 2), ("declared_channels", 1)),
    _broken(
        "a channel without intervals",
        whole([*RECORDS[:2], *RECORDS[1:]]),
        "code 10 ",
        ("sequence", 3),
        ("channel_number", 3),
        ("declared_channels", 1),
    ),
    _broken(
        "an unknown code",
        with_fields(2, (2, struct.pack("<H", 11))),
        "code 11",
        ("sequence", 2),
        ("sequence", 3),
        ("declared_channels", 1),
    ),
    _broken("an unknown code behind intervals", whole([*RECORDS, record(77)]), "code 77", ("sequence", 7)),
    _broken(
        "a code past the trailer's",
        with_fields(4, (2, struct.pack("<H", 10_000))),
        "code 10000",
        ("sequence", 4),
        ("numbering", 5),
    ),
    _broken("the first number", without(3), "1002 where 1001", ("numbering", 3)),
    _broken("a gap in the numbers", without(4), "1003 where 1002", ("numbering", 4)),
    _broken("a number twice", whole([*RECORDS[:4], *RECORDS[3:]]), "1002 where 1003", ("numbering", 5)),
    _broken("too few records", without(6), "72 intervals", ("count", 2)),
    _broken("a channel of another meter", with_fields(2, (4, b"1002")), "another recorder", ("recorder", 2)),
    _broken("intervals of another meter", with_fields(5, (4, b"1002")), "another recorder", ("recorder", 5)),
    _broken("the channel status flag", with_fields(2, (99, b"y")), "Y or N", ("flags", 2)),
    _broken("the interval status flag", with_fields(2, (100, b" ")), "Y or N", ("flags", 2)),
    _broken("no intervals per hour", with_fields(2, (177, b"00")), "per hour", ("per_hour", 2)),
    _broken("intervals that do not divide the hour", with_fields(2, (177, b"07")), "per hour", ("per_hour", 2)),
    _broken("intervals per hour in words", with_fields(2, (177, b"4x")), "per hour", ("per_hour", 2)),
    _broken(
        "a header of which nothing is right",
        with_fields(2, (99, b"??"), (177, b"??"), (56, b"?" * 24)),
        "Y or N",
        ("flags", 2),
        ("per_hour", 2),
        ("stamps", 2),
        ("meter_stamps", 1),
    ),
    _broken(
        "a start without a day", with_fields(2, (56, b"202602310001")), "not a time", ("stamps", 2), ("meter_stamps", 1)
    ),
    _broken(
        "a stop after hour 24", with_fields(2, (68, b"202601312401")), "not a time", ("stamps", 2), ("meter_stamps", 1)
    ),
    _broken("a stop without digits", with_fields(2, (68, b" " * 12)), "not a time", ("stamps", 2), ("meter_stamps", 1)),
    _broken(
        "a stop on the last day",
        with_fields(2, (68, b"999912312400")),
        "not a time",
        ("stamps", 2),
        ("meter_stamps", 1),
    ),
    _broken(
        "a start on the first day",
        with_fields(2, (56, b"000101010000")),
        "96 intervals",
        ("count", 2),
        ("meter_stamps", 1),
        ("alignment", 2),
    ),
    _broken(
        "a stop before the start",
        with_fields(2, (68, b"202601302400")),
        "its stamps make no whole number of intervals",
        ("count", 2),
        ("meter_stamps", 1),
    ),
    _broken(
        "a stop within an interval",
        with_fields(2, (68, b"202601312359")),
        "its stamps make no whole number of intervals",
        ("count", 2),
        ("meter_stamps", 1),
    ),
    _broken(
        "a longer span",
        with_fields(2, (68, b"202602012400")),
        "its stamps make 192",
        ("count", 2),
        ("meter_stamps", 1),
    ),
    _broken("a smaller slot", with_fields(2, (99, b"NN")), "192 intervals", ("count", 2)),
    _broken("fill before its time", with_fields(6, (208, _FILL * 4)), "95 intervals", ("count", 2)),
    _broken(
        "a record of fill",
        whole([*RECORDS, record(1005, (4, KEY), (24, _FILL * 96))]),
        "nothing but fill",
        ("fill_record", 2),
    ),
    _broken("no trailer", b"".join(RECORDS), "ends where", ("ends", 7)),
    _broken("no trailer and no intervals", b"".join(RECORDS[:2]), "ends where an interval record", ("ends", 3)),
    _broken("only a meter", RECORDS[0], "ends where a channel", ("ends", 2), ("declared_channels", 1)),
    _broken(
        "the trailer's count",
        b"".join(RECORDS) + trailer(6),
        "the trailer counts 6 records, and there are 7",
        ("trailer_count", 7),
    ),
    _broken("a trailer that counts nothing", b"".join(RECORDS) + trailer(0), "counts 0 records", ("trailer_count", 7)),
    _broken("one interval too many", b"".join(RECORDS) + trailer(97), "counts 97 records", ("trailer_count", 7)),
    _broken(
        "a trailer without a word",
        b"".join(RECORDS) + record(9999),
        "says no number of records, and there are 7",
        ("trailer_count", 7),
        ("created_stamp", 7),
    ),
    _broken("two trailers", whole(RECORDS) + trailer(8), "behind its trailer", ("behind_trailer", 8), ("sequence", 8)),
    _broken("two files", whole(RECORDS) * 2, "behind its trailer", ("behind_trailer", 8), ("trailer_count", 14)),
    _broken(
        "zeros behind the trailer",
        whole(RECORDS) + bytes(RECORD),
        "behind its trailer",
        ("behind_trailer", 8),
        ("length", 8),
        ("ends", 9),
    ),
)

STRANGE = (
    ("a meter without an id", whole(meter(b"", Channel(slots=day()))), (("no_recorder", 1),)),
    ("a wrong number of channels", with_fields(1, (111, b"0002")), (("declared_channels", 1),)),
    ("no number of channels", with_fields(1, (111, b"    ")), (("declared_channels", 1),)),
    ("a meter's start that is no time", with_fields(1, (119, b"?")), (("meter_stamps", 1),)),
    ("another stop than its channel's", with_fields(1, (131, b"202602012400")), (("meter_stamps", 1),)),
    (
        "a channel number twice",
        whole([meter_header(KEY, 2), *RECORDS[1:], *RECORDS[1:]]),
        (("channel_number", 7),),
    ),
    (
        "stamps within intervals",
        with_fields(1, (119, b"202601310000202601312359"), content=with_fields(2, (56, b"202601310000202601312359"))),
        (("alignment", 2),),
    ),
    ("fill in the third record", with_fields(5, (24, _FILL * 4)), (("fill", 5),)),
    ("a value of fill with a status", with_fields(4, (24, _FILL * 2)), (("value", 4),)),
    ("an infinite value", with_fields(3, (24, struct.pack("<f", float("inf")))), (("value", 3),)),
    ("no number in the last slot", with_fields(6, (208, struct.pack("<f", float("nan")))), (("value", 6),)),
    ("a trailer that counts intervals", b"".join(RECORDS) + trailer(96), (("trailer_habit", 7),)),
    ("a file made at no time", with_fields(7, (204, b"202613010600")), (("created_stamp", 7),)),
)
"""Files that are read, with gate and record of what is strange in them."""

SMALL = whole(meter(b"A", Channel(start=b"202603080001", stop=b"202603080200", slots=day(8))))
"""Four records."""


def edited(content: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """Damage a file by edits as `EDITS` draws them."""
    made = bytearray(content)
    for kind, at, new in edits:
        place = at % (len(made) + 1)
        start = place // RECORD * RECORD
        match kind:
            case "write":
                made[place : place + len(new)] = new
            case "insert":
                made[place:place] = new
            case "cut":
                del made[place:]
            case "drop":
                del made[start : start + RECORD]
            case _:
                made[start:start] = made[start : start + RECORD]
    return bytes(made)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "insert", "cut", "drop", "double"]),
        st.integers(0, len(SMALL) * 2),
        st.binary(min_size=1, max_size=24)
        | st.sampled_from([b"202603080201", b"\x0f\x27", b"NN", b"Y", b"60", b"2400"]),
    ),
    min_size=1,
    max_size=6,
)
