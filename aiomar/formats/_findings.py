"""What a check of a file says: the gate, whether the reader would pass it, the place, and a sentence."""

from __future__ import annotations

from typing import Final, Literal

import attrs

Severity = Literal["error", "warning"]
"""Whether `read_mdef` refuses the file at that place (error) or reads on (warning)."""

Gate = Literal[
    "empty",
    "page",
    "not_mdef",
    "truncated",
    "length",
    "sequence",
    "ends",
    "behind_trailer",
    "recorder",
    "flags",
    "per_hour",
    "stamps",
    "numbering",
    "fill_record",
    "count",
    "clock",
    "trailer_count",
    "trailer_habit",
    "no_recorder",
    "declared_channels",
    "channel_number",
    "meter_stamps",
    "alignment",
    "fill",
    "value",
    "created_stamp",
    "too_many",
]
"""What of the layout a finding is about; the reference says what each means."""

MOST_FINDINGS: Final = 1_000
"""How many findings `check_mdef` gives before it stops; one more then says so."""


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that a check found in a file."""

    gate: Gate
    """For code: what of the layout it is about."""
    severity: Severity
    """``error`` where `read_mdef` refuses the file, ``warning`` where it reads on."""
    record: int
    """Counted from 1."""
    byte: int
    """Where that record begins, counted from 0."""
    words: str
    """One sentence for people.  It shows no meter value."""

    def __str__(self) -> str:
        """Say where and what."""
        return f"record {self.record}, byte {self.byte}: {self.words}"
