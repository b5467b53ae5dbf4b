"""What users import: exactly the names that are meant, each explained, and errors that travel."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest

import aiomar
from aiomar import errors

CONTRACT = [
    "PRODUCTION",
    "STAGING",
    "TEST",
    "Environment",
    "CookieStyle",
    "Trust",
    "LegacyTls",
    "ClientIdentity",
    "Meter",
    "Group",
    "Selection",
    "FileFormat",
    "TimeType",
    "Timeouts",
    "RetryPolicy",
    "UploadLimits",
    "OmarConfig",
    "OmarClient",
    "Observer",
    "SavedFile",
    "FailedDownload",
    "RangeReport",
    "RangePlan",
    "DownloadJob",
    "UploadReceipt",
    "UploadReport",
    "FailedUpload",
    "Hint",
]
"""What users write against; errors are in the tree below."""

TREE = {
    "OmarError": "Exception",
    "UsageError": "OmarError",
    "ConfigError": "UsageError",
    "IdentityError": "UsageError",
    "LimitError": "UsageError",
    "SourceError": "UsageError",
    "DestinationError": "UsageError",
    "ExchangeError": "OmarError",
    "TransportError": "ExchangeError",
    "ConnectError": "TransportError",
    "CertificateRejectedError": "TransportError",
    "DeadlineError": "TransportError",
    "TruncatedBodyError": "TransportError",
    "ResponseTooLargeError": "TransportError",
    "SessionError": "ExchangeError",
    "LoginError": "SessionError",
    "SessionExpiredError": "SessionError",
    "ResponseError": "ExchangeError",
    "StatusError": "ResponseError",
    "UnexpectedPageError": "ResponseError",
    "UnexpectedRedirectError": "ResponseError",
    "EmptyBodyError": "ResponseError",
    "SubmissionRejectedError": "ResponseError",
    "ReceiptMismatchError": "ResponseError",
    "OutcomeUnknownError": "OmarError",
    "UploadBlockedError": "OmarError",
    "PartialDownloadError": "OmarError",
    "PartialUploadError": "OmarError",
    "DiskError": "OmarError",
    "FormatError": "OmarError",
}
"""Error → its parent, as the public contract draws them."""

FACTS: dict[str, dict[str, object]] = {
    "IdentityError": {"kind": "passphrase"},
    "LimitError": {"rule": "name_length", "value": "x" * 41, "limit": 40},
    "CertificateRejectedError": {"side": "client", "certain": False},
    "DeadlineError": {"phase": "read"},
    "TruncatedBodyError": {"received": 3, "expected": 7},
    "StatusError": {"status": 503, "retry_after": 2.0},
    "UnexpectedPageError": {"title": "Oops", "excerpt": "Something went wrong"},
    "UnexpectedRedirectError": {"location": "/elsewhere"},
    "SubmissionRejectedError": {"reason": "Error in File Processing"},
    "ReceiptMismatchError": {"facts": {"size": 12}},
    "OutcomeUnknownError": {"phase": "response", "facts": {"size": 12}, "ledger_id": "7"},
    "UploadBlockedError": {"ledger_id": "7"},
    "PartialDownloadError": {"report": aiomar.RangeReport(files=(), failures=(), elapsed=1.0)},
    "PartialUploadError": {"report": aiomar.UploadReport(receipts=(), failures=(), not_sent=(Path("a.csv"),))},
    "DiskError": {"errno": 28},
    "FormatError": {"where": "record 3, byte 432"},
}
"""Error → the facts that it carries, beside its text."""


def _public(module: types.ModuleType) -> list[str]:
    """Name what a module really offers: neither underscored, nor a module, nor a `__future__` feature."""
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    )


def _documented() -> list[object]:
    """List every public class and function, and the public methods and properties that those classes define."""
    found: list[object] = []
    for name in aiomar.__all__:
        value = getattr(aiomar, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            found.append(pytest.param(value, id=name))
        if inspect.isclass(value):
            members = [(key, member) for key, member in vars(value).items() if not key.startswith("_")]
            found += [
                pytest.param(member, id=f"{name}.{key}")
                for key, member in members
                if inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)
            ]
    return found


def test_all_is_sorted() -> None:
    """A name has one place in `__all__`."""
    assert list(aiomar.__all__) == sorted(set(aiomar.__all__))


def test_all_is_what_is_public() -> None:
    """Nothing becomes public by accident, and nothing that is listed is missing."""
    assert _public(aiomar) == [name for name in aiomar.__all__ if not name.startswith("_")]


@pytest.mark.parametrize("name", CONTRACT)
def test_names_of_the_contract_are_exported(name: str) -> None:
    """What users write against is there."""
    assert name in aiomar.__all__


@pytest.mark.parametrize("value", _documented())
def test_public_names_are_explained(value: object) -> None:
    """Every public class, function, method and property has a docstring of its own."""
    text = value.__doc__ or ""
    assert len(text.split()) >= 3
    assert not text.startswith("Method generated by attrs")


@pytest.mark.parametrize("name", aiomar.__all__)
def test_public_names_are_in_the_reference(name: str) -> None:
    """The documentation's reference has a place for every public name."""
    pages = (Path(__file__).parents[1] / "docs" / "reference").glob("*.md")
    directives = {line.split("::")[-1].strip() for page in pages for line in page.read_text("utf-8").splitlines()}
    assert directives & {f"aiomar.{name}", f"aiomar.errors.{name}"}


def test_the_error_tree_is_as_drawn() -> None:
    """Every error has the parent that the contract gives it, and there is no other error."""
    found = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert found == TREE


@pytest.mark.parametrize("name", TREE)
def test_errors_are_exported(name: str) -> None:
    """Users catch errors by `aiomar.X` as well as by `aiomar.errors.X`."""
    assert getattr(aiomar, name) is getattr(errors, name)


@pytest.mark.parametrize("name", TREE)
def test_errors_travel_between_processes(name: str) -> None:
    """An error comes out of a pickle with its type, its text and its facts."""
    error = getattr(errors, name)("what happened: do this next", **FACTS.get(name, {}))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is type(error)
    assert str(again) == "what happened: do this next"
    assert vars(again) == vars(error)
    assert vars(again).items() >= FACTS.get(name, {}).items()


def test_an_exchange_error_says_what_can_be_done() -> None:
    """Every error of a conversation carries a hint, and one that is given survives a pickle."""
    error = errors.ConnectError("no connection: try again later", hint=errors.Hint.ASK_A_PERSON)
    assert pickle.loads(pickle.dumps(error)).hint is errors.Hint.ASK_A_PERSON  # noqa: S301 - our own bytes
    assert errors.ConnectError("no connection: try again later").hint is errors.Hint.RETRY


def test_importing_aiomar_brings_no_extra() -> None:
    """A service that embeds the client pays for no command line and no test server."""
    code = "import sys, aiomar; print(sorted({'rich', 'cyclopts', 'trustme', 'pytest'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
