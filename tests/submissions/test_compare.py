"""Does what was submitted show in what was downloaded?"""

from __future__ import annotations

import datetime as dt
import io
import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar import FileFormat, FormatError, TimeType
from aiomar.submissions._compare import EXAMPLES, Comparison, compare
from aiomar.testing import _data
from tests.support.mdef import Channel, Slot, day, meter, slot, whole

PST, DST = TimeType.PST, TimeType.DST
KEY = b"1001"
SPANS = [
    (dt.date(2026, 3, 7), dt.date(2026, 3, 9)),
    (dt.date(2026, 10, 31), dt.date(2026, 11, 2)),
    (dt.date(2026, 1, 30), dt.date(2026, 1, 31)),
]


def _mdef(submitted: bytes, downloaded: bytes, clock: TimeType = PST) -> Comparison:
    return compare(submitted, io.BytesIO(downloaded), file_format=FileFormat.MDEF, clock=clock)


def _csv(submitted: bytes, downloaded: bytes) -> Comparison:
    return compare(submitted, io.BytesIO(downloaded), file_format=FileFormat.CSV, clock=PST)


def _counts(found: Comparison) -> tuple[int, int, int, int]:
    assert found.expected == found.found + found.missing_count + found.different_count
    assert found.complete == (found.found == found.expected)
    return found.expected, found.found, found.missing_count, found.different_count


# --- The embedded server's data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", TimeType)
@pytest.mark.parametrize(("first", "last"), SPANS)
@pytest.mark.parametrize("file_format", FileFormat)
def test_a_longer_download_of_more_meters_shows_everything(
    file_format: FileFormat, clock: TimeType, first: dt.date, last: dt.date
) -> None:
    """Other meters and other days around it do not matter, on days of change neither."""
    make = _data.mdef if file_format is FileFormat.MDEF else _data.csv
    submitted = make(["1002"], first, last, clock)
    week = dt.timedelta(days=7)
    downloaded = io.BytesIO(make(["1001", "1002", "1003"], first - week, last + week, clock))
    found = compare(submitted, downloaded, file_format=file_format, clock=clock)
    assert found.complete
    assert found.expected == found.found > 3 * 92
    assert found.missing == found.different == ()


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_shorter_download_lacks_the_rest(file_format: FileFormat) -> None:
    """What lies outside of it is missing and not different."""
    make = _data.mdef if file_format is FileFormat.MDEF else _data.csv
    first, last = dt.date(2026, 3, 7), dt.date(2026, 3, 8)
    submitted, downloaded = make(["1001"], first, last, DST), make(["1001"], first, first, DST)
    found = compare(submitted, io.BytesIO(downloaded), file_format=file_format, clock=DST)
    assert (found.missing_count, found.different_count) == (3 * 92, 0)
    assert not found.complete
    assert len(found.missing) == EXAMPLES
    expected = "recorder 1001, channel 1, interval from 2026-03-08T00:00-08:00"
    assert found.missing[0] == (expected if file_format is FileFormat.MDEF else "line 98 of the submitted file")
    assert found.missing[8] == (
        "recorder 1001, channel 1, interval from 2026-03-08T03:00-07:00"
        if file_format is FileFormat.MDEF
        else "line 106 of the submitted file"
    )


# --- MDEF -------------------------------------------------------------------------------------------------------------

BASE = Channel(slots=[slot(index + 0.5, 16, 64) for index in range(96)])


def _of(*channels: Channel, key: bytes = KEY) -> bytes:
    return whole(meter(key, *channels))


def _changed(index: int, **fields: int) -> Channel:
    slots = list(BASE.slots)
    slots[index] = attrs.evolve(slots[index], **fields)
    return attrs.evolve(BASE, slots=slots)


@pytest.mark.parametrize(
    ("downloaded", "counts", "example"),
    [
        (_of(BASE), (96, 96, 0, 0), None),
        (_of(attrs.evolve(BASE, unit=b"77")), (96, 96, 0, 0), None),
        (_of(attrs.evolve(BASE, number=2), BASE), (96, 96, 0, 0), None),
        (_of(_changed(2, bits=1)), (96, 95, 0, 1), "00:30-08:00: another value"),
        (_of(_changed(2, bits=1, interval=5)), (96, 95, 0, 1), "00:30-08:00: another value"),
        (_of(_changed(95, channel=17)), (96, 95, 0, 1), "23:45-08:00: another status"),
        (_of(_changed(0, interval=0)), (96, 95, 0, 1), "00:00-08:00: another status"),
        (_of(attrs.evolve(BASE, flags=b"NY")), (96, 0, 0, 96), "00:00-08:00: another length"),
        (_of(attrs.evolve(BASE, flags=b"NN")), (96, 0, 0, 96), "other status words"),
        (
            _of(attrs.evolve(BASE, per_hour=b"01", slots=BASE.slots[::4])),
            (96, 0, 72, 24),
            "00:00-08:00: another length",
        ),
        (_of(attrs.evolve(BASE, number=2)), (96, 0, 96, 0), "2026-01-31T00:00-08:00"),
        (_of(BASE, key=b"1002"), (96, 0, 96, 0), "recorder 1001, channel 1"),
        (
            _of(attrs.evolve(BASE, start=b"202602010001", stop=b"202602012400")),
            (96, 0, 96, 0),
            "2026-01-31T00:00-08:00",
        ),
        (
            _of(attrs.evolve(BASE, stop=b"202601311200", slots=BASE.slots[:48])),
            (96, 48, 48, 0),
            "2026-01-31T12:00-08:00",
        ),
        (_of(_changed(2, bits=1), BASE), (96, 96, 0, 0), None),
        (_of(BASE, _changed(2, bits=1)), (96, 96, 0, 0), None),
        (_of(_changed(2, bits=1), _changed(2, bits=2)), (96, 95, 0, 1), "00:30-08:00: another value"),
    ],
)
def test_intervals(downloaded: bytes, counts: tuple[int, int, int, int], example: str | None) -> None:
    """Recorder, channel and beginning are the key; value bits, both statuses and the length must be equal."""
    found = _mdef(_of(BASE), downloaded)
    assert _counts(found) == counts
    examples = (*found.different, *found.missing)
    assert examples == () if example is None else example in examples[0]


def test_values_are_compared_bit_by_bit() -> None:
    """Two NaNs are equal if their bits are; the two zeros are not."""
    quiet, other, zero, minus_zero = (Slot(bits) for bits in (0x7FC0_0000, 0x7FC0_0001, 0, 0x8000_0000))
    rest = day(94)
    submitted = _of(attrs.evolve(BASE, slots=[quiet, zero, *rest]))
    assert _counts(_mdef(submitted, submitted)) == (96, 96, 0, 0)
    assert _counts(_mdef(submitted, _of(attrs.evolve(BASE, slots=[other, minus_zero, *rest])))) == (96, 94, 0, 2)


def test_an_interval_that_was_submitted_twice_counts_once() -> None:
    """As it stands last in the file."""
    twice = _of(_changed(2, bits=1), BASE)
    assert _counts(_mdef(twice, _of(BASE))) == (96, 96, 0, 0)
    assert _counts(_mdef(twice, _of(_changed(2, bits=1)))) == (96, 95, 0, 1)


def test_a_span_within_another_is_found_across_a_change() -> None:
    """The day behind the change is one hour nearer to the day before it, and still the same day."""
    days = ((b"20260309", 96), (b"20260308", 92))
    three = Channel(start=b"202603070001", stop=b"202603092400", slots=[*day(96, 500), *day(92), *day(96)])
    for stamp, count in days:
        one = Channel(start=stamp + b"0001", stop=stamp + b"2400", slots=day(count))
        assert _mdef(_of(one), _of(three), DST).complete


def test_the_other_clock_is_another_hour() -> None:
    """The same stamps by both clocks: the caller says which, and the wrong one does not fit or does not match."""
    noon = dt.date(2026, 7, 1)
    summer = _data.mdef(["1001"], noon, noon, PST)
    assert not _mdef(summer, _data.mdef(["1001"], noon, noon, DST)).complete
    change = _data.mdef(["1001"], dt.date(2026, 3, 8), dt.date(2026, 3, 8), DST)
    with pytest.raises(FormatError, match="the submitted file"):
        _mdef(change, change, PST)
    with pytest.raises(FormatError, match="the downloaded data"):
        _mdef(summer, change, PST)


def test_examples_show_no_value_and_nothing_unprintable() -> None:
    """Ids may be anything; what is shown of them is printable and short."""
    strange = attrs.evolve(BASE, number=7, slots=[slot(1234.5) for _ in range(96)])
    submitted = _of(strange, key=b"\x1b[31m\xe9 x")
    missing = _mdef(submitted, _of(BASE)).missing
    different = _mdef(submitted, _of(attrs.evolve(strange, slots=day()), key=b"\x1b[31m\xe9 x")).different
    assert len(missing) == len(different) == EXAMPLES
    assert missing[0] == r"recorder \x1b[31m\xe9 x, channel 7, interval from 2026-01-31T00:00-08:00"
    assert all(text.isascii() and text.isprintable() and "1234" not in text for text in (*missing, *different))


@given(data=st.data())
def test_what_is_missing_and_what_differs_add_up(data: st.DataObject) -> None:
    """Take some quarter hours out at the end, change some others, and each is told as what it is."""
    kept = data.draw(st.integers(1, 96))
    changed = data.draw(st.sets(st.integers(0, kept - 1), max_size=40))
    slots = [Slot(each.bits ^ 1) if index in changed else each for index, each in enumerate(day(kept))]
    stop = f"20260131{kept // 4:02}{kept % 4 * 15:02}".encode()
    made = Channel(stop=stop, slots=slots)
    found = _mdef(_of(Channel(slots=day())), _of(made))
    assert _counts(found) == (96, kept - len(changed), 96 - kept, len(changed))
    assert len(found.missing) == min(EXAMPLES, 96 - kept)
    assert len(found.different) == min(EXAMPLES, len(changed))


# --- CSV --------------------------------------------------------------------------------------------------------------

ROWS = b"a,b\r\n1,2\r\n3,4\r\n"


@pytest.mark.parametrize(
    ("submitted", "downloaded", "counts", "missing"),
    [
        (ROWS, ROWS, (3, 3, 0, 0), ()),
        (ROWS, b"\xef\xbb\xbf3,4  \n\n1,2\t\r9,9\na,b", (3, 3, 0, 0), ()),
        (b"\xef\xbb\xbfa,b\r\n\r\n1,2 \r\n1,2\r\n", b"a,b\n1,2\n", (2, 2, 0, 0), ()),
        (ROWS, b"a,b\r\n1,2\r\n3, 4\r\n", (3, 2, 1, 0), ("line 3 of the submitted file",)),
        (ROWS, b" a,b\r\n1,2\r\n3,4\r\n", (3, 2, 1, 0), ("line 1 of the submitted file",)),
        (b"\n\na,b\n\n1,2", b"a,c\n", (2, 0, 2, 0), ("line 3 of the submitted file", "line 5 of the submitted file")),
        (b"one\n", b"two\none\n", (1, 1, 0, 0), ()),
        (b"caf\xe9,1\n", b"x,y\ncaf\xe9,1", (1, 1, 0, 0), ()),
    ],
)
def test_rows(submitted: bytes, downloaded: bytes, counts: tuple[int, int, int, int], missing: tuple[str, ...]) -> None:
    """Each row that was submitted must be there, wherever; line ends, blanks behind it and a mark do not matter."""
    found = _csv(submitted, downloaded)
    assert _counts(found) == counts
    assert found.missing == missing


@given(st.sets(st.integers(0, 500), min_size=1), st.sets(st.integers(0, 500)), st.randoms())
def test_rows_as_sets(submitted: set[int], downloaded: set[int], chance: random.Random) -> None:
    """In any order, with any line end."""
    texts = [b"row,%d" % each for each in downloaded] or [b"x,y"]
    chance.shuffle(texts)
    lines = [text + chance.choice([b"\n", b"\r\n", b"\r", b" \n\n"]) for text in texts]
    found = _csv(b"".join(b"row,%d\r\n" % each for each in submitted), b"".join(lines))
    lacking = len(submitted - downloaded)
    assert _counts(found) == (len(submitted), len(submitted) - lacking, lacking, 0)
    assert len(found.missing) == min(EXAMPLES, lacking)


# --- What is not of the format ----------------------------------------------------------------------------------------

PAGE = b"<html><body>No data</body></html>"


@pytest.mark.parametrize(
    ("file_format", "good", "bad"),
    [
        (FileFormat.MDEF, _of(BASE), b""),
        (FileFormat.MDEF, _of(BASE), PAGE),
        (FileFormat.MDEF, _of(BASE), ROWS),
        (FileFormat.MDEF, _of(BASE), _of(BASE)[:-1]),
        (FileFormat.MDEF, _of(BASE), _of(BASE)[:-216]),
        (FileFormat.CSV, ROWS, b""),
        (FileFormat.CSV, ROWS, PAGE),
        (FileFormat.CSV, ROWS, _of(BASE)),
        (FileFormat.CSV, ROWS, b"a,b\n\0,1\n"),
    ],
)
def test_what_is_not_of_the_format_says_which_file(file_format: FileFormat, good: bytes, bad: bytes) -> None:
    """A file that cannot be compared is a `FormatError` that tells the two apart."""
    for submitted, downloaded, which in ((bad, good, "the submitted file"), (good, bad, "the downloaded data")):
        with pytest.raises(FormatError, match=which) as caught:
            compare(submitted, io.BytesIO(downloaded), file_format=file_format, clock=PST)
        assert caught.value.where.startswith(which)
