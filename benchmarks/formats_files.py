"""Files for the benchmark of formats: many meters with one channel each, written record by record with `struct`."""

from __future__ import annotations

import datetime as dt
import random
import struct
from pathlib import Path
from typing import Final

import attrs

_RECORD: Final = 216
_SLOTS: Final = 192
_FLAGS: Final = {8: b"YY", 6: b"NY", 4: b"NN"}
_DAY: Final = 96


@attrs.frozen
class Shape:
    """What a file looks like: quarter hours of one channel each, and bytes of a slot."""

    intervals: int
    width: int


SHAPES: Final = tuple(Shape(intervals, width) for intervals in (96, 2_976, 35_040) for width in (8, 4))


def make(shape: Shape, folder: Path, size: int) -> Path:
    """Write a file of a shape.

    Args:
        shape: of its channels.
        folder: where it goes.
        size: about how many bytes it has.
    """
    path = folder / f"{shape.intervals}-{shape.width}-{size}.dat"
    body = _slots(shape)
    stop = dt.date(2025, 1, 1) + dt.timedelta(days=shape.intervals // _DAY - 1)
    stamps = b"202501010001" + f"{stop:%Y%m%d}2400".encode()
    records = 2 + -(-len(body) // _SLOTS)
    count = max(size // (records * _RECORD), 1)
    with path.open("wb") as file:
        for number in range(count):
            key = b"METER%08d" % number
            file.write(_record(1, key, (111, b"0001"), (119, stamps), (143, b"N")))
            fields = (56, stamps), (93, b"01\1\x0001" + _FLAGS[shape.width]), (177, b"04"), (210, b"D\0\0R")
            file.write(_record(10, key, *fields))
            pieces = (body[at : at + _SLOTS] for at in range(0, len(body), _SLOTS))
            file.write(b"".join(_record(1001 + index, key, (24, piece)) for index, piece in enumerate(pieces)))
        file.write(_record(9999, b"", (34, b"%010d" % (count * records + 1)), (204, b"202601010000")))
    return path


def _slots(shape: Shape) -> bytes:
    chance = random.Random(7)  # noqa: S311 - values, not secrets
    form = struct.Struct("<f" + "H" * ((shape.width - 4) // 2))
    statuses = [0] * ((shape.width - 4) // 2)
    body = b"".join(form.pack(round(chance.gammavariate(2, 50), 3), *statuses) for _ in range(shape.intervals))
    return body + b"\xff\x7f" * (-len(body) % _SLOTS // 2)


def _record(code: int, key: bytes, *fields: tuple[int, bytes]) -> bytes:
    made = bytearray(b" " * _RECORD)
    made[:24] = struct.pack("<HH", _RECORD, code) + key.ljust(20)
    for offset, content in fields:
        made[offset : offset + len(content)] = content
    return bytes(made)
