"""Exit codes: one table from what happened to a number."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from aiomar import (
    CertificateRejectedError,
    ConnectError,
    DeadlineError,
    FormatError,
    IdentityError,
    LimitError,
    OutcomeUnknownError,
    PartialDownloadError,
    PartialUploadError,
    ReceiptMismatchError,
    ResponseError,
    SessionError,
    StatusError,
    SubmissionRejectedError,
    TransportError,
    UnexpectedRedirectError,
    UploadBlockedError,
    UsageError,
)

GOOD: Final = 0
UNEXPECTED: Final = 1
USAGE: Final = 2
DOWNLOADS: Final = 3
UNREACHABLE: Final = 4
IDENTITY: Final = 5
REFUSED: Final = 6
UNKNOWN: Final = 7
DATA: Final = 8
INTERRUPTED: Final = 130

_TABLE: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (KeyboardInterrupt, INTERRUPTED),
    (asyncio.CancelledError, INTERRUPTED),
    (IdentityError, IDENTITY),
    (UsageError, USAGE),
    (CertificateRejectedError, IDENTITY),
    (SessionError, IDENTITY),
    (UnexpectedRedirectError, IDENTITY),  # to another place than the login page: there is no session to be had
    (SubmissionRejectedError, REFUSED),
    (UploadBlockedError, REFUSED),
    (ReceiptMismatchError, UNKNOWN),  # something was taken, nobody knows what
    (OutcomeUnknownError, UNKNOWN),
    (TransportError, UNREACHABLE),
    (ResponseError, UNREACHABLE),  # something answers there, but no OMAR-Online
    (FormatError, DATA),
)
"""Error → code; the first line that fits counts."""


def code_for(error: BaseException) -> int:
    """Give the code of an error that ended a command."""
    if isinstance(error, PartialDownloadError):
        return code_for_downloads([failure.error for failure in error.report.failures])
    if isinstance(error, PartialUploadError):
        return code_for_uploads([failure.error for failure in error.report.failures])
    return next((code for kind, code in _TABLE if isinstance(error, kind)), UNEXPECTED)


def code_for_downloads(errors: Iterable[BaseException], *, logged_in: bool = True) -> int:
    """Give the code of a range with these failures.

    A certificate or a login that is refused comes first, then a server out of reach; the rest are failed downloads,
    unless it is one local mistake in all of them.

    Args:
        errors: why downloads failed.
        logged_in: whether there ever was a session; without one every failure is a failure to get in.
    """
    codes = {_code_for_download(error, logged_in=logged_in) for error in errors}
    if not codes:
        return GOOD
    return next((code for code in (IDENTITY, UNREACHABLE) if code in codes), USAGE if codes == {USAGE} else DOWNLOADS)


def _code_for_download(error: BaseException, *, logged_in: bool) -> int:
    code = code_for(error)
    if isinstance(error, UnexpectedRedirectError) and logged_in:
        return DOWNLOADS
    away = isinstance(error, ConnectError) or (isinstance(error, DeadlineError) and error.phase == "connect")
    if code == UNREACHABLE and logged_in and not away:
        return DOWNLOADS
    return code


def code_for_uploads(errors: Iterable[BaseException], *, logged_in: bool = True) -> int:
    """Give the code of uploads with these failures: the first of 7, 6, 5, 4 that occurred, otherwise a local mistake.

    Args:
        errors: why files were not taken, or are not known to be.
        logged_in: whether there ever was a session.
    """
    codes = {_code_for_upload(error, logged_in=logged_in) for error in errors}
    if not codes:
        return GOOD
    return next((code for code in (UNKNOWN, REFUSED, IDENTITY, UNREACHABLE, USAGE) if code in codes), UNEXPECTED)


def _code_for_upload(error: BaseException, *, logged_in: bool) -> int:
    broken_rule = isinstance(error, LimitError)
    not_taken = isinstance(error, StatusError) and logged_in and error.status < 500  # noqa: PLR2004 - 4xx
    return REFUSED if broken_rule or not_taken else code_for(error)
