"""What became of a file that was to be submitted, in one word."""

from __future__ import annotations

from typing import Literal

from aiomar.errors import OmarError, SubmissionRejectedError
from aiomar.transfer import InDoubt


def outcome_of(error: OmarError) -> Literal["rejected", "unknown", "failed"]:
    """Tell a refusal by the server, and what nobody knows, from a file that was not taken for another reason."""
    if isinstance(error, InDoubt):
        return "unknown"
    return "rejected" if isinstance(error, SubmissionRejectedError) else "failed"
