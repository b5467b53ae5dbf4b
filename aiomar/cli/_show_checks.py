"""What the demo counted, held against what it should be."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from aiomar import SavedFile
from aiomar.cli._codes import GOOD, UNEXPECTED
from aiomar.cli._output import Output
from aiomar.cli._upload import drawn


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
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("6. What came of it")
    for title in ("is", "should be", ""):
        table.add_column(title, justify="right")
    for check in checks:
        table.add_row(check.what, str(check.found), str(check.expected), "good" if check.good else "WRONG")
        out.record({"event": "demo_check", "what": check.what.strip(), **attrs.asdict(check), "good": check.good})
    table.add_row("bytes", decimal(sum(file.size for file in files)), "", "")
    console = Console(highlight=False, markup=False)
    out.line(f"\n{drawn(console, table)}")
    out.line("\nEverything is as it should be." if good else "\nSomething is not as it should be.")
    return GOOD if good else UNEXPECTED
