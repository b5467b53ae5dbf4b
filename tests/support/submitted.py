"""Holding what a caller of an upload was told to what the server has, and to what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from aiomar import OmarError, OutcomeUnknownError, Submissions, UploadReceipt
from aiomar.submissions import SubmissionState
from aiomar.testing import OmarServer


@attrs.frozen
class Told:
    """An upload that was tried once, and once more when nothing was in its way.

    Args:
        name: of its file; no other has it.
        outcome: what the first try ended in; `None` for a cancellation.
    """

    name: str
    outcome: UploadReceipt | OmarError | None

    def complaints(self, server: OmarServer, state_dir: Path) -> Iterator[str]:
        """Say what does not fit together, when nothing is on its way any more."""
        stored = [upload for upload in server.uploads if upload.name == self.name]
        records = [record for record in Submissions(state_dir).records() if record.name == self.name]
        again = records.pop().state if records else None
        if again is not SubmissionState.ACCEPTED:
            yield f"the second try is {again}"
        count = len(stored) - 1
        state = records[0].state if records else None
        if len(records) > 1 or not all(upload.accepted for upload in stored):
            yield f"{len(records)} records of the first try, and the server has {stored}"
        if state not in self._states():
            yield f"{self.outcome!r} is {state} in the ledger"
        least, most = {
            SubmissionState.ACCEPTED: (1, 1),
            SubmissionState.UNKNOWN: (0, 1),
            SubmissionState.NOT_SENT: (0, 0),
            None: (0, 0),
        }.get(state, (-1, -1))
        if not least <= count <= most:
            yield f"{state} in the ledger, but the server stored {count}"
        if isinstance(self.outcome, UploadReceipt) and self.outcome.file_id != stored[0].file_id:
            yield f"the receipt says {self.outcome.file_id}, the server {stored[0].file_id}"

    def _states(self) -> set[SubmissionState | None]:
        match self.outcome:
            case UploadReceipt():
                return {SubmissionState.ACCEPTED}
            case OutcomeUnknownError():
                return {SubmissionState.UNKNOWN}
            case OmarError():
                return {SubmissionState.NOT_SENT, None}
        return {SubmissionState.ACCEPTED, SubmissionState.UNKNOWN, SubmissionState.NOT_SENT, None}
