"""What a look at the server's data says of a submission (SUB/DL 3.4)."""

from __future__ import annotations

import datetime as dt

import attrs

from aiomar.errors import OmarError
from aiomar.protocol import FileFormat, Selection, TimeType


@attrs.frozen(kw_only=True)
class Confirmation:
    """Whether what was submitted shows in what can be downloaded, and what does not.

    It proves that the server has these intervals or rows.  That they came with this very submission it cannot prove
    where the same data had been there before.
    """

    confirmed: bool
    """Whether all of it shows."""
    ledger_id: str | None
    """The submission in the ledger; `None` if it is not in there."""
    name: str
    """The name that was sent."""
    sha256: str
    """Of the submitted bytes, in hexadecimal."""
    selection: Selection
    start: dt.date
    end: dt.date
    file_format: FileFormat
    time_type: TimeType
    expected: int
    """Intervals (MDEF) or rows (CSV) of the submission."""
    found: int
    """Those that show as they were submitted."""
    missing_count: int
    """Those that do not show at all."""
    different_count: int
    """Intervals that show with another value or status."""
    missing: tuple[str, ...]
    """Where the first of them are, without their values."""
    different: tuple[str, ...]
    """Likewise."""
    looks: int
    """Downloads that were tried."""
    error: OmarError | None
    """Why the last look saw nothing; `None` if it did."""
    elapsed: float
    """Seconds."""
