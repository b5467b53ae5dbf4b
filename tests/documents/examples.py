"""What a page's examples are, and what it means that one is good.

Sybil finds the blocks of a page, visible or in an HTML comment as ``invisible-code-block``, and its skip comments;
every fenced block of every language comes here, so that none is passed over in silence.

- ``python`` is run, with await at its top level where it likes.  One that begins with a file name as its comment is
  written into that file as well; one that defines tests is given to pytest, a program with a ``__main__`` to Python.
- ``sh`` and ``bash`` are run (`shell`).  ``console`` is run command by command, and its output is compared.
- ``text`` that follows an example with nothing between is its output, and is compared.  Any other ``text`` is not code.
- ``toml``, ``ini`` and ``json`` are parsed; profiles of aiomar and layouts of CSV files are loaded.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import inspect
import io
import json
import re
import shlex
import tomllib
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest import SkipTest

import attrs
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, FencedCodeBlockLexer
from sybil.parsers.myst import SkipParser

from aiomar import OmarConfig
from aiomar.formats import CsvLayout
from tests.documents.pages import ROOT
from tests.documents.sandbox import Sandbox
from tests.documents.shell import CommandError

NOT_CODE = {"{eval-rst}", "{literalinclude}", "{toctree}", "csv", "md"}
"""Blocks that are for Sphinx, or are data and prose."""
_NAMED = re.compile(r"# ([\w/-]+\.[a-z]+)\n")
_PROFILE_KEYS = {"pkcs12", "certificate", "passphrase_env", "upload_origin", "environment"}
_LAYOUT_KEYS = {"meter", "date", "value"}
_CONSOLE = re.compile(r"^\$ (.*(?:\\\n.*)*)$", re.MULTILINE)
_LIKE = (
    (re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}"), "<id>"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "<hash>"),
    (re.compile(r"\b[0-9]+(?:\.[0-9]+)? s\b"), "<time>"),
    (re.compile(r"\b[0-9.,]+ (?:[kM]?B|bytes)(?:/s)?\b"), "<size>"),
    (re.compile(r"localhost:[0-9]+"), "<host>"),
    (re.compile(r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,}(?:\+00:00|Z)?"), "<instant>"),
    (re.compile(r"[─━]+"), "─"),
    (re.compile(r"\s+"), " "),
)
"""What differs between two good runs."""


class ExampleError(Exception):
    """An example of a page is not good; page and line stand in front."""


def _blocks(document: Document) -> Iterable[Region]:
    for region in FencedCodeBlockLexer("[^\n]*")(document):
        region.parsed = region.lexemes["language"], region.lexemes["source"]
        yield region
    for region in DirectiveInHTMLCommentLexer("invisible-code-block")(document):
        region.parsed = region.lexemes["arguments"], region.lexemes["source"]
        yield region


def _nobody(_: Example) -> None:
    raise NotImplementedError


def _parse(page: Path, evaluate: Callable[[Example], None]) -> Document:
    def blocks(document: Document) -> Iterable[Region]:
        for region in _blocks(document):
            region.evaluator = evaluate
            yield region

    return Sybil([blocks, SkipParser()]).parse(page)


def has_examples(page: Path) -> bool:
    """Tell whether a page has any block that is not for Sphinx alone."""
    document = Document(page.read_text(encoding="utf-8"), str(page))
    return any(region.parsed[0].split(" ")[0] not in NOT_CODE for region in _blocks(document))


def skips(page: Path) -> list[str]:
    """Give the reasons why examples of a page are not run; a skip without a reason is one as well."""
    document = Document(page.read_text(encoding="utf-8"), str(page))
    said = [region.parsed for region in SkipParser()(document)]
    return [str(reason).strip('"') for action, reason in said if action != "end"]


def run(page: Path, sandbox: Sandbox) -> None:
    """Run the examples of a page; what is skipped is printed, with its reason.

    Raises:
        ExampleError: one is not good.
    """
    document = _parse(page, Evaluator(sandbox))
    document.namespace.update(sandbox.names)
    for example in document:
        try:
            example.evaluate()
        except SkipTest as reason:
            print(f"{_place(example)} is not run: {reason}")  # noqa: T201 - shown by pytest -rP


def _place(example: Example, line: int = 0) -> str:
    """Name a line of an example, counted from the fence."""
    path = Path(example.path)
    return f"{path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name}:{example.line + line}"


@attrs.define
class Evaluator:
    """Runs the examples of one page in their sandbox.

    Args:
        sandbox: where.
    """

    sandbox: Sandbox
    _shown: str = ""
    """What the last example wrote."""
    _end: int = 0
    """Where it ended."""

    def __call__(self, example: Example) -> None:
        """Run one.

        Raises:
            ExampleError: it is not good.
            SkipTest: it cannot be run on this machine.
        """
        language, source = example.parsed
        if language.split(" ")[0] in NOT_CODE:
            return
        run = {
            "python": self._python,
            "sh": self._shell,
            "bash": self._shell,
            "console": self._console,
            "text": self._text,
            "toml": self._toml,
            "ini": self._ini,
            "json": self._json,
        }.get(language)
        if run is None:
            raise ExampleError(f"{_place(example)}: a block of {language or 'no language'}: nothing here runs it")
        try:
            run(example, source)
        except CommandError as error:
            raise ExampleError(f"{_place(example, 1 + error.line)}: {error}") from None
        except SkipTest:
            raise
        except Exception as error:
            lines = [
                frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == example.path
            ]
            line = (lines[-1] or example.line) - example.line if lines else 0
            raise ExampleError(f"{_place(example, line)}: {type(error).__name__}: {error}") from error
        if language != "text":
            self._end = example.end

    def _python(self, example: Example, source: str) -> None:
        tree = compile(source, example.path, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert isinstance(tree, ast.Module)
        kinds = ast.FunctionDef, ast.AsyncFunctionDef
        named = _write_named(source)
        if any(isinstance(node, kinds) and node.name.startswith("test_") for node in tree.body):
            path = named or _write("test_example.py", f"{_IMPORTS}{source}")
            self._shown = self.sandbox.shell.run(f"pytest -q -p no:cacheprovider -o asyncio_mode=auto {path}")
            return
        if named and 'if __name__ == "__main__":' in source:
            self._shown = self.sandbox.shell.run(f"python {named}")
            return
        padded = "\n" * example.line + source
        code = compile(padded, example.path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        names = example.namespace
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            if code.co_flags & inspect.CO_COROUTINE:
                self.sandbox.runner.run(eval(code, names))  # noqa: S307 - an example of our own pages
            else:
                exec(code, names)  # noqa: S102 - the same
        self._shown = shown.getvalue()

    def _shell(self, _: Example, source: str) -> None:
        self._shown = self.sandbox.shell.run(source)

    def _console(self, _: Example, source: str) -> None:
        commands = list(_CONSOLE.finditer(source))
        ends = [*(found.start() for found in commands[1:]), len(source)]
        if not commands:
            raise CommandError(0, "no line of this console begins with $")
        for found, end in zip(commands, ends, strict=True):
            line = source.count("\n", 0, found.start())
            try:
                shown = self.sandbox.shell.run(found[1])
            except CommandError as error:
                raise CommandError(line + error.line, str(error)) from None
            _compare(line, source[found.end() : end], shown)

    def _text(self, example: Example, source: str) -> None:
        if self._end and not example.document.text[self._end : example.start].strip():
            _compare(0, source, self._shown)

    def _toml(self, _: Example, source: str) -> None:
        read = tomllib.loads(source)
        path = _write_named(source) or _write("example.toml", source)
        tables = {name: table for name, table in read.items() if isinstance(table, dict)}
        for name, table in tables.items():
            if _PROFILE_KEYS & set(table):
                OmarConfig.from_toml(path, profile=name)
        if set(read) >= _LAYOUT_KEYS:
            CsvLayout.from_toml(path)

    def _ini(self, _: Example, source: str) -> None:
        parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        parser.read_string(source)

    def _json(self, _: Example, source: str) -> None:
        for line in source.splitlines() if source.startswith('{"') else [source]:
            json.loads(line)


_IMPORTS = "import asyncio, os\nimport datetime as dt\nfrom pathlib import Path\nimport aiomar\n"


def _write_named(source: str) -> str | None:
    """Write a block that begins with a file name, and give the name."""
    named = _NAMED.match(source)
    return _write(named[1], source) if named and named[1] != "aiomar.toml" else None


def _write(name: str, source: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    path.chmod(0o600)
    return shlex.quote(name)


def _compare(line: int, wanted: str, shown: str) -> None:
    """Hold what a page shows against what there was; ``…`` stands for anything."""
    here, there = (_alike(text) for text in (wanted, shown.replace(str(Path.cwd()), ".")))
    pattern = ".*".join(re.escape(piece.strip()) for piece in re.split(r"…|\.\.\.", here))
    if not re.fullmatch(rf"\s*{pattern}\s*", there, re.DOTALL):
        raise CommandError(line, f"shows\n{wanted.strip()}\nand there was\n{shown.strip()}")


def _alike(text: str) -> str:
    for pattern, word in _LIKE:
        text = pattern.sub(word, text)
    return text.strip()
