"""Submitting files: the source, what became of it, the ledger that knows, and the proof afterwards (SUB 3)."""

from aiomar.submissions._compare import Comparison, compare
from aiomar.submissions._confirmation import Confirmation
from aiomar.submissions._ending import ending_of, fragments_of
from aiomar.submissions._judge import LoginInstead, Submission, judge_upload, unknown
from aiomar.submissions._ledger import Ledger
from aiomar.submissions._ledger_file import ledger_directory, lock_path, state_directory
from aiomar.submissions._records import Ending, Pruned, Sender, SubmissionChange, SubmissionRecord, SubmissionState
from aiomar.submissions._source import read_again, read_source
from aiomar.submissions._submissions import Submissions

__all__ = [
    "Comparison",
    "Confirmation",
    "Ending",
    "Ledger",
    "LoginInstead",
    "Pruned",
    "Sender",
    "Submission",
    "SubmissionChange",
    "SubmissionRecord",
    "SubmissionState",
    "Submissions",
    "compare",
    "ending_of",
    "fragments_of",
    "judge_upload",
    "ledger_directory",
    "lock_path",
    "read_again",
    "read_source",
    "state_directory",
    "unknown",
]
