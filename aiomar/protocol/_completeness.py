"""Proof from its content that a body is whole, for answers that end with the connection (DL 3.3).

Nothing in HTTP tells such a body from one that was cut, so the content has to: an MDEF file by its record lengths and
its trailer, a CSV file by its last line end and a constant number of columns.  A body that neither proves is
unverified.  Checkers take a body piece by piece and keep no more of it than one record.

What no content can show: a CSV file that was cut exactly behind the end of a row is a shorter CSV file.
"""

from __future__ import annotations

from typing import Protocol

from aiomar.protocol._model import FileFormat

_RECORD = 216
_LENGTH_WORD = _RECORD.to_bytes(2, "little")
_HEADER = (1).to_bytes(2, "little")
_TRAILER = (9999).to_bytes(2, "little")
_COUNT = slice(34, 44)
_CONTROLS = bytes(set(range(0x20)) - set(b"\0\t\n\v\f\r"))
"""What no text holds; a NUL stands in some encodings."""


class ContentCheck(Protocol):
    """Takes a body piece by piece and says at its end whether the content proves that it is whole."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""

    def whole(self) -> bool:
        """Whether what came so far is a whole file."""


def content_check(file_format: FileFormat) -> ContentCheck:
    """Give the check for a format."""
    return _MdefCheck() if file_format is FileFormat.MDEF else _CsvCheck()


class _MdefCheck:
    """216-byte records, a header first, one trailer at the very end whose count is the number of records."""

    def __init__(self) -> None:
        self._rest = b""
        self._records = 0
        self._last = b""
        self._good = True

    def feed(self, piece: bytes) -> None:
        block = self._rest + piece
        cut = len(block) - len(block) % _RECORD
        self._rest, block = block[cut:], block[:cut]
        if not block or not self._good:
            return
        count = len(block) // _RECORD
        first_code = block[2:4] if self._records == 0 else _HEADER
        codes = zip(block[2::_RECORD], block[3::_RECORD], strict=True)
        trailers = sum(low == _TRAILER[0] and high == _TRAILER[1] for low, high in codes)
        self._good = (
            block[0::_RECORD] == _LENGTH_WORD[:1] * count
            and block[1::_RECORD] == _LENGTH_WORD[1:] * count
            and first_code == _HEADER
            and self._last[2:4] != _TRAILER
            and trailers == (block[-_RECORD:][2:4] == _TRAILER)
        )
        self._records += count
        self._last = block[-_RECORD:]

    def whole(self) -> bool:
        if not self._good or self._rest or self._last[2:4] != _TRAILER:
            return False
        count = self._last[_COUNT].strip()
        return count.isdigit() and int(count) == self._records


class _CsvCheck:
    """Every row has as many columns as the first, at least two, and the last one has its line end.

    Text without a single comma proves nothing, so it is not a CSV file here.  Lines without a character are no rows:
    JSP programs leave them around their output.  What holds a control character is no text: a compressed body has its
    commas and line ends by chance.
    """

    def __init__(self) -> None:
        self._commas: int | None = None
        self._so_far = 0
        self._begun = False
        self._quoted = False
        self._good = True

    def feed(self, piece: bytes) -> None:
        self._good = self._good and len(piece.translate(None, _CONTROLS)) == len(piece)
        if not self._good:
            return
        *ended, rest = piece.split(b"\n")
        for part in ended:
            self._count(part)
            if not self._quoted:  # else a quoted field goes on in the next line
                self._end_row()
        self._count(rest)

    def _count(self, part: bytes) -> None:
        """Count the commas outside quotes in a part of a row."""
        for index, text in enumerate(part.split(b'"')):
            self._quoted ^= index > 0
            if not self._quoted:
                self._so_far += text.count(b",")
        self._begun = self._begun or bool(part.strip(b"\r"))

    def _end_row(self) -> None:
        if self._begun:
            if self._commas is None:
                self._commas = self._so_far
            self._good = self._good and self._so_far == self._commas
        self._so_far, self._begun = 0, False

    def whole(self) -> bool:
        return self._good and bool(self._commas) and not self._begun and not self._quoted
