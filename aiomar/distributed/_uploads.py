"""Uploads over a cluster: one file after the other, each a task that only the worker with the token may run.

The token makes it one worker, the turn of the ledger one file at a time, and the ledger itself never twice: Dask runs a
task again when its worker has died, whatever is said about retries, and then the ledger has the file as sent.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import attrs
from distributed import Client

from aiomar._checks import raise_or_collect
from aiomar._types import PathLike
from aiomar.distributed._cluster import Cluster, ClusterError
from aiomar.distributed._errands import Refused
from aiomar.distributed._reference import ConfigReference, check_reference
from aiomar.distributed._submitting import Parcel, check, send
from aiomar.errors import (
    ConfigError,
    OmarError,
    OutcomeUnknownError,
    SourceError,
    UploadBlockedError,
)
from aiomar.protocol import UploadReceipt
from aiomar.transfer import FailedUpload, InDoubt, UploadReport

UPLOAD_RESOURCE = "aiomar-upload"
"""The resource that the one worker offers which may submit: ``dask worker … --resources "aiomar-upload=1"``."""

_TOKEN = {UPLOAD_RESOURCE: 1.0}
_LOOK = 0.5
"""Seconds between two looks for that worker."""


async def upload_all(
    dask_client: Client,
    reference: ConfigReference,
    sources: Iterable[PathLike],
    *,
    errors: Literal["raise", "collect"] = "raise",
    resend: bool = False,
    patience: dt.timedelta = dt.timedelta(seconds=30),
) -> UploadReport:
    """Submit several files through the one worker of a Dask cluster that offers `UPLOAD_RESOURCE`.

    As `OmarClient.upload_all`: every rule is checked before the first file is sent, one file after the other is sent,
    and an unknown outcome stops the rest.  When the worker dies over a file, the file is not sent again; what the
    ledger knows of it is reported.  When the caller is cancelled, no other file is begun; the one under way ends, and
    the ledger has its outcome.

    Args:
        dask_client: a connected `distributed.Client`, synchronous or not; it stays open.
        reference: where that worker finds the configuration; it must give a `state_dir`, which has the ledger, on
            storage that outlives the worker.
        sources: the files, by their absolute paths on that worker.
        errors: as for `OmarClient.upload_all`.
        resend: send files also if the ledger says that the same content was taken, or may have been.
        patience: how long to wait for a worker that offers the resource.

    Raises:
        UsageError: nothing was sent: the reference cannot be read on the worker, it names no `state_dir`, there is not
            exactly one worker with the resource, or a path is relative.
        PartialUploadError: some files were not accepted or not sent.
    """
    raise_or_collect(errors)
    run = _Run(check_reference(reference), Cluster(dask_client), resend=resend)
    paths = [_absolute(source) for source in sources]
    await run.find_worker(patience.total_seconds())
    report = await run.all(paths, raise_errors=errors == "raise")
    if errors == "raise":
        report.raise_for_failures()
    return report


def _absolute(source: PathLike) -> Path:
    path = Path(os.fspath(source))
    if not path.is_absolute():
        raise SourceError(f"{str(path)!a:.200} is relative: give the whole path that it has on the worker")
    return path


@attrs.define
class _Run:
    """One call of `upload_all`."""

    reference: ConfigReference
    cluster: Cluster
    resend: bool = attrs.field(kw_only=True)
    _name: str = attrs.field(factory=lambda: uuid.uuid4().hex, init=False)

    async def find_worker(self, patience: float) -> None:
        """Wait for the one worker.

        Raises:
            ConfigError: there is none, or there are several.
        """
        until = asyncio.get_running_loop().time() + patience
        while True:
            workers = await self.cluster.workers()
            able = [address for address, offers in workers.items() if offers.get(UPLOAD_RESOURCE, 0.0) >= 1.0]
            if len(able) == 1:
                return
            if asyncio.get_running_loop().time() >= until:
                how = f"{len(able)} workers offer" if able else "no worker offers"
                raise ConfigError(
                    f"{how} the resource {UPLOAD_RESOURCE!r}, and nothing was sent: start exactly one with "
                    f"--resources '{UPLOAD_RESOURCE}=1'"
                )
            await asyncio.sleep(_LOOK)

    async def all(self, paths: list[Path], *, raise_errors: bool) -> UploadReport:
        """Submit the files."""
        found = await self.cluster.run(check, self.reference, paths, resources=_TOKEN)
        if isinstance(found, Refused):
            raise found.error
        checked = list(zip(paths, found, strict=True))
        bad = [FailedUpload(path, known.problem) for path, known in checked if known.problem is not None]
        good = [(path, known.before) for path, known in checked if known.problem is None]
        if bad and raise_errors:
            return UploadReport((), tuple(bad), tuple(path for path, _ in good))
        receipts: list[UploadReceipt] = []
        told: set[str | None] = set()
        for number, (path, before) in enumerate(good, 1):
            mark = f"{self._name}-{number}"
            outcome = await self._one(Parcel(path=path, before=before, mark=mark, resend=self.resend))
            if isinstance(outcome, UploadReceipt) and outcome.ledger_id in told:
                outcome = _same_again(outcome)
            if isinstance(outcome, UploadReceipt):
                receipts.append(outcome)
                told.add(outcome.ledger_id)
                continue
            bad.append(FailedUpload(path, outcome))
            if isinstance(outcome, InDoubt):
                return UploadReport(tuple(receipts), tuple(bad), tuple(path for path, _ in good[number:]))
        return UploadReport(tuple(receipts), tuple(bad), ())

    async def _one(self, parcel: Parcel) -> UploadReceipt | OmarError:
        try:
            outcome = await self.cluster.run(send, self.reference, parcel, resources=_TOKEN)
        except ClusterError as error:
            return OutcomeUnknownError(
                f"{parcel.path.name!a} may or may not have been taken, as {error}; run 'aiomar submissions list' first",
                phase="request",
                facts={"name": parcel.path.name},
            )
        return outcome.error if isinstance(outcome, Refused) else outcome


def _same_again(receipt: UploadReceipt) -> UploadBlockedError:
    return UploadBlockedError(
        f"another file of this call has the same content and was taken with file id {receipt.file_id}: pass "
        "resend=True to submit it again",
        ledger_id=receipt.ledger_id,
    )
