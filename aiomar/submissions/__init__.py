"""Submitting files: the source, and the decision what became of it (SUB 3)."""

from aiomar.submissions._judge import LoginInstead, Submission, judge_upload, unknown
from aiomar.submissions._source import read_source

__all__ = ["LoginInstead", "Submission", "judge_upload", "read_source", "unknown"]
