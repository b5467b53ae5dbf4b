"""What fill is: the whole slot, statuses and all; the check, `aiomar inspect` and coverage are of one opinion."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from aiomar import FileFormat, TimeType
from aiomar.cli._contents_mdef import look_into_mdef
from aiomar.formats import check_mdef
from aiomar.formats._marks import filled
from aiomar.report._pieces import PieceReader
from tests.support.mdef import Channel, Slot, day, meter, saved, slot

FILL = b"\xff\x7f"


@given(
    width=st.sampled_from([4, 6, 8]),
    few=st.lists(st.sampled_from([FILL * 4, FILL * 3 + b"\0\0", b"\0\0" + FILL * 3, b"\x7f\xff" * 4, bytes(8)])),
)
def test_a_slot_is_filled_when_all_of_it_is(width: int, few: list[bytes]) -> None:
    """Slot by slot, also where fill lies across two of them."""
    slots = b"".join(each[:width] for each in few)
    expected = [slots[at : at + width] == FILL * (width // 2) for at in range(0, len(slots), width)]
    assert list(filled(slots, width)) == expected


def test_three_of_one_opinion(tmp_path: Path) -> None:
    """A status word of 0x7FFF on a value is a status, a value of fill with other statuses is a value."""
    fill = Slot(0x7FFF_7FFF, 0x7FFF, 0x7FFF)
    slots = [slot(1.5, 0x7FFF, 0x7FFF), fill, Slot(0x7FFF_7FFF), slot(2.5, 8, 64), *day(92)]
    path = saved(tmp_path / "a.dat", meter(b"1001", Channel(slots=slots)))
    assert [(each.gate, each.words[-60:].count("1 interval ")) for each in check_mdef(path)] == [
        ("fill", 1),
        ("value", 1),
    ]
    facts = look_into_mdef(path, path.stat().st_size, clock=TimeType.PST, progress=ignore)
    assert (facts.filled, facts.estimated, facts.missing) == (1, 2, 2)
    (piece,) = PieceReader(FileFormat.MDEF, TimeType.PST, None, ignore).read(path)
    assert list(piece.estimated) == [1, 0, 0, 1] + [0] * 92
    assert list(piece.flagged) == [1, 1, 0, 1] + [0] * 92


def ignore(_size: int) -> None:
    """Take progress that nobody asked for."""
