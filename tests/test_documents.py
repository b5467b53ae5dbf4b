"""What the pages for people say: their links lead somewhere, and the two commands of the README stand there as printed.

That their examples run is shown in ``documents/``.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.documents.pages import PAGES, ROOT, places

COMMANDS = [
    "python3 -m venv .venv && .venv/bin/pip install -e '.[arrow,cli,testing]' && .venv/bin/aiomar demo",
    "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s tests",
]
DEEPEST = 3
"""The level of headings that Sphinx gives anchors, as ``myst_heading_anchors`` says."""


def prose(text: str) -> str:
    """Leave out blocks of code and comments."""
    return re.sub(r"^(`{3,}).*?^\1$|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Give the names within a page that a link can lead to: its headings, and what is named with ``(name)=``."""
    seen: Counter[str] = Counter()
    found = set(re.findall(r"^\((\w+)\)=$", prose(text), re.MULTILINE))
    for heading in re.findall(rf"^#{{1,{DEEPEST}}} (.+)$", prose(text), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # of a link, its words
        name = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def broken_links(page: Path, text: str) -> list[str]:
    """Find the links of a page to files that are not there, and to places that those files do not have."""
    broken = []
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose(text)):
        name, _, anchor = link.partition("#")
        target = page.parent / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8") if name else text)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", places(PAGES))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A link to another file of the repository has that file at its other end, and the heading that it names."""
    assert broken_links(page, page.read_text("utf-8")) == []


def test_a_broken_link_is_seen() -> None:
    """A file, a heading in it and a heading of the page itself are looked for; what stands in code is no link."""
    text = "# A `b` of (c)\n\n```sh\n# Not a heading\n```\n\n(place)=\n\n## A `b` of (c)\n\n"
    good = "[x](#a-b-of-c) [x](#a-b-of-c-1) [x](#place) [x](README.md#what-is-in-the-files)\n```text\n[x](nowhere)\n```"
    assert broken_links(ROOT / "page.md", text + good) == []
    bad = ["nowhere.md", "#not-a-heading", "#a-b-of-c-2", "README.md#nowhere"]
    assert broken_links(ROOT / "page.md", text + " ".join(f"[x]({link})" for link in bad)) == bad


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_shows_the_two_commands(command: str) -> None:
    """Each stands on one line of a code block, once, so that it can be copied, and run as printed."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert [line for block in blocks for line in block.splitlines()].count(command) == 1
