"""How an upload ended, as the ledger writes it down: one table from what came out to a state."""

from __future__ import annotations

import asyncio

from aiomar.errors import (
    OmarError,
    OutcomeUnknownError,
    ReceiptMismatchError,
    SubmissionRejectedError,
)
from aiomar.protocol import printable, read_upload_page
from aiomar.submissions._judge import Submission, receipt_facts
from aiomar.submissions._records import Ending, SubmissionState

_LONGEST_REASON = 500


def ending_of(error: BaseException, *, not_taken: bool) -> Ending:
    """Say what an upload that ended with this error has come to.

    Args:
        error: what is going to be raised.
        not_taken: whether the server's answer says that it did not take the file.
    """
    if isinstance(error, OutcomeUnknownError):
        return Ending(
            SubmissionState.UNKNOWN, reason=_bounded(error.facts.get("cause")), phase=error.phase, facts=error.facts
        )
    if isinstance(error, ReceiptMismatchError):
        # Something was taken.  Its file id stays among the facts: nobody knows that it is this file's.
        return Ending(SubmissionState.UNKNOWN, reason=_bounded(error), phase="page", facts=error.facts)
    if isinstance(error, SubmissionRejectedError):
        return Ending(SubmissionState.REJECTED, reason=_bounded(error.reason))
    state = SubmissionState.REJECTED if not_taken else SubmissionState.NOT_SENT
    if isinstance(error, asyncio.CancelledError):
        return Ending(state, reason="it was given up, and the server has nothing of it")
    return Ending(state, reason=_bounded(error) if isinstance(error, OmarError) else type(error).__name__)


def fragments_of(page: bytes, submission: Submission) -> dict[str, object]:
    """Give what can be read of a receipt in the beginning of a page; its last word may be cut."""
    return receipt_facts(read_upload_page(page, submission.name)) if page else {}


def _bounded(words: object) -> str:
    return printable(str(words), _LONGEST_REASON)
