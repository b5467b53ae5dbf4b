"""What people ask of ledgers: all of them below one state directory, as if they were one.

Nothing here needs a client, a certificate or the network.  What a dead process left behind is called unknown before
anybody looks, unless somebody submits right now: then "sending" may be the truth.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attrs

from aiomar._process_lock import LockHeldError, acquire
from aiomar._types import PathLike
from aiomar.errors import DiskError, UsageError
from aiomar.protocol import parse_origin
from aiomar.submissions._ledger import Ledger
from aiomar.submissions._ledger_file import ledger_directories, lock_path
from aiomar.submissions._records import Ending, Pruned, SubmissionChange, SubmissionRecord, SubmissionState


@attrs.frozen
class Submissions:
    """Everything that was submitted from this machine: what, when, by whom, with which file id.

    It may be read while uploads are under way, in this process and in others.  Its methods block.

    ::

        for record in Submissions().records(states={SubmissionState.UNKNOWN}):
            print(record.id, record.name, record.reason)

    Args:
        state_dir: as in `OmarConfig`; `None` for the platform's place.
    """

    state_dir: PathLike | None = None

    def records(
        self, states: Collection[SubmissionState] | None = None, upload_origin: str | None = None
    ) -> Iterator[SubmissionRecord]:
        """Give submissions, oldest first; memory does not grow with their number.

        Args:
            states: only those in one of these states.
            upload_origin: only those to this server, as ``"https://host[:port]"``.

        Raises:
            ConfigError: a ledger cannot be used, or `upload_origin` is not one.
            DiskError: a ledger could not be read.
        """
        origin = None if upload_origin is None else str(parse_origin(upload_origin))
        with ExitStack() as stack:
            ledgers = [stack.enter_context(_settled(directory)) for directory in ledger_directories(self.state_dir)]
            for record in heapq.merge(*(ledger.records(states) for ledger in ledgers), key=_order):
                if origin in {None, record.upload_origin}:
                    yield record

    def record(self, ledger_id: str) -> SubmissionRecord:
        """Give a submission.

        Raises:
            UsageError: there is none with this id.
            ConfigError: a ledger cannot be used.
            DiskError: a ledger could not be read.
        """
        with self._holding(ledger_id) as ledger:
            return ledger.record(ledger_id)

    def changes(self, ledger_id: str) -> list[SubmissionChange]:
        """Give the journal of a submission, oldest first.

        Raises:
            UsageError: there is none with this id.
            ConfigError: a ledger cannot be used.
            DiskError: a ledger could not be read.
        """
        with self._holding(ledger_id) as ledger:
            return ledger.changes(ledger_id)

    def content(self, ledger_id: str) -> bytes | None:
        """Give the bytes that were sent, proved by their hash; `None` if they were pruned.

        Raises:
            UsageError: there is no submission with this id.
            ConfigError: a ledger cannot be used.
            DiskError: a ledger could not be read, or is damaged.
        """
        with self._holding(ledger_id) as ledger:
            return ledger.content(ledger_id)

    def resolve(self, ledger_id: str, *, accepted: bool, file_id: str | None = None, note: str) -> SubmissionRecord:
        """Write down what a person found out about a submission of unknown outcome.

        Args:
            ledger_id: of the submission.
            accepted: whether the server took it.
            file_id: that it gave, if it is known.
            note: how it was found out, and by whom; it goes into the journal.

        Returns:
            The submission as it is now.

        Raises:
            UsageError: there is no such submission, its outcome is not unknown, the note is empty, or a file id is
                given for one that was not taken.
            ConfigError: a ledger cannot be used.
            DiskError: it could not be written.
        """
        if not note.strip():
            raise UsageError("a note is missing: say how it was found out, and by whom")
        if file_id is not None and not (accepted and file_id.strip()):
            raise UsageError("a file id belongs to a file that was taken: leave it out, or say that it was accepted")
        state = SubmissionState.ACCEPTED if accepted else SubmissionState.REJECTED
        ending = Ending(
            state, file_id=file_id and file_id.strip(), reason=None if accepted else note, by="resolve", note=note
        )
        with self._holding(ledger_id) as ledger:
            ledger.end(ledger_id, ending, _now())
            return ledger.record(ledger_id)

    def prune(self, older_than: dt.timedelta) -> Pruned:
        """Let go of the kept content of submissions that ended some time ago; their records stay.

        Those that are unknown or under way keep everything.

        Args:
            older_than: how long ago.

        Raises:
            UsageError: it is less than nothing.
            ConfigError: a ledger cannot be used.
            DiskError: a ledger could not be written.
        """
        if older_than < dt.timedelta():
            raise UsageError(f"older_than must not be less than nothing, as {older_than} is: give how long ago")
        before = _now() - older_than
        submissions = size = 0
        for directory in ledger_directories(self.state_dir):
            with Ledger.open(directory) as ledger:
                pruned = ledger.prune(before)
                submissions += pruned.submissions
                size += pruned.bytes
        return Pruned(submissions=submissions, bytes=size)

    @contextmanager
    def _holding(self, ledger_id: str) -> Iterator[Ledger]:
        """Find the ledger that has a submission."""
        for directory in ledger_directories(self.state_dir):
            with _settled(directory) as ledger:
                try:
                    ledger.record(ledger_id)
                except UsageError:
                    continue
                yield ledger
                return
        raise UsageError(f"no submission has the id {ledger_id!a:.80}: 'aiomar submissions list' shows them")


@contextmanager
def _settled(directory: Path) -> Iterator[Ledger]:
    """Open a ledger for looking."""
    with Ledger.open(directory) as ledger:
        # Who may only look, or has no room left, looks all the same.
        with suppress(LockHeldError, OSError, DiskError), acquire(lock_path(directory), alone=True):
            ledger.settle_leftovers(_now())
        yield ledger


def _order(record: SubmissionRecord) -> dt.datetime:
    return record.submitted_at


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
