"""What the demo counted, held against what it should be."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from rich.filesize import decimal

from aiomar import SavedFile
from aiomar.cli._codes import GOOD, UNEXPECTED
from aiomar.cli._output import Output
from aiomar.cli._tables import Column, drawn


@attrs.frozen
class Check:
    """One line of the last table."""

    what: str
    found: object
    expected: object

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self.found == self.expected


def conclude(out: Output, files: Sequence[SavedFile], checks: Sequence[Check]) -> int:
    """Show the last table and give the exit code."""
    good = all(check.good for check in checks)
    columns = [Column("6. What came of it"), *(Column(title, right=True) for title in ("is", "should be", ""))]
    rows = [(check.what, str(check.found), str(check.expected), "good" if check.good else "WRONG") for check in checks]
    rows.append(("bytes", decimal(sum(file.size for file in files)), "", ""))
    for check in checks:
        out.record({"event": "demo_check", "what": check.what.strip(), **attrs.asdict(check), "good": check.good})
    out.line(f"\n{drawn(columns, rows)}")
    out.line("\nEverything is as it should be." if good else "\nSomething is not as it should be.")
    return GOOD if good else UNEXPECTED
