"""What became of an upload: one decision over status, headers and page (SUB 3.3).

The order is the contract's.  A receipt or a refusal is believed whatever the status is; after that a redirect to the
login page or the login page itself says that nothing was taken, a 4xx says so too, and everything else says nothing.
"""

from __future__ import annotations

import attrs

from aiomar.errors import OmarError, OutcomeUnknownError, ReceiptMismatchError, SubmissionRejectedError
from aiomar.protocol import (
    PAGE_LIMIT,
    ReceiptFacts,
    ResponseHead,
    UploadPage,
    framing,
    is_login_location,
    printable,
    read_upload_page,
    redirect_location,
    status_error,
)


@attrs.frozen
class Submission:
    """One file as it is sent."""

    name: str
    content: bytes = attrs.field(repr=False)
    sha256: str
    ledger_id: str | None = None
    """Once its intent is in the ledger."""

    @property
    def facts(self) -> dict[str, object]:
        """Name, size in bytes and hash, for errors and the ledger."""
        return {"name": self.name, "size": len(self.content), "sha256": self.sha256}


@attrs.frozen
class LoginInstead:
    """The server did not take the file; it asks for a login."""


def judge_upload(  # noqa: PLR0911 - a list of cases, read from top to bottom
    submission: Submission, head: ResponseHead, page: bytes, *, now: float
) -> ReceiptFacts | LoginInstead | OmarError:
    """Say what became of an upload.

    Args:
        submission: what was sent.
        head: status and headers of the answer.
        page: its body, up to one byte more than `PAGE_LIMIT`.
        now: seconds since the epoch, for a ``Retry-After`` that is a date.

    Returns:
        What the receipt says, checked against what was sent; or that a login is wanted; or an error to raise.
    """
    if len(page) > PAGE_LIMIT:
        return unknown(submission, "page", "the answer is too long for a receipt", {"status": head.status})
    seen = read_upload_page(page, submission.name)
    facts: dict[str, object] = {"status": head.status, **receipt_facts(seen)}
    if seen.receipt is not None and seen.reason is None and _is_whole(head, page, seen.receipt):
        return _checked(submission, seen.receipt)
    if seen.reason is not None and seen.receipt is None:
        return SubmissionRejectedError(
            f"the server refused {submission.name!a} (Error in File Processing: {seen.reason}): mend the file, then "
            "submit it again",
            reason=seen.reason,
        )
    location = redirect_location(head)
    if location is not None:
        if is_login_location(location):
            return LoginInstead()
        return unknown(submission, "response", f"the server points to {printable(location)}", facts)
    if seen.login and head.status < 500:  # noqa: PLR2004 - a server that broke down may have taken the file before
        return LoginInstead()
    if 400 <= head.status < 500:  # noqa: PLR2004 - 4xx
        return status_error(head, now=now)
    return unknown(submission, "page", _why_unreadable(head, seen), {**facts, "excerpt": seen.excerpt})


def receipt_facts(seen: UploadPage) -> dict[str, object]:
    """Give what could be read of a receipt under the names that facts have; ``size`` is that of what was sent."""
    return {"receipt_size" if name == "size" else name: text for name, text in seen.fragments.items()}


def unknown(
    submission: Submission, phase: str, cause: str, facts: dict[str, object] | None = None
) -> OutcomeUnknownError:
    """Say that nobody but the server knows what became of the file."""
    ways = "look it up at the site"
    if submission.ledger_id is not None:
        ways = f"confirm it with 'aiomar submissions confirm {submission.ledger_id} --meter …', or {ways},"
    return OutcomeUnknownError(
        f"{submission.name!a} ({len(submission.content):,} bytes) may or may not have been taken ({cause}): "
        f"{ways} before you submit it again",
        phase=phase,
        facts={**submission.facts, **(facts or {}), "cause": cause},
        ledger_id=submission.ledger_id,
    )


def _why_unreadable(head: ResponseHead, seen: UploadPage) -> str:
    if seen.receipt is not None and seen.reason is not None:
        return "the answer holds a receipt and an error"
    if seen.fragments:
        return "the receipt is not whole"
    return f"the answer with HTTP {head.status} is neither a receipt nor a refusal"


def _is_whole(head: ResponseHead, page: bytes, receipt: ReceiptFacts) -> bool:
    """Whether the file id cannot be the beginning of a longer one: unframed, a cut page looks like a whole one."""
    return framing(head) != "close" or not page.rstrip().endswith(receipt.file_id.encode("ascii"))


def _checked(submission: Submission, receipt: ReceiptFacts) -> ReceiptFacts | ReceiptMismatchError:
    if receipt.source_name == submission.name and receipt.size == len(submission.content):
        return receipt
    return ReceiptMismatchError(
        f"the receipt is for {printable(receipt.source_name, 120)!a} with {receipt.size:,} bytes, but "
        f"{submission.name!a} with {len(submission.content):,} bytes was sent: "
        f"ask the operator what file id {receipt.file_id} holds",
        facts={
            **submission.facts,
            "file_id": receipt.file_id,
            "source_name": printable(receipt.source_name),
            "saved_name": printable(receipt.saved_name),
            "receipt_size": receipt.size,
        },
    )
