"""What the worker with the token does: it checks files, and submits one.

A task that Dask runs again must not send again.  Without `resend` the ledger sees to that.  With it the ledger would
let the file through, so the first run leaves a mark, and a later one goes on as if `resend` had not been asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import attrs

from aiomar._client import OmarClient
from aiomar._config import OmarConfig
from aiomar.distributed._errands import Refused
from aiomar.distributed._reference import ConfigReference
from aiomar.distributed._slots import shared_directory
from aiomar.errors import ConfigError, OmarError, OutcomeUnknownError, UploadBlockedError, UsageError
from aiomar.protocol import UploadReceipt
from aiomar.submissions import SubmissionRecord, Submissions, SubmissionState


@attrs.frozen
class Checked:
    """What is known of a file before anything is sent."""

    problem: UsageError | None
    """The rule that it breaks."""
    before: str | None
    """The submission of the same content that the ledger has already."""


@attrs.frozen(kw_only=True)
class Parcel:
    """One file to submit."""

    path: Path
    before: str | None
    """See `Checked`; what the ledger has beyond it was sent by an earlier run of the same task."""
    mark: str
    """A name of its own."""
    resend: bool


def check(reference: ConfigReference, paths: Sequence[Path]) -> list[Checked] | Refused:
    """Hold files to the rules, and look them up in the ledger; runs on the worker."""
    try:
        return asyncio.run(_check(_resolved(reference), paths))
    except OmarError as error:
        return Refused.here(error)


def send(reference: ConfigReference, parcel: Parcel) -> UploadReceipt | Refused:
    """Submit a file, or tell what an earlier run has made of it; runs on the worker, to the end."""
    try:
        return asyncio.run(_send(_resolved(reference), parcel))
    except OmarError as error:
        return Refused.here(error)


def _resolved(reference: ConfigReference) -> OmarConfig:
    config = reference.resolve()
    shared_directory(config)
    return config


async def _check(config: OmarConfig, paths: Sequence[Path]) -> list[Checked]:
    found = []
    async with OmarClient(config) as client:
        for path in paths:
            try:
                await client.check_upload(path, resend=True)  # the rules alone
            except UsageError as error:
                found.append(Checked(error, None))
                continue
            try:
                await client.check_upload(path)
                found.append(Checked(None, None))
            except UploadBlockedError as error:
                found.append(Checked(None, error.ledger_id))
    return found


async def _send(config: OmarConfig, parcel: Parcel) -> UploadReceipt:
    resend = parcel.resend and _is_first(config, parcel.mark)
    async with OmarClient(config) as client:
        try:
            return await client.upload(parcel.path, resend=resend)
        except UploadBlockedError as error:
            if error.ledger_id is None or error.ledger_id == parcel.before:
                raise
            submission = error.ledger_id
    return _told(Submissions(config.state_dir).record(submission))


def _is_first(config: OmarConfig, mark: str) -> bool:
    """Leave a mark, and tell whether it was not there.

    Raises:
        ConfigError: it cannot be left.
    """
    folder = shared_directory(config) / "resent"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / mark).touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error.strerror}): change its rights or its disk") from error
    return True


def _told(record: SubmissionRecord) -> UploadReceipt:
    """Give the receipt of a file that an earlier run has sent.

    Raises:
        OutcomeUnknownError: that run ended before the answer was recorded.
    """
    if record.state is SubmissionState.ACCEPTED and record.file_id is not None:
        return record.receipt()
    raise OutcomeUnknownError(
        f"{record.name!a} was being sent when its worker ended, and may have been taken: it was not sent again; run "
        f"'aiomar submissions confirm {record.id} --meter …'",
        phase=record.phase or "request",
        facts={**record.facts, "name": record.name, "size": record.size, "sha256": record.sha256},
        ledger_id=record.id,
    )
