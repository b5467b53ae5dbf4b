"""Carrying out downloads: plan, policy, limiter, body, sink, engine, and the events and results that come out."""

from aiomar.transfer._body import Body, BodyRules
from aiomar.transfer._budget import RetryBudget
from aiomar.transfer._catalogue import Catalogue
from aiomar.transfer._catalogue_file import FOLDER
from aiomar.transfer._catalogue_files import CatalogueFiles
from aiomar.transfer._catalogue_rows import FailedRow, Terms
from aiomar.transfer._engine import Batch, Run
from aiomar.transfer._events import (
    CertificateExpiring,
    DownloadFailed,
    DownloadFinished,
    DownloadProgress,
    DownloadRetrying,
    DownloadReused,
    DownloadsPaused,
    DownloadStarted,
    DownloadStopped,
    Event,
    LimitChanged,
    LoggedIn,
    LoginFailed,
    LoginRetrying,
    Observer,
    RangeFinished,
    RangeStarted,
    RangeStopped,
    SessionEnded,
)
from aiomar.transfer._limiter import Limiter
from aiomar.transfer._paths import check_directory, check_final, hold, let_go, real_directory
from aiomar.transfer._plan import Job, Plan, RangeRequest, Selections, check_kinds, check_selection
from aiomar.transfer._policy import RetryPolicy
from aiomar.transfer._publish import Note, Notebook
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
from aiomar.transfer._shards import shard_directories, shard_directory, shard_name, shards_of
from aiomar.transfer._sink import Disk, PartFile
from aiomar.transfer._submission_events import (
    ConfirmationPending,
    OutboxPassedOver,
    OutboxRefused,
    OutboxSent,
    OutboxWaiting,
    SubmissionNotRecorded,
    UploadFailed,
    UploadFinished,
    UploadRetrying,
    UploadStarted,
    UploadStopped,
)
from aiomar.transfer._tally import Tally
from aiomar.transfer._verify import CheckedFile, RebuiltCatalogue, rebuild_catalogue, verify_directory

__all__ = [
    "FOLDER",
    "Batch",
    "Body",
    "BodyRules",
    "Catalogue",
    "CatalogueFiles",
    "CertificateExpiring",
    "CheckedFile",
    "Completeness",
    "ConfirmationPending",
    "Disk",
    "DownloadFailed",
    "DownloadFinished",
    "DownloadJob",
    "DownloadProgress",
    "DownloadRetrying",
    "DownloadReused",
    "DownloadStarted",
    "DownloadStopped",
    "DownloadsPaused",
    "Event",
    "FailedDownload",
    "FailedRow",
    "FailedUpload",
    "Job",
    "LimitChanged",
    "Limiter",
    "LoggedIn",
    "LoginFailed",
    "LoginRetrying",
    "Note",
    "Notebook",
    "Observer",
    "OutboxPassedOver",
    "OutboxRefused",
    "OutboxSent",
    "OutboxWaiting",
    "PartFile",
    "Plan",
    "RangeFinished",
    "RangePlan",
    "RangeReport",
    "RangeRequest",
    "RangeStarted",
    "RangeStopped",
    "RebuiltCatalogue",
    "RetryBudget",
    "RetryPolicy",
    "Run",
    "SavedFile",
    "Selections",
    "SessionEnded",
    "SubmissionNotRecorded",
    "Tally",
    "Terms",
    "UploadFailed",
    "UploadFinished",
    "UploadReport",
    "UploadRetrying",
    "UploadStarted",
    "UploadStopped",
    "check_directory",
    "check_final",
    "check_kinds",
    "check_selection",
    "hold",
    "let_go",
    "real_directory",
    "rebuild_catalogue",
    "shard_directories",
    "shard_directory",
    "shard_name",
    "shards_of",
    "verify_directory",
]
