"""The client: thin methods that join session, downloads and uploads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import date, timedelta
from types import TracebackType
from typing import Literal, Self

from aiomar._assembly import Parts, assemble
from aiomar._checks import raise_or_collect
from aiomar._config import OmarConfig
from aiomar._confirm import Question
from aiomar._downloads import Order, Wanted
from aiomar._retry import unwrapped
from aiomar._types import PathLike
from aiomar.errors import ConfigError, UsageError
from aiomar.protocol import FileFormat, Selection, Span, TimeType, UploadReceipt, check_file_name, file_name
from aiomar.submissions import Confirmation
from aiomar.transfer import (
    FailedDownload,
    Job,
    Observer,
    RangePlan,
    RangeReport,
    RangeRequest,
    SavedFile,
    Selections,
    UploadReport,
    check_directory,
    check_kinds,
    check_selection,
    real_directory,
)
from aiomar.transport import build_context


class OmarClient:
    """Talks to one OMAR-Online with one client certificate.

    Safe to share between the tasks of one event loop; make one per certificate and keep it for as long as it is of use.

    ::

        async with aiomar.OmarClient(config) as client:
            report = await client.download_range(
                meters, start, end, file_format=aiomar.FileFormat.MDEF, time_type=aiomar.TimeType.PST, into="data"
            )
            receipt = await client.upload("january.csv")

    Args:
        config: which server, which certificate, how patient.
        observer: called with one frozen event at a time; it must not block, and what it raises is only logged.

    Raises:
        ConfigError: the configuration cannot be used.
        IdentityError: the certificate has expired or is too weak for the TLS settings.
    """

    def __init__(self, config: OmarConfig, *, observer: Observer | None = None) -> None:
        if not isinstance(config, OmarConfig):
            raise ConfigError(f"OmarClient needs an OmarConfig, not {type(config).__name__}")
        config.identity.ensure_valid()
        self._config = config
        self._observer = observer
        self._context = build_context(config.identity, config.trust)
        self._parts: Parts | None = None
        self._closed = False

    @property
    def config(self) -> OmarConfig:
        """The configuration it was made with."""
        return self._config

    async def __aenter__(self) -> Self:
        self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End everything that is under way and close every connection; safe to call twice.

        Afterwards no task, thread, socket or descriptor of the client is left.
        """
        self._closed = True
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.aclose()

    async def login(self) -> None:
        """Open a session now; everything else logs in by itself (SUB 3.1.1.2).

        Raises:
            LoginError: the server gave no session.
            CertificateRejectedError: one side does not accept the other's certificate.
            ExchangeError: anything else that went wrong on the way.
        """
        parts = self._ready()
        with parts.operations.limit(), unwrapped():
            await parts.session.lease()

    async def download(
        self,
        selection: Selection,
        start: date,
        end: date,
        *,
        file_format: FileFormat,
        time_type: TimeType,
        into: PathLike,
        name: str | None = None,
        overwrite: bool = False,
        allow_unverified: bool = False,
    ) -> SavedFile:
        """Download one file (DL 3.1, 3.2, 3.3).

        Args:
            selection: a meter or a group.
            start: first day.
            end: last day; sent as given.
            file_format: CSV or MDEF.
            time_type: the clock; never defaulted, as the wrong one gives wrong hours without any error.
            into: a directory; made when missing, its parent must exist.
            name: replaces the derived file name, such as ``meter-1001_20260101_20260131_pst.csv``.
            overwrite: whether a file of that name may be replaced.
            allow_unverified: save a body that nothing proves to be whole.

        Raises:
            UsageError: nothing was sent: `LimitError`, `ConfigError`, `DestinationError`.
            ExchangeError: the download failed; the final path is what it was before.
            DiskError: it could not be written; the final path is what it was before.
        """
        parts = self._ready()
        check_kinds(file_format, time_type)
        span = Span(start, end)
        check_selection(selection)
        if name is not None:
            check_file_name(name)
        chosen = name or file_name(selection, span, file_format=file_format, time_type=time_type)
        directory = check_directory(into, make=True)
        await parts.prepare(directory)
        outcome = await parts.downloader.save(
            Job(selection, span, chosen),
            Order(
                wanted=Wanted(file_format=file_format, time_type=time_type, allow_unverified=allow_unverified),
                directory=directory,
                real=real_directory(directory),
                overwrite=overwrite,
            ),
        )
        if isinstance(outcome, FailedDownload):
            raise outcome.error from outcome.error.__cause__
        return outcome

    def open_download(
        self,
        selection: Selection,
        start: date,
        end: date,
        *,
        file_format: FileFormat,
        time_type: TimeType,
        allow_unverified: bool = False,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open one download as a stream of bytes, without touching a disk (DL 3.3).

        The iteration ends normally only if the body is whole; otherwise it raises, at the latest after its last piece.

        Args:
            selection: a meter or a group.
            start: first day.
            end: last day; sent as given.
            file_format: CSV or MDEF.
            time_type: the clock.
            allow_unverified: end normally also when nothing proves the body to be whole.

        Raises:
            UsageError: nothing was sent.
            ExchangeError: on entering or while reading.
        """
        parts = self._ready()
        check_kinds(file_format, time_type)
        wanted = Wanted(file_format=file_format, time_type=time_type, allow_unverified=allow_unverified)
        return parts.downloader.stream(check_selection(selection), Span(start, end), wanted)

    async def download_range(
        self,
        selections: Selections,
        start: date,
        end: date,
        *,
        file_format: FileFormat,
        time_type: TimeType,
        into: PathLike,
        days_per_file: int | None = None,
        resume: bool = True,
        max_age: timedelta | None = None,
        errors: Literal["raise", "collect"] = "raise",
        allow_unverified: bool = False,
    ) -> RangeReport:
        """Download a range of days for any number of selections, several at a time.

        One failed download never stops the others.  A file under its final name is replaced when it may not be reused.

        Args:
            selections: one selection, an iterable or an async iterable; consumed lazily, each fetched once.
            start: first day.
            end: last day; sent as given.
            file_format: CSV or MDEF.
            time_type: the clock.
            into: a directory; made when missing, its parent must exist.
            days_per_file: split the range into files of so many days, counted from `start`.
            resume: reuse files that the directory's catalogue knows and that stand as it says.
            max_age: do not reuse files that were fetched longer ago, as submitted data load late and are corrected.
            errors: ``"raise"`` a `PartialDownloadError` when one failed, or ``"collect"`` failures in the report.
            allow_unverified: save bodies that nothing proves to be whole.

        Raises:
            UsageError: nothing was sent.
            PartialDownloadError: some downloads failed; the others are on disk.
        """
        raise_or_collect(errors)
        parts = self._ready()
        request = RangeRequest(
            span=Span(start, end),
            file_format=file_format,
            time_type=time_type,
            days_per_file=days_per_file,
            resume=resume,
            max_age=max_age,
            allow_unverified=allow_unverified,
        )
        report = await parts.ranges.report(selections, request, check_directory(into, make=True))
        if errors == "raise":
            report.raise_for_failures()
        return report

    def iter_range(
        self,
        selections: Selections,
        start: date,
        end: date,
        *,
        file_format: FileFormat,
        time_type: TimeType,
        into: PathLike,
        days_per_file: int | None = None,
        resume: bool = True,
        max_age: timedelta | None = None,
        allow_unverified: bool = False,
    ) -> AsyncGenerator[SavedFile | FailedDownload]:
        """Download like `download_range`, giving each outcome as it comes; memory does not grow with their number.

        Everything is as in `download_range`, but a failed file is given, not raised.  Leaving the loop ends the range.

        Raises:
            UsageError: nothing was sent.
        """
        parts = self._ready()
        request = RangeRequest(
            span=Span(start, end),
            file_format=file_format,
            time_type=time_type,
            days_per_file=days_per_file,
            resume=resume,
            max_age=max_age,
            allow_unverified=allow_unverified,
        )
        return parts.ranges.iterate(selections, request, check_directory(into, make=True))

    async def plan_range(
        self,
        selections: Selections,
        start: date,
        end: date,
        *,
        file_format: FileFormat,
        time_type: TimeType,
        into: PathLike,
        days_per_file: int | None = None,
        resume: bool = True,
        max_age: timedelta | None = None,
        allow_unverified: bool = False,
    ) -> RangePlan:
        """Say what `download_range` would do with the same arguments; nothing is sent and nothing is written.

        Raises:
            UsageError: the range could not be carried out as it stands.
        """
        parts = self._ready()
        request = RangeRequest(
            span=Span(start, end),
            file_format=file_format,
            time_type=time_type,
            days_per_file=days_per_file,
            resume=resume,
            max_age=max_age,
            allow_unverified=allow_unverified,
        )
        return await parts.ranges.plan(selections, request, check_directory(into, make=False))

    async def upload(
        self,
        source: PathLike,
        *,
        name: str | None = None,
        resend: bool = False,
    ) -> UploadReceipt:
        """Submit one meter data file (SUB 3.1, 3.2, 3.3).

        One file is in flight at a time, over all clients and processes of this machine with the same environment and
        certificate.  It is sent once, on a connection of its own, and never again by itself, save once after an answer
        that is the login page.  The ledger knows of it before the first byte leaves, and afterwards what became of it.
        "Uploaded" is not "loaded": that takes about an hour and more (SUB 3.4); see `confirm`.

        Args:
            source: the file.
            name: the name to send; `None` for the file's own.
            resend: send it also if the ledger says that the same content was taken, or may have been.

        Raises:
            SourceError: the file is missing, is not a file or cannot be read; nothing was sent.
            LimitError: it breaks a rule of SUB 3.2.2; nothing was sent.
            UploadBlockedError: the ledger has the same content as accepted or unknown, or somebody else has been
                submitting for longer than `Timeouts.operation`; nothing was sent.
            ConfigError: the ledger cannot be used; nothing was sent.
            DiskError: the ledger could not be written; nothing was sent.
            SubmissionRejectedError: the server refused it (SUB 3.3.2).
            ReceiptMismatchError: the receipt is for another name or size.
            OutcomeUnknownError: it may or may not have been taken.
            ExchangeError: it was not taken.
        """
        return await self._ready().uploader.upload(source, name, resend=resend)

    async def check_upload(self, source: PathLike, *, name: str | None = None, resend: bool = False) -> None:
        """Do nothing if `upload` with the same arguments would send the file; nothing is sent (SUB 3.2.2).

        Raises:
            SourceError: the file is missing, is not a file or cannot be read.
            LimitError: it breaks a rule.
            UploadBlockedError: the ledger has the same content as accepted or unknown.
            ConfigError: the ledger cannot be used.
        """
        await self._ready().uploader.check(source, name, resend=resend)

    async def upload_all(
        self, sources: Iterable[PathLike], *, errors: Literal["raise", "collect"] = "raise", resend: bool = False
    ) -> UploadReport:
        """Submit several files, one after the other; the rules are checked for all of them before the first is sent.

        Args:
            sources: the files.
            errors: with ``"raise"`` nothing is sent when one breaks a rule, and failures are raised; with ``"collect"``
                the good ones are sent and failures are in the report.  A file that the ledger blocks stops no other; an
                unknown outcome stops the rest with either.
            resend: see `upload`.

        Raises:
            PartialUploadError: some files were not accepted or not sent.
        """
        raise_or_collect(errors)
        report = await self._ready().uploader.upload_all(sources, raise_errors=errors == "raise", resend=resend)
        if errors == "raise":
            report.raise_for_failures()
        return report

    async def confirm(
        self,
        receipt: UploadReceipt | str,
        selection: Selection,
        start: date,
        end: date,
        *,
        file_format: FileFormat,
        time_type: TimeType,
        source: PathLike | None = None,
        timeout: timedelta = timedelta(hours=2),  # noqa: ASYNC109 - how long to look, not how long a call may hang
    ) -> Confirmation:
        """Look for what was submitted in what can be downloaded, until all of it shows (SUB/DL 3.4).

        Looks at once and then with growing pauses, from one to fifteen minutes, as loading takes about an hour and
        more.  MDEF is compared by intervals, CSV by rows.  A submission of unknown outcome that shows is accepted from
        then on; nothing is ever sent again from here.

        Args:
            receipt: of the submission, or its ledger id.
            selection: the meter or group whose data were submitted.
            start: first day.
            end: last day; sent as given.
            file_format: CSV or MDEF, as the submitted file is.
            time_type: the clock of the submitted file.
            source: the file as it was submitted; `None` for the copy that the ledger keeps.
            timeout: how long to go on looking; zero for a single look.

        Raises:
            SourceError: the file cannot be read or is not what was submitted, or the ledger has let go of its copy.
            FormatError: the submitted file is not of this format.
            UsageError: the ledger has no such submission, or it is being sent right now.
            SessionError: the login failed.
            CertificateRejectedError: one side does not accept the other's certificate.
            DiskError: what was downloaded cannot be kept for the comparison, or the ledger could not be written.
        """
        parts = self._ready()
        check_kinds(file_format, time_type)
        if not isinstance(timeout, timedelta):
            raise ConfigError("timeout must be a timedelta")
        wanted = Wanted(file_format=file_format, time_type=time_type, allow_unverified=False)
        question = Question(
            receipt=receipt,
            selection=check_selection(selection),
            span=Span(start, end),
            wanted=wanted,
            source=source,
            timeout=timeout,
        )
        return await parts.confirmer.confirm(question)

    def _ready(self) -> Parts:
        """Give the parts, made in the running loop when they are first needed.

        Raises:
            UsageError: the client is closed, or belongs to another loop or process.
        """
        if self._closed:
            raise UsageError("the client is closed: make a new one")
        if self._parts is None:
            self._parts = assemble(self._config, self._context, self._observer)
        self._parts.check_home()
        return self._parts
