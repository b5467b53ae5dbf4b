"""Checking MDEF: every gate with its place, none of them fatal, and never another opinion than the reader's."""

from __future__ import annotations

import io
import itertools
import pickle
import re
import struct
import tracemalloc
import typing
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar import FormatError, TimeType
from aiomar.formats import Finding, Gate, Severity, check_mdef, read_mdef
from aiomar.formats._findings import MOST_FINDINGS
from tests.support.broken_mdef import BROKEN, EDITS, KEY, RECORDS, SMALL, STRANGE, Broken, edited, with_fields
from tests.support.mdef import RECORD, Channel, Slot, day, meter, meter_header, record, slot, trailer, whole
from tests.support.sources import Made, Short

PST, DST = TimeType.PST, TimeType.DST
CLOCKS = st.sampled_from([None, PST, DST])


def _refusal(content: bytes, clock: TimeType | None) -> FormatError | None:
    """Say why the reader gives up, if it does."""
    try:
        for _ in read_mdef(content, clock=clock):
            pass
    except FormatError as error:
        return error
    return None


def _checked(content: bytes, clock: TimeType | None = None) -> tuple[Finding, ...]:
    """Check a file, and hold the findings to what the reader does with it."""
    findings = check_mdef(content, clock=clock)
    first = next((finding for finding in findings if finding.severity == "error"), None)
    refusal = _refusal(content, clock)
    assert (first is None) == (refusal is None)
    if first is not None and refusal is not None:
        assert refusal.where == f"the content, record {first.record}, byte {first.byte}"
        assert str(refusal).startswith(first.words)
    return findings


def _told(findings: tuple[Finding, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((finding.gate, finding.record) for finding in findings)


def test_a_good_file_has_no_findings() -> None:
    """Whatever its flags are, with negative values, every status, several meters and padded keys."""
    slots = [slot(-1.5, 0xFFFF, 0x7FFF), *day(94), slot(3.4e38)]
    meters = [
        meter(
            key, *(Channel(number=n, flags=flags, slots=slots) for n, flags in enumerate((b"YY", b"YN", b"NY", b"NN")))
        )
        for key in (b"1001", b"1002")
    ]
    content = whole([*meters[0], *meters[1]])
    assert _checked(with_fields(3, (8, b"\0" * 16), content=content)) == ()


@pytest.mark.parametrize("broken", BROKEN, ids=[broken.name for broken in BROKEN])
def test_a_broken_gate_is_found(broken: Broken) -> None:
    """With its place, and with what else follows from it; of a file object, too, where a cut may be told later."""
    findings = _checked(broken.content)
    assert _told(findings) == broken.found
    assert findings[0].severity == "error"
    assert broken.words in findings[0].words
    assert [each.byte for each in findings] == [(each.record - 1) * RECORD for each in findings]
    of_file = check_mdef(io.BytesIO(broken.content))
    assert sorted(of_file, key=str) == sorted(findings, key=str)


@pytest.mark.parametrize(("content", "found"), [pytest.param(*each[1:], id=each[0]) for each in STRANGE])
def test_what_is_strange_is_a_warning(content: bytes, found: tuple[tuple[str, int], ...]) -> None:
    """It is found, and the reader reads it."""
    findings = _checked(content)
    assert _told(findings) == found
    assert {finding.severity for finding in findings} == {"warning"}


def test_every_gate_has_a_file_here_and_a_line_in_the_reference() -> None:
    """The closed set is what can be found: nothing in it is missing from these tables, and nothing is beside it."""
    gates = set(typing.get_args(Gate))
    found = {gate for broken in BROKEN for gate, _ in broken.found} | {gate for *_, each in STRANGE for gate, _ in each}
    assert found | {"clock", "too_many"} == gates
    page = (Path(__file__).parents[2] / "docs" / "reference" / "formats.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == gates - {"too_many"}
    assert "`too_many`" in page
    assert set(typing.get_args(Severity)) == {"error", "warning"}


MARCH = b"20260308"


def test_the_clock_is_a_gate() -> None:
    """A count that fits the other clock only is an error where a clock was given, and none where it was not."""
    content = whole(meter(KEY, Channel(start=MARCH + b"0001", stop=MARCH + b"2400", slots=day(92))))
    content = with_fields(1, (119, MARCH + b"0001" + MARCH + b"2400"), content=content)
    assert _checked(content) == _checked(content, DST) == ()
    (finding,) = _checked(content, PST)
    assert (finding.gate, finding.severity, finding.record) == ("clock", "error", 2)
    assert "96 (PST), 92 (DST)" in finding.words


def test_one_clock_fits_the_whole_file() -> None:
    """A channel that fits the other clock than those before it is found; one that again fits the first one, too."""
    channels = [
        Channel(number=n, start=MARCH + b"0001", stop=MARCH + b"2400", slots=day(count))
        for n, count in enumerate((96, 92, 92, 96))
    ]
    content = with_fields(
        1, (111, b"0004"), (119, MARCH + b"0001" + MARCH + b"2400"), content=whole(meter(KEY, *channels))
    )
    assert _told(_checked(content)) == (("clock", 7), ("clock", 17))


NOVEMBER = b"20261101"


def test_what_may_be_either_of_two_hours_fits_no_dst_clock() -> None:
    """A span in the hour that the DST clock shows twice is not guessed; by the PST clock there is nothing to find."""
    channel = Channel(start=NOVEMBER + b"0101", stop=NOVEMBER + b"0200", slots=day(4))
    content = with_fields(1, (119, channel.start + channel.stop), content=whole(meter(KEY, channel)))
    assert _checked(content) == _checked(content, PST) == ()
    (finding,) = _checked(content, DST)
    assert (finding.gate, finding.record) == ("clock", 2)
    assert "channel 1 of meter 1001 has 4 intervals, which begin in the hour that the DST clock shows twice" in str(
        finding
    )
    assert "ask for it by the PST clock" in str(_refusal(content, DST))
    whole_day = Channel(start=NOVEMBER + b"0001", stop=NOVEMBER + b"2400", slots=day(100))
    (finding,) = (each for each in _checked(whole(meter(KEY, whole_day, channel))) if each.severity == "error")
    assert (finding.gate, "shows twice" in finding.words) == ("clock", True)


def test_a_trailer_may_count_intervals() -> None:
    """Those of all channels together; it is said what stands there."""
    records = [*meter(b"A", Channel(slots=day())), *meter(b"B", Channel(slots=day()), Channel(number=2, slots=day()))]
    (finding,) = _checked(b"".join(records) + trailer(288))
    assert (finding.gate, finding.severity, finding.record) == ("trailer_habit", "warning", 18)
    assert finding.words.startswith("the trailer counts 288, which is the number of intervals: ")
    assert _told(_checked(b"".join(records) + trailer(96))) == (("trailer_count", 18),)


def test_findings_name_the_meter() -> None:
    """By its recorder id, in a form that is fit for messages; one that has none, too."""
    words = {
        key: [each.words for each in _checked(whole(meter(key, Channel(flags=b"??", slots=day()))))]
        for key in (b"1001", b"\xe9\n{}", b"\xff" * 20, b"")
    }
    assert words[b"1001"] == ["channel 1 of meter 1001 does not say by Y or N which status words it carries"]
    assert words[b"\xe9\n{}"][0].startswith("channel 1 of meter \\xe9 {} does not")
    assert len(words[b"\xff" * 20][0]) < 120
    assert any("channel 1 of meter without a recorder id" in each for each in words[b""])
    declared = with_fields(1, (111, b"0002"))
    assert [each.words for each in check_mdef(declared)] == [
        "the header of meter 1001 declares 2 channels, and there is 1"
    ]
    declared = with_fields(1, (111, b"many"))
    assert "declares no number of channels" in check_mdef(declared)[0].words


def test_a_finding_is_a_value_with_words() -> None:
    """It says where and what, compares and travels, and shows no meter value."""
    (finding,) = check_mdef(with_fields(4, (0, b"\0")))
    assert str(finding) == "record 4, byte 648: a record does not begin with its length, 216"
    assert pickle.loads(pickle.dumps(finding)) == finding  # noqa: S301 - our own bytes
    words = [str(each) for broken in BROKEN for each in check_mdef(broken.content)]
    words += [str(each) for _, content, _ in STRANGE for each in check_mdef(content)]
    assert [text for text in words if "1234" in text or "5678" in text or "\\x" in text] == []


def test_intervals_are_counted_and_the_first_is_placed() -> None:
    """Values that are no numbers and fill before the end are told once for a channel."""
    odd = [Slot(0x7FC0_0000), slot(1), Slot(0xFF80_0000, 1, 2), slot(3.4e38), slot(-3.4e38)]
    fill = Slot(0x7FFF_7FFF, 0x7FFF, 0x7FFF)
    slots = [*day(30), *odd, *day(30), fill, fill, *day(29)]
    findings = _checked(whole(meter(KEY, Channel(slots=slots))))
    assert [(each.record, each.words) for each in findings] == [
        (5, "channel 1 of meter 1001 has 2 intervals filled as unused ones are, before its end"),
        (4, "channel 1 of meter 1001 has 2 intervals with a value that is no number"),
    ]


def test_places_hold_where_strangers_stand_between() -> None:
    """An interval's record is the one that it stands in, also behind one that was left out."""
    content = whole([*RECORDS[:4], record(77), *RECORDS[4:]])
    at = 5 * RECORD + 24
    assert _told(_checked(content[:at] + b"\0\0\x80\x7f" + content[at + 4 :])) == (("sequence", 5), ("value", 6))


YEAR = meter(KEY, Channel(start=b"202601010001", stop=b"202612312400", slots=day(35_040)))
YEAR[0] = with_fields(1, (119, b"202601010001202612312400"))[:RECORD]


@pytest.mark.parametrize("place", [3, 4, 130, 131, 1_023, 1_024, 1_025, 1_026, 1_461, 1_462])
def test_damage_within_a_long_channel_is_found_where_it_is(place: int) -> None:
    """Runs of records are looked at together, and yet the one that is wrong is named, wherever it stands."""
    content = whole(YEAR)
    assert _checked(content) == ()
    for at in (0, 1):
        assert _told(_checked(with_fields(place, (at, b"\7"), content=content))) == (("length", place),)
    numbering = ("numbering", place), ("numbering", place + 1)
    found = _told(_checked(with_fields(place, (2, b"\x11\x11"), content=content)))
    assert found == numbering[: 1 if place == len(YEAR) else 2]
    for at in range(4, 24):
        assert _told(_checked(with_fields(place, (at, b"\7"), content=content))) == (("recorder", place),)


# --- Anything at all --------------------------------------------------------------------------------------------------


@given(edits=EDITS, clock=CLOCKS)
def test_checker_and_reader_agree_about_damage(edits: list[tuple[str, int, bytes]], clock: TimeType | None) -> None:
    """Whatever is written, cut, put in or doubled: an error is found where the reader gives up, or both find none."""
    _checked(edited(SMALL, edits), clock)


@given(edits=EDITS, clock=CLOCKS)
def test_they_agree_about_several_meters(edits: list[tuple[str, int, bytes]], clock: TimeType | None) -> None:
    """With channels of every kind of slot."""
    channels = [Channel(number=n, flags=flags, slots=day()) for n, flags in enumerate((b"YY", b"NN", b"NY"))]
    content = whole([*meter(b"A", *channels), *meter(b"B", *channels[1:])])
    far = [(kind, at * 7, new) for kind, at, new in edits]
    _checked(edited(content, far), clock)


@given(
    content=st.binary(max_size=700), begins=st.sampled_from([b"", SMALL[:4], SMALL[:216], SMALL[:432]]), clock=CLOCKS
)
def test_they_agree_about_random_bytes(content: bytes, begins: bytes, clock: TimeType | None) -> None:
    """From the first byte on, or behind a good beginning."""
    assert _checked(begins + content, clock)


@given(order=st.lists(st.integers(0, 6), max_size=14), clock=CLOCKS)
def test_they_agree_about_any_order_of_records(order: list[int], clock: TimeType | None) -> None:
    """Records that are right each by itself, in any order."""
    records = [*RECORDS, trailer(len(order))]
    _checked(b"".join(records[index] for index in order), clock)


def test_every_cut_is_found() -> None:
    """At any byte; of a file whose length is not known beforehand, too."""
    for end in range(len(SMALL)):
        assert _checked(SMALL[:end])
        assert {each.severity for each in check_mdef(io.BytesIO(SMALL[:end]))} & {"error"}


# --- Much of it -------------------------------------------------------------------------------------------------------


def test_there_is_an_end_to_findings() -> None:
    """After a thousand the check stops, and says that there are more."""
    findings = _checked(RECORDS[0] + bytes(RECORD * 2_000))
    assert len(findings) == MOST_FINDINGS + 1
    assert _told(findings)[:2] == (("length", 2), ("length", 3))
    assert _told(findings)[-1] == ("too_many", MOST_FINDINGS + 2)
    assert findings[-1].severity == "error"


@pytest.mark.parametrize("broken", [False, True])
def test_warnings_never_hide_an_error(broken: bool) -> None:  # noqa: FBT001 - both ways
    """More warnings than are noted do not end the check: an error behind them is still found."""
    strange = [
        meter_header(KEY, 7),
        *meter(KEY, Channel(start=MARCH + b"0001", stop=MARCH + b"0200", slots=day(8)))[1:],
    ]
    content = b"".join(strange) * 600
    count = len(content) // RECORD + 1
    findings = _checked(content + trailer(count - broken))
    assert len(findings) == MOST_FINDINGS + broken
    assert findings[-1].gate == "too_many"
    assert findings[-1].severity == ("error" if broken else "warning")
    assert [each.gate for each in findings if each.severity == "error"] == ["trailer_count", "too_many"] * broken


LONGEST = [record(code, (4, KEY), (24, bytes(192))) for code in range(1001, 9999)]


@pytest.mark.parametrize("flags", [b"YY", b"??"])
def test_memory_does_not_grow_with_the_file(flags: bytes) -> None:
    """A channel as long as one can be, numbered from 1001 over and over: the first time it is held, and no longer."""
    header = with_fields(2, (99, flags))[: 2 * RECORD]
    source = Made(itertools.chain([header], itertools.repeat(b"".join(LONGEST), 8)))
    tracemalloc.start()
    try:
        findings = check_mdef(cast("BinaryIO", source))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert source.given > 14_000_000
    assert [each.gate for each in findings if each.gate == "numbering"] == ["numbering"] * 7
    assert peak < 8_000_000


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30))
def test_how_the_bytes_come_does_not_matter(sizes: list[int]) -> None:
    """A file that gives less than it was asked for is read on, down to a byte at a time."""
    content = SMALL + struct.pack("<HH", 0, 1)
    assert check_mdef(Short(content, sizes)) == check_mdef(io.BytesIO(content))
    assert check_mdef(Short(SMALL, sizes)) == check_mdef(SMALL)


def test_one_byte_at_a_time() -> None:
    """The reader and the checker both get there."""
    content = whole(RECORDS)
    assert list(read_mdef(Short(content))) == list(read_mdef(content))
    assert check_mdef(Short(content)) == check_mdef(content) == ()
