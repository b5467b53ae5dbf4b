"""Several uploads: every rule is checked first, and an unknown outcome stops the rest."""
# ruff: noqa: PLR0917 - pytest gives parameters and fixtures by name

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from aiomar import (
    ConfigError,
    LimitError,
    OmarClient,
    OmarError,
    OutcomeUnknownError,
    PartialUploadError,
    ReceiptMismatchError,
    SourceError,
    StatusError,
    SubmissionRejectedError,
)
from aiomar.testing import DropAnswer, Fault, LoginPage, OmarServer, Page, Status
from tests.client.helpers import sent


def files(sources: Path) -> list[Path]:
    """Give the three good files."""
    return sorted(sources.iterdir())


REFUSAL = Page("<p>Error in File Processing: no such meter</p>", on="upload")
FOREIGN = Page(
    "<table><tr><td>other.csv Meter file uploaded and Saved As 1_other.csv</td></tr><tr><td>File Size : 3</td></tr>"
    "<tr><td>File Id: 1</td></tr></table>",
    on="upload",
)


async def test_all_are_sent_in_order(sources: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """A receipt for each file, in the order of the sources, one after the other."""
    report = await omar_client.upload_all(str(path) for path in files(sources))
    assert [receipt.source_name for receipt in report.receipts] == [path.name for path in files(sources)]
    assert [upload.name for upload in omar_server.uploads] == [path.name for path in files(sources)]
    assert (list(report.failures), list(report.not_sent)) == ([], [])
    assert omar_server.max_concurrent_uploads == 1
    report.raise_for_failures()


async def test_no_sources(omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Nothing to send is an empty report, and asks nothing."""
    report = await omar_client.upload_all([])
    assert (list(report.receipts), list(report.failures), list(report.not_sent)) == ([], [], [])
    assert not omar_server.requests


async def test_nothing_is_sent_when_one_breaks_a_rule(
    sources: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """The bad ones are failures, the good ones were not sent."""
    good = files(sources)
    (sources / "empty.csv").touch()
    (sources / "notes.txt").write_bytes(b"x")
    bad = [sources / "empty.csv", sources / "notes.txt", sources / "missing.csv"]
    with pytest.raises(PartialUploadError) as caught:
        await omar_client.upload_all([good[0], bad[0], good[1], bad[1], bad[2], good[2]])
    report = caught.value.report
    assert list(report.receipts) == []
    assert [(failure.source, type(failure.error)) for failure in report.failures] == [
        (bad[0], LimitError),
        (bad[1], LimitError),
        (bad[2], SourceError),
    ]
    assert list(report.not_sent) == good
    assert not omar_server.requests
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert str(copy) == str(caught.value)
    assert list(copy.report.not_sent) == good


async def test_the_good_ones_are_sent_when_failures_are_collected(
    sources: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """With ``"collect"`` a broken rule costs only its own file."""
    bad = sources / "missing.csv"
    report = await omar_client.upload_all([bad, *files(sources)], errors="collect")
    assert [failure.source for failure in report.failures] == [bad]
    assert len(report.receipts) == 3
    assert list(report.not_sent) == []
    assert len(omar_server.uploads) == 3


@pytest.mark.parametrize("errors", ["raise", "collect"])
@pytest.mark.parametrize(
    ("fault", "kind"), [(REFUSAL, SubmissionRejectedError), (Status(413, on="upload"), StatusError)], ids=repr
)
async def test_a_refused_file_does_not_stop_the_others(
    fault: Fault,
    kind: type[OmarError],
    errors: str,
    sources: Path,
    omar_server: OmarServer,
    omar_client: OmarClient,
) -> None:
    """The server's refusal is that file's failure, and the rest is sent."""
    omar_server.script(fault)
    if errors == "collect":
        report = await omar_client.upload_all(files(sources), errors="collect")
    else:
        with pytest.raises(PartialUploadError) as caught:
            await omar_client.upload_all(files(sources))
        report = caught.value.report
    assert [(failure.source, type(failure.error)) for failure in report.failures] == [(files(sources)[0], kind)]
    assert [receipt.source_name for receipt in report.receipts] == ["file2.csv", "file3.csv"]
    assert list(report.not_sent) == []
    with pytest.raises(PartialUploadError):
        report.raise_for_failures()


@pytest.mark.parametrize("errors", ["raise", "collect"])
@pytest.mark.parametrize(("fault", "kind"), [(DropAnswer(), OutcomeUnknownError), (FOREIGN, ReceiptMismatchError)])
async def test_an_unknown_outcome_stops_the_rest(
    fault: Fault, kind: type[OmarError], errors: str, sources: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """With either way of reporting, nothing more is sent after a file of which nobody knows what became."""
    first, second, third = files(sources)
    (sources.parent / "before.csv").write_bytes(b"before\r\n")
    await omar_client.upload(sources.parent / "before.csv")
    omar_server.script(fault)
    if errors == "collect":
        report = await omar_client.upload_all([first, second, third], errors="collect")
    else:
        with pytest.raises(PartialUploadError) as caught:
            await omar_client.upload_all([first, second, third])
        report = caught.value.report
    assert [(failure.source, type(failure.error)) for failure in report.failures] == [(first, kind)]
    assert list(report.receipts) == []
    assert list(report.not_sent) == [second, third]
    assert sent(omar_server, "upload") == 2
    with pytest.raises(PartialUploadError, match=r"^0 files were accepted, 0 failed, 1 ended unknown and 2 were not"):
        report.raise_for_failures()


async def test_a_dead_session_between_two_files(
    sources: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """Each file has its own second chance after a login page."""
    omar_server.script(LoginPage(on="upload"))
    (sources.parent / "before.csv").write_bytes(b"before\r\n")
    await omar_client.upload(sources.parent / "before.csv")
    omar_server.expire_sessions()
    report = await omar_client.upload_all(files(sources))
    assert len(report.receipts) == 3
    assert len(omar_server.uploads) == 4


async def test_errors_is_one_of_two_words(sources: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Any other word is a `ConfigError` before anything is sent."""
    with pytest.raises(ConfigError):
        await omar_client.upload_all(files(sources), errors="ignore")  # type: ignore[arg-type] # on purpose
    assert not omar_server.requests
