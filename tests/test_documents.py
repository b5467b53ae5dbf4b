"""What the pages for people say: their examples are Python, name what is there, and their links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import aiomar

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
]
COMMANDS = [
    "python3 -m venv .venv && .venv/bin/pip install -e '.[arrow,cli,testing]' && .venv/bin/aiomar demo",
    "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s tests",
]


def _places(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


def _examples(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def missing_names(example: str) -> set[str]:
    """Find what an example takes from `aiomar` that is not there."""
    tree = compile(example, "example", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    named = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "aiomar"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "aiomar":
            named |= {alias.name for alias in node.names}
    return named - set(aiomar.__all__)


@pytest.mark.parametrize("path", _places([path for path in PAGES if _examples(path.read_text("utf-8"))]))
def test_examples_name_what_is_there(path: Path) -> None:
    """Every example parses, and every name that it takes from aiomar is public."""
    for example in _examples(path.read_text("utf-8")):
        assert missing_names(example) == set()


def test_an_example_with_a_wrong_name_is_seen() -> None:
    """Also where it stands under an `await` outside a function."""
    assert missing_names("await aiomar.Nonesuch().login()") == {"Nonesuch"}
    assert missing_names("from aiomar import Meter, Nonesuch") == {"Nonesuch"}


@pytest.mark.parametrize("path", _places(PAGES))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    """A link to another file of the repository has that file at its other end."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_shows_the_two_commands(command: str) -> None:
    """Each stands on one line of a code block, once, so that it can be copied, and run as printed."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert [line for block in blocks for line in block.splitlines()].count(command) == 1
