"""The answer to an upload: one folder of tests/samples for each page."""

from __future__ import annotations

import tomllib
from pathlib import Path

import attrs
import pytest

from aiomar.protocol import ReceiptFacts, UploadPage, read_upload_page

SAMPLES = Path(__file__).parents[1] / "samples"
CASES = sorted(path.parent for path in SAMPLES.glob("*/expected.toml"))
RUBBISH = (b"\n", b"\r\n\r\n", b"\n<!-- served by proxy-3 -->\n", b"\n\0\0\n", b"\n<p>&copy; 2002</p>\n")


@attrs.frozen
class Sample:
    """A page and what it says."""

    name: str
    body: bytes
    sent_name: str
    receipt: ReceiptFacts | None
    reason: str | None
    login: bool


def _load(folder: Path) -> Sample:
    expected = tomllib.loads((folder / "expected.toml").read_text(encoding="utf-8"))
    unknown = set(expected) - {"sent_name", "receipt", "reason", "login"}
    assert not unknown, f"{folder.name}/expected.toml has unknown keys: {unknown}"
    return Sample(
        name=folder.name,
        body=(folder / "body.html").read_bytes(),
        sent_name=expected["sent_name"],
        receipt=ReceiptFacts(**expected["receipt"]) if "receipt" in expected else None,
        reason=expected.get("reason"),
        login=expected.get("login", False),
    )


EVERY = [_load(folder) for folder in CASES]
every_sample = pytest.mark.parametrize("sample", EVERY, ids=lambda sample: sample.name)
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def _said(page: UploadPage) -> tuple[ReceiptFacts | None, str | None, bool]:
    return page.receipt, page.reason, page.login


@pytest.mark.fault(58, 59, 60, 63, 78)
@pytest.mark.clause("SUB 3.3.1", "SUB 3.3.2")
@every_sample
def test_a_page_says_what_its_sample_expects(sample: Sample) -> None:
    """Each page is a receipt, a refusal, a login page, more than one of these, or nothing."""
    assert _said(read_upload_page(sample.body, sample.sent_name)) == (sample.receipt, sample.reason, sample.login)


@every_sample
def test_line_ends_do_not_matter(sample: Sample) -> None:
    """A page with CR LF line ends says the same."""
    if sample.body.startswith(UTF_16):
        other = sample.body[:2] + (
            sample.body.decode("utf-16")
            .replace("\n", "\r\n")
            .encode("utf-16-le" if sample.body[0] == 0xFF else "utf-16-be")
        )
    else:
        other = sample.body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert _said(read_upload_page(other, sample.sent_name)) == (sample.receipt, sample.reason, sample.login)


@pytest.mark.clause("SUB 3.3.1")
@pytest.mark.parametrize("rubbish", RUBBISH)
@pytest.mark.parametrize("sample", [sample for sample in EVERY if sample.receipt], ids=lambda sample: sample.name)
def test_trailing_rubbish_changes_no_receipt(sample: Sample, rubbish: bytes) -> None:
    """What follows a receipt does not change it."""
    if sample.body.startswith(UTF_16):
        rubbish = rubbish.decode("latin-1").encode("utf-16-le" if sample.body[0] == 0xFF else "utf-16-be")
    assert read_upload_page(sample.body + rubbish, sample.sent_name).receipt == sample.receipt


@pytest.mark.fault(61)
@pytest.mark.clause("SUB 3.3.1")
@pytest.mark.parametrize(
    "sample",
    [sample for sample in EVERY if sample.receipt and not sample.body.startswith(UTF_16)],
    ids=lambda sample: sample.name,
)
def test_a_cut_page_never_says_something_else(sample: Sample) -> None:
    """Cut anywhere, our receipt is whole or none: never another number or name, never a refusal or a login."""
    for end in range(0, len(sample.body), 1 + len(sample.body) // 500):
        page = read_upload_page(sample.body[:end], sample.sent_name)
        if page.receipt is not None and page.receipt.source_name == sample.sent_name:
            assert page.receipt == sample.receipt, sample.body[:end][-60:]
        assert page.reason is None or sample.reason is not None, sample.body[:end][-60:]
        assert not page.login or sample.login, sample.body[:end][-60:]


@pytest.mark.fault(78)
@every_sample
def test_what_is_told_is_printable_ascii(sample: Sample) -> None:
    """Nothing that a page says can harm a terminal or a log, and nothing is longer than 500 characters."""
    page = read_upload_page(sample.body, sample.sent_name)
    told = [page.excerpt, page.reason or "", *page.fragments.values()]
    if page.receipt is not None:
        told += [page.receipt.saved_name, page.receipt.source_name, page.receipt.file_id]
    for text in told:
        assert text.isascii()
        assert text == "" or text.isprintable()
        assert len(text) <= 500


@every_sample
def test_reading_twice_gives_the_same(sample: Sample) -> None:
    """A reading leaves nothing behind."""
    first = read_upload_page(sample.body, sample.sent_name)
    assert read_upload_page(sample.body, sample.sent_name) == first


@pytest.mark.fault(61)
def test_fragments_of_half_a_receipt_are_told() -> None:
    """What could be read of a receipt that is not whole is kept for people."""
    page = read_upload_page((SAMPLES / "cut-after-the-size" / "body.html").read_bytes(), "test5.csv")
    assert page.fragments == {"source_name": "test5.csv", "saved_name": "528527_test5.csv", "size": "63186"}
