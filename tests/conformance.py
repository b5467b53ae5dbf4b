"""The clauses of the two documents, the tests that carry them, and the table that shows both.

A test carries a clause by its mark, ``@pytest.mark.clause("SUB 3.2.2")``; code follows it by citing it in words, and
``SUB/DL 1.2.3`` or ``DL 3.1, 3.2`` cite two.  The table is written by ``nox -s conformance``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "reference" / "conformance.md"


@attrs.frozen
class Clause:
    """One clause: the document (SUB, file submission; DL, meter data download), its number, and what it asks."""

    id: str
    asks: str
    due: str = ""
    """Why no test carries it yet; empty when one must."""


def _both(number: str, asks: str, due: str = "") -> tuple[Clause, Clause]:
    return Clause(f"SUB {number}", asks, due), Clause(f"DL {number}", asks, due)


CLAUSES = (
    *_both("1.2.1", "talk TLS"),
    *_both("1.2.2", "support cookies"),
    *_both("1.2.3", "a software digital certificate authenticates every exchange"),
    *_both("1.2.4", "a given browser (for a library: a `User-Agent` that can be set)"),
    *_both("1.3", "extended logon sessions need a signed agreement (sessions are never kept alive in the background)"),
    Clause("SUB 2", "log in by a TLS connection to the site; a “Certificate Name Check” is answered by trust settings"),
    Clause("DL 2", "log in by a TLS connection to the site"),
    Clause("SUB 3.1", "the upload program is `uploadProcess.jsp`"),
    Clause("SUB 3.1.1.1", "cookie attributes such as `Version` (RFC 2109) need care"),
    Clause("SUB 3.1.1.2", "the first cookie of `fr_top.jsp` is the right one; it goes with every later request"),
    Clause("SUB 3.2.1", "a `multipart/form-data` request (RFC 1867)"),
    Clause(
        "SUB 3.2.2",
        "field `datafile`; one file at a time; under 500KB; `.csv` or `.dat`, any case; "
        "a name of at most 40 characters with the extension",
    ),
    Clause("SUB 3.3.1", "read source file name, saved file name, size and file id from the response page"),
    Clause("SUB 3.3.2", "an error page contains “Error in File Processing”"),
    Clause(
        "DL 3.1",
        "the request's parameters in their order, dates as `MM%2FDD%2FYYYY`; by group or, with an empty `group`, "
        "by resource; `timeType` is `PST` or `DST`",
    ),
    Clause("DL 3.2", "`getMDEF.jsp` for MDEF, `getSQMDCsvForDownload.jsp` for CSV"),
    Clause("DL 3.3", "write the binary response to disk with the right extension"),
    *_both("3.4", "loading takes time, about an hour and more"),
)
IDS = frozenset(clause.id for clause in CLAUSES)

_CITATION = re.compile(r"\b(SUB/DL|SUB|DL) (\d+(?:\.\d+)*(?:(?:, | and )\d+(?:\.\d+)*)*)")


def cited(text: str) -> Iterator[str]:
    """Give the id of every clause that a text cites."""
    for documents, numbers in _CITATION.findall(text):
        for document in documents.split("/"):
            for number in re.split(r", | and ", numbers):
                yield f"{document} {number}"


def _places() -> dict[str, set[str]]:
    """Find the modules that cite each clause."""
    places: dict[str, set[str]] = {}
    for path in sorted((ROOT / "aiomar").rglob("*.py")):
        for clause in cited(path.read_text(encoding="utf-8")):
            places.setdefault(clause, set()).add(path.relative_to(ROOT).as_posix())
    return places


def untested(tests: Mapping[str, Iterable[str]]) -> list[str]:
    """Name the clauses that no test carries although one must."""
    return [clause.id for clause in CLAUSES if not clause.due and not list(tests.get(clause.id, ()))]


def table(tests: Mapping[str, Iterable[str]]) -> str:
    """Write the page: one row for each clause, what it asks, where it lives, which tests prove it."""
    places = _places()
    rows = [
        f"| {clause.id} | {clause.asks} | {_list(places.get(clause.id, ()))} | "
        f"{_list(tests.get(clause.id, ())) or clause.due} |"
        for clause in CLAUSES
    ]
    return "\n".join(
        [
            "# Conformance",
            "",
            "One row for each clause of the two documents: *SUB* is the file submission automation specification, *DL*",
            "the meter data download automation specification. Written by `nox -s conformance` from the marks of the",
            "tests and the citations in the code; a test fails when a clause has no test, or when this page is stale.",
            "",
            "| clause | what it asks | where it lives | tests |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _list(names: Iterable[str]) -> str:
    return "<br>".join(f"`{name}`" for name in sorted(set(names)))
