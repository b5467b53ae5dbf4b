"""Finding receipts in the pieces of a page's text (SUB 3.3.1).

The anchor is "Saved As": the name that was sent stands before it, the saved name behind it, size and file id follow.  A
page may list earlier submissions too, so each anchor has a block of its own that ends where the next one begins, and
nothing is borrowed from another block: half a receipt of ours must not be filled up with the file id of somebody else.

The name that was sent is known, and it may hold words of the page or characters of HTML.  Its occurrences are therefore
masked before anything is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from aiomar.protocol._text import SEPARATOR, on_one_line
from aiomar.protocol._verdicts import escaped

MASK = "\ue000"
"""Stands for the name that was sent."""

_GAP = rf"[\s{SEPARATOR}]"
_SAVED = re.compile(
    rf"(?:(?:meter{_GAP}++)?file{_GAP}++)?(?:(?:has|was|been|successfully){_GAP}++){{0,3}}(?:uploaded{_GAP}++and{_GAP}++)?"
    rf"\bsaved{_GAP}++as\b{_GAP}*+:?",
    re.IGNORECASE,
)
# "Fie" is how the scan prints "File".
_FILE = rf"(?<![A-Za-z])Fil?e{_GAP}*+"
_SIZE = re.compile(
    rf"{_FILE}Size{_GAP}*+(?:\(?(?:in )?bytes\)?{_GAP}*+)?[:=#]?+{_GAP}*+"
    rf"([0-9]{{1,3}}(?:,[0-9]{{3}}){{1,5}}|[0-9]{{1,18}})(?![0-9]|[.,][0-9]|{_GAP}*+[KMG]i?B\b)",
    re.IGNORECASE,
)
_FILE_ID = re.compile(rf"{_FILE}Id\b{_GAP}*+[:=#]?+{_GAP}*+([0-9]{{1,18}})(?!\w|[.-]\w)", re.IGNORECASE)
_NEXT_LABEL = re.compile(rf"{_FILE}(?:Size|Id)\b", re.IGNORECASE)
_LIKE_A_NAME = re.compile(r"\.\w{1,8}\Z")
_AROUND_A_NAME = re.compile(r"your|the|meter|data|file|has|was|been|successfully|uploaded|and", re.IGNORECASE)
_FACTS = ("source_name", "saved_name", "size", "file_id")
_LONGEST_LINE = 1_000


@attrs.frozen
class ReceiptFacts:
    """What a receipt says (SUB 3.3.1), not yet checked against what was sent."""

    source_name: str
    saved_name: str
    size: int
    file_id: str


def mask(text: str, name: str) -> str:
    """Put `MASK` in the place of a file name; a page may have other blanks than the name has."""
    blanks = r"(?:\s|&nbsp;|&#160;)"
    words = f"{blanks}++".join(re.escape(word) for word in name.split())
    return re.sub(f"{blanks}*+{words}" if name[:1].isspace() else words, MASK, text) if words else text


def unmask(text: str, name: str) -> str:
    """Put the name back."""
    return text.replace(MASK, name)


def read_receipt(pieces: Sequence[str], sent_name: str) -> tuple[ReceiptFacts | None, dict[str, str]]:
    """Find the receipt of our file in masked texts.

    Returns:
        The facts, if one receipt is whole and no other contradicts it, and whatever could be read of it.
    """
    blocks = _blocks(SEPARATOR.join(pieces))
    blocks = [block for block in blocks if block["source_name"] == MASK] or blocks
    if not blocks:
        return None, {}
    fragments = {
        key: sent_name.join(escaped(part) for part in value.split(MASK)) for key, value in blocks[0].items() if value
    }
    if any(block != blocks[0] for block in blocks) or any(key not in fragments for key in _FACTS):
        return None, fragments
    return (
        ReceiptFacts(
            source_name=fragments["source_name"],
            saved_name=fragments["saved_name"],
            size=int(fragments["size"].replace(",", "")),
            file_id=fragments["file_id"],
        ),
        fragments,
    )


def _blocks(text: str) -> list[dict[str, str]]:
    """Read what belongs to each anchor."""
    anchors = list(_SAVED.finditer(text))
    ends = [anchor.start() for anchor in anchors[1:]] + [len(text)]
    blocks = []
    for anchor, end in zip(anchors, ends, strict=False):  # without an anchor there is no block
        numbers = _numbers(text, anchor.end(), end)
        if not numbers and len(anchors) == 1:  # the same facts in another order
            numbers = _numbers(text, 0, anchor.start())
        line = text[max(0, anchor.start() - _LONGEST_LINE) : anchor.start()]
        names = {"source_name": _before(line), "saved_name": _after(text[anchor.end() : end])}
        blocks.append({key: on_one_line(value) for key, value in (names | numbers).items()})
    return blocks


def _numbers(text: str, start: int, end: int) -> dict[str, str]:
    """Find size and file id in a part of the text."""
    found = {"size": _SIZE.search(text, start, end), "file_id": _FILE_ID.search(text, start, end)}
    return {key: match[1] for key, match in found.items() if match is not None}


def _before(text: str) -> str:
    """Give the name in front of the anchor: the last line of the last piece, without what introduces it."""
    line = text.rstrip(f"\n {SEPARATOR}").rpartition(SEPARATOR)[2].rpartition("\n")[2].rpartition(":")[2].strip(' "')
    words = [word.strip('".,()') for word in line.split()]
    if [word for word in words if not _AROUND_A_NAME.fullmatch(word)] == [MASK]:
        return MASK
    return line if MASK in line or _LIKE_A_NAME.search(line) else ""


def _after(text: str) -> str:
    """Give the name behind the anchor: up to the end of the line, the next label, or the name that was sent."""
    line = text.lstrip(f'\n "{SEPARATOR}').partition(SEPARATOR)[0].partition("\n")[0]
    first, mark, _ = line.partition(" ")[0].partition(MASK)
    return first + mark if mark else _NEXT_LABEL.split(line)[0].strip(' "')
