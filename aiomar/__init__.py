"""An async Python SDK for the California ISO's OMAR-Online: submit and download settlement-quality meter data.

::

    async with aiomar.OmarClient(config) as client:
        report = await client.download_range(
            [aiomar.Meter("1001"), aiomar.Group("123")], start, end,
            file_format=aiomar.FileFormat.MDEF, time_type=aiomar.TimeType.PST, into="data",
        )

It implements two public documents: SUB, the Meter Data File Submission Automation Specification, and DL, the Meter Data
Download Automation Specification; clauses are cited as ``SUB 3.2.2``.
"""

from __future__ import annotations

import logging
from importlib.metadata import version

from aiomar._client import OmarClient
from aiomar._config import OmarConfig
from aiomar.errors import (
    CertificateRejectedError,
    ConfigError,
    ConnectError,
    DeadlineError,
    DestinationError,
    DiskError,
    EmptyBodyError,
    ExchangeError,
    FormatError,
    Hint,
    IdentityError,
    LimitError,
    LoginError,
    OmarError,
    OutcomeUnknownError,
    PartialDownloadError,
    PartialUploadError,
    ReceiptMismatchError,
    ResponseError,
    ResponseTooLargeError,
    SessionError,
    SessionExpiredError,
    SourceError,
    StatusError,
    SubmissionRejectedError,
    TransportError,
    TruncatedBodyError,
    UnexpectedPageError,
    UnexpectedRedirectError,
    UploadBlockedError,
    UsageError,
)
from aiomar.protocol import (
    PRODUCTION,
    STAGING,
    TEST,
    CookieStyle,
    Environment,
    FileFormat,
    Group,
    Meter,
    Selection,
    TimeType,
    UploadLimits,
    UploadReceipt,
)
from aiomar.transfer import (
    DownloadFailed,
    DownloadFinished,
    DownloadJob,
    DownloadProgress,
    DownloadRetrying,
    DownloadStarted,
    Event,
    FailedDownload,
    FailedUpload,
    LoggedIn,
    LoginRetrying,
    Observer,
    RangeFinished,
    RangePlan,
    RangeReport,
    RangeStarted,
    RetryPolicy,
    SavedFile,
    SessionEnded,
    UploadFailed,
    UploadFinished,
    UploadReport,
    UploadStarted,
)
from aiomar.transport import (
    ClientIdentity,
    LegacyTls,
    Timeouts,
    Trust,
)

__all__ = [
    "PRODUCTION",
    "STAGING",
    "TEST",
    "CertificateRejectedError",
    "ClientIdentity",
    "ConfigError",
    "ConnectError",
    "CookieStyle",
    "DeadlineError",
    "DestinationError",
    "DiskError",
    "DownloadFailed",
    "DownloadFinished",
    "DownloadJob",
    "DownloadProgress",
    "DownloadRetrying",
    "DownloadStarted",
    "EmptyBodyError",
    "Environment",
    "Event",
    "ExchangeError",
    "FailedDownload",
    "FailedUpload",
    "FileFormat",
    "FormatError",
    "Group",
    "Hint",
    "IdentityError",
    "LegacyTls",
    "LimitError",
    "LoggedIn",
    "LoginError",
    "LoginRetrying",
    "Meter",
    "Observer",
    "OmarClient",
    "OmarConfig",
    "OmarError",
    "OutcomeUnknownError",
    "PartialDownloadError",
    "PartialUploadError",
    "RangeFinished",
    "RangePlan",
    "RangeReport",
    "RangeStarted",
    "ReceiptMismatchError",
    "ResponseError",
    "ResponseTooLargeError",
    "RetryPolicy",
    "SavedFile",
    "Selection",
    "SessionEnded",
    "SessionError",
    "SessionExpiredError",
    "SourceError",
    "StatusError",
    "SubmissionRejectedError",
    "TimeType",
    "Timeouts",
    "TransportError",
    "TruncatedBodyError",
    "Trust",
    "UnexpectedPageError",
    "UnexpectedRedirectError",
    "UploadBlockedError",
    "UploadFailed",
    "UploadFinished",
    "UploadLimits",
    "UploadReceipt",
    "UploadReport",
    "UploadStarted",
    "UsageError",
    "__version__",
]

logging.getLogger("aiomar").addHandler(logging.NullHandler())


def __getattr__(name: str) -> str:
    """Give ``__version__``, looked up in the package's metadata when it is asked for."""
    if name == "__version__":
        return version("aiomar")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
