"""Carrying out downloads: plan, policy, limiter, body, sink, engine, and the events and results that come out."""

from aiomar.transfer._body import Body, BodyRules
from aiomar.transfer._engine import run_jobs
from aiomar.transfer._events import (
    DownloadFailed,
    DownloadFinished,
    DownloadProgress,
    DownloadRetrying,
    DownloadStarted,
    Event,
    LoggedIn,
    LoginRetrying,
    Observer,
    RangeFinished,
    RangeStarted,
    SessionEnded,
    UploadFailed,
    UploadFinished,
    UploadStarted,
)
from aiomar.transfer._limiter import Limiter
from aiomar.transfer._paths import check_directory, check_final, hold, let_go, real_directory
from aiomar.transfer._plan import Job, RangeRequest, Selections, check_kinds, check_selection, plan_jobs
from aiomar.transfer._policy import RetryPolicy
from aiomar.transfer._results import (
    Completeness,
    DownloadJob,
    FailedDownload,
    FailedUpload,
    RangePlan,
    RangeReport,
    SavedFile,
    UploadReport,
)
from aiomar.transfer._sink import Disk, PartFile

__all__ = [
    "Body",
    "BodyRules",
    "Completeness",
    "Disk",
    "DownloadFailed",
    "DownloadFinished",
    "DownloadJob",
    "DownloadProgress",
    "DownloadRetrying",
    "DownloadStarted",
    "Event",
    "FailedDownload",
    "FailedUpload",
    "Job",
    "Limiter",
    "LoggedIn",
    "LoginRetrying",
    "Observer",
    "PartFile",
    "RangeFinished",
    "RangePlan",
    "RangeReport",
    "RangeRequest",
    "RangeStarted",
    "RetryPolicy",
    "SavedFile",
    "Selections",
    "SessionEnded",
    "UploadFailed",
    "UploadFinished",
    "UploadReport",
    "UploadStarted",
    "check_directory",
    "check_final",
    "check_kinds",
    "check_selection",
    "hold",
    "let_go",
    "plan_jobs",
    "real_directory",
    "run_jobs",
]
