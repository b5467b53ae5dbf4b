"""Notes about changes: towncrier passes over a file whose name it does not know, so names and words are tested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]
NOTES = sorted(path for path in (ROOT / SETTINGS["directory"]).iterdir() if path.name != "README.md")
TYPES = {each["directory"] for each in SETTINGS["type"]}
SENTENCE = re.compile(r"[A-Z0-9`](?:(?!\. [A-Z`]).)*\.")
"""From a capital, a figure or a name in code to the first full stop that another sentence could follow."""
NAME = re.compile(r"(?:\+[a-z0-9-]+|[0-9]+)\.(?P<type>[a-z]+)\.md")


def complaint(name: str, text: str) -> str | None:
    """Say what is wrong with a note, if anything is.

    Args:
        name: of the file.
        text: what is in it.
    """
    known = NAME.fullmatch(name)
    if known is None or known["type"] not in TYPES:
        return f"towncrier would pass over it: call it +some-words.TYPE.md, where TYPE is one of {sorted(TYPES)}"
    lines = text.splitlines()
    if not lines or not text.endswith("\n"):
        return "it is empty, or does not end with a line break"
    if not all(SENTENCE.fullmatch(line) for line in lines):
        return "every line is one sentence: a capital or a name in code first, a full stop last"
    return None


def test_notes_about_changes() -> None:
    """Each has a name that towncrier knows, and one whole sentence a line."""
    found = {note.name: complaint(note.name, note.read_text("utf-8")) for note in NOTES}
    assert found == dict.fromkeys(found)


def test_good_notes() -> None:
    """Words first or a name first, one sentence or more, named by words or by a number."""
    assert complaint("+outbox.added.md", "`Outbox` submits files.\nIt waits until they are whole, 0.5 s.\n") is None
    assert complaint("12.fixed.md", "The demo ends.\n") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("+outbox.feature.md", "It submits files.\n"),
        ("outbox.added.md", "It submits files.\n"),
        ("+outbox.added.txt", "It submits files.\n"),
        ("+outbox.added.md", ""),
        ("+outbox.added.md", "It submits files."),
        ("+outbox.added.md", "It submits files\n"),
        ("+outbox.added.md", "- It submits files.\n"),
        ("+outbox.added.md", "It submits files. It waits.\n"),
        ("+outbox.added.md", "It submits\nfiles.\n"),
        ("+outbox.added.md", "It submits files.\n\nIt waits.\n"),
    ],
)
def test_a_bad_note_is_seen(name: str, text: str) -> None:
    """A name that towncrier passes over, or words that are no sentences."""
    assert complaint(name, text) is not None


def test_the_changelog_has_the_place_for_the_next_version() -> None:
    """Once, and before every version that is there."""
    before, _, after = (ROOT / SETTINGS["filename"]).read_text("utf-8").partition(SETTINGS["start_string"])
    assert "\n## " not in before
    assert after.startswith("\n## ")
    assert SETTINGS["start_string"] not in after
