"""Reading OMAR's pages: receipt, refusal, login page, anything else (SUB 3.3).

The documents show one receipt, as a damaged scan, and say that the real page may differ.  So two readers look at each
page: the cells of its tables, through a real HTML parser, and its raw text with the tags taken out, which also reads a
page whose tags are broken.  Whatever both find must agree; what neither finds whole is not a receipt.

A page may have been cut, and where it ended with the connection nobody can tell.  So a number or a name that the page
ends in the middle of is not read at all.

This is the only door to selectolax.
"""

from __future__ import annotations

import re

import attrs

from aiomar.protocol._receipts import MASK, ReceiptFacts, mask, read_receipt, unmask
from aiomar.protocol._text import TAG, decode, fold, on_one_line, segments, title, unescape, without_hidden
from aiomar.protocol._verdicts import is_login_location, printable

PAGE_LIMIT = 65_536
"""Bytes of a page that are read at most; the sample of SUB 3.3.1 has about 400."""

# Parsing time grows with the square of the tags; 2,000 tags of tables, without attributes, take a few milliseconds.
_MOST_TAGS = 2_000
_TABLE_TAGS = frozenset({"table", "thead", "tbody", "tfoot", "tr", "td", "th"})
_LINE = re.compile(r"br|p|div|pre|hr|ul|ol|li|d[ldt]|h[1-6]")
_TAG_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)")

_REFUSED = re.compile(r"Error\s+in\s+File\s+Processing", re.IGNORECASE)
_RECEIPT_WORDS = re.compile(r"Saved\s+As|Fil?e\s+Id|uploaded", re.IGNORECASE)

_FORM = re.compile(r"""<form\b[^<>]*?\baction\s*+=\s*+["']?([^"'<>\s]*)""", re.IGNORECASE)
_PASSWORD = re.compile(r"""<input\b[^<>]*?\btype\s*+=\s*+["']?password\b""", re.IGNORECASE)
_OVER = r"(?:expired|invalid|(?:no longer|not) valid|timed[ -]?out|time[ -]?out|ended|terminated)"
_SESSION_OVER = re.compile(rf"\bsession(?: [\w'-]+){{0,4}}? {_OVER}\b|\b{_OVER} session\b", re.IGNORECASE)


@attrs.frozen
class UploadPage:
    """What the answer to an upload says; more than one of these may be set on a strange page."""

    receipt: ReceiptFacts | None
    reason: str | None
    """The words of a refusal (SUB 3.3.2)."""
    login: bool
    """It is the login page and has no word of a receipt."""
    fragments: dict[str, str]
    """What could be read of a receipt that is not whole, for people."""
    excerpt: str


def read_upload_page(page: bytes, sent_name: str) -> UploadPage:
    """Read the answer to an upload (SUB 3.3.1, 3.3.2).

    Args:
        page: the whole page.
        sent_name: the name under which the file was sent.
    """
    source = mask(decode(page), sent_name)
    uncut = _without_cut_end(source)
    readings = [
        read_receipt([mask(piece, sent_name) for piece in pieces], sent_name)
        for pieces in (_cells(uncut), segments(uncut))
    ]
    found = {facts for facts, _ in readings if facts is not None}
    found = {facts for facts in found if facts.source_name == sent_name} or found
    text = [mask(piece, sent_name) for piece in segments(source)]
    visible = on_one_line(" ".join(text))
    cut = not source.rstrip().endswith(">")
    named = MASK in mask(unescape(source), sent_name) or (cut and _SESSION_OVER.search(sent_name) is not None)
    return UploadPage(
        receipt=found.pop() if len(found) == 1 else None,
        reason=_reason(text, sent_name, cut=cut),
        login=is_login_page(page) and not named and not _RECEIPT_WORDS.search(visible),
        fragments={key: printable(value) for _, fragments in readings for key, value in fragments.items()},
        excerpt=printable(unmask(visible, sent_name)),
    )


def _reason(text: list[str], sent_name: str, *, cut: bool) -> str | None:
    """Give the words of a refusal; `None` when it is none."""
    if cut and _REFUSED.search(sent_name):
        text = text[:-1]  # it may be the beginning of the name
    visible = on_one_line(" ".join(text))
    ends = [match.end() for match in _REFUSED.finditer(visible)]
    if not ends:
        return None
    return printable(unmask(visible[ends[-1] :].lstrip(" .:-") or visible, sent_name))


def _without_cut_end(source: str) -> str:
    """Drop the tag or the word that the page ends in the middle of: a number may have gone on."""
    opening = source.rfind("<")
    if opening > source.rfind(">"):
        return source[:opening]
    last_word = re.match(r"[^\s<>]*", source[::-1])
    return source[: len(source) - last_word.end()] if last_word else source


def _cells(source: str) -> list[str]:
    """Give the text of the innermost table cells, if there are not too many."""
    tables = _tables(source)
    if tables.count("<") > _MOST_TAGS:
        return []
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - 4 MB that a program without uploads never needs

    cells = LexborHTMLParser(tables).css("td, th")
    return [text for cell in cells if len(cell.css("td, th")) <= 1 and (text := fold(cell.text(deep=True)))]


def _tables(source: str) -> str:
    """Write a page anew with nothing but its tables and its text, so that no page is too much for the parser."""
    visible = without_hidden(source)
    parts: list[str] = []
    position = 0
    for tag in TAG.finditer(visible):
        parts.append(visible[position : tag.start()].replace("<", "&lt;"))
        position = tag.end()
        named = _TAG_NAME.match(tag[0])
        name = named[1].lower() if named else ""
        if name in _TABLE_TAGS:
            parts.append(f"</{name}>" if tag[0].startswith("</") else f"<{name}>")
        elif _LINE.fullmatch(name):
            parts.append("\n")
    parts.append(visible[position:].replace("<", "&lt;"))
    return "".join(parts)


def is_login_page(page: bytes) -> bool:
    """Whether a page is the login page; its true layout is not known, so the rule stands here and nowhere else.

    It has a form to ``fr_top.jsp``, or a password field, or it says that the session has ended.
    """
    source = without_hidden(decode(page))
    if any(is_login_location(action) for action in _FORM.findall(source)) or _PASSWORD.search(source):
        return True
    return _SESSION_OVER.search(on_one_line(" ".join(segments(source)))) is not None


@attrs.frozen
class PageWords:
    """Title and beginning of a page, escaped and bounded."""

    title: str
    excerpt: str


def page_words(page: bytes) -> PageWords:
    """Give a page's title and the beginning of its text, fit for messages and logs."""
    source = decode(page)
    return PageWords(title=printable(title(source), 120), excerpt=printable(" ".join(segments(source))))
