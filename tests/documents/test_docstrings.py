"""The examples in docstrings run too: every literal block, which stands below ``::``."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("sybil", reason="Sybil is not installed: the examples of docstrings run on one Python only")

from sybil import Document, Region, Sybil
from sybil.document import PythonDocStringDocument

import aiomar
from tests.documents.examples import Evaluator
from tests.documents.pages import ROOT, places
from tests.documents.sandbox import JANUARY, METER, Sandbox

_LITERAL = re.compile(r"^(?P<indent> *)(?:.*[^:\n])?::\n\n(?P<block>(?:(?P=indent) {4}.*\n|\n)+)", re.MULTILINE)
NOT_RUN = {
    "aiomar/_outbox/_outbox.py": "runs until it is stopped",
    "aiomar/distributed/__init__.py": "needs a cluster",
    "aiomar/errors.py": "a tree of names",
}
"""Module → why its example is not run."""


def _literal_blocks(document: Document) -> Iterable[Region]:
    for found in _LITERAL.finditer(document.text):
        source = "\n".join(line.removeprefix(found["indent"] + " " * 4) for line in found["block"].splitlines())
        # One line above its first, as the fence of a page is.
        yield Region(found.start("block") - 1, found.end(), ("python", source))


def _examples(module: Path) -> PythonDocStringDocument:
    document = Sybil([_literal_blocks]).parse(module)
    assert isinstance(document, PythonDocStringDocument)
    document.evaluators.clear()  # it would import the module a second time
    return document


# Every run collects this file: what cannot have an example is not parsed.
MODULES = [
    module
    for module in sorted((ROOT / "aiomar").rglob("*.py"))
    if "::\n\n" in module.read_text(encoding="utf-8") and list(_examples(module))
]


def test_there_are_examples() -> None:
    """Those of what people use first are found."""
    found = {module.relative_to(ROOT).as_posix() for module in MODULES}
    assert found >= {"aiomar/__init__.py", "aiomar/_client.py", "aiomar/testing/__init__.py", *NOT_RUN}


@pytest.mark.parametrize(
    "module", places([path for path in MODULES if path.relative_to(ROOT).as_posix() not in NOT_RUN])
)
def test_examples_of_docstrings_run(module: Path, place: Sandbox) -> None:
    """With what the package of the module exports, a selection, and two days."""
    names = dict(place.names)
    package = import_module(".".join(module.relative_to(ROOT).parts[:-1]))
    for public in (aiomar, package):
        names.update({name: getattr(public, name) for name in public.__all__})
    names.update(meters=[METER], start=JANUARY[0], end=JANUARY[1], subprocess=subprocess)
    document = _examples(module)
    document.namespace.update(names)
    evaluator = Evaluator(place)
    for example in document:
        evaluator(example)
