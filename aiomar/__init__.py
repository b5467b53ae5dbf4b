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

import importlib
import logging
import typing

if typing.TYPE_CHECKING:
    from aiomar._client import OmarClient
    from aiomar._config import OmarConfig
    from aiomar._outbox import Outbox
    from aiomar._version import __version__
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
    from aiomar.submissions import (
        Confirmation,
        Pruned,
        SubmissionChange,
        SubmissionRecord,
        Submissions,
        SubmissionState,
    )
    from aiomar.transfer import (
        CertificateExpiring,
        CheckedFile,
        ConfirmationPending,
        DownloadFailed,
        DownloadFinished,
        DownloadJob,
        DownloadProgress,
        DownloadRetrying,
        DownloadReused,
        DownloadsPaused,
        DownloadStarted,
        DownloadStopped,
        Event,
        FailedDownload,
        FailedUpload,
        LimitChanged,
        LoggedIn,
        LoginFailed,
        LoginRetrying,
        Observer,
        OutboxPassedOver,
        OutboxRefused,
        OutboxSent,
        OutboxWaiting,
        RangeFinished,
        RangePlan,
        RangeReport,
        RangeStarted,
        RangeStopped,
        RebuiltCatalogue,
        RetryPolicy,
        SavedFile,
        SessionEnded,
        SubmissionNotRecorded,
        UploadFailed,
        UploadFinished,
        UploadReport,
        UploadRetrying,
        UploadStarted,
        UploadStopped,
        rebuild_catalogue,
        verify_directory,
    )
    from aiomar.transport import (
        ClientIdentity,
        LegacyTls,
        Timeouts,
        Trust,
    )

__all__ = [  # noqa: RUF022 - plainly sorted, as `sorted` does it
    "CertificateExpiring",
    "CertificateRejectedError",
    "CheckedFile",
    "ClientIdentity",
    "ConfigError",
    "Confirmation",
    "ConfirmationPending",
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
    "DownloadReused",
    "DownloadStarted",
    "DownloadStopped",
    "DownloadsPaused",
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
    "LimitChanged",
    "LimitError",
    "LoggedIn",
    "LoginError",
    "LoginFailed",
    "LoginRetrying",
    "Meter",
    "Observer",
    "OmarClient",
    "OmarConfig",
    "OmarError",
    "Outbox",
    "OutboxPassedOver",
    "OutboxRefused",
    "OutboxSent",
    "OutboxWaiting",
    "OutcomeUnknownError",
    "PRODUCTION",
    "PartialDownloadError",
    "PartialUploadError",
    "Pruned",
    "RangeFinished",
    "RangePlan",
    "RangeReport",
    "RangeStarted",
    "RangeStopped",
    "RebuiltCatalogue",
    "ReceiptMismatchError",
    "ResponseError",
    "ResponseTooLargeError",
    "RetryPolicy",
    "STAGING",
    "SavedFile",
    "Selection",
    "SessionEnded",
    "SessionError",
    "SessionExpiredError",
    "SourceError",
    "StatusError",
    "SubmissionChange",
    "SubmissionNotRecorded",
    "SubmissionRecord",
    "SubmissionRejectedError",
    "SubmissionState",
    "Submissions",
    "TEST",
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
    "UploadRetrying",
    "UploadStarted",
    "UploadStopped",
    "UsageError",
    "__version__",
    "rebuild_catalogue",
    "verify_directory",
]

_ROOMS = (
    "errors",
    "_version",
    "protocol",
    "formats",
    "transfer",
    "submissions",
    "transport",
    "_config",
    "_client",
    "_outbox",
)
"""Where the names come from; those that need less come first."""


if not typing.TYPE_CHECKING:  # a type checker knows the names above, and should complain about any other

    def __getattr__(name: str) -> object:
        """Load a name when it is first asked for: a plugin of pytest, or whoever wants an error, needs little."""
        if name in _ROOMS:
            return importlib.import_module(f"{__name__}.{name}")
        if name in __all__:
            for room in _ROOMS:
                home = importlib.import_module(f"{__name__}.{room}")
                if hasattr(home, name):
                    globals()[name] = found = getattr(home, name)
                    return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


logging.getLogger("aiomar").addHandler(logging.NullHandler())
# stamina tells of repeats by warnings under its own name.  In a program that set up no logging these would come out on
# stderr by logging's last resort, which is not taken where there is any handler; the program's own get them as ever.
logging.getLogger("stamina").addHandler(logging.NullHandler())
