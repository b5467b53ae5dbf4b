"""Exit codes over the whole tree of errors."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
from collections.abc import Sequence
from pathlib import Path

import pytest

from aiomar import (
    FailedDownload,
    FailedUpload,
    FileFormat,
    Meter,
    OmarError,
    RangeReport,
    TimeType,
    UploadReport,
    errors,
)
from aiomar.cli._codes import code_for, code_for_downloads, code_for_uploads

DAY = dt.date(2026, 1, 1)

FACTS: dict[str, dict[str, object]] = {
    "IdentityError": {"kind": "expired"},
    "LimitError": {"rule": "range", "value": 0, "limit": 1},
    "CertificateRejectedError": {"side": "client"},
    "DeadlineError": {"phase": "read"},
    "TruncatedBodyError": {"received": 3, "expected": 7},
    "StatusError": {"status": 503},
    "UnexpectedPageError": {"title": "", "excerpt": ""},
    "UnexpectedRedirectError": {"location": "/elsewhere"},
    "SubmissionRejectedError": {"reason": "no"},
    "ReceiptMismatchError": {"facts": {}},
    "OutcomeUnknownError": {"phase": "response"},
    "DiskError": {"errno": 28},
    "FormatError": {"where": "record 3"},
}

CODES = {
    "OmarError": 1,
    "UsageError": 2,
    "ConfigError": 2,
    "IdentityError": 5,
    "LimitError": 2,
    "SourceError": 2,
    "DestinationError": 2,
    "ExchangeError": 1,
    "TransportError": 4,
    "ConnectError": 4,
    "CertificateRejectedError": 5,
    "DeadlineError": 4,
    "TruncatedBodyError": 4,
    "ResponseTooLargeError": 4,
    "SessionError": 5,
    "LoginError": 5,
    "SessionExpiredError": 5,
    "ResponseError": 4,
    "StatusError": 4,
    "UnexpectedPageError": 4,
    "UnexpectedRedirectError": 5,
    "EmptyBodyError": 4,
    "SubmissionRejectedError": 6,
    "ReceiptMismatchError": 7,
    "OutcomeUnknownError": 7,
    "UploadBlockedError": 6,
    "DiskError": 1,
    "FormatError": 8,
}
"""Error that ends a command → code."""


def make(name: str, **facts: object) -> OmarError:
    """Make an error of the tree."""
    error = getattr(errors, name)("what: then", **{**FACTS.get(name, {}), **facts})
    assert isinstance(error, OmarError)
    return error


def several(names: Sequence[str]) -> list[OmarError]:
    """Make errors from their names; ``StatusError 404`` and ``DeadlineError connect`` carry a fact."""
    made = []
    for name in names:
        kind, _, fact = name.partition(" ")
        facts: dict[str, object] = {}
        if fact:
            facts = {"status": int(fact)} if fact.isdigit() else {"phase": fact}
        made.append(make(kind, **facts))
    return made


def test_every_error_has_its_code() -> None:
    """The table covers the tree, without those that carry a report."""
    tree = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, OmarError) and not name.startswith("Partial")
    }
    assert {name: code_for(make(name)) for name in tree} == CODES


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (asyncio.CancelledError(), 130), (ZeroDivisionError(), 1)]
)
def test_what_is_not_ours_has_a_code_too(error: BaseException, code: int) -> None:
    """An interruption is 130, everything else is unexpected."""
    assert code_for(error) == code


@pytest.mark.parametrize(
    ("names", "logged_in", "code"),
    [
        ([], True, 0),
        (["StatusError"], True, 3),
        (["UnexpectedPageError", "TruncatedBodyError", "DiskError"], True, 3),
        (["TransportError"], True, 3),
        (["DeadlineError"], True, 3),
        (["UnexpectedRedirectError"], True, 3),
        (["ConnectError"], True, 4),
        (["DeadlineError connect"], True, 4),
        (["StatusError", "ConnectError"], True, 4),
        (["ConnectError", "LoginError"], True, 5),
        (["CertificateRejectedError"], True, 5),
        (["IdentityError", "StatusError"], True, 5),
        (["DestinationError"], True, 2),
        (["DestinationError", "StatusError"], True, 3),
        (["StatusError"], False, 4),
        (["TransportError"], False, 4),
        (["UnexpectedRedirectError"], False, 5),
    ],
)
def test_why_downloads_failed(names: list[str], logged_in: bool, code: int) -> None:  # noqa: FBT001 - a column
    """A certificate or login comes first, then a server out of reach; without a session everything is one of them."""
    assert code_for_downloads(several(names), logged_in=logged_in) == code


@pytest.mark.parametrize(
    ("names", "logged_in", "code"),
    [
        ([], True, 0),
        (["ConnectError", "LoginError", "SubmissionRejectedError", "OutcomeUnknownError"], True, 7),
        (["ConnectError", "LoginError", "SubmissionRejectedError"], True, 6),
        (["ConnectError", "LoginError"], True, 5),
        (["ConnectError"], True, 4),
        (["ReceiptMismatchError", "LimitError"], True, 7),
        (["LimitError", "SourceError"], True, 6),
        (["UploadBlockedError"], True, 6),
        (["SourceError"], True, 2),
        (["StatusError 404"], True, 6),
        (["StatusError 404"], False, 4),
        (["StatusError 503"], True, 4),
        (["DiskError"], True, 1),
    ],
)
def test_why_uploads_failed(names: list[str], logged_in: bool, code: int) -> None:  # noqa: FBT001 - a column
    """The first of 7, 6, 5, 4 that occurred; a broken rule is a refusal."""
    assert code_for_uploads(several(names), logged_in=logged_in) == code


def test_partial_errors_have_the_code_of_their_reports() -> None:
    """`PartialDownloadError` and `PartialUploadError` are looked into."""
    failed = FailedDownload(Meter("1"), DAY, DAY, FileFormat.CSV, TimeType.PST, make("LoginError"), 1)
    assert code_for(errors.PartialDownloadError("some", report=RangeReport((), (failed,), 1.0))) == 5
    refused = FailedUpload(Path("a.csv"), make("LimitError"))
    assert code_for(errors.PartialUploadError("some", report=UploadReport((), (refused,), ()))) == 6
