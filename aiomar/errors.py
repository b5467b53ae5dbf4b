"""Everything that can go wrong, as one tree.

::

    OmarError
    ├── UsageError                     found before any byte left: nothing happened
    │   ├── ConfigError
    │   ├── IdentityError              .kind
    │   ├── LimitError                 .rule, .value, .limit
    │   ├── SourceError
    │   └── DestinationError
    ├── ExchangeError                  a conversation had begun; .hint
    │   ├── TransportError
    │   │   ├── ConnectError
    │   │   ├── CertificateRejectedError   .side, .certain
    │   │   ├── DeadlineError              .phase
    │   │   ├── TruncatedBodyError         .received, .expected
    │   │   └── ResponseTooLargeError
    │   ├── SessionError
    │   │   ├── LoginError
    │   │   └── SessionExpiredError
    │   └── ResponseError
    │       ├── StatusError                .status
    │       ├── UnexpectedPageError        .title, .excerpt
    │       ├── UnexpectedRedirectError
    │       ├── EmptyBodyError
    │       ├── SubmissionRejectedError    .reason
    │       └── ReceiptMismatchError
    ├── OutcomeUnknownError            .ledger_id, .phase, .facts
    ├── UploadBlockedError
    ├── PartialDownloadError, PartialUploadError     .report
    ├── DiskError                      .errno
    └── FormatError                    .where

The first question is always: did a byte leave?  A `UsageError` says that none did, so the call can be mended and made
again.  An `ExchangeError` says that a conversation had begun and carries a `Hint` about what to do.  Neither says that
an upload may have arrived: that is `OutcomeUnknownError`, which stands apart so that no handler written for
"try again" can catch it by accident.

Every error pickles, and its text is one sentence that never shows a passphrase, a key, a cookie or a meter value.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from aiomar.transfer import RangeReport, UploadReport

IdentityProblem = Literal["passphrase", "format", "no_key", "mismatch", "weak_key", "expired", "not_yet_valid"]
"""What is wrong with a client certificate, in one word for code."""

LimitRule = Literal["name_length", "extension", "size", "name_characters", "range", "selection"]
"""Which of the documents' rules, or of this library's, a value breaks."""


class Hint(enum.Enum):
    """What a caller can sensibly do about an `ExchangeError`."""

    RETRY = "retry"
    """The same call may succeed a little later."""
    LOGIN_FIRST = "login_first"
    """The session has ended; a fresh login may mend it."""
    NEVER = "never"
    """Repeating the call cannot help."""
    ASK_A_PERSON = "ask_a_person"
    """Somebody has to look: at the account, the certificate, or the page that came."""


def _rebuild(cls: type[OmarError], message: str, state: dict[str, object]) -> OmarError:
    """Make an error again from its pickle, whatever its constructor asks for."""
    error = cls.__new__(cls, message)
    error.args = (message,)
    for key, value in state.items():
        setattr(error, key, value)
    return error


class OmarError(Exception):
    """Base of everything that aiomar raises on purpose.

    Its text is one sentence that says what happened and what to do next; the attributes are for code.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), str(self), dict(self.__dict__))


# --- Found before any byte left ---------------------------------------------------------------------------------------


class UsageError(OmarError):
    """The call cannot be carried out as it stands; nothing was sent and nothing was written."""


class ConfigError(UsageError):
    """A setting is missing, unknown or contradicts another one."""


class IdentityError(UsageError):
    """The client certificate cannot be used (SUB/DL 1.2.3).

    Attributes:
        kind: ``"passphrase"``, ``"format"``, ``"no_key"``, ``"mismatch"``, ``"weak_key"``, ``"expired"`` or
            ``"not_yet_valid"``.
    """

    def __init__(self, message: str, *, kind: IdentityProblem) -> None:
        super().__init__(message)
        self.kind: IdentityProblem = kind


class LimitError(UsageError):
    """A value breaks a rule of the two documents, or of this library (SUB 3.2.2, DL 3.1).

    Attributes:
        rule: ``"name_length"``, ``"extension"``, ``"size"``, ``"name_characters"``, ``"range"`` or ``"selection"``.
        value: what was given; for a size the number of bytes, for a name the name.
        limit: what would have been allowed, in the same terms.
    """

    def __init__(self, message: str, *, rule: LimitRule, value: object, limit: object) -> None:
        super().__init__(message)
        self.rule: LimitRule = rule
        self.value = value
        self.limit = limit


class SourceError(UsageError):
    """A file to upload is missing, is not a file or cannot be read."""


class DestinationError(UsageError):
    """A download cannot be written where it should go: missing, not writable, existing, busy, its catalogue damaged."""


# --- A conversation had begun -----------------------------------------------------------------------------------------


class ExchangeError(OmarError):
    """A conversation with the server failed.

    Attributes:
        hint: what can be done about it.
    """

    default_hint: ClassVar[Hint] = Hint.NEVER

    def __init__(self, message: str, *, hint: Hint | None = None) -> None:
        super().__init__(message)
        self.hint: Hint = self.default_hint if hint is None else hint


class TransportError(ExchangeError):
    """The connection failed, or what came over it is not HTTP."""

    default_hint = Hint.RETRY
    _malformed = False
    """Whether it is not HTTP, which most likely comes again; for the retry policy."""


class ConnectError(TransportError):
    """No connection could be made: name look-up, TCP, proxy or TLS."""


class CertificateRejectedError(TransportError):
    """One side does not accept the other's certificate.

    Attributes:
        side: ``"server"``: the server's certificate failed our check (there is no way to switch that off);
            ``"client"``: the server refused ours.
        certain: `False` when the server just closed the connection where a refusal is the likeliest reason
            (TLS 1.3 refuses after the handshake, and some servers do so without a word).
    """

    default_hint = Hint.ASK_A_PERSON

    def __init__(
        self, message: str, *, side: Literal["server", "client"], certain: bool = True, hint: Hint | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.side: Literal["server", "client"] = side
        self.certain = certain


class DeadlineError(TransportError):
    """Something took longer than `Timeouts` allows.

    Attributes:
        phase: ``"connect"``, ``"first_byte"``, ``"read"``, ``"rate"`` or ``"operation"``.
    """

    def __init__(self, message: str, *, phase: str, hint: Hint | None = None) -> None:
        super().__init__(message, hint=hint)
        self.phase = phase


class TruncatedBodyError(TransportError):
    """A body is shorter than announced, or nothing proves that it is whole.

    Attributes:
        received: bytes that came.
        expected: bytes that were announced; `None` when the body had no announced length.
    """

    def __init__(self, message: str, *, received: int, expected: int | None, hint: Hint | None = None) -> None:
        super().__init__(message, hint=hint)
        self.received = received
        self.expected = expected


class ResponseTooLargeError(TransportError):
    """A body is larger than aiomar is willing to take."""

    default_hint = Hint.NEVER


class SessionError(ExchangeError):
    """Something about the login session (SUB 3.1.1.2)."""

    default_hint = Hint.ASK_A_PERSON


class LoginError(SessionError):
    """No session could be opened, or the server asks for a login again after a fresh one."""


class SessionExpiredError(SessionError):
    """The session had ended, and the call could not be repeated under a fresh one."""

    default_hint = Hint.LOGIN_FIRST


class ResponseError(ExchangeError):
    """The server answered, and the answer is not what was asked for."""


class StatusError(ResponseError):
    """The HTTP status says no.

    Attributes:
        status: the HTTP status code.
        retry_after: seconds that the server asked to wait, already bounded to be 0 or more; `None` if it did not.
    """

    def __init__(
        self, message: str, *, status: int, retry_after: float | None = None, hint: Hint | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after


class UnexpectedPageError(ResponseError):
    """A page came where data was due (DL 3.3), and it is not the login page.

    Attributes:
        title: the page's title, escaped and bounded; empty when it has none.
        excerpt: the beginning of its text, escaped and bounded.
    """

    default_hint = Hint.ASK_A_PERSON

    def __init__(self, message: str, *, title: str, excerpt: str, hint: Hint | None = None) -> None:
        super().__init__(message, hint=hint)
        self.title = title
        self.excerpt = excerpt


class UnexpectedRedirectError(ResponseError):
    """The server points to another place, which aiomar never follows.

    Attributes:
        location: where it points, escaped and bounded.
    """

    default_hint = Hint.ASK_A_PERSON

    def __init__(self, message: str, *, location: str, hint: Hint | None = None) -> None:
        super().__init__(message, hint=hint)
        self.location = location


class EmptyBodyError(ResponseError):
    """The answer has no bytes at all, which is not the same as having no readings."""

    default_hint = Hint.RETRY


class SubmissionRejectedError(ResponseError):
    """The server refused the file: its page says "Error in File Processing" (SUB 3.3.2).

    Attributes:
        reason: the page's own words, escaped and bounded.
    """

    def __init__(self, message: str, *, reason: str, hint: Hint | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ReceiptMismatchError(ResponseError):
    """The receipt names another file or another size than what was sent (SUB 3.3.1).

    Something was taken; whether it is what was sent, a person has to find out.

    Attributes:
        facts: what was sent and what the page says, by name.
    """

    default_hint = Hint.ASK_A_PERSON

    def __init__(self, message: str, *, facts: Mapping[str, object], hint: Hint | None = None) -> None:
        super().__init__(message, hint=hint)
        self.facts: dict[str, object] = dict(facts)


# --- Apart from both --------------------------------------------------------------------------------------------------


class OutcomeUnknownError(OmarError):
    """An upload may or may not have arrived; aiomar never sends it again by itself.

    Attributes:
        ledger_id: the id of the submission in the ledger; `None` where no ledger is kept.
        phase: how far the exchange had come: ``"request"``, ``"response"`` or ``"page"``.
        facts: what is known, by name: ``name``, ``size`` (bytes), ``sha256``, ``status``, ``cause`` and what could be
            read of the answer.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: str,
        facts: Mapping[str, object] = MappingProxyType({}),
        ledger_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.phase = phase
        self.facts: dict[str, object] = dict(facts)
        self.ledger_id = ledger_id


class UploadBlockedError(OmarError):
    """The ledger holds the same content as unknown or accepted, or another process holds the lock; nothing was sent.

    Attributes:
        ledger_id: the submission that is in the way; `None` when it is a lock.
    """

    def __init__(self, message: str, *, ledger_id: str | None = None) -> None:
        super().__init__(message)
        self.ledger_id = ledger_id


class PartialDownloadError(OmarError):
    """Some downloads of a range failed; the others are on disk.

    Attributes:
        report: the `RangeReport`, with files and failures.
    """

    def __init__(self, message: str, *, report: RangeReport) -> None:
        super().__init__(message)
        self.report = report


class PartialUploadError(OmarError):
    """Some files were not accepted, or were not sent.

    Attributes:
        report: the `UploadReport`, with receipts, failures and files that were not sent.
    """

    def __init__(self, message: str, *, report: UploadReport) -> None:
        super().__init__(message)
        self.report = report


class DiskError(OmarError):
    """The operating system refused to read or write.

    Attributes:
        errno: its error number, as in the `errno` module; `None` when it gave none.
    """

    def __init__(self, message: str, *, errno: int | None) -> None:
        super().__init__(message)
        self.errno = errno


class FormatError(OmarError):
    """A data file breaks a rule of its format.

    Attributes:
        where: the place, for people: file, record number, byte offset.
    """

    def __init__(self, message: str, *, where: str) -> None:
        super().__init__(message)
        self.where = where
