"""A look at what a file to submit holds, before anything is sent.

The documents do not say which content is refused (SUB 3.2.2 has rules for name and size only), so whatever is found
here is a warning and holds nothing back.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import attrs

from aiomar.cli._contents import STRANGE, mixed_up
from aiomar.cli._contents_csv import CsvFacts, form_of
from aiomar.cli._output import count
from aiomar.cli._tap import Tapped
from aiomar.formats import Kind, check_mdef, sniff
from aiomar.protocol import PAGE_LIMIT
from aiomar.submissions import Submission


@attrs.frozen(kw_only=True)
class ContentWarning:
    """Something about a file's content that whoever sends it should know."""

    words: str
    gate: str | None = None
    record: int | None = None
    byte: int | None = None
    """Where it is a finding of `aiomar.formats.check_mdef`: which, and the place."""


def content_warnings(submission: Submission) -> tuple[ContentWarning, ...]:
    """Look at the content of a file, the bytes that would be sent.

    Args:
        submission: what would be sent.
    """
    content, name = submission.content, submission.name
    kind = sniff(content[:PAGE_LIMIT])
    if kind in STRANGE:
        return (ContentWarning(words=STRANGE[kind]),)
    if words := mixed_up(kind, name):
        return (ContentWarning(words=words),)
    if kind is Kind.CSV:
        facts = form_of(lambda tap: Tapped(io.BytesIO(content), tap), name, header=None, progress=_nobody)
        return tuple(ContentWarning(words=words) for words in _about(facts))
    return tuple(
        ContentWarning(words=str(finding), gate=finding.gate, record=finding.record, byte=finding.byte)
        for finding in check_mdef(content, name=name)
    )


def _nobody(size: int) -> None:
    """Bytes that are in memory need no progress."""


def _about(facts: CsvFacts) -> Iterator[str]:
    if facts.error is not None:
        yield facts.error
    if not facts.utf8:
        yield "it is not UTF-8"
    if facts.ragged:
        first = f"the first of them on line {facts.ragged_lines[0]:,}"
        yield f"{count(facts.ragged, 'row')} of another length than the first row, {first}"
